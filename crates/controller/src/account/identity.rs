//! Who a process is in AWS.

use std::time::Duration;

use deputy_api::conditions::{ConditionReason, Status};
use deputy_aws::{AccountIdentity, IdentifyError, identify};
use deputy_delegation::ObjectName;

use super::assess::AccountPlan;
use crate::{
    context::ControllerContext,
    queue::Requeue,
    report::{ConditionValue, reason_of},
    verified::{DRIFT_INTERVAL, Verified},
};

/// What came of asking AWS who this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedIdentity {
    /// It was not asked: the account can't be used.
    NotAsked,
    /// AWS said so a short while ago, and is trusted for so long from now.
    Verified(Duration),
    /// AWS was asked now.
    Asked(ConditionValue),
}

impl CheckedIdentity {
    /// When the account is looked at again.
    #[must_use]
    pub fn next_requeue(&self) -> Requeue {
        match self {
            // An object has to change first.
            Self::NotAsked => Requeue::AwaitChange,
            Self::Verified(trusted_for) => Requeue::After(*trusted_for),
            Self::Asked(value) if value.status == Status::True => Requeue::After(DRIFT_INTERVAL),
            Self::Asked(_) => Requeue::Retry,
        }
    }

    /// Logs that this process is not who the account says.
    pub fn log_problem(&self) {
        if let Self::Asked(ConditionValue {
            status,
            reason,
            message,
        }) = self
            && *status != Status::True
        {
            tracing::warn!(
                reason = reason.as_str(),
                detail = message,
                "this process does not have the identity that the account names"
            );
        }
    }
}

/// Asks AWS who this process is, as the plan says. AWS is asked every hour and after every change of the spec, not after every change
/// of the status; `is_reported`: whether the status says already that it is who it should be.
pub async fn check_identity(
    ctx: &ControllerContext,
    verified: &Verified<ObjectName>,
    identity: AccountIdentity,
    plan: &AccountPlan<'_>,
    is_reported: bool,
) -> CheckedIdentity {
    let AccountPlan::Identify { account, fingerprint } = plan else {
        return CheckedIdentity::NotAsked;
    };
    let trusted_for = verified.verified_for(&account.name, *fingerprint);
    if let Some(trusted_for) = trusted_for.filter(|_| is_reported) {
        return CheckedIdentity::Verified(trusted_for);
    }
    let answer = ctx.aws.identity(account, identity).caller_identity().await;
    let value = condition(identity, identify(account, identity, answer));
    if value.status == Status::True {
        verified.record(account.name.clone(), *fingerprint);
    }
    CheckedIdentity::Asked(value)
}

/// What is said of an identity.
fn condition(identity: AccountIdentity, found: Result<String, IdentifyError>) -> ConditionValue {
    let process = identity.process();
    let (status, reason, message) = match found {
        Ok(principal) => (
            Status::True,
            ConditionReason::Ready,
            format!("{process} is {principal}"),
        ),
        Err(IdentifyError::Elsewhere(message)) => (Status::False, ConditionReason::AccountMismatch, message),
        Err(IdentifyError::Other(message)) => (Status::False, ConditionReason::IdentityMismatch, message),
        Err(IdentifyError::Aws(error)) => {
            let (reason, message) = reason_of(&error);
            let message = format!("AWS does not say who {process} is: {message}");
            (Status::False, reason, message)
        }
    };
    ConditionValue::new(status, reason, message)
}
