//! The search for a witness: requests made from the patterns and values at hand, each confirmed by the evaluator.

pub(in crate::contain) mod first;
mod found;
mod many;
mod naming;
mod near;
mod polish;

use std::{cell::OnceCell, collections::BTreeSet};

use self::{
    found::Found,
    naming::Naming,
    near::{near_actions, own_action, simple_context},
};
use super::{
    answer::Witness,
    arns::{HEAD, instance},
    callers::{Everywhere, Subject, subjects},
    contexts::contexts,
    names,
    query::{Dimension, Part, Query},
    solve,
};
use crate::{
    ast::{ActionElement, PolicyKind, ResourceElement},
    compiled::CompiledStatement,
    context::Context,
    document::Document,
    evaluate::{
        matching::{Doubt, Outcome, Prepared},
        request::Request,
    },
    pattern::{
        track::{VariableCase, World},
        variable::Variable,
    },
    principal::{caller::Caller, naming::Match},
    reference,
    work::Work,
};

/// An element of a candidate's Allow that was not proved.
#[derive(Debug, Clone)]
pub(in crate::contain) struct Question {
    /// Index of the candidate's document and statement.
    pub(in crate::contain) statement: (usize, usize),
    /// Index of the action, of the resource.
    pub(in crate::contain) action: usize,
    pub(in crate::contain) resource: usize,
    /// The ceiling's Deny that it may run into; `None` when no Allow of the ceiling covers it.
    pub(in crate::contain) deny: Option<usize>,
}

impl Question {
    /// The element as written.
    pub(in crate::contain) fn describe(&self, candidate: &[&Document]) -> String {
        let (document, statement) = self.statement;
        let document = candidate.get(document);
        let Some(statement) = document.and_then(|d| d.statements().get(statement)) else {
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
            None if document.is_some_and(|d| d.kind() == PolicyKind::Trust) => "the role".to_owned(),
            None => "what it is attached to".to_owned(),
        };
        let text: String = format!("{action} on {resource}").chars().take(300).collect();
        text
    }
}

const MAX_ACTIONS: usize = 12;
const MAX_RESOURCES: usize = 12;

/// Work for making one witness possible, and for making it read well.
const POLISH: u64 = 200_000;

pub(in crate::contain) struct Probe<'a> {
    layers: &'a [&'a [&'a Document]],
    /// Of all layers, the first one's first.
    documents: Vec<&'a Document>,
    ceiling: &'a Document,
    /// All sorts of callers, when somebody asked; none when they are too many.
    subjects: OnceCell<Vec<Subject>>,
}

impl<'a> Probe<'a> {
    pub(in crate::contain) fn new(layers: &'a [&'a [&'a Document]], ceiling: &'a Document) -> Self {
        Self {
            layers,
            documents: layers.iter().flat_map(|layer| layer.iter().copied()).collect(),
            ceiling,
            subjects: OnceCell::new(),
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
    pub(in crate::contain) fn guess(&self, question: &Question, work: &mut Work) -> Option<Witness> {
        let (document, statement) = self.statement(question)?;
        let deny = self.deny(question);
        let own = own_action(document, question)?;
        let arn = statement
            .resources
            .as_ref()
            .filter(|resources| !resources.negated)
            .and_then(|resources| resources.items.get(question.resource)?.arn());
        let variables: Vec<&Variable> = arn.iter().flat_map(|arn| arn.variables()).collect();
        let context = simple_context(statement, deny, &variables, work)?;
        let mut request = Request {
            action: String::new(),
            resource: "*".to_owned(),
            principal: None,
            context,
        };
        for action in near_actions(own) {
            let known = reference::action(&action);
            match &statement.resources {
                None => {}
                Some(elements) if elements.negated => return None,
                Some(_) => match arn {
                    Some(arn) => request.resource = instance(arn, &request.context, HEAD, "a")?,
                    None => request.resource = names::resource_of(&action, known),
                },
            }
            request.action = action;
            let found = self.with_callers(statement, 3, |caller, bounded| {
                request.principal = caller;
                let mut found = self.found(request.clone(), bounded, work)?;
                let mut work = Work::limited(POLISH);
                let named = match (known, arn) {
                    // Made for it.
                    (Some(_), None) => Naming::Fits,
                    (known, _) => Naming::on(known, &request.resource, &mut work),
                };
                self.name(&mut found, named, question, &mut work);
                Some(found.witness())
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A confirmed request for which the element exceeds the ceiling, out of many that are tried.
    pub(in crate::contain) fn search(&self, question: &Question, work: &mut Work) -> Option<Witness> {
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
                        let mut found = self.found(request.clone(), bounded, work)?;
                        self.present(&mut found, question);
                        Some(found.witness())
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
    pub(in crate::contain) fn confirm_parts(
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
        let mut subject = None;
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
                (Part::Caller(caller), _) => subject = Some(caller),
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
        let bounded = subject.is_some_and(Subject::is_bounded);
        // Of what is known of the caller a witness says only what is certain.
        let descriptions = subject.map_or_else(
            || vec![None],
            |subject| subject.descriptions().into_iter().map(Some).collect(),
        );
        descriptions.into_iter().find_map(|caller| {
            request.principal = caller;
            let mut found = self.found(request.clone(), bounded, &mut work)?;
            if !self.fit(&mut found, &mut Work::limited(POLISH)) {
                return None;
            }
            self.present(&mut found, question);
            Some(found.witness())
        })
    }

    /// Makes a request that exceeds read well.
    fn present(&self, found: &mut Found, question: &Question) {
        self.polish(found, &mut Work::limited(POLISH));
        let mut work = Work::limited(POLISH);
        let named = Naming::of(found.request(), &mut work);
        self.name(found, named, question, &mut work);
    }

    /// The condition keys that a question looks at, or those of some of its dimensions; at most eight, as spelled.
    pub(in crate::contain) fn keys_in_question(
        &self,
        query: &Query<'_>,
        only: Option<&BTreeSet<usize>>,
    ) -> Vec<String> {
        let dimensions = query.dimensions().iter().enumerate();
        let of_conditions = dimensions.filter_map(|(i, dimension)| match dimension {
            Dimension::Key(key) if only.is_none_or(|only| only.contains(&i)) => Some(key.as_str()),
            _ => None,
        });
        let variables = query.variables().into_iter().filter(|_| only.is_none());
        let keys: BTreeSet<&str> = variables.chain(of_conditions).collect();
        let spelled = keys
            .into_iter()
            .map(|key| self.spelled(key).chars().take(128).collect());
        spelled.take(8).collect()
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
        let about = |subject: &&Subject| element.about(&subject.who()) == Match::Yes;
        self.subjects()
            .iter()
            .filter(about)
            .take(most)
            .find_map(|subject| {
                let mut descriptions = subject.descriptions().into_iter();
                descriptions.find_map(|caller| ask(Some(caller), subject.is_bounded()))
            })
    }

    fn subjects(&self) -> &[Subject] {
        self.subjects.get_or_init(|| {
            let documents = self.documents.iter().chain([&self.ceiling]);
            let statements = documents.flat_map(|d| &d.compiled().statements);
            let elements = statements.filter_map(|statement| statement.principal.as_ref());
            subjects(elements.clone(), &Everywhere::of(elements)).unwrap_or_default()
        })
    }

    /// Whether the candidate certainly allows the request and the ceiling certainly does not, whoever the caller is of whom
    /// not everything is known; where in the first layer it is allowed.
    fn exceeds(&self, request: &Request, bounded: bool, work: &mut Work) -> Option<(usize, usize)> {
        let prepared = Prepared::new(request).bounded(bounded).read(Doubt::Grants);
        if let Outcome::Allowed(_) = self.ceiling.compiled().outcome(&prepared, work) {
            return None;
        }
        let prepared = prepared.read(Doubt::Refuses);
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
}
