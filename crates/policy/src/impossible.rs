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
/// Actions that some requests make on no resource although the reference says which resources they take: `sns:Publish` sends to a phone number.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/connect-sns.html>
const ALSO_ON_NOTHING: &[&str] = &["sns:Publish"];
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

/// A policy that denies what the Allow statements of `documents` grant in every partition (on `"*"`, on `arn:*:…` or by `NotResource`) and no
/// request in `partition` can be, as far as the reference knows: actions on what is none of the resources that they take, the lone `*`
/// included. `None` when there is nothing of the sort, or too much of it.
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
            let is_everywhere = compiled.resources.as_ref().is_some_and(|resources| {
                resources.negated || resources.items.iter().any(is_of_every_partition)
            });
            if statement.effect != Effect::Allow || !is_everywhere {
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

fn is_of_every_partition(resource: &ResourcePattern) -> bool {
    match resource {
        ResourcePattern::Any => true,
        ResourcePattern::Arn(arn) => {
            let [_, partition, ..] = &arn.head;
            partition.as_literal().is_none()
        }
    }
}

/// Patterns of the resources that the action takes in the partition; `None` where it takes none, or other requests have none, or a policy
/// can't name them.
fn taken_by(action: Action, partition: &str) -> Option<Vec<String>> {
    if ALSO_ON_NOTHING.contains(&action.text().as_str()) {
        return None;
    }
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
            for (element, all) in [
                ("Resource", "*"),
                ("NotResource", "arn:aws:none:::none"),
                ("Resource", "arn:*:*"),
            ] {
                takes_what_it_takes(action, element, all);
            }
        }
    }

    fn takes_what_it_takes(action: Action, element: &str, all: &str) {
        let text = action.text();
        // The service of an ARN is spelled out.
        let services = action
            .resource_types()
            .flat_map(|of| &of.shapes)
            .map(|shape| shape.parts()[2].to_owned());
        let services: BTreeSet<String> = services
            .filter(|service| !service.contains(['*', '%', '?']))
            .collect();
        let resources: Vec<String> = match all {
            "arn:*:*" => services
                .iter()
                .map(|service| format!("arn:*:{service}:*:*:*"))
                .collect(),
            all => vec![all.to_owned()],
        };
        if resources.is_empty() {
            return;
        }
        let value = serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": text, element: resources}});
        let document = Document::from_value(&value, PolicyKind::Identity).unwrap();
        let Some(denies) = impossible_anywhere(&[&document], "aws") else {
            assert!(taken_by(action, "aws").is_none(), "{text}");
            return;
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

    /// A message to a phone number is authorised on the lone `*`.
    #[test]
    fn what_is_also_done_on_no_resource_stays() {
        let publish = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sns:Publish","Resource":"*"}}"#;
        let publish = Document::parse(publish, PolicyKind::Identity).unwrap();
        assert!(impossible_anywhere(&[&publish], "aws").is_none());
    }
}
