//! Requests that AWS can't make: an action on a resource of a kind that it does not take.

use std::collections::BTreeSet;

use crate::{
    ast::{ActionElement, Effect, ResourceElement, Statement},
    document::Document,
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        glob,
        known::actions_matching,
    },
    reference::{service::Action, shape::Shape, table::action},
    work::Work,
};

/// Position updates that are spent on it; what comes after counts as possible.
const WORK: u64 = 20_000_000;
/// So many actions are denied at most, over all resources; more would cost more to compare than they are worth.
const MAX_ACTIONS: usize = 8_192;

/// A policy that denies what the Allow statements of `documents` grant by their wording and no request can be: actions on
/// resources of which AWS's service reference says that they take none such. `None` when there is nothing of the sort.
///
/// Everybody writes `Action: [s3:ListBucket, s3:GetObject], Resource: [BUCKET, BUCKET/*]`; no request gets a bucket as an
/// object. An action that the reference does not have, and one that is `*`, is left as it stands.
///
/// The reference is of one day ([`crate::reference::date`]). So this may only be used where something else in AWS, such as a permissions
/// boundary, holds what is compared.
pub fn impossible(documents: &[&Document]) -> Option<Document> {
    let first = documents.first()?;
    let mut work = Work::limited(WORK);
    let mut left = MAX_ACTIONS;
    let mut denies = Vec::new();
    for document in documents {
        let compiled = &document.compiled().statements;
        for (statement, compiled) in document.statements().iter().zip(compiled) {
            let (ActionElement::Action(_), Some(ResourceElement::Resource(texts)), Effect::Allow) =
                (&statement.action, &statement.resource, statement.effect)
            else {
                continue;
            };
            let patterns = compiled.resources.as_ref().map(|r| r.items.as_slice());
            let resources = texts.iter().zip(patterns.unwrap_or_default());
            let actions = known_actions(statement, &mut work);
            for (text, resource) in resources {
                let Some(arn) = resource.arn() else { continue };
                let denied: BTreeSet<String> = actions
                    .iter()
                    .filter(|action| !may_take(**action, resource, arn, &mut work))
                    .map(|action| action.text())
                    .take(left)
                    .collect();
                if work.exhausted() {
                    break;
                }
                left = left.saturating_sub(denied.len());
                if !denied.is_empty() {
                    denies.push(Statement {
                        sid: None,
                        effect: Effect::Deny,
                        principal: None,
                        action: ActionElement::Action(denied.into_iter().collect()),
                        resource: Some(ResourceElement::Resource(vec![text.clone()])),
                        conditions: Vec::new(),
                    });
                }
            }
        }
    }
    if denies.is_empty() {
        return None;
    }
    Document::new(first.version(), denies, first.kind()).ok()
}

/// What the entries of `Action` stand for, of those that name their service.
fn known_actions(statement: &Statement, work: &mut Work) -> Vec<Action> {
    let ActionElement::Action(texts) = &statement.action else {
        return Vec::new();
    };
    let syntax = glob::Syntax {
        wildcards: true,
        variables: false,
        fold: true,
    };
    let mut known = Vec::new();
    for text in texts {
        let service = text.split(':').next().unwrap_or_default();
        if service.contains(['*', '?']) || !text.contains(':') {
            continue;
        }
        if !text.contains(['*', '?']) {
            known.extend(action(text));
            continue;
        }
        if let Ok(pattern) = glob::Pattern::parse(text, syntax) {
            let matching: Vec<Action> = actions_matching(&pattern).collect();
            if !work.charge(matching.len()) {
                break;
            }
            known.extend(matching);
        }
    }
    known
}

/// Whether a request for the action may have a resource that the pattern matches; `false` is certain as far as the reference
/// goes, unless `work` has run out.
fn may_take(action: Action, resource: &ResourcePattern, arn: &ArnPattern, work: &mut Work) -> bool {
    if action.takes_no_resource() {
        return matches!(resource, ResourcePattern::Any);
    }
    let mut shapes = action.resource_types().flat_map(|of| &of.shapes);
    shapes.any(|shape: &Shape| shape.may_meet(arn, work) || shape.may_list(arn, work))
}
