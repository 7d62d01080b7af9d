//! A boundary policy that somebody else writes: whether it is within the limit, and what it is compared with.

use deputy_policy::{Candidate, Containment, Document, PolicyKind, contains};

use super::{
    generated::{document_hash, held, text_hash},
    sealed::ReferencedBoundary,
};
use crate::{
    decision::{Reason, Violation},
    model::{Account, Limit},
    names::{ClusterName, ManagedPolicyArn, PolicyOwner},
};

/// What is known of `policy` as the boundary of `limit` in `account` without AWS.
///
/// # Errors
/// When it is a policy of another account or partition, which no role of the account can carry.
pub(super) fn referenced(
    cluster: &ClusterName,
    account: &Account,
    limit: &Limit,
    policy: &ManagedPolicyArn,
) -> Result<ReferencedBoundary, Violation> {
    let is_of_account = match policy.owner() {
        PolicyOwner::Aws => true,
        PolicyOwner::Account(owner) => *owner == account.id,
    };
    if policy.partition() != &account.partition || !is_of_account {
        return Err(Violation {
            reason: Reason::Partition,
            field: "spec.boundary.policyARN".to_owned(),
            limit: Some(limit.name.clone()),
            message: format!(
                "{policy} can't be the boundary of a role in account {}, which is {} in {}: AWS takes a policy of the role's own \
                 account, or one of AWS's; write a limit of its own for each account",
                account.name, account.id, account.partition
            ),
        });
    }
    let within = held(cluster, account, limit)?;
    Ok(ReferencedBoundary {
        policy: policy.clone(),
        ceiling_hash: document_hash(&within),
        within,
    })
}

/// Why a referenced policy is no boundary of its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// What it says can't be read.
    #[error("the policy can't be read: {0}")]
    Unreadable(String),
    /// It allows more.
    #[error("the policy allows {0}, which the limit does not")]
    Exceeds(String),
    /// Whether it allows more is not known.
    #[error("it can't be proved that the policy stays within the limit: {0}")]
    Unknown(String),
}

/// The [`document_hash`] of what a boundary policy says, or of its text where that can't be read.
#[must_use]
pub fn hash_of(text: &str) -> String {
    Document::parse(text, PolicyKind::Boundary)
        .map_or_else(|_| text_hash(text), |document| document_hash(&document))
}

impl ReferencedBoundary {
    /// Whether the policy, which says `text`, allows no more than the limit. Gives its [`document_hash`].
    ///
    /// # Errors
    /// With a request that it allows and the limit does not, or why that is not known.
    pub fn prove(&self, text: &str) -> Result<String, ReferenceError> {
        let document = Document::parse(text, PolicyKind::Boundary)
            .map_err(|error| ReferenceError::Unreadable(error.to_string()))?;
        match contains(&Candidate::new(&[&document]), &self.within) {
            Containment::Contained(_) => Ok(document_hash(&document)),
            Containment::Exceeds(witness) => Err(ReferenceError::Exceeds(witness.to_string())),
            Containment::Unknown(reason) => Err(ReferenceError::Unknown(reason.to_string())),
        }
    }
}
