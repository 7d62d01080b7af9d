//! The resources of an account whose policies may have statements.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Account, Enforcement, Limit},
    names::PolicyResourceKind,
};

/// By their kind, as IAM writes patterns on ARNs. Of buckets these say no account.
pub(super) type PolicyResources = BTreeMap<PolicyResourceKind, BTreeSet<String>>;

/// Those that `limits`, which are of the account, name there.
pub(super) fn policy_resources<'a>(
    account: &Account,
    limits: impl Iterator<Item = &'a Limit>,
) -> PolicyResources {
    let mut resources = PolicyResources::new();
    // A dry run grants nothing.
    let patterns = limits
        .filter(|limit| limit.enforcement == Enforcement::Enforce)
        .flat_map(|limit| &limit.resource_policies)
        .filter_map(|pattern| pattern.in_account(&account.partition, &account.id));
    for (kind, pattern) in patterns {
        resources.entry(kind).or_default().insert(pattern);
    }
    resources
}
