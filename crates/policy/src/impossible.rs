//! Requests that AWS can't make: an action on a resource of a kind that it does not take.
//!
//! What is found is said as a policy that denies these requests. The reference of AWS is of one day ([`crate::reference::date`]), so that
//! policy may only take part where something else in AWS, such as a permissions boundary, holds what is compared.

use std::collections::{BTreeSet, HashMap};

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
/// So many groups of actions that take the same resources are looked at where all resources are granted, for the same reason.
const MAX_FAMILIES: usize = 128;

/// A policy that denies what the Allow statements of `documents` grant by their wording and no request can be: actions on
/// resources of which AWS's service reference says that they take none such. `None` when there is nothing of the sort.
///
/// Everybody writes `Action: [s3:ListBucket, s3:GetObject], Resource: [BUCKET, BUCKET/*]`; no request gets a bucket as an
/// object. An action that the reference does not have, and one that is `*`, is left as it stands.
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

/// A policy that denies what the Allow statements of `documents` grant on every resource (`"Resource": "*"`) and no request in
/// `partition` can be: actions on what is none of the resources that they take, the lone `*` included. `None` when there is nothing of the
/// sort, or too much of it.
///
/// `sqs:SendMessage` on `*` is about the queues of the account's partition, and nothing else.
pub fn impossible_anywhere(documents: &[&Document], partition: &str) -> Option<Document> {
    let first = documents.first()?;
    let mut work = Work::limited(WORK);
    let mut families: Vec<(Action, BTreeSet<String>)> = Vec::new();
    let mut numbers = HashMap::new();
    for document in documents {
        let compiled = &document.compiled().statements;
        for (statement, compiled) in document.statements().iter().zip(compiled) {
            let resources = compiled.resources.as_ref().filter(|resources| !resources.negated);
            let is_of_all = resources.is_some_and(|resources| {
                resources
                    .items
                    .iter()
                    .any(|resource| matches!(resource, ResourcePattern::Any))
            });
            if statement.effect != Effect::Allow || !is_of_all {
                continue;
            }
            for action in known_actions(statement, &mut work) {
                let number = *numbers.entry(action.family()).or_insert(families.len());
                match families.get_mut(number) {
                    Some((_, names)) => _ = names.insert(action.text()),
                    None => families.push((action, BTreeSet::from([action.text()]))),
                }
            }
        }
    }
    if work.exhausted() || families.len() > MAX_FAMILIES {
        return None;
    }
    let denies: Vec<Statement> = families
        .into_iter()
        .filter_map(|(action, names)| {
            Some(Statement {
                sid: None,
                effect: Effect::Deny,
                principal: None,
                action: ActionElement::Action(names.into_iter().collect()),
                resource: Some(ResourceElement::NotResource(taken_by(action, partition)?)),
                conditions: Vec::new(),
            })
        })
        .collect();
    if denies.is_empty() {
        return None;
    }
    Document::new(first.version(), denies, first.kind()).ok()
}

/// Patterns of the resources that the action takes in the partition; `None` where it takes none, or a policy can't name them.
fn taken_by(action: Action, partition: &str) -> Option<Vec<String>> {
    let shapes = action.resource_types().flat_map(|of| &of.shapes);
    let patterns = shapes.map(|shape| {
        let [arn, any, service, region, account, rest] = shape.parts();
        let is_named = any == "*" && !service.contains(['*', '?', '%']);
        let parts = [arn, partition, service, region, account, rest];
        is_named.then(|| parts.join(":").replace('%', "*"))
    });
    let patterns: Option<BTreeSet<String>> = patterns.collect();
    patterns
        .filter(|patterns| !patterns.is_empty())
        .map(|patterns| patterns.into_iter().collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ast::PolicyKind,
        context::Context,
        evaluate::{AccessDecision, Layers, Request, evaluate},
        reference::table::services,
    };

    /// Every action of the reference: resources of its types stay as they are, and nothing else does.
    #[test]
    fn an_action_on_everything_is_one_on_what_it_takes() {
        for action in services().flat_map(|service| service.actions()) {
            let text = action.text();
            let json = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{text}","Resource":"*"}}}}"#
            );
            let document = Document::parse(&json, PolicyKind::Identity).unwrap();
            let Some(denies) = impossible_anywhere(&[&document], "aws") else {
                assert!(taken_by(action, "aws").is_none(), "{text}");
                continue;
            };
            let layers = Layers {
                identity: &[&document, &denies],
                boundary: None,
                session: None,
            };
            let allows = |resource: &str| {
                let request = Request {
                    action: text.clone(),
                    resource: resource.to_owned(),
                    principal: None,
                    context: Context::new(),
                };
                evaluate(&layers, &request).decision == AccessDecision::Allowed
            };
            for shape in action.resource_types().flat_map(|of| &of.shapes) {
                let resource = shape.instance("aws", "eu-central-1", "123456789012", "some");
                assert!(allows(&resource), "{text} on {resource}");
                let elsewhere = shape.instance("aws-cn", "cn-north-1", "123456789012", "some");
                assert!(!allows(&elsewhere), "{text} on {elsewhere}");
            }
            assert!(!allows("*"), "{text} on *");
        }
    }
}
