//! Grants and ceilings of more than somebody wrote out: wildcards for actions and resources.

use deputy_delegation::{Decision, model::LimitEntry};
use deputy_policy::{Document, Statement};

use super::{
    basis::{Estate, FindingSort, object_of},
    reach::StatementReach,
    written::PolicyHolder,
};
use crate::{
    policy::words,
    report::model::{AccessFinding, FindingTopic, FindingWeight},
};

/// Managed policies of AWS that allow nearly everything, by the end of their ARN.
const ALL_POWERFUL: [&str; 3] = [
    ":policy/AdministratorAccess",
    ":policy/PowerUserAccess",
    ":policy/IAMFullAccess",
];

/// `holders`: all policies that are accepted.
pub fn findings(estate: &Estate<'_>, holders: &[PolicyHolder]) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    for holder in holders {
        let Some(document) = holder.document() else {
            continue;
        };
        for (path, statement, reach) in wide(document) {
            let sort = FindingSort {
                weight: reach.weight(),
                topic: FindingTopic::WideGrant,
                reason: reach.reason(),
                advice: "List the actions and resources that the application needs.",
            };
            let message = format!("{} allows {}", holder.title(), said(statement));
            found.push(estate.finding(sort, holder.object(), &holder.field(&path), message));
        }
    }
    managed(estate, &mut found);
    for entry in estate.world.index.all_limits() {
        let LimitEntry::Valid(limit) = entry else { continue };
        for (path, statement, reach) in wide(&limit.ceiling) {
            // A service as a whole is what ceilings are for.
            let weight = match reach {
                StatementReach::EverythingOnEverything => FindingWeight::High,
                _ => FindingWeight::Low,
            };
            let sort = FindingSort {
                weight,
                topic: FindingTopic::WideGrant,
                reason: reach.reason(),
                advice: "List the actions and resources that the teams need: what nobody uses is said by the limit's table.",
            };
            let message = format!("the ceiling allows {}", said(statement));
            let object = format!("DelegationLimit {}", limit.name);
            found.push(estate.finding(sort, object, &format!("spec.ceiling.{path}"), message));
        }
    }
    found
}

fn managed(estate: &Estate<'_>, found: &mut Vec<AccessFinding>) {
    let index = &estate.world.index;
    for id in index.roles() {
        let Some((role, decision)) = index.decide_role(&id) else {
            continue;
        };
        let Some(owned) = role
            .owned()
            .filter(|_| matches!(&*decision, Decision::Accepted(_)))
        else {
            continue;
        };
        let arns = owned.policies.managed().iter().map(ToString::to_string);
        for arn in arns.filter(|arn| ALL_POWERFUL.iter().any(|end| arn.ends_with(end))) {
            let sort = FindingSort {
                weight: FindingWeight::Medium,
                topic: FindingTopic::WideGrant,
                reason: "ManagedPolicy",
                advice: "Write the policy out, with the actions and resources that the application needs.",
            };
            let message =
                format!("{arn} allows nearly everything: the boundary of its limit alone holds the role");
            found.push(estate.finding(sort, object_of(&role.id), "spec.managedPolicyARNs", message));
        }
    }
}

/// The wide statements of a document, with their paths.
fn wide(document: &Document) -> impl Iterator<Item = (String, &Statement, StatementReach)> {
    let statements = document.statements().iter().enumerate();
    statements.filter_map(|(i, statement)| {
        Some((
            format!("Statement[{i}]"),
            statement,
            StatementReach::of(statement)?,
        ))
    })
}

fn said(statement: &Statement) -> String {
    let resources = statement
        .resource
        .as_ref()
        .map_or_else(|| "everything".to_owned(), words::resources);
    let conditions = match statement.conditions.is_empty() {
        true => "",
        false => ", under conditions",
    };
    format!("{} on {resources}{conditions}", words::actions(&statement.action))
}
