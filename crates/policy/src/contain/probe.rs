//! The search for a witness: requests made from the patterns and values at hand, each confirmed by the evaluator.

use super::{Witness, contexts::contexts, names};
use crate::{
    arn::{ArnPattern, ResourcePattern, Subject},
    compiled::CompiledStatement,
    document::{ActionElement, Document, Effect, ResourceElement},
    evaluate::{Context, Layers, Outcome, Prepared, Request, evaluate},
    glob::{Pattern, Syntax},
    work::Work,
};

/// An element of a candidate's Allow that was not proved.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Index of the candidate's document and statement.
    pub(super) statement: (usize, usize),
    /// Index of the action, of the resource.
    pub(super) action: usize,
    pub(super) resource: usize,
    /// The ceiling's Deny that it may run into; `None` when no Allow of the ceiling covers it.
    pub(super) deny: Option<usize>,
}

impl Question {
    /// The element as written.
    pub(super) fn describe(&self, candidate: &[&Document]) -> String {
        let (document, statement) = self.statement;
        let Some(statement) = candidate
            .get(document)
            .and_then(|d| d.statements().get(statement))
        else {
            return "the policy".to_owned();
        };
        let pick = |list: &[String], i: usize| list.get(i).cloned().unwrap_or_default();
        let action = match &statement.action {
            ActionElement::Action(list) => pick(list, self.action),
            ActionElement::NotAction(list) => format!("everything but {}", list.join(", ")),
        };
        let resource = match &statement.resource {
            Some(ResourceElement::Resource(list)) => pick(list, self.resource),
            Some(ResourceElement::NotResource(list)) => format!("everything but {}", list.join(", ")),
            None => "the role".to_owned(),
        };
        let text: String = format!("{action} on {resource}").chars().take(300).collect();
        text
    }
}

const MAX_ACTIONS: usize = 12;
const MAX_RESOURCES: usize = 12;

pub(super) struct Probe<'a> {
    candidate: &'a [&'a Document],
    ceiling: &'a Document,
    work: Work,
}

impl<'a> Probe<'a> {
    pub(super) fn new(candidate: &'a [&'a Document], ceiling: &'a Document, work: Work) -> Self {
        Self {
            candidate,
            ceiling,
            work,
        }
    }

    pub(super) fn exhausted(&self) -> bool {
        self.work.exhausted()
    }

    /// A confirmed request for which the element exceeds the ceiling.
    pub(super) fn search(&mut self, question: &Question) -> Option<Witness> {
        let (d, s) = question.statement;
        let document = *self.candidate.get(d)?;
        let statement = document.compiled().statements.get(s)?;
        let deny = question
            .deny
            .and_then(|e| self.ceiling.compiled().statements.get(e));
        let actions = self.actions(document, statement, question, deny);
        let contexts = contexts(self.candidate, self.ceiling, statement, deny, &mut self.work);
        for (c, context) in contexts.iter().enumerate() {
            // The first contexts are the most telling; later ones only vary a key.
            let few = if c < 2 { MAX_ACTIONS } else { 2 };
            for action in actions.iter().take(few) {
                for resource in self.resources(statement, question, deny, action, context) {
                    if self.work.exhausted() {
                        return None;
                    }
                    let request = Request {
                        action: action.clone(),
                        resource,
                        principal: None,
                        context: context.clone(),
                    };
                    if self.exceeds(&request) {
                        return self.witness(request);
                    }
                }
            }
        }
        None
    }

    fn exceeds(&mut self, request: &Request) -> bool {
        let prepared = Prepared::new(request);
        if let Outcome::Allowed(_) = self.ceiling.compiled().outcome(&prepared, &mut self.work) {
            return false;
        }
        let mut allowed = false;
        for document in self.candidate {
            match document.compiled().outcome(&prepared, &mut self.work) {
                Outcome::Denied(_) => return false,
                Outcome::Allowed(_) => allowed = true,
                Outcome::Silent => {}
            }
        }
        allowed && !self.work.exhausted()
    }

    /// Leaves out context keys that are not needed, and asks the evaluator for the last word.
    fn witness(&mut self, mut request: Request) -> Option<Witness> {
        let keys: Vec<String> = request.context.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let mut smaller = request.clone();
            smaller.context.remove(&key);
            if self.exceeds(&smaller) {
                request = smaller;
            }
        }
        let of_candidate = evaluate(
            &Layers {
                identity: self.candidate,
                ..Layers::default()
            },
            &request,
        );
        let of_ceiling = evaluate(
            &Layers {
                identity: &[self.ceiling],
                ..Layers::default()
            },
            &request,
        );
        if !of_candidate.is_allowed() || of_ceiling.is_allowed() {
            return None;
        }
        Some(Witness {
            action: request.action,
            resource: request.resource,
            context: request.context,
            candidate: of_candidate.reason.statement?,
        })
    }

    /// Actions of the element, those that the ceiling allows least first.
    fn actions(
        &mut self,
        document: &Document,
        statement: &CompiledStatement,
        question: &Question,
        deny: Option<&CompiledStatement>,
    ) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let written = document
            .statements()
            .get(question.statement.1)
            .map(|statement| &statement.action);
        let own = match written {
            Some(ActionElement::Action(list)) => list.get(question.action).map(String::as_str),
            _ => None,
        };
        let mine = statement
            .actions
            .items
            .get(question.action)
            .filter(|_| !statement.actions.negated);
        if let Some(own) = own
            && !own.contains(['*', '?'])
        {
            return vec![own.to_owned()];
        }
        names.extend(names::ACTIONS.iter().map(|name| (*name).to_owned()));
        if let Some(own) = own {
            names.extend(action_instances(own));
        }
        for other in self.written_actions() {
            names.extend(action_instances(&other));
        }
        for pattern in deny
            .into_iter()
            .flat_map(|deny| &deny.actions.items)
            .take(MAX_ACTIONS)
        {
            let overlap = mine.and_then(|mine| mine.overlap(pattern, &Context::new()));
            names.extend(overlap.and_then(|pattern| pattern.instance(&Context::new(), "", 'a')));
        }
        names.push("service:Action".to_owned());
        let mut ranked: Vec<(usize, String)> = Vec::new();
        for name in names {
            let folded: Vec<char> = name.chars().map(crate::glob::fold).collect();
            let matches = match mine {
                Some(pattern) => pattern.matches(&folded, &Context::new(), &mut self.work),
                None => statement.actions.matches_action(&folded, &mut self.work),
            };
            let denied = deny.is_none_or(|deny| deny.actions.matches_action(&folded, &mut self.work));
            if !matches || !denied || !well_formed(&name) || ranked.iter().any(|(_, known)| *known == name) {
                continue;
            }
            let covers = &self.ceiling.compiled().statements;
            let covers = covers.iter().filter(|n| n.effect == Effect::Allow);
            let rank = covers
                .filter(|n| n.actions.matches_action(&folded, &mut self.work))
                .count();
            ranked.push((rank, name));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
            .into_iter()
            .map(|(_, name)| name)
            .take(MAX_ACTIONS)
            .collect()
    }

    /// Some of the actions that the ceiling and the candidate's Denys are written with: edges run along them.
    fn written_actions(&self) -> Vec<String> {
        let documents = self.candidate.iter().copied().chain([self.ceiling]);
        let lists = documents
            .flat_map(Document::statements)
            .map(|statement| match &statement.action {
                ActionElement::Action(list) | ActionElement::NotAction(list) => list,
            });
        lists
            .flat_map(|list| list.iter().take(64).cloned())
            .take(256)
            .collect()
    }

    /// Resources of the element for an action.
    fn resources(
        &mut self,
        statement: &CompiledStatement,
        question: &Question,
        deny: Option<&CompiledStatement>,
        action: &str,
        context: &Context,
    ) -> Vec<String> {
        let Some(elements) = &statement.resources else {
            return Vec::new();
        };
        let mine = elements
            .items
            .get(question.resource)
            .filter(|_| !elements.negated);
        let service = action.split(':').next().unwrap_or_default();
        let mut texts = Vec::new();
        let denied = deny
            .and_then(|deny| deny.resources.as_ref())
            .map_or(&[][..], |r| r.items.as_slice());
        match mine.and_then(ResourcePattern::arn) {
            Some(arn) => {
                for pattern in denied.iter().filter_map(ResourcePattern::arn).take(4) {
                    texts.extend(overlap(arn, pattern, context));
                }
                for run in ["a", "", "any/thing", "zz:z"] {
                    texts.extend(instance(arn, context, HEAD, run));
                }
                texts.extend(instance(arn, context, OTHER_HEAD, "a"));
            }
            None => {
                for pattern in denied.iter().filter_map(ResourcePattern::arn).take(4) {
                    texts.extend(instance(pattern, context, HEAD, "a"));
                }
                texts.extend(names::resources_of(service));
            }
        }
        // What the other statements are written with: just inside and outside of their edges.
        let documents = self.candidate.iter().copied().chain([self.ceiling]);
        let statements = documents.flat_map(|document| &document.compiled().statements);
        let others = statements
            .filter_map(|other| other.resources.as_ref())
            .flat_map(|r| &r.items);
        for other in others.filter_map(ResourcePattern::arn).take(16) {
            texts.extend(match mine.and_then(ResourcePattern::arn) {
                Some(arn) => overlap(arn, other, context),
                None => instance(other, context, HEAD, "a"),
            });
        }
        let mut kept: Vec<String> = Vec::new();
        for text in texts {
            if !self.work.charge(text.len()) {
                break;
            }
            let subject = Subject::new(&text);
            let matches = match mine {
                Some(pattern) => pattern.matches(&subject, context, &mut self.work),
                None => elements.matches_resource(&subject, context, &mut self.work),
            };
            if matches && !kept.contains(&text) {
                kept.push(text);
            }
            if kept.len() >= MAX_RESOURCES {
                break;
            }
        }
        kept
    }
}

/// Names that a pattern for actions matches, in its own spelling.
fn action_instances(text: &str) -> Vec<String> {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: false,
    };
    let Ok(pattern) = Pattern::parse(text, syntax) else {
        return Vec::new();
    };
    let context = Context::new();
    if !pattern.has_wildcards() {
        return vec![text.to_owned()];
    }
    ["Any", "", "Object"]
        .into_iter()
        .filter_map(|run| pattern.instance(&context, run, 'a'))
        .collect()
}

/// `service:Name`.
fn well_formed(action: &str) -> bool {
    action
        .split_once(':')
        .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty())
}

/// What stands for a lone `*` in the partition, the service, the region and the account.
const HEAD: [&str; 5] = ["arn", "aws", "s3", "us-east-1", "123456789012"];

/// Another choice, for limits on regions and accounts.
const OTHER_HEAD: [&str; 5] = ["arn", "aws-cn", "s3", "eu-south-2", "999999999999"];

fn instance(arn: &ArnPattern, context: &Context, usual: [&str; 5], run: &str) -> Option<String> {
    let head = arn
        .head
        .iter()
        .zip(usual)
        .map(|(part, run)| part.instance(context, run, 'a'));
    let head: Option<Vec<String>> = head.collect();
    Some(format!(
        "{}:{}",
        head?.join(":"),
        arn.rest.instance(context, run, 'a')?
    ))
}

fn overlap(a: &ArnPattern, b: &ArnPattern, context: &Context) -> Option<String> {
    let mut text = String::new();
    for ((x, y), usual) in a.head.iter().zip(&b.head).zip(HEAD) {
        text.push_str(&x.overlap(y, context)?.instance(context, usual, 'a')?);
        text.push(':');
    }
    text.push_str(&a.rest.overlap(&b.rest, context)?.instance(context, "a", 'a')?);
    Some(text)
}
