//! The search for a witness: requests made from the patterns and values at hand, each confirmed by the evaluator.

use std::cell::LazyCell;

use super::{
    Witness,
    callers::callers,
    contexts::contexts,
    names,
    query::{Dimension, Part},
    solve,
    values::{choices, holding},
};
use crate::{
    arn::{ArnPattern, ResourcePattern, Subject},
    compiled::CompiledStatement,
    condition::atom::Atom,
    document::{ActionElement, Document, Effect, ResourceElement},
    elements::ActionText,
    evaluate::{Context, Outcome, Prepared, Request},
    glob::{Pattern, Syntax},
    positions::{VariableCase, World},
    principal::Caller,
    variable::Variable,
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
    layers: &'a [&'a [&'a Document]],
    /// Of all layers, the first one's first.
    documents: Vec<&'a Document>,
    ceiling: &'a Document,
}

impl<'a> Probe<'a> {
    pub(super) fn new(layers: &'a [&'a [&'a Document]], ceiling: &'a Document) -> Self {
        Self {
            layers,
            documents: layers.iter().flat_map(|layer| layer.iter().copied()).collect(),
            ceiling,
        }
    }

    fn statement(&self, question: &Question) -> Option<(&'a Document, &'a CompiledStatement)> {
        let (d, s) = question.statement;
        let document = *self.layers.first()?.get(d)?;
        Some((document, document.compiled().statements.get(s)?))
    }

    fn deny(&self, question: &Question) -> Option<&'a CompiledStatement> {
        self.ceiling.compiled().statements.get(question.deny?)
    }

    /// A confirmed request that is near at hand: the element's own words, and nothing in the context that no condition asks
    /// for.
    pub(super) fn guess(&self, question: &Question, work: &mut Work) -> Option<Witness> {
        let (document, statement) = self.statement(question)?;
        let deny = self.deny(question);
        let own = own_action(document, question)?;
        let arn = statement
            .resources
            .as_ref()
            .filter(|resources| !resources.negated)
            .and_then(|resources| resources.items.get(question.resource)?.arn());
        let variables = arn.map_or(&[][..], |arn| arn.rest.variables());
        let context = simple_context(statement, deny, variables, work)?;
        let mut request = Request {
            action: String::new(),
            resource: "*".to_owned(),
            principal: None,
            context,
        };
        for action in near_actions(own) {
            match &statement.resources {
                None => {}
                Some(elements) if elements.negated => return None,
                Some(_) => match arn {
                    Some(arn) => request.resource = instance(arn, &request.context, HEAD, "a")?,
                    None => {
                        let service = action.split(':').next().unwrap_or_default();
                        [request.resource, ..] = names::resources_of(service);
                    }
                },
            }
            request.action = action;
            let found = self.with_callers(statement, 3, |caller, bounded| {
                request.principal = caller;
                let place = self.exceeds(&request, bounded, work)?;
                Some(witness(request.clone(), bounded, place))
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A confirmed request for which the element exceeds the ceiling, out of many that are tried.
    pub(super) fn search(&self, question: &Question, work: &mut Work) -> Option<Witness> {
        let (document, statement) = self.statement(question)?;
        let deny = self.deny(question);
        let actions = self.actions(document, statement, question, deny, work);
        let contexts = contexts(&self.documents, self.ceiling, statement, deny, work);
        for (c, context) in contexts.iter().enumerate() {
            // The first contexts are the most telling; later ones only vary a key.
            let few = if c < 2 { MAX_ACTIONS } else { 2 };
            for action in actions.iter().take(few) {
                for resource in self.resources(statement, question, deny, action, context, work) {
                    if work.exhausted() {
                        return None;
                    }
                    let mut request = Request {
                        action: action.clone(),
                        resource,
                        principal: None,
                        context: context.clone(),
                    };
                    let found = self.with_callers(statement, 4, |caller, bounded| {
                        request.principal = caller;
                        self.exceeds(&request, bounded, work)?;
                        self.smallest(request.clone(), bounded, work)
                    });
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        None
    }

    /// The request that a search put together, if it exceeds.
    pub(super) fn confirm_parts(
        &self,
        parts: &[Part],
        dimensions: &[Dimension],
        world: &World,
        values: &solve::Values,
        question: &Question,
    ) -> Option<Witness> {
        let mut work = Work::unlimited();
        let mut request = Request {
            action: String::new(),
            resource: "*".to_owned(),
            principal: None,
            context: Context::new(),
        };
        let mut bounded = false;
        for (v, (key, case)) in world.iter().enumerate() {
            match case {
                VariableCase::Absent => {}
                VariableCase::Present => request.context.set(key, [values.get(v)]),
                VariableCase::List => request.context.set(key, [values.get(v), "another"]),
            }
        }
        for (part, dimension) in parts.iter().zip(dimensions) {
            match (part, dimension) {
                (Part::Action(word), _) => request.action = values.text(word),
                (Part::Resource(Some(word)), _) => request.resource = values.text(word),
                (Part::Caller(caller, of_bounded), _) => {
                    request.principal = Some(caller.clone());
                    bounded = *of_bounded;
                }
                (Part::Key(Some(texts)), Dimension::Key(key)) => {
                    request.context.set(self.spelled(key), values.texts(texts));
                }
                (Part::Resource(None) | Part::Key(_), _) => {}
            }
        }
        // As it is written, when it is spelled out.
        let (document, _) = self.statement(question)?;
        if let Some(own) = own_action(document, question)
            && own.eq_ignore_ascii_case(&request.action)
        {
            own.clone_into(&mut request.action);
        }
        self.exceeds(&request, bounded, &mut work)?;
        self.polish(&mut request, bounded, &mut work);
        self.smallest(request, bounded, &mut work)
    }

    /// Puts usual names where the shortest ones were found.
    fn polish(&self, request: &mut Request, bounded: bool, work: &mut Work) {
        let mut keep = |request: &mut Request, changed: Request| {
            let exceeds = self.exceeds(&changed, bounded, work).is_some();
            if exceeds {
                *request = changed;
            }
            exceeds
        };
        let mut parts: Vec<String> = request.resource.splitn(6, ':').map(str::to_owned).collect();
        let service = request.action.split(':').next().unwrap_or("s3").to_owned();
        for (i, usual) in ["arn", "aws", &service, "us-east-1", "123456789012", "any"]
            .into_iter()
            .enumerate()
        {
            let Some(part) = parts.get_mut(i).filter(|part| i == 5 || part.len() == 1) else {
                continue;
            };
            let found = match i {
                5 if part.is_empty() || part.ends_with(['/', ':']) => format!("{part}{usual}"),
                5 => continue,
                _ => usual.to_owned(),
            };
            let short = std::mem::replace(part, found);
            let mut changed = request.clone();
            changed.resource = parts.join(":");
            if !keep(request, changed)
                && let Some(part) = parts.get_mut(i)
            {
                *part = short;
            }
        }
        let empty: Vec<String> = request
            .context
            .iter()
            .filter(|(_, values)| values.iter().any(String::is_empty))
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in empty {
            let mut changed = request.clone();
            changed.context.set(key, ["something-else"]);
            keep(request, changed);
        }
    }

    /// A condition key the way some statement spells it.
    fn spelled<'k>(&'k self, key: &'k str) -> &'k str {
        let documents = self.documents.iter().chain([&self.ceiling]);
        let mut atoms = documents
            .flat_map(|document| &document.compiled().statements)
            .flat_map(|statement| &statement.atoms);
        atoms
            .find(|atom| atom.key == key)
            .map_or(key, |atom| &atom.spelled)
    }

    /// Asks for callers that the statement is about, at most so many.
    fn with_callers<T>(
        &self,
        statement: &CompiledStatement,
        most: usize,
        mut ask: impl FnMut(Option<Caller>, bool) -> Option<T>,
    ) -> Option<T> {
        let Some(element) = &statement.principal else {
            return ask(None, false);
        };
        let statements = self
            .documents
            .iter()
            .chain([&self.ceiling])
            .flat_map(|d| &d.compiled().statements);
        callers(statements.filter_map(|statement| statement.principal.as_ref()))
            .into_iter()
            .filter(|(caller, bounded)| element.is_about(caller, *bounded))
            .take(most)
            .find_map(|(caller, bounded)| ask(Some(caller), bounded))
    }

    /// Whether the candidate allows the request and the ceiling does not; where in the first layer it is allowed.
    fn exceeds(&self, request: &Request, bounded: bool, work: &mut Work) -> Option<(usize, usize)> {
        let prepared = Prepared::new(request).bounded(bounded);
        if let Outcome::Allowed(_) = self.ceiling.compiled().outcome(&prepared, work) {
            return None;
        }
        let mut first = None;
        for layer in self.layers {
            let mut allowed = None;
            for (d, document) in layer.iter().enumerate() {
                match document.compiled().outcome(&prepared, work) {
                    Outcome::Denied(_) => return None,
                    Outcome::Allowed(s) if allowed.is_none() => allowed = Some((d, s)),
                    Outcome::Allowed(_) | Outcome::Silent => {}
                }
            }
            let allowed = allowed?;
            first = first.or(Some(allowed));
        }
        first.filter(|_| !work.exhausted())
    }

    /// Leaves out context keys that are not needed.
    fn smallest(&self, mut request: Request, bounded: bool, work: &mut Work) -> Option<Witness> {
        let keys: Vec<String> = request.context.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let mut smaller = request.clone();
            smaller.context.remove(&key);
            if self.exceeds(&smaller, bounded, work).is_some() {
                request = smaller;
            }
        }
        let place = self.exceeds(&request, bounded, work)?;
        Some(witness(request, bounded, place))
    }

    /// Actions of the element, those that the ceiling allows least first.
    fn actions(
        &self,
        document: &Document,
        statement: &CompiledStatement,
        question: &Question,
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
    fn written_actions(&self) -> Vec<String> {
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
    fn resources(
        &self,
        statement: &CompiledStatement,
        question: &Question,
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
        let documents = self.documents.iter().copied().chain([self.ceiling]);
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
            if !work.charge(text.len()) {
                break;
            }
            let subject = Subject::new(&text);
            let matches = match mine {
                Some(pattern) => pattern.matches(&subject, context, work),
                None => elements.matches_resource(&subject, context, work),
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

/// A context in which the conditions of the statements hold, looking at nothing else.
fn simple_context(
    statement: &CompiledStatement,
    deny: Option<&CompiledStatement>,
    variables: &[Variable],
    work: &mut Work,
) -> Option<Context> {
    let mut context = Context::new();
    let statements = || std::iter::once(statement).chain(deny);
    if variables.is_empty() && statements().all(|statement| statement.atoms.is_empty()) {
        return Some(context);
    }
    let atoms: Vec<&Atom> = statements().flat_map(|statement| &statement.atoms).collect();
    // Values that others are made of come first.
    for variable in variables
        .iter()
        .chain(atoms.iter().flat_map(|atom| atom.variables()))
    {
        if !atoms.iter().any(|atom| atom.key == variable.key) {
            context.set(&*variable.spelled, ["somebody"]);
        }
    }
    for (i, atom) in atoms.iter().enumerate() {
        if atoms.iter().take(i).any(|earlier| earlier.key == atom.key) {
            continue;
        }
        let of_key: Vec<&Atom> = atoms
            .iter()
            .copied()
            .filter(|other| other.key == atom.key)
            .collect();
        let choice = choices(&atom.key, &of_key, &context).into_iter().find(|choice| {
            work.charge(8) && holding(&of_key, &atom.spelled, choice, &mut context, work) == of_key.len()
        })?;
        if let Some(values) = choice {
            context.set(&*atom.spelled, values);
        }
    }
    Some(context)
}

/// The action of the element as written; `None` when it is a negated list.
fn own_action<'d>(document: &'d Document, question: &Question) -> Option<&'d str> {
    match &document.statements().get(question.statement.1)?.action {
        ActionElement::Action(list) => list.get(question.action).map(String::as_str),
        ActionElement::NotAction(_) => None,
    }
}

fn witness(request: Request, bounded: bool, candidate: (usize, usize)) -> Witness {
    Witness {
        action: request.action,
        resource: request.resource,
        principal: request.principal,
        bounded,
        context: request.context,
        candidate,
    }
}

/// A few names for the action as written: itself, or well-known ones that it stands for.
fn near_actions(own: &str) -> impl Iterator<Item = String> {
    let plain = !own.contains(['*', '?']);
    let everything = own == "*";
    let (service, name) = own.split_once(':').unwrap_or((own, ""));
    let wild = !plain && !everything;
    let known = names::ACTIONS.iter().filter(move |known| {
        wild && known
            .strip_prefix(service)
            .is_some_and(|rest| rest.starts_with(':'))
    });
    // Parsed only when there is something to compare it with.
    let pattern = LazyCell::new(move || if name == "*" { None } else { action_pattern(own) });
    let stands_for = move |known: &&&str| {
        let mut work = Work::unlimited();
        let text = ActionText::new(known);
        pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&text.chars, &Context::new(), &mut work))
    };
    let any = [
        "s3:GetObject",
        "iam:CreateUser",
        "ec2:RunInstances",
        "service:Action",
    ];
    let any = any.into_iter().filter(move |_| everything).map(str::to_owned);
    plain
        .then(|| own.to_owned())
        .into_iter()
        .chain(any)
        .chain(known.filter(stands_for).take(6).map(|known| (*known).to_owned()))
        .chain(std::iter::once_with(move || if wild { action_instance(own, "Any") } else { None }).flatten())
}

fn action_pattern(text: &str) -> Option<Pattern> {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: true,
    };
    Pattern::parse(text, syntax).ok()
}

/// Names that a pattern for actions matches, in its own spelling.
fn action_instances(text: &str) -> Vec<String> {
    if !text.contains(['*', '?']) {
        return vec![text.to_owned()];
    }
    let runs = ["Any", "", "Object"].into_iter();
    runs.filter_map(|run| action_instance(text, run)).collect()
}

fn action_instance(text: &str, run: &str) -> Option<String> {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: false,
    };
    Pattern::parse(text, syntax)
        .ok()?
        .instance(&Context::new(), run, 'a')
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
    let mut text = String::with_capacity(96);
    for (part, run) in arn.head.iter().zip(usual) {
        part.write_instance(context, run, 'a', &mut text)?;
        text.push(':');
    }
    arn.rest.write_instance(context, run, 'a', &mut text)?;
    Some(text)
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
