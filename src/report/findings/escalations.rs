//! Ways from a grant to further permissions. What is such a way the policy engine knows.

use deputy_delegation::{
    Decision,
    boundary::is_acknowledged,
    model::{LimitEntry, Role},
};
use deputy_policy::{Escalation, EscalationKind, escalation};

use super::basis::{Estate, FindingSort, object_of};
use crate::{
    asked::AskedGrant,
    report::model::{AccessFinding, FindingTopic, FindingWeight},
};

/// So many actions of one element are tried with each session.
const TRIED: usize = 8;

pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let index = &estate.world.index;
    let mut found = Vec::new();
    for id in index.roles() {
        let Some((role, decision)) = index.decide_role(&id) else {
            continue;
        };
        if let Decision::Accepted(_) = &*decision {
            of_role(estate, &role, &mut found);
        }
    }
    for entry in index.all_limits() {
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

fn of_role(estate: &Estate<'_>, role: &Role, found: &mut Vec<AccessFinding>) {
    let grants = estate.grants_of(&role.id);
    for (i, policy) in role.policies().iter().enumerate() {
        for way in escalation(&policy.document) {
            let Some((weight, by)) = reached(&way, grants) else {
                continue;
            };
            let sort = FindingSort {
                weight,
                topic: FindingTopic::Escalation,
                reason: match way.kind {
                    EscalationKind::AnyPermission => "AnyPermission",
                    EscalationKind::ResourcePermissions => "ResourcePermissions",
                },
                advice: "Take the action out of the policy, or name the roles and resources one by one.",
            };
            let message = format!("policy {:?} {}{by}", policy.name.to_string(), way.message());
            let field = format!("spec.policies[{i}].document.{}", way.path);
            found.push(estate.finding(sort, object_of(&role.id), &field, message));
        }
    }
}

/// Whose sessions can take a way, and how much that weighs; `None` when no session can.
fn reached(way: &Escalation, grants: &[&AskedGrant]) -> Option<(FindingWeight, String)> {
    if grants.is_empty() {
        return Some((FindingWeight::Low, "; nobody is bound to the role".to_owned()));
    }
    // What is not known is told, as if it could.
    let can = |grant: &AskedGrant| {
        way.actions
            .iter()
            .take(TRIED)
            .any(|action| !matches!(grant.request_of(action, "*"), Ok(None)))
    };
    let names: Vec<String> = grants
        .iter()
        .filter(|grant| can(grant))
        .map(|grant| grant.binding.id.to_string())
        .collect();
    if names.is_empty() && way.actions.len() <= TRIED {
        return None;
    }
    let weight = match way.kind {
        EscalationKind::AnyPermission => FindingWeight::High,
        EscalationKind::ResourcePermissions => FindingWeight::Medium,
    };
    let by = match names.is_empty() {
        true => String::new(),
        false => format!("; sessions of {} can", names.join(", ")),
    };
    Some((weight, by))
}
