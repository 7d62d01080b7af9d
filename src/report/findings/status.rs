//! What status and events say: conditions that do not hold, boundaries with a problem, drift in AWS.

use serde_json::Value;

use super::basis::{Estate, FindingSort};
use crate::{
    objects::{DriftReason, ReadObject, outdated, unmet},
    report::model::{AccessFinding, FindingTopic, FindingWeight},
};

/// Reasons of what AWS has and the objects do not say.
const DRIFT: [&str; 11] = [
    "Conflict",
    "NotInAWS",
    "TrustMissing",
    "BoundaryExceedsLimit",
    "BoundaryNotFound",
    "PrincipalReplaced",
    "InvalidPrincipal",
    "Orphaned",
    "OrphansHeld",
    "DeletionsHeld",
    "ResourceNotFound",
];
/// Reasons of what goes by by itself, or is meant.
const PASSING: [&str; 4] = ["Progressing", "Deleting", "Capped", "Throttled"];

/// Where a finding about a condition stands.
pub const CONDITIONS: &str = "status.conditions.";

const ADVICE: &str = "What each reason asks for is in docs/operations.md, \"What to do when\".";

pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    for object in &estate.world.objects {
        conditions(estate, object, &mut found);
        boundaries(estate, object, &mut found);
        instances(estate, object, &mut found);
    }
    for event in &estate.world.core.drift {
        let sort = FindingSort {
            weight: match event.reason {
                DriftReason::Found => FindingWeight::High,
                DriftReason::Reverted => FindingWeight::Medium,
            },
            topic: FindingTopic::Drift,
            reason: event.reason.as_str(),
            advice: "Find out in CloudTrail who changed it, and take that permission away.",
        };
        let time = event
            .time
            .as_ref()
            .map_or_else(String::new, |time| format!("{time}: "));
        let message = format!("{time}{}", event.message);
        let mut finding = estate.finding(sort, event.object.clone(), "", message);
        finding.namespace.clone_from(&event.namespace);
        found.push(finding);
    }
    found
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a ReadObject, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = object.value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn sort(reason: &str) -> FindingSort<'_> {
    let topic = if DRIFT.contains(&reason) {
        FindingTopic::Drift
    } else {
        FindingTopic::NotReady
    };
    let weight = if PASSING.contains(&reason) {
        FindingWeight::Low
    } else {
        FindingWeight::Medium
    };
    FindingSort {
        weight,
        topic,
        reason,
        advice: ADVICE,
    }
}

fn conditions(estate: &Estate<'_>, object: &ReadObject, found: &mut Vec<AccessFinding>) {
    for one in unmet(object) {
        let message = format!("condition {} is {}: {}", one.of, one.status, one.message);
        let field = format!("{CONDITIONS}{}", one.of);
        found.push(estate.finding(sort(one.reason), object.title(), &field, message));
    }
    if let Some(message) = outdated(object) {
        let field = "status.observedGeneration";
        found.push(estate.finding(sort("Progressing"), object.title(), field, message));
    }
}

fn boundaries(estate: &Estate<'_>, object: &ReadObject, found: &mut Vec<AccessFinding>) {
    for (i, boundary) in list(object, "/status/boundaries").enumerate() {
        for part in ["problem", "untagged"] {
            let Some(problem) = boundary.get(part) else {
                continue;
            };
            let account = text(boundary, "account");
            let message = format!("its boundary in {account}: {}", text(problem, "message"));
            let field = format!("status.boundaries[{i}].{part}");
            found.push(estate.finding(sort(text(problem, "reason")), object.title(), &field, message));
        }
    }
}

fn instances(estate: &Estate<'_>, object: &ReadObject, found: &mut Vec<AccessFinding>) {
    for (i, instance) in list(object, "/status/instances").enumerate() {
        if instance.get("ready").and_then(Value::as_bool) != Some(false) {
            continue;
        }
        let namespace = text(instance, "namespace");
        let (account, said) = (text(instance, "account"), text(instance, "message"));
        let message = format!("its IAM role of namespace {namespace} in {account}: {said}");
        let field = format!("status.instances[{i}]");
        let mut finding = estate.finding(sort(text(instance, "reason")), object.title(), &field, message);
        finding.namespace = Some(namespace.to_owned());
        found.push(finding);
    }
}
