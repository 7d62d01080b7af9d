//! Parts of ceilings that nothing under them needs, and limits that hold nothing yet.

use super::basis::{Estate, FindingSort};
use crate::report::model::{AccessFinding, FindingTopic, FindingWeight, ReportedLimit};

pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let readable = estate.limits.iter().filter(|limit| limit.unreadable.is_none());
    readable.flat_map(|limit| of_limit(estate, limit)).collect()
}

fn of_limit(estate: &Estate<'_>, limit: &ReportedLimit) -> Vec<AccessFinding> {
    let object = format!("DelegationLimit {}", limit.name);
    if let Some(would) = limit.would_refuse {
        let sort = FindingSort {
            weight: FindingWeight::Low,
            topic: FindingTopic::Refused,
            reason: "DryRun",
            advice: "Enforce it once it would refuse nothing that is needed: until then it holds nobody.",
        };
        let all = limit.accepted;
        let message = format!("a dry run: of {all} accepted grants it would refuse {would}");
        return vec![estate.finding(sort, object, "spec.enforcement", message)];
    }
    let sort = |reason, advice| FindingSort {
        weight: FindingWeight::Low,
        topic: FindingTopic::UnusedCeiling,
        reason,
        advice,
    };
    if limit.accepted == 0 && limit.suspended > 0 {
        // It is used as soon as what is wrong is mended, and that is told.
        return Vec::new();
    }
    if limit.accepted == 0 {
        let advice =
            "Delete it if nothing is to come: what it allows may be granted by whoever writes roles there.";
        let message = format!(
            "nothing is granted under it, in {} of {}",
            limit.namespaces.join(", "),
            limit.accounts.join(", ")
        );
        return vec![estate.finding(sort("LimitNotUsed", advice), object, "", message)];
    }
    let unused = limit.ceiling.iter().filter(|part| part.grants == Some(0));
    unused
        .map(|part| {
            let advice = "Take it out of the ceiling: everything that is granted stays accepted.";
            let message = format!(
                "of {} accepted grants none needs it: {} on {}",
                limit.accepted, part.actions, part.resources
            );
            let field = format!("spec.ceiling.Statement[{}]", part.statement);
            estate.finding(sort("StatementNotUsed", advice), object.clone(), &field, message)
        })
        .collect()
}
