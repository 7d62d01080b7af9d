//! One boundary policy of somebody else, read and compared with its limit. Nothing is written.

use std::time::Duration;

use deputy_api::{BoundaryStatus, conditions::ConditionReason};
use deputy_aws::{AwsError, DefaultVersion, ManagedPolicies};
use deputy_delegation::{
    ObjectName,
    boundary::{ReferenceError, ReferencedBoundary},
};

use super::assess::{LimitProblem, ProveBoundary};
use crate::report::reason_of;

/// A policy that somebody else writes is read at least that often: an edit is noticed no later.
const PROVE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The policies of all limits are not read at once: by so much less is the interval of some.
const SPREAD_SECONDS: u64 = 30;

/// How often the policy of a limit is read.
#[must_use]
pub fn interval(limit: &ObjectName) -> Duration {
    let sum = limit
        .as_str()
        .bytes()
        .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    PROVE_INTERVAL.saturating_sub(Duration::from_secs(sum % SPREAD_SECONDS))
}

/// What is known of such a policy, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvedBoundary {
    /// What the limit's status says of it; `None` when it is not there.
    pub status: Option<BoundaryStatus>,
    /// Why it is no boundary of the limit.
    pub problem: Option<LimitProblem>,
}

/// Reads the policy. Where AWS can't be asked what was known stays: that is no reason to hold roles.
pub async fn prove(policies: &dyn ManagedPolicies, plan: &ProveBoundary) -> ProvedBoundary {
    match policies.default_version(&plan.referenced.policy).await {
        Ok(found) => judge(&plan.referenced, plan.account.name.as_str(), found.as_ref()),
        Err(error) => ProvedBoundary {
            status: plan.known.clone(),
            problem: Some(unread(&plan.referenced, &error)),
        },
    }
}

fn unread(referenced: &ReferencedBoundary, error: &AwsError) -> LimitProblem {
    let (reason, message) = reason_of(error);
    LimitProblem::transient(reason, format!("{} can't be read: {message}", referenced.policy))
}

/// What the policy is, as AWS has it.
fn judge(referenced: &ReferencedBoundary, account: &str, found: Option<&DefaultVersion>) -> ProvedBoundary {
    let arn = &referenced.policy;
    let Some(found) = found else {
        return ProvedBoundary {
            status: None,
            problem: Some(LimitProblem::until_changed(
                ConditionReason::BoundaryNotFound,
                format!("{arn} does not exist, so no role is made under the limit in account {account}"),
            )),
        };
    };
    let proof = referenced.prove(&found.document);
    let status = BoundaryStatus {
        account: account.to_owned(),
        policy_arn: arn.to_string(),
        document_hash: match &proof {
            Ok(hash) => hash.clone(),
            Err(_) => referenced.hash_of(&found.document),
        },
        version_id: found.id.clone(),
        sealed: None,
        within: Some(proof.is_ok()),
        ceiling_hash: Some(referenced.ceiling_hash.clone()),
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
        LimitProblem::until_changed(reason, message)
    });
    ProvedBoundary {
        status: Some(status),
        problem,
    }
}
