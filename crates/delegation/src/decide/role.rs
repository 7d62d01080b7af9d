//! The decision about a role's permissions.

use deputy_policy::Document;

use crate::{
    decision::{Decision, Fact, MissingFact, Reason},
    model::{Account, DeletionPolicy, LimitEntry, OwnedRole, Role},
    names::{NamespaceName, ObjectName},
    naming,
    partition::foreign_arns,
    quota::{ROLE_INLINE_POLICIES, TAGS, TRUST_POLICY},
    trust,
};

use super::{
    containment::{Granted, GrantedPolicy},
    findings::Findings,
    input::DecisionInput,
    known::KnownTags,
    limits::{Applicable, NeededBoundary},
    managed,
};

/// The tags that Deputy sets on each role.
const OWN_TAGS: usize = 6;

/// About a role that Deputy makes.
pub(super) fn decide_owned(
    input: &DecisionInput<'_>,
    role: &Role,
    owned: &OwnedRole,
    mut findings: Findings,
) -> Decision {
    fits_into_one_policy(owned, &mut findings);
    let account = account(input, &role.account, "spec.accountRef", &mut findings);
    if let Some(account) = account {
        within_quotas(input, account, role, &mut findings);
        for (index, policy) in owned.policies.iter().enumerate() {
            let field = format!("spec.policies[{index}].document");
            in_partition(account, &policy.document, &field, &mut findings);
        }
    }
    allowed_namespace(role, "spec.namespaces", &mut findings);
    let limits = Applicable::find(
        input,
        &role.id.namespace,
        &role.account,
        account,
        "spec.accountRef",
        NeededBoundary::OfRole,
        &mut findings,
    );
    managed::allowed(
        owned.policies.managed(),
        "spec.managedPolicyARNs",
        account,
        &limits,
        &mut findings,
    );
    if owned.deletion == DeletionPolicy::Retain {
        for limit in limits.limits.iter().filter(|limit| !limit.allow_retain) {
            let message = format!(
                "limit {:?} does not allow that a role stays when its object is deleted (its roles.allowRetain is false); it allows \
                 Delete",
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Retain, "spec.deletionPolicy", message);
        }
    }
    let policies: Vec<_> = owned
        .policies
        .iter()
        .enumerate()
        .map(|(index, policy)| GrantedPolicy {
            document: &policy.document,
            title: format!("policy {:?}", policy.name.as_str()),
            field: format!("spec.policies[{index}].document"),
            is_statement: false,
        })
        .collect();
    let granted = Granted {
        policies: &policies,
        role: None,
        held_in: account.map(|account| &account.partition),
        known: KnownTags::of(input.cluster, &role.id),
    };
    // What managed policies say is not asked: a role that has those alone grants nothing that is compared.
    if !policies.is_empty() {
        limits.contain(&granted, &mut findings);
    }
    findings.decision(limits.accepted())
}

/// Whether a role of `namespace` in `account` that asks for it may stay in AWS when its object goes: every limit that applies allows it.
///
/// One that can't be read has no say: what stays can't be used, and can be deleted later; what is deleted does not come back.
#[must_use]
pub fn may_be_retained(limits: &[LimitEntry], namespace: &NamespaceName, account: &ObjectName) -> bool {
    let mut applying = limits
        .iter()
        .filter(|limit| limit.decides(namespace, account))
        .peekable();
    applying.peek().is_some()
        && applying.all(|entry| match entry {
            LimitEntry::Valid(limit) => limit.allow_retain,
            LimitEntry::Invalid { .. } => true,
        })
}

/// The account of a grant, if it is known.
pub(super) fn account<'a>(
    input: &DecisionInput<'a>,
    name: &ObjectName,
    field: &str,
    findings: &mut Findings,
) -> Option<&'a Account> {
    match input.account {
        Fact::Known(account) if account.name == *name => Some(account),
        Fact::Known(account) => {
            let message = format!("AWSAccount {} was looked up for {name}", account.name);
            findings.refuse(Reason::AccountInvalid, field, message);
            None
        }
        Fact::Missing => {
            findings.miss(MissingFact::AccountNotFound(name.clone()));
            None
        }
        Fact::Unreadable(error) => {
            let message = format!("AWSAccount {name} can't be used: {error}");
            findings.refuse(Reason::AccountInvalid, field, message);
            None
        }
    }
}

/// A ClusterAWSRole says which namespaces may bind it. Which they are is not told: whoever binds it in another one need not know them.
pub(super) fn allowed_namespace(role: &Role, field: &str, findings: &mut Findings) {
    if !role.may_be_bound() {
        let message = format!(
            "ClusterAWSRole {} may not be bound in namespace {:?}: none of its spec.namespaces is that name, or a pattern that matches it",
            role.id.name,
            role.id.namespace.as_str()
        );
        findings.refuse(Reason::NamespaceNotAllowed, field, message);
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

fn fits_into_one_policy(role: &OwnedRole, findings: &mut Findings) {
    let size = role.policies.inline().map_or(0, Document::size);
    if size <= ROLE_INLINE_POLICIES {
        return;
    }
    let parts: Vec<_> = role
        .policies
        .iter()
        .map(|policy| format!("{:?} {}", policy.name.as_str(), policy.document.size()))
        .collect();
    findings.refuse(
        Reason::TooLarge,
        "spec.policies",
        format!(
            "the role's inline policy would have {size} characters ({}); AWS takes {ROLE_INLINE_POLICIES}",
            parts.join(", ")
        ),
    );
}

fn within_quotas(input: &DecisionInput<'_>, account: &Account, role: &Role, findings: &mut Findings) {
    let trust = trust::for_issuer(input.cluster, account, &role.id).size();
    if trust > TRUST_POLICY {
        findings.refuse(
            Reason::TooLarge,
            "metadata.name",
            format!("the role's trust policy would have {trust} characters; AWS takes {TRUST_POLICY}"),
        );
    }
    let tags = account.tags.len() + OWN_TAGS;
    if tags > TAGS {
        findings.refuse(
            Reason::TooLarge,
            "spec.accountRef",
            format!(
                "the role would have {tags} tags, {OWN_TAGS} of them ({}, …) Deputy's own; AWS takes {TAGS}",
                naming::TAG_CLUSTER
            ),
        );
    }
}
