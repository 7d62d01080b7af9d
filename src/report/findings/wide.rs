//! Grants and ceilings of more than somebody wrote out: wildcards for actions and resources.

use deputy_delegation::{
    Decision,
    model::{LimitEntry, Role},
};
use deputy_policy::{ActionElement, Document, Effect, ResourceElement, Statement};

use super::basis::{Estate, FindingSort, object_of};
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

/// How far a statement reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    EverythingOnEverything,
    EverythingOnSome,
    ServiceOnEverything,
    ServiceOnSome,
    WildcardOnEverything,
}

impl Reach {
    fn of(statement: &Statement) -> Option<Self> {
        if statement.effect != Effect::Allow {
            return None;
        }
        let (all, service, some) = match &statement.action {
            ActionElement::NotAction(_) => (true, false, true),
            ActionElement::Action(listed) => (
                listed.iter().any(|action| action == "*"),
                listed.iter().any(|action| action.ends_with(":*")),
                listed.iter().any(|action| action.contains(['*', '?'])),
            ),
        };
        let everywhere = match &statement.resource {
            Some(ResourceElement::Resource(listed)) => listed.iter().any(|resource| resource == "*"),
            Some(ResourceElement::NotResource(_)) => true,
            None => false,
        };
        match (all, service, some, everywhere) {
            (true, _, _, true) => Some(Self::EverythingOnEverything),
            (true, _, _, false) => Some(Self::EverythingOnSome),
            (false, true, _, true) => Some(Self::ServiceOnEverything),
            (false, true, _, false) => Some(Self::ServiceOnSome),
            (false, false, true, true) => Some(Self::WildcardOnEverything),
            (false, false, ..) => None,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::EverythingOnEverything => "AnyActionOnAnyResource",
            Self::EverythingOnSome => "AnyAction",
            Self::ServiceOnEverything => "WholeServiceOnAnyResource",
            Self::ServiceOnSome => "WholeService",
            Self::WildcardOnEverything => "WildcardOnAnyResource",
        }
    }

    fn weight(self) -> FindingWeight {
        match self {
            Self::EverythingOnEverything => FindingWeight::High,
            Self::EverythingOnSome | Self::ServiceOnEverything => FindingWeight::Medium,
            Self::ServiceOnSome | Self::WildcardOnEverything => FindingWeight::Low,
        }
    }
}

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
        for (path, statement, reach) in wide(&limit.ceiling) {
            // A service as a whole is what ceilings are for.
            let weight = match reach {
                Reach::EverythingOnEverything => FindingWeight::High,
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

fn of_role(estate: &Estate<'_>, role: &Role, found: &mut Vec<AccessFinding>) {
    for (i, policy) in role.policies().iter().enumerate() {
        for (path, statement, reach) in wide(&policy.document) {
            let sort = FindingSort {
                weight: reach.weight(),
                topic: FindingTopic::WideGrant,
                reason: reach.reason(),
                advice: "List the actions and resources that the application needs.",
            };
            let message = format!("policy {:?} allows {}", policy.name.to_string(), said(statement));
            let field = format!("spec.policies[{i}].document.{path}");
            found.push(estate.finding(sort, object_of(&role.id), &field, message));
        }
    }
    let managed = role
        .owned()
        .into_iter()
        .flat_map(|owned| owned.policies.managed());
    for arn in managed.filter(|arn| {
        let arn = arn.to_string();
        ALL_POWERFUL.iter().any(|end| arn.ends_with(end))
    }) {
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

/// The wide statements of a document, with their paths.
fn wide(document: &Document) -> impl Iterator<Item = (String, &Statement, Reach)> {
    let statements = document.statements().iter().enumerate();
    statements
        .filter_map(|(i, statement)| Some((format!("Statement[{i}]"), statement, Reach::of(statement)?)))
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
