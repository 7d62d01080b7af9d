//! *Status*: what is said about an account. Pure.

use deputy_api::{
    AWSAccountStatus,
    conditions::{self, ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::{AccountIdentity, AccountSummary};
use jiff::Timestamp;

use super::{assess::AccountPlan, dereference::AccountInputs, identity::CheckedIdentity, quotas};
use crate::report::ConditionValue;

/// The condition about an identity.
fn condition_of(identity: AccountIdentity) -> ConditionType {
    match identity {
        AccountIdentity::Issuer => ConditionType::IssuerReady,
        AccountIdentity::Provisioner => ConditionType::ProvisionerReady,
        AccountIdentity::BoundaryWriter => ConditionType::BoundaryWriterReady,
    }
}

/// Whether `status` says of the account as it is now that the process is who it should be.
#[must_use]
pub fn reports_identity(
    status: &AWSAccountStatus,
    inputs: &AccountInputs,
    identity: AccountIdentity,
) -> bool {
    conditions::find(&status.conditions, condition_of(identity))
        .is_some_and(|c| c.status == "True" && c.observed_generation == inputs.object.metadata.generation)
}

/// The status of an account whose status was `old`. The process with the provisioner's identity also sums up.
#[must_use]
pub fn updated(
    old: &AWSAccountStatus,
    inputs: &AccountInputs,
    identity: AccountIdentity,
    plan: &AccountPlan<'_>,
    checked: &CheckedIdentity,
    now: Timestamp,
) -> AWSAccountStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    let set = |new: &mut AWSAccountStatus, type_, value: &ConditionValue| {
        value.write(&mut Conditions::new(&mut new.conditions, generation, now), type_);
    };
    if let CheckedIdentity::Asked(value) = checked {
        set(&mut new, condition_of(identity), value);
    }
    if identity == AccountIdentity::Provisioner {
        new.observed_generation = generation;
        let ready = match plan {
            AccountPlan::Refuse(value) => value.clone(),
            AccountPlan::Identify { .. } => summary(&new, generation),
        };
        set(&mut new, ConditionType::Ready, &ready);
    }
    new
}

/// Writes what is left of the account's quotas, if AWS says so; what it said before stays otherwise.
pub fn write_quotas(status: &mut AWSAccountStatus, found: Option<&AccountSummary>) {
    if let Some(found) = found {
        status.quotas = Some(quotas::told(status.quotas.as_ref(), found));
    }
}

/// `Ready` from what is said of the identities: a process that has not said anything about this spec yet is not waited for, so
/// that each is started when it is.
fn summary(status: &AWSAccountStatus, generation: Option<i64>) -> ConditionValue {
    let said = [
        ConditionType::ProvisionerReady,
        ConditionType::BoundaryWriterReady,
        ConditionType::IssuerReady,
        ConditionType::FederationReady,
    ]
    .map(|type_| conditions::find(&status.conditions, type_).filter(|c| c.observed_generation == generation));
    let wrong: Vec<_> = said.iter().flatten().filter(|c| c.status == "False").collect();
    match wrong.first() {
        Some(first) => {
            let all: Vec<&str> = wrong.iter().map(|c| c.message.as_str()).collect();
            // Written by a process that may be newer.
            let reason = ConditionReason::from_word(&first.reason).unwrap_or(ConditionReason::AWSError);
            ConditionValue::new(Status::False, reason, all.join("\n"))
        }
        None => ConditionValue::new(
            Status::True,
            ConditionReason::Ready,
            "AWS answers the identities of Deputy as the account names them",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_ready_as_long_as_no_identity_is_known_to_be_wrong() {
        let status_of = |said: &[(ConditionType, Status, &str, i64)]| {
            let mut status = AWSAccountStatus::default();
            for (type_, holds, reason, generation) in said {
                let message = format!("{type_} says {reason}");
                let reason = ConditionReason::from_word(reason).unwrap();
                Conditions::new(&mut status.conditions, Some(*generation), Timestamp::UNIX_EPOCH)
                    .set(*type_, *holds, reason, message);
            }
            summary(&status, Some(2))
        };
        let ready = (ConditionType::ProvisionerReady, Status::True, "Ready", 2);
        for (said, holds, reason) in [
            (vec![ready], Status::True, "Ready"),
            (
                vec![ready, (ConditionType::IssuerReady, Status::True, "Ready", 2)],
                Status::True,
                "Ready",
            ),
            // The most likely first mistake: seen from the account.
            (
                vec![
                    ready,
                    (ConditionType::IssuerReady, Status::False, "IdentityMismatch", 2),
                ],
                Status::False,
                "IdentityMismatch",
            ),
            (
                vec![
                    ready,
                    (
                        ConditionType::BoundaryWriterReady,
                        Status::False,
                        "NoCredentials",
                        2,
                    ),
                ],
                Status::False,
                "NoCredentials",
            ),
            // STS is away for a while, or it was said of another spec.
            (
                vec![
                    ready,
                    (ConditionType::IssuerReady, Status::Unknown, "Unavailable", 2),
                ],
                Status::True,
                "Ready",
            ),
            (
                vec![
                    ready,
                    (ConditionType::IssuerReady, Status::False, "IdentityMismatch", 1),
                ],
                Status::True,
                "Ready",
            ),
        ] {
            let found = status_of(&said);
            assert_eq!((found.status, found.reason.as_str()), (holds, reason), "{said:?}");
        }
        let both = status_of(&[
            (
                ConditionType::ProvisionerReady,
                Status::False,
                "AccountMismatch",
                2,
            ),
            (ConditionType::IssuerReady, Status::False, "NoCredentials", 2),
        ]);
        assert_eq!(both.message.lines().count(), 2, "{}", both.message);
    }
}
