//! Actions and resources worth trying, when the first guess does not exceed.

use super::{
    MAX_ACTIONS, MAX_RESOURCES,
    arns::{HEAD, OTHER_HEADS, instance, overlap},
    confirm::Probe,
    names,
    near::{action_instances, own_action},
    question::UnprovedElement,
};
use crate::{
    ast::{ActionElement, Effect},
    compiled::CompiledStatement,
    context::Context,
    document::Document,
    pattern::{
        arn::{ArnText, ResourcePattern},
        elements::ActionText,
        glob::Inside,
    },
    reference,
    work::Work,
};

impl Probe<'_> {
    /// Actions of the element, those that the ceiling allows least first.
    pub(super) fn actions(
        &self,
        document: &Document,
        statement: &CompiledStatement,
        question: &UnprovedElement,
        deny: Option<&CompiledStatement>,
        work: &mut Work,
    ) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let own = own_action(document, question);
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
            let text = ActionText::new(&name);
            let matches = match mine {
                Some(pattern) => pattern.matches(&text.chars, &Context::new(), work),
                None => statement.actions.matches_action(&text, work),
            };
            let denied = deny.is_none_or(|deny| deny.actions.matches_action(&text, work));
            if !matches || !denied || !well_formed(&name) || ranked.iter().any(|(_, known)| *known == name) {
                continue;
            }
            let covers = &self.ceiling.compiled().statements;
            let covers = covers.iter().filter(|n| n.effect == Effect::Allow);
            let rank = covers.filter(|n| n.actions.matches_action(&text, work)).count();
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
    pub(super) fn written_actions(&self) -> Vec<String> {
        let documents = self.documents.iter().copied().chain([self.ceiling]);
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
    pub(super) fn resources(
        &self,
        statement: &CompiledStatement,
        question: &UnprovedElement,
        deny: Option<&CompiledStatement>,
        action: &str,
        context: &Context,
        work: &mut Work,
    ) -> Vec<String> {
        let Some(elements) = &statement.resources else {
            return vec!["*".to_owned()];
        };
        let mine = elements
            .items
            .get(question.resource)
            .filter(|_| !elements.negated);
        let mut texts = Vec::new();
        let denied = deny
            .and_then(|deny| deny.resources.as_ref())
            .map_or(&[][..], |r| r.items.as_slice());
        match mine.and_then(ResourcePattern::arn) {
            Some(arn) => {
                for pattern in denied.iter().filter_map(ResourcePattern::arn).take(4) {
                    texts.extend(overlap(arn, pattern, HEAD, context));
                }
                for run in ["a", "", "any/thing", "zz:z"] {
                    texts.extend(instance(arn, context, HEAD, run));
                }
                texts.extend(
                    OTHER_HEADS
                        .iter()
                        .filter_map(|head| instance(arn, context, *head, "a")),
                );
            }
            None => {
                for pattern in denied.iter().filter_map(ResourcePattern::arn).take(4) {
                    texts.extend(instance(pattern, context, HEAD, "a"));
                }
                texts.extend([
                    names::resource_of(action, reference::action(action)),
                    "*".to_owned(),
                ]);
            }
        }
        // What the other statements are written with: just inside and outside of their edges.
        let documents = self.documents.iter().copied().chain([self.ceiling]);
        let statements = documents.flat_map(|document| &document.compiled().statements);
        let others = statements
            .filter_map(|other| other.resources.as_ref())
            .flat_map(|r| &r.items);
        for other in others.filter_map(ResourcePattern::arn).take(16) {
            texts.extend(match mine.and_then(ResourcePattern::arn) {
                Some(arn) => overlap(arn, other, HEAD, context),
                None => instance(other, context, HEAD, "a"),
            });
        }
        let mut kept: Vec<String> = Vec::new();
        for text in texts {
            if !work.charge(text.len()) {
                break;
            }
            let subject = ArnText::new(&text);
            let matches = match mine {
                Some(pattern) => pattern.matches(&subject, context, work),
                None => elements.matches_resource(&subject, context, (false, Inside::Literal), work),
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

/// `service:Name`.
fn well_formed(action: &str) -> bool {
    action
        .split_once(':')
        .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty())
}
