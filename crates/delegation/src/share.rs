//! How much of its role a session gets: all of it, or what session policies leave. Two of them can be compared, and each has a short mark, by
//! which a session says what it got: a session keeps its policies for as long as it lives, whatever the binding says then.

use std::{collections::BTreeSet, sync::Arc};

use deputy_policy::{
    Document, PolicyKind,
    contain::{Candidate, contains},
};

use crate::{
    model::SessionSpec,
    names::{ManagedPolicyArn, ServiceAccountName},
    naming::hash_of,
};

/// 128 bits in base32.
const MARK_BYTES: usize = 16;

/// How much of its role a session gets: role ∩ (`policy` ∪ `policy_arns`), all of it if there is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionShare {
    /// In canonical JSON: one is kept of each role, and compared when it changes.
    policy: Option<Arc<str>>,
    policy_arns: BTreeSet<ManagedPolicyArn>,
}

impl SessionShare {
    /// Of a session that looks like this.
    #[must_use]
    pub fn of(session: &SessionSpec) -> Self {
        Self {
            policy: session.policy.as_ref().map(|policy| policy.to_json().into()),
            policy_arns: session.policy_arns.clone(),
        }
    }

    /// The session policy, in canonical JSON.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// Whether it gets all of the role.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.policy.is_none() && self.policy_arns.is_empty()
    }

    /// What tells it from every other share, in a session of this ServiceAccount; `None` when that gets all of the role.
    #[must_use]
    pub fn mark(&self, service_account: &ServiceAccountName) -> Option<String> {
        if self.is_whole() {
            return None;
        }
        let arns: Vec<String> = self.policy_arns.iter().map(ToString::to_string).collect();
        let fields = [service_account.as_str(), self.policy().unwrap_or_default()];
        let fields: Vec<&str> = fields
            .into_iter()
            .chain(arns.iter().map(String::as_str))
            .collect();
        Some(hash_of(&fields, MARK_BYTES))
    }

    /// Whether it is known that a session of `other` may do nothing that one of this may not.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.is_whole() || self == other {
            return true;
        }
        if other.is_whole() || !other.policy_arns.is_subset(&self.policy_arns) {
            return false;
        }
        match (&other.policy, &self.policy) {
            (None, _) => true,
            (Some(theirs), Some(own)) => is_contained(theirs, own),
            (Some(_), None) => false,
        }
    }
}

/// Whether a session policy is known to allow nothing that another one does not.
fn is_contained(theirs: &str, own: &str) -> bool {
    let read = |text| Document::parse(text, PolicyKind::Session);
    match (read(theirs), read(own)) {
        (Ok(theirs), Ok(own)) => contains(&Candidate::new(&[&theirs]), &own).is_contained(),
        _ => false,
    }
}
