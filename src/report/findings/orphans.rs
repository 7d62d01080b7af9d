//! Roles, accounts and ServiceAccounts whose other half is not there. What waits for a role or a limit is said by the decision about it.

use deputy_admission::DeputyKind;

use super::basis::{Estate, FindingSort};
use crate::report::model::{AccessFinding, FindingTopic, FindingWeight, GrantOutcome, ReportedRole};

pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    // One that is refused is none in AWS.
    let is_unbound = |role: &&ReportedRole| {
        role.kind == "AWSRole" && role.bindings == 0 && role.outcome == GrantOutcome::Accepted
    };
    for role in estate.roles.iter().filter(is_unbound) {
        let object = role.object.clone();
        let message = "no binding names it: an IAM role that nobody becomes".to_owned();
        let advice = "Write a binding, or delete the role.";
        found.push(estate.finding(low("RoleNotBound", advice), object, "", message));
    }
    let objects = estate.world.objects.iter();
    for object in objects.filter(|object| object.kind == DeputyKind::ClusterRole) {
        let is_bound = |role: &ReportedRole| role.kind == "ClusterAWSRole" && role.name == object.name;
        if !estate.roles.iter().any(is_bound) {
            let message = "no namespace binds it".to_owned();
            let advice = "Delete it if nobody is to bind it.";
            found.push(estate.finding(low("RoleNotBound", advice), object.title(), "", message));
        }
    }
    for binding in estate.bindings {
        let missing = binding.subjects.iter().filter(|subject| subject.missing);
        let names: Vec<&str> = missing.map(|subject| subject.name.as_str()).collect();
        if !names.is_empty() {
            let object = format!("{} {}/{}", binding.kind, binding.namespace, binding.name);
            let message = format!(
                "ServiceAccount {} is not there: no pod gets anything as it",
                names.join(", ")
            );
            let advice = "Create the ServiceAccount, or take the subject out: whoever may create it there becomes the role.";
            let sort = FindingSort {
                weight: FindingWeight::Medium,
                ..low("ServiceAccountNotFound", advice)
            };
            found.push(estate.finding(sort, object, "spec.subjects", message));
        }
    }
    found
}

fn low<'a>(reason: &'a str, advice: &'a str) -> FindingSort<'a> {
    FindingSort {
        weight: FindingWeight::Low,
        topic: FindingTopic::Orphan,
        reason,
        advice,
    }
}
