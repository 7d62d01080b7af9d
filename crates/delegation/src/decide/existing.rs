//! The decision about a role that is there already and is somebody else's.
//!
//! Nothing is known of what it may do, and Deputy does not write it. What holds the limit is the session policy that each session of it
//! gets: the binding's own, or the boundary policy of the limit. Here it is decided which roles may be bound at all.

use crate::{
    decision::{Decision, Reason},
    model::{Account, ExistingRole, Role},
    names::RoleArn,
};

use super::{
    containment::{Granted, GrantedPolicy},
    findings::Findings,
    input::DecisionInput,
    known::KnownTags,
    limits::{Applicable, NeededBoundary},
    own,
    role::account,
};

const FIELD: &str = "spec.existing.roleARN";
/// Patterns of a limit that a refusal repeats.
const PATTERNS_SHOWN: usize = 3;

/// Paths of roles that are not for anybody to become: Deputy's own, and those of AWS's services.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>
const PATHS_OF_OTHERS: [(&str, &str); 3] = [
    (
        own::PATH,
        "where Deputy makes roles: bind the AWSRole that it belongs to",
    ),
    (
        "/aws-service-role/",
        "the path of roles that belong to a service of AWS",
    ),
    ("/aws-reserved/", "a path that AWS keeps for itself"),
];

/// Whether the role may be bound.
pub(super) fn decide_role(
    input: &DecisionInput<'_>,
    role: &Role,
    existing: &ExistingRole,
    mut findings: Findings,
) -> Decision {
    let account = account(input, &role.account, "spec.accountRef", &mut findings);
    if let Some(account) = account {
        may_be_bound(account, &existing.arn, &mut findings);
    }
    let limits = Applicable::find(
        input,
        &role.id.namespace,
        &role.account,
        account,
        "spec.accountRef",
        // Whether its sessions need one is decided with each binding.
        NeededBoundary::None,
        &mut findings,
    );
    named_by_each(&limits, &existing.arn, &mut findings);
    findings.decision(limits.accepted())
}

/// Whether what a session gets of the boundary stays within the other limits: all that it is held to is the boundary of one of them.
pub(super) fn boundary_within(
    input: &DecisionInput<'_>,
    role: &Role,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    let Some(carrier) = limits.with_boundary().next() else {
        // There is none, which has been said.
        return;
    };
    let policy = GrantedPolicy {
        document: &carrier.ceiling,
        title: format!(
            "without a session policy, a session of a role that exists gets the boundary of limit {:?}, whose",
            carrier.name.as_str()
        ),
        field: "spec.session.policy".to_owned(),
        is_statement: false,
    };
    let granted = Granted {
        policies: &[policy],
        role: None,
        held_in: account.map(|account| &account.partition),
        known: KnownTags::of_session(input.cluster, &role.id.namespace),
    };
    for limit in limits.limits.iter().filter(|limit| limit.name != carrier.name) {
        granted.within(limit, findings);
    }
}

fn may_be_bound(account: &Account, arn: &RoleArn, findings: &mut Findings) {
    if arn.partition() != &account.partition {
        let message = format!(
            "{arn} is of partition {}, and account {} is in {}",
            arn.partition(),
            account.name,
            account.partition
        );
        findings.refuse(Reason::Partition, FIELD, message);
    }
    if arn.account() != &account.id {
        let message = format!(
            "{arn} is a role of account {}, and AWSAccount {} is account {}; name the AWSAccount of the role's account",
            arn.account(),
            account.name,
            account.id
        );
        findings.refuse(Reason::ExistingRole, FIELD, message);
    }
    for (prefix, what) in PATHS_OF_OTHERS {
        if own::is_under(arn.path(), prefix) {
            let message = format!("{arn} is under {prefix}, {what}");
            findings.refuse(Reason::ExistingRole, FIELD, message);
        }
    }
    if let Some(identity) = own::identity(account, arn.account(), arn.name()) {
        let message = format!("{arn} is {identity}; a pod that could become it could do all that Deputy may");
        findings.refuse(Reason::ExistingRole, FIELD, message);
    }
}

/// Whether every limit that applies names the role.
fn named_by_each(limits: &Applicable<'_>, arn: &RoleArn, findings: &mut Findings) {
    let text = arn.to_string();
    for limit in &limits.limits {
        if limit.existing_roles.iter().any(|pattern| pattern.matches(&text)) {
            continue;
        }
        let shown: Vec<&str> = limit
            .existing_roles
            .iter()
            .take(PATTERNS_SHOWN)
            .map(|pattern| pattern.as_str())
            .collect();
        let allowed = match limit.existing_roles.len() {
            0 => "it allows no role that exists (its existingRoles is empty)".to_owned(),
            n if n > shown.len() => {
                format!("it allows {} and {} more", shown.join(", "), n - shown.len())
            }
            _ => format!("it allows {}", shown.join(", ")),
        };
        let message = format!(
            "limit {:?} does not allow the role {text}: {allowed}",
            limit.name.as_str()
        );
        findings.refuse_under(&limit.name, Reason::ExistingRole, FIELD, message);
    }
}
