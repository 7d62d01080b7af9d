//! The decision about a role's permissions.

use std::collections::BTreeSet;

use deputy_policy::{Document, PolicyKind};

use crate::{
    decision::{Decision, Fact, MissingFact, Reason},
    model::{Account, Kind, Role},
    names::SessionDuration,
    naming,
    partition::foreign_arns,
    trust::{self, TRUST_POLICY_QUOTA},
};

use super::{
    DecisionInput,
    containment::{Candidate, Granted},
    findings::Findings,
    known::Known,
    limits::Applicable,
};

/// The quota of IAM for all inline policies of a role together, in characters without white space.
pub const ROLE_POLICIES_QUOTA: usize = 10_240;
/// The most tags that IAM takes on a role, and STS in a session.
pub const TAGS_QUOTA: usize = 50;
/// The tags that Deputy sets on each role.
const OWN_TAGS: usize = 6;
/// The longest name of a policy in `spec.policies`; IAM's for a policy.
const POLICY_NAME_MAX: usize = 128;

pub(super) fn decide(input: &DecisionInput<'_>, role: &Role, mut findings: Findings) -> Decision {
    structure(role, &mut findings);
    let account = account(input, role, "spec.accountRef", &mut findings);
    if let Some(account) = account {
        within_quotas(input, account, role, &mut findings);
        for (index, policy) in role.policies.iter().enumerate() {
            let field = format!("spec.policies[{index}].document");
            in_partition(account, &policy.document, &field, &mut findings);
        }
    }
    let limits = Applicable::find(
        input,
        &role.id.namespace,
        &role.account,
        account,
        "spec.accountRef",
        &mut findings,
    );
    let policies: Vec<_> = role
        .policies
        .iter()
        .enumerate()
        .map(|(index, policy)| Candidate {
            document: &policy.document,
            title: format!("policy {:?}", policy.name),
            field: format!("spec.policies[{index}].document"),
        })
        .collect();
    let granted = Granted {
        policies: &policies,
        role: None,
        known: Known::of(input.cluster, &role.id),
    };
    limits.contain(&granted, &mut findings);
    findings.decision(limits.accepted())
}

/// The account of `role`, if it is known.
pub(super) fn account<'a>(
    input: &DecisionInput<'a>,
    role: &Role,
    field: &str,
    findings: &mut Findings,
) -> Option<&'a Account> {
    match input.account {
        Fact::Known(account) if account.name == role.account => Some(account),
        Fact::Known(account) => {
            let message = format!("AWSAccount {} was looked up for {}", account.name, role.account);
            findings.refuse(Reason::AccountInvalid, field, message);
            None
        }
        Fact::Missing => {
            findings.miss(MissingFact::AccountNotFound(role.account.clone()));
            None
        }
        Fact::Unreadable(error) => {
            let message = format!("AWSAccount {} can't be used: {error}", role.account);
            findings.refuse(Reason::AccountInvalid, field, message);
            None
        }
    }
}

/// How many ARNs of one policy are listed.
const ARNS_SHOWN: usize = 20;

/// AWS takes no policy that names resources of another partition.
pub(super) fn in_partition(account: &Account, document: &Document, field: &str, findings: &mut Findings) {
    let foreign = foreign_arns(document, &account.partition);
    for found in foreign.iter().take(ARNS_SHOWN) {
        findings.refuse(
            Reason::Partition,
            format!("{field}.{}", found.path),
            format!(
                "{:?} is of another partition than account {}, which is in {}; write {:?}",
                found.arn, account.name, account.partition, found.corrected
            ),
        );
    }
    if let Some(more) = foreign.len().checked_sub(ARNS_SHOWN).filter(|n| *n > 0) {
        let message = format!(
            "names {more} more ARNs of another partition than {}",
            account.partition
        );
        findings.refuse(Reason::Partition, field, message);
    }
}

fn structure(role: &Role, findings: &mut Findings) {
    if role.policies.is_empty() {
        findings.refuse(
            Reason::Structure,
            "spec.policies",
            "at least one policy is needed",
        );
    }
    let mut names = BTreeSet::new();
    for (index, policy) in role.policies.iter().enumerate() {
        let field = format!("spec.policies[{index}]");
        let length = policy.name.chars().count();
        if length == 0 || length > POLICY_NAME_MAX {
            let message = format!("has {length} characters; a policy's name has 1 to {POLICY_NAME_MAX}");
            findings.refuse(Reason::Structure, format!("{field}.name"), message);
        }
        if !names.insert(policy.name.as_str()) {
            let message = format!(
                "{:?} is the name of another policy of this role, too",
                policy.name
            );
            findings.refuse(Reason::Structure, format!("{field}.name"), message);
        }
        if policy.document.kind() != PolicyKind::Identity {
            let message = "is not an identity policy";
            findings.refuse(Reason::Structure, format!("{field}.document"), message);
        }
    }
    if role.max_session_duration < SessionDuration::HOUR {
        findings.refuse(
            Reason::Duration,
            "spec.maxSessionDuration",
            format!(
                "{} is shorter than AWS takes for a role (1h to 12h)",
                role.max_session_duration
            ),
        );
    }
    if role.policies.is_empty() {
        return;
    }
    match role.inline_policy() {
        Ok(merged) if merged.size() > ROLE_POLICIES_QUOTA => {
            let parts: Vec<_> = role
                .policies
                .iter()
                .map(|policy| format!("{:?} {}", policy.name, policy.document.size()))
                .collect();
            findings.refuse(
                Reason::TooLarge,
                "spec.policies",
                format!(
                    "the role's inline policy would have {} characters ({}); AWS takes {ROLE_POLICIES_QUOTA}",
                    merged.size(),
                    parts.join(", ")
                ),
            );
        }
        Ok(_) => {}
        Err(error) => {
            let message = format!("can't become one inline policy: {error}");
            findings.refuse(Reason::Structure, "spec.policies", message);
        }
    }
}

fn within_quotas(input: &DecisionInput<'_>, account: &Account, role: &Role, findings: &mut Findings) {
    let trust = trust::for_issuer(input.cluster, account, Kind::AWSRole, &role.id).size();
    if trust > TRUST_POLICY_QUOTA {
        findings.refuse(
            Reason::TooLarge,
            "metadata.name",
            format!("the role's trust policy would have {trust} characters; AWS takes {TRUST_POLICY_QUOTA}"),
        );
    }
    let tags = account.tags.keys().filter(|key| !key.is_reserved()).count() + OWN_TAGS;
    if tags > TAGS_QUOTA {
        findings.refuse(
            Reason::TooLarge,
            "spec.accountRef",
            format!(
                "the role would have {tags} tags, {OWN_TAGS} of them ({}, …) Deputy's own; AWS takes {TAGS_QUOTA}",
                naming::TAG_CLUSTER
            ),
        );
    }
}
