//! ServiceAccounts that a binding names and that are not there.

use std::collections::BTreeSet;

use deputy_delegation::{NamespaceName, ServiceAccountName};

use crate::{facts::Facts, review::cut};

/// Beyond them a warning stops listing names.
pub(super) const NAMES_SHOWN: usize = 8;

/// A warning for each of the first of them.
pub(super) fn absent(
    facts: &Facts,
    namespace: &NamespaceName,
    subjects: &BTreeSet<ServiceAccountName>,
) -> Vec<String> {
    subjects
        .iter()
        .filter(|subject| facts.lacks_service_account(namespace, subject))
        .take(NAMES_SHOWN)
        .map(|subject| {
            let name = cut(subject.as_str(), 63);
            format!("ServiceAccount {name} does not exist (yet): no pod gets credentials as it")
        })
        .collect()
}
