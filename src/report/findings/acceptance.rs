//! What the webhook would say of each object: refusals, what it waits for, warnings.

use super::basis::{Estate, FindingSort};
use crate::{
    check::{CheckFinding, FindingLevel, judge_one},
    report::model::{AccessFinding, FindingTopic, FindingWeight},
};

/// The reasons of what waits for another object.
const WAITS: [(&str, &str); 4] = [
    (
        "NoLimit",
        "Nothing is granted here: write a DelegationLimit that names this namespace and account, or delete the object.",
    ),
    (
        "NoBoundary",
        "No role is made: one limit here has to have a boundary (boundary.type Generated or Reference).",
    ),
    (
        "AccountNotFound",
        "Write the AWSAccount, or correct the name that the object says.",
    ),
    (
        "RoleNotFound",
        "Nobody gets anything by this binding: write the role, correct roleRef, or delete the binding.",
    ),
];

/// Warnings that are findings of their own topic.
const WIDE: [&str; 3] = ["allow-not-action", "allow-not-resource", "allow-anyone"];

pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    for object in &estate.world.objects {
        let judged = judge_one(object, &estate.world.index, None);
        for said in &judged.findings {
            let mut message = said.message.clone();
            if let Some(limit) = &said.limit {
                message.push_str(&format!(" (limit {limit})"));
            }
            found.push(estate.finding(sort(said), judged.object.clone(), &said.field, message));
        }
    }
    found
}

fn sort(said: &CheckFinding) -> FindingSort<'static> {
    let waits = WAITS.iter().find(|(reason, _)| *reason == said.reason);
    let (weight, topic, advice) = match (said.level, waits) {
        (_, Some((_, advice))) => (FindingWeight::Medium, FindingTopic::Orphan, *advice),
        (_, None) if said.reason == "DryRun" => (
            FindingWeight::Low,
            FindingTopic::Refused,
            "It would be refused once the limit is enforced: change the object, or have the limit widened before.",
        ),
        (FindingLevel::Error, None) => (
            FindingWeight::High,
            FindingTopic::Refused,
            "It grants nothing: change the object as the message says, or have the limit widened by the platform team.",
        ),
        (FindingLevel::Undecided, None) => (
            FindingWeight::Low,
            FindingTopic::Unknown,
            "Look at the object's status in the cluster, and at the policy in AWS.",
        ),
        (FindingLevel::Warning, None) if said.reason == "escalation" => (
            FindingWeight::Medium,
            FindingTopic::Escalation,
            "Take the action out of the ceiling, or deny it there.",
        ),
        (FindingLevel::Warning, None) if WIDE.contains(&said.reason) => (
            FindingWeight::Medium,
            FindingTopic::WideGrant,
            "List the actions and resources that are needed.",
        ),
        (FindingLevel::Warning, None) => (
            FindingWeight::Low,
            FindingTopic::Warning,
            "Read it again: it may not mean what it seems to.",
        ),
    };
    FindingSort {
        weight,
        topic,
        reason: said.reason,
        advice,
    }
}
