//! The search for a witness: requests made from the patterns and values at hand, each confirmed by the evaluator.

mod arns;
pub(in crate::contain) mod confirm;
mod contexts;
pub(in crate::contain) mod first;
mod forms;
mod found;
mod many;
mod names;
mod naming;
mod near;
mod polish;
pub(in crate::contain) mod question;
mod values;
pub(in crate::contain) mod variables;

use std::collections::BTreeSet;

use self::{
    arns::{HEAD, instance},
    confirm::Probe,
    contexts::contexts,
    found::ExceedingRequest,
    naming::Naming,
    near::{near_actions, own_action, simple_context},
    question::UnprovedElement,
    variables::VariableValues,
};
use super::{
    answer::Witness,
    search::{
        callers::PossibleCaller,
        query::{Dimension, Query, RequestPart},
    },
};
use crate::{
    context::Context,
    evaluate::request::Request,
    pattern::{
        track::{VariableCase, VariableCases},
        variable::Variable,
    },
    reference,
    work::Work,
};

const MAX_ACTIONS: usize = 12;
const MAX_RESOURCES: usize = 12;

/// Work for making one witness possible, and for making it read well.
const POLISH: u64 = 200_000;

impl Probe<'_> {
    /// A confirmed request that is near at hand: the element's own words, and nothing in the context that no condition asks
    /// for.
    pub(in crate::contain) fn guess(&self, question: &UnprovedElement, work: &mut Work) -> Option<Witness> {
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
    pub(in crate::contain) fn search(&self, question: &UnprovedElement, work: &mut Work) -> Option<Witness> {
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
        parts: &[RequestPart],
        dimensions: &[Dimension],
        cases: &VariableCases,
        values: &VariableValues,
        question: &UnprovedElement,
    ) -> Option<Witness> {
        let mut work = Work::unlimited();
        let mut request = Request {
            action: String::new(),
            resource: "*".to_owned(),
            principal: None,
            context: Context::new(),
        };
        let mut subject = None;
        for (v, (key, case)) in cases.iter().enumerate() {
            match case {
                VariableCase::Absent => {}
                VariableCase::Present => request.context.set(key, [values.get(v)]),
                VariableCase::List => request.context.set(key, [values.get(v), "another"]),
            }
        }
        for (part, dimension) in parts.iter().zip(dimensions) {
            match (part, dimension) {
                (RequestPart::Action(word), _) => request.action = values.text(word),
                (RequestPart::Resource(Some(word)), _) => request.resource = values.text(word),
                (RequestPart::Caller(caller), _) => subject = Some(caller),
                (RequestPart::Key(Some(texts)), Dimension::Key(key)) => {
                    request.context.set(self.spelled(key), values.texts(texts));
                }
                (RequestPart::Resource(None) | RequestPart::Key(_), _) => {}
            }
        }
        // As it is written, when it is spelled out.
        let (document, _) = self.statement(question)?;
        if let Some(own) = own_action(document, question)
            && own.eq_ignore_ascii_case(&request.action)
        {
            own.clone_into(&mut request.action);
        }
        let bounded = subject.is_some_and(PossibleCaller::is_bounded);
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
    fn present(&self, found: &mut ExceedingRequest, question: &UnprovedElement) {
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
}
