//! The decision about a federated user: who may have its name, and what its sessions may do.
//!
//! A session of GetFederationToken has what its session policy and the policies of the account's federation user both allow. The latter are
//! the ceilings of all namespaces together, so nothing in AWS holds one namespace to its own: the session policy is compared by itself.

use std::collections::BTreeSet;

use crate::{
    decision::{Accepted, Decision, Reason},
    model::{Account, FederatedBinding},
    names::{FederatedUserPattern, NamespaceName},
};

use super::{
    findings::Findings,
    input::DecisionInput,
    limits::{Applicable, NeededBoundary, shown},
    role,
    session::{self, DURATION},
};

const ACCOUNT: &str = "spec.accountRef";
const USER: &str = "spec.userName";
/// How many patterns of a limit a refusal repeats.
const PATTERNS_SHOWN: usize = 8;
/// The session tags that Deputy sets: cluster, namespace and ServiceAccount.
const OWN_TAGS: usize = 3;

pub(super) fn decide(
    input: &DecisionInput<'_>,
    binding: &FederatedBinding,
    held_by: Option<&NamespaceName>,
    mut findings: Findings,
) -> Decision {
    session::policy_fits(binding.share.policy(), &BTreeSet::new(), &mut findings);
    session::tags_fit(&binding.tags, OWN_TAGS, &mut findings);
    let account = role::account(input, &binding.account, ACCOUNT, &mut findings);
    if let Some(account) = account {
        in_account(account, binding, &mut findings);
    }
    let limits = Applicable::find(
        input,
        &binding.id.namespace,
        &binding.account,
        // It carries no boundary, so whether one fits into the account is another question.
        None,
        ACCOUNT,
        NeededBoundary::None,
        &mut findings,
    );
    named_by_each(binding, &limits, &mut findings);
    belongs(binding, held_by, &mut findings);
    allowed_duration(binding, account, &limits, &mut findings);
    session::allowed_tags(&binding.tags, &limits, &mut findings);
    if let Some(document) = binding.share.policy() {
        session::policy_within(input, &binding.id.namespace, document, &limits, &mut findings);
    }
    let accepted = limits.accepted().map(|accepted| Accepted {
        boundary: None,
        ..accepted
    });
    findings.decision(accepted)
}

/// What the account has to have, and what it takes.
fn in_account(account: &Account, binding: &FederatedBinding, findings: &mut Findings) {
    if account.federation_user.is_none() {
        let message = format!(
            "AWSAccount {} has no federation user (its spec.federation is not set), and GetFederationToken is called by a user alone: bind a role \
             there, or ask the platform team for one",
            account.name
        );
        findings.refuse(Reason::FederatedUser, ACCOUNT, message);
    }
    if let Some(document) = binding.share.policy() {
        role::in_partition(account, document, session::POLICY, findings);
    }
}

/// Whether every limit that applies allows the name.
fn named_by_each(binding: &FederatedBinding, limits: &Applicable<'_>, findings: &mut Findings) {
    for limit in &limits.limits {
        let patterns = &limit.federated_users;
        if patterns.iter().any(|pattern| pattern.matches(&binding.user)) {
            continue;
        }
        let all: Vec<&str> = patterns.iter().map(FederatedUserPattern::as_str).collect();
        let allowed = if all.is_empty() {
            "it allows none (its federatedUsers is empty)".to_owned()
        } else {
            format!("it allows {}, compared with case", shown(&all, PATTERNS_SHOWN))
        };
        let message = format!(
            "limit {:?} does not allow the federated user {:?}: {allowed}",
            limit.name.as_str(),
            binding.user.as_str()
        );
        findings.refuse_under(&limit.name, Reason::FederatedUser, USER, message);
    }
}

/// A name belongs to one namespace of an account. Which that is, is not told: whoever wants the name need not know it.
fn belongs(binding: &FederatedBinding, held_by: Option<&NamespaceName>, findings: &mut Findings) {
    if held_by.is_some_and(|holder| *holder != binding.id.namespace) {
        let message = format!(
            "federated user {:?} of account {} belongs to another namespace, which had a binding of that name first: resource policies that name it \
             mean that namespace (case makes no difference); choose another name",
            binding.user.as_str(),
            binding.account
        );
        findings.refuse(Reason::Conflict, USER, message);
    }
}

fn allowed_duration(
    binding: &FederatedBinding,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    let (what, duration) = match (binding.duration, account) {
        (Some(duration), _) => (duration.to_string(), duration),
        (None, Some(account)) => {
            let duration = binding.duration_in(account);
            (format!("{duration} (the account's default)"), duration)
        }
        (None, None) => return,
    };
    for limit in &limits.limits {
        if duration > limit.max_federated_duration {
            let message = format!(
                "{what} is longer than {}, the most that limit {:?} allows a federated user",
                limit.max_federated_duration,
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Duration, DURATION, message);
        }
    }
}
