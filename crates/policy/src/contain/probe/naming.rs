//! Names for a request that exceeds: an action that exists, on a resource of a type that it takes.
//!
//! Only names: whatever is put in is confirmed by the evaluator like every other request.

use super::{
    arns::{self, HEAD, OTHER_HEADS, overlap},
    confirm::Probe,
    found::ExceedingRequest,
    names::{ACTIONS, ANY},
    near::own_action,
    question::UnprovedElement,
};
use crate::{
    ast::{ActionElement, Version},
    compiled::CompiledStatement,
    context::Context,
    document::Document,
    evaluate::request::Request,
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        elements::{ActionText, Elements},
        known::actions_matching,
    },
    reference::{self, service::Action, shape::Shape},
    work::Work,
};

/// So many requests are tried for one witness, and so many actions of one element.
const MAX_TRIES: usize = 64;
const MAX_ACTIONS: usize = 512;

/// So many resource elements are tried for one action.
const MAX_RESOURCES: usize = 16;

/// So many services are looked at for an element that names none.
const MAX_SERVICES: usize = 16;

/// How well a request is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// AWS's reference does not have the action.
    Strange,
    /// It has the action, and not on such a resource.
    Known,
    /// The action takes such a resource.
    Fits,
}

impl Naming {
    pub(super) fn of(request: &Request, work: &mut Work) -> Self {
        Self::on(reference::action(&request.action), &request.resource, work)
    }

    /// The same for an action that was looked up.
    pub(super) fn on(action: Option<Action>, resource: &str, work: &mut Work) -> Self {
        match action {
            None => Self::Strange,
            Some(action) if takes(action, resource, work) => Self::Fits,
            Some(_) => Self::Known,
        }
    }
}

/// Whether an action takes a resource; `*` stands for none.
fn takes(action: Action, resource: &str, work: &mut Work) -> bool {
    if resource == "*" || action.takes_no_resource() {
        return resource == "*" && action.takes_no_resource();
    }
    shapes(action).any(|shape| shape.matches(resource, work))
}

fn shapes(action: Action) -> impl Iterator<Item = &'static Shape> {
    action.resource_types().flat_map(|of| &of.shapes)
}

impl Probe<'_> {
    /// Puts an action that exists and a resource of a type that it takes where the request has something else, if such a
    /// request of the same statement exceeds, too; at least an action that exists. `named` is how the request is named.
    pub(super) fn name(
        &self,
        found: &mut ExceedingRequest,
        mut named: Naming,
        question: &UnprovedElement,
        work: &mut Work,
    ) {
        let Some((document, statement)) = self.statement(question) else {
            return;
        };
        if statement.resources.is_none() && named == Naming::Known {
            // The resource is what the policy is attached to.
            named = Naming::Fits;
        }
        if named == Naming::Fits {
            return;
        }
        let mut tries = MAX_TRIES;
        for action in self.existing_actions(document, statement, question, found.request()) {
            let text = ActionText::new(&action.text());
            if !work.charge(text.chars.len()) || tries == 0 {
                return;
            }
            let of_deny = self.deny(question);
            if !statement.actions.matches_action(&text, work)
                || of_deny.is_some_and(|deny| !deny.actions.matches_action(&text, work))
            {
                continue;
            }
            let resources = self.fitting_resources(action, statement, question, found.request(), work);
            for resource in resources {
                tries = tries.saturating_sub(1);
                if self.change(found, work, |request| {
                    request.action = action.text();
                    request.resource = resource;
                }) {
                    return;
                }
            }
            if named == Naming::Strange {
                tries = tries.saturating_sub(1);
                if self.change(found, work, |request| request.action = action.text()) {
                    named = Naming::Known;
                }
            }
        }
    }

    /// Actions of the reference for the element in question, then for the others of the statement; some may not match.
    fn existing_actions<'s>(
        &'s self,
        document: &'s Document,
        statement: &'s CompiledStatement,
        question: &'s UnprovedElement,
        request: &Request,
    ) -> Box<dyn Iterator<Item = Action> + 's> {
        let texts = match document
            .statements()
            .get(question.statement.statement)
            .map(|s| &s.action)
        {
            Some(ActionElement::Action(list)) => list.as_slice(),
            _ => &[],
        };
        let open = own_action(document, question).is_none_or(|own| own == "*");
        if open {
            return Box::new(self.actions_of_services(request));
        }
        let items = statement.actions.items.iter().zip(texts);
        let own = items.clone().skip(question.action).take(1);
        let before = items.clone().take(question.action);
        let after = items.skip(question.action + 1);
        Box::new(own.chain(before).chain(after).flat_map(|(pattern, text)| {
            let wild = text.contains(['*', '?']);
            let service = text.split(':').next().unwrap_or_default();
            let known = ACTIONS.iter().filter(move |name| {
                wild && name
                    .split_once(':')
                    .is_some_and(|(of, _)| of.eq_ignore_ascii_case(service))
            });
            known
                .filter_map(|name| reference::action(name))
                .chain(actions_matching(pattern).take(MAX_ACTIONS))
        }))
    }

    /// Some actions of the request's service, well-known ones, and those of the services that the policies speak of.
    fn actions_of_services(&self, request: &Request) -> impl Iterator<Item = Action> + use<> {
        let mut services: Vec<String> = Vec::new();
        let mut add = |text: &str| {
            let service = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if services.len() < MAX_SERVICES && !services.contains(&service) {
                services.push(service);
            }
        };
        add(&request.action);
        for text in self.written_actions() {
            add(&text);
        }
        let of = |service: &String| reference::service(service);
        let near = services.first().and_then(of);
        let near = near.into_iter().flat_map(|service| service.actions().take(16));
        let known = ACTIONS.iter().filter_map(|name| reference::action(name));
        let others = services.into_iter().filter_map(move |service| of(&service));
        near.chain(known)
            .chain(others.flat_map(|service| service.actions().take(MAX_ACTIONS)))
    }

    /// Resources of the types that an action takes, which the statement is about; first the one that the request has.
    fn fitting_resources(
        &self,
        action: Action,
        statement: &CompiledStatement,
        question: &UnprovedElement,
        request: &Request,
        work: &mut Work,
    ) -> Vec<String> {
        let Some(elements) = &statement.resources else {
            return vec![request.resource.clone()];
        };
        if action.takes_no_resource() {
            return vec!["*".to_owned()];
        }
        let mut forms: Vec<&Shape> = shapes(action).collect();
        forms.sort_by_key(|shape| shape.size());
        let mut texts = Vec::new();
        if takes(action, &request.resource, work) {
            texts.push(request.resource.clone());
        }
        let denied = self.deny(question).and_then(|deny| deny.resources.as_ref());
        // Where a ceiling allows the usual region and account, a resource of another one exceeds.
        for head in std::iter::once(HEAD).chain(OTHER_HEADS) {
            for pattern in
                elements_from(elements, question.resource).chain(denied.into_iter().flat_map(positive))
            {
                for shape in &forms {
                    let text = match pattern.arn() {
                        None => Some(instance(shape, head)),
                        Some(arn) => within(shape, arn, head, &request.context, work),
                    };
                    texts.extend(text);
                }
            }
            if elements.negated {
                texts.extend(forms.iter().map(|shape| instance(shape, head)));
            }
        }
        texts
    }
}

/// The patterns of a list that is not negated, beginning with one of them.
fn elements_from(
    elements: &Elements<ResourcePattern>,
    first: usize,
) -> impl Iterator<Item = &ResourcePattern> {
    let all = || positive(elements);
    all().skip(first).chain(all().take(first)).take(MAX_RESOURCES)
}

fn positive(elements: &Elements<ResourcePattern>) -> impl Iterator<Item = &ResourcePattern> {
    elements
        .items
        .iter()
        .filter(|_| !elements.negated)
        .take(MAX_RESOURCES)
}

fn instance(shape: &Shape, head: [&str; 5]) -> String {
    let [_, partition, _, region, account] = head;
    shape.instance(partition, region, account, ANY)
}

/// An ARN of the shape that a pattern matches, with the parts of `head` where both leave them open.
fn within(
    shape: &Shape,
    pattern: &ArnPattern,
    head: [&str; 5],
    context: &Context,
    work: &mut Work,
) -> Option<String> {
    if !shape.may_meet(pattern, work) {
        return None;
    }
    let simple = arns::instance(pattern, context, head, "a")?;
    if shape.matches(&simple, work) {
        return Some(simple);
    }
    let of_shape = ResourcePattern::parse(&shape.pattern(), Version::V2008).ok()?;
    let text = overlap(pattern, of_shape.arn()?, head, context)?;
    shape.matches(&text, work).then_some(text)
}
