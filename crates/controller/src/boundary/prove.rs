//! One boundary policy of somebody else, read and compared with its limit. Nothing is written.

use deputy_api::conditions::ConditionReason;
use deputy_aws::{AwsError, DefaultVersion, ManagedPolicies};
use deputy_delegation::boundary::{self, ReferenceError, ReferencedBoundary};

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvedBoundary {
    /// The version in force; `None` when there is no such policy.
    pub there: Option<ProvedVersion>,
    /// Why it is no boundary of the limit.
    pub problem: Option<(ConditionReason, String)>,
}

/// A version that was compared with the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedVersion {
    pub id: String,
    pub document_hash: String,
    /// Whether it is known to allow no more than the limit.
    pub within: bool,
}

/// Reads the policy and compares it.
///
/// # Errors
/// AWS can't be asked. What was known stays: that is no reason to hold roles.
pub async fn prove(
    policies: &dyn ManagedPolicies,
    referenced: &ReferencedBoundary,
) -> Result<ProvedBoundary, AwsError> {
    let found = policies.default_version(&referenced.policy).await?;
    Ok(judge(referenced, found.as_ref()))
}

/// What the policy is, as AWS has it.
fn judge(referenced: &ReferencedBoundary, found: Option<&DefaultVersion>) -> ProvedBoundary {
    let arn = &referenced.policy;
    let Some(found) = found else {
        let message = format!("{arn} does not exist, so no role is made under the limit");
        return ProvedBoundary {
            there: None,
            problem: Some((ConditionReason::BoundaryNotFound, message)),
        };
    };
    let proof = referenced.prove(&found.document);
    let there = ProvedVersion {
        id: found.id.clone(),
        document_hash: match &proof {
            Ok(hash) => hash.clone(),
            Err(_) => boundary::hash_of(&found.document),
        },
        within: proof.is_ok(),
    };
    let problem = proof.err().map(|error| {
        let reason = match &error {
            ReferenceError::Exceeds(_) => ConditionReason::BoundaryExceedsLimit,
            ReferenceError::Unknown(_) => ConditionReason::ContainmentUnknown,
            ReferenceError::Unreadable(_) => ConditionReason::Invalid,
        };
        let message = format!(
            "{arn} in version {} is no boundary of the limit: {error}. Roles under the limit shrink and do not grow until it is",
            found.id
        );
        (reason, message)
    });
    ProvedBoundary {
        there: Some(there),
        problem,
    }
}
