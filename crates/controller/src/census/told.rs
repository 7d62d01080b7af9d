//! What the status of an AWSAccount says of its listing. Pure.

use deputy_api::{
    AWSAccountStatus,
    conditions::{ConditionReason, ConditionType, Status},
};
use deputy_aws::{AwsError, ErrorClass};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::report::{ConditionValue, account_with, reason_of};

/// That AWS has listed so many roles in full, in the status, which says `old`.
#[must_use]
pub fn listed(
    old: &AWSAccountStatus,
    roles: usize,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSAccountStatus {
    let message = format!("AWS lists the IAM roles of this cluster in full: {roles}");
    let value = ConditionValue::new(Status::True, ConditionReason::UpToDate, message);
    AWSAccountStatus {
        last_listed: Some(Time(now)),
        ..account_with(old, ConditionType::Listed, &value, generation, now)
    }
}

/// That AWS did not.
#[must_use]
pub fn not_listed(
    old: &AWSAccountStatus,
    error: &AwsError,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSAccountStatus {
    let status = if error.class() == ErrorClass::AccessDenied {
        Status::False
    } else {
        Status::Unknown
    };
    let (reason, message) = reason_of(error);
    let message = format!(
        "each IAM role is looked at by itself, once an hour, because AWS does not list them: {message}"
    );
    let value = ConditionValue::new(status, reason, message);
    account_with(old, ConditionType::Listed, &value, generation, now)
}
