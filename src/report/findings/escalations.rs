//! Ways from a grant to further permissions. What is such a way the policy engine knows.

use deputy_delegation::{boundary::is_acknowledged, model::LimitEntry, model::RoleId};
use deputy_policy::{Escalation, EscalationKind, escalation};

use super::{
    basis::{Estate, FindingSort},
    written::PolicyHolder,
};
use crate::report::model::{AccessFinding, FindingTopic, FindingWeight};

/// `holders`: all policies that are accepted.
pub fn findings(estate: &Estate<'_>, holders: &[PolicyHolder]) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    for holder in holders {
        of_policy(estate, holder, &mut found);
    }
    for entry in estate.world.index.all_limits() {
        let LimitEntry::Valid(limit) = entry else { continue };
        // What is not acknowledged is refused, and told as that.
        let is_refused = |action: &str| !is_acknowledged(&limit.acknowledge_escalation, action);
        let ways = escalation(&limit.ceiling).into_iter();
        for way in ways.filter_map(|way| way.unless(is_refused)) {
            let sort = FindingSort {
                weight: match way.kind {
                    EscalationKind::AnyPermission => FindingWeight::Medium,
                    EscalationKind::ResourcePermissions => FindingWeight::Low,
                },
                topic: FindingTopic::Escalation,
                reason: "EscalationInCeiling",
                advice: "Confirm that it is still meant; else take it out of the ceiling and of spec.acknowledgeEscalation.",
            };
            let object = format!("DelegationLimit {}", limit.name);
            let message = format!("the ceiling {}", way.message());
            found.push(estate.finding(sort, object, &format!("spec.ceiling.{}", way.path), message));
        }
    }
    found
}

fn of_policy(estate: &Estate<'_>, holder: &PolicyHolder, found: &mut Vec<AccessFinding>) {
    let Some(document) = holder.document() else { return };
    for way in escalation(document) {
        let reached = match holder {
            PolicyHolder::Role(role, _) => reached(estate, &way, &role.id),
            // Whoever it names has it; nothing narrows it that is written here.
            PolicyHolder::FederatedUser(_) | PolicyHolder::Statement(_) => {
                Some((weight(&way), String::new()))
            }
        };
        let Some((weight, by)) = reached else { continue };
        let sort = FindingSort {
            weight,
            topic: FindingTopic::Escalation,
            reason: match way.kind {
                EscalationKind::AnyPermission => "AnyPermission",
                EscalationKind::ResourcePermissions => "ResourcePermissions",
            },
            advice: "Take the action out of the policy, or name the roles and resources one by one.",
        };
        let message = format!("{} {}{by}", holder.title(), way.message());
        found.push(estate.finding(sort, holder.object(), &holder.field(&way.path), message));
    }
}

/// What a way weighs that somebody can take.
fn weight(way: &Escalation) -> FindingWeight {
    match way.kind {
        EscalationKind::AnyPermission => FindingWeight::High,
        EscalationKind::ResourcePermissions => FindingWeight::Medium,
    }
}

/// Whose sessions of a role can take a way, and how much that weighs; `None` when no session can.
fn reached(estate: &Estate<'_>, way: &Escalation, role: &RoleId) -> Option<(FindingWeight, String)> {
    let grants = estate.grants_of(role);
    if grants.is_empty() {
        return Some((FindingWeight::Low, nobody(estate, role)));
    }
    let (mut can, mut open) = (Vec::new(), Vec::new());
    for grant in grants {
        let name = grant.binding.id.to_string();
        match grant.request_of_any(&way.actions) {
            Ok(None) => {}
            Ok(Some(_)) => can.push(name),
            // What is not known weighs as if it could.
            Err(_) => open.push(name),
        }
    }
    if can.is_empty() && open.is_empty() {
        return None;
    }
    let mut by = String::new();
    if !can.is_empty() {
        by.push_str(&format!("; sessions of {} can", can.join(", ")));
    }
    if !open.is_empty() {
        by.push_str(&format!(
            "; whether sessions of {} can is not known",
            open.join(", ")
        ));
    }
    Some((weight(way), by))
}

/// Why nobody has sessions of a role.
fn nobody(estate: &Estate<'_>, role: &RoleId) -> String {
    let bindings = estate.world.index.bindings_of_role(role);
    let names: Vec<String> = bindings.iter().map(|binding| binding.id.to_string()).collect();
    match names.as_slice() {
        [] => "; nobody is bound to the role".to_owned(),
        [one] => format!("; nobody gets sessions of it now: AWSRoleBinding {one} grants nothing"),
        _ => format!(
            "; nobody gets sessions of it now: AWSRoleBindings {} grant nothing",
            names.join(", ")
        ),
    }
}
