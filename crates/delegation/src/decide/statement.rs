//! The decision about a statement of a resource policy: of which resource, and what it may grant.
//!
//! Whom it may name is no question of limits: principals of its own namespace are all that it can say.

use crate::{
    decision::{Accepted, Decision, Reason},
    model::{Account, OwnedStatement},
    names::PolicyResourcePattern,
};

use super::{
    containment::{Granted, GrantedPolicy},
    findings::Findings,
    input::DecisionInput,
    known::KnownTags,
    limits::{Applicable, NeededBoundary, shown},
    role,
};

const ACCOUNT: &str = "spec.accountRef";
const RESOURCE: &str = "spec.resourceARN";
const STATEMENT: &str = "spec.statement";
/// How many patterns of a limit a refusal repeats.
const PATTERNS_SHOWN: usize = 8;

pub(super) fn decide(
    input: &DecisionInput<'_>,
    statement: &OwnedStatement,
    mut findings: Findings,
) -> Decision {
    if let Some(account) = role::account(input, &statement.account, ACCOUNT, &mut findings) {
        of_account(account, statement, &mut findings);
    }
    let limits = Applicable::find(
        input,
        &statement.id.namespace,
        &statement.account,
        // It carries no boundary, so whether one fits into the account is another question.
        None,
        ACCOUNT,
        NeededBoundary::None,
        &mut findings,
    );
    allowed_resource(statement, &limits, &mut findings);
    let granted = Granted {
        policies: &[GrantedPolicy {
            document: &statement.grant,
            title: "the statement".to_owned(),
            field: STATEMENT.to_owned(),
            is_statement: true,
        }],
        role: None,
        held_in: None,
        // Whoever it names has sessions of Deputy's, which carry its tags.
        known: KnownTags::of_session(input.cluster, &statement.id.namespace),
    };
    limits.contain(&granted, &mut findings);
    let accepted = limits.accepted().map(|accepted| Accepted {
        boundary: None,
        ..accepted
    });
    findings.decision(accepted)
}

/// Whether the resource is the account's, as far as its ARN says: whose a bucket is, S3 is asked with each call.
fn of_account(account: &Account, statement: &OwnedStatement, findings: &mut Findings) {
    let resource = &statement.resource;
    if *resource.partition() != account.partition {
        let message = format!(
            "{resource} is in partition {}, and AWSAccount {} in {}",
            resource.partition(),
            account.name,
            account.partition
        );
        findings.refuse(Reason::Partition, RESOURCE, message);
    }
    if let Some(home) = resource.home()
        && home.account != account.id
    {
        let message = format!(
            "{resource} is of account {}, and AWSAccount {} is {}: name the AWSAccount of the {}'s own account",
            home.account,
            account.name,
            account.id,
            resource.kind().noun()
        );
        findings.refuse(Reason::ResourcePolicy, RESOURCE, message);
    }
}

/// Whether every limit that applies allows a statement there.
fn allowed_resource(statement: &OwnedStatement, limits: &Applicable<'_>, findings: &mut Findings) {
    for limit in &limits.limits {
        let patterns = &limit.resource_policies;
        if patterns
            .iter()
            .any(|pattern| pattern.matches(&statement.resource))
        {
            continue;
        }
        let all: Vec<&str> = patterns.iter().map(PolicyResourcePattern::as_str).collect();
        let allowed = if all.is_empty() {
            "it allows none (its resourcePolicies is empty)".to_owned()
        } else {
            format!("it allows {}", shown(&all, PATTERNS_SHOWN))
        };
        let message = format!(
            "limit {:?} does not allow a statement in the policy of {}: {allowed}",
            limit.name.as_str(),
            statement.resource
        );
        findings.refuse_under(&limit.name, Reason::ResourcePolicy, RESOURCE, message);
    }
}
