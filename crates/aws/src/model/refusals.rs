//! What IAM refuses, in its words, and how it measures documents.

use deputy_delegation::names::RoleName;

use crate::error::{AwsError, ErrorClass};

pub(super) fn no_such_role(operation: &'static str, name: &RoleName) -> AwsError {
    AwsError::new(
        operation,
        ErrorClass::NotFound,
        &format!("The role with name {name} cannot be found."),
    )
    .with_code("NoSuchEntity")
}

pub(super) fn over_quota(operation: &'static str, quota: &str, limit: u32) -> AwsError {
    AwsError::new(
        operation,
        ErrorClass::LimitExceeded,
        &format!("Cannot exceed quota for {quota}: {limit}"),
    )
    .with_code("LimitExceeded")
}

/// Characters as IAM counts them against its limits: white space is free.
pub(super) fn size(document: &str) -> u32 {
    u32::try_from(document.chars().filter(|c| !c.is_whitespace()).count()).unwrap_or(u32::MAX)
}

pub(super) fn within(operation: &'static str, quota: &str, limit: u32, size: u32) -> Result<(), AwsError> {
    if size > limit {
        return Err(over_quota(operation, quota, limit));
    }
    Ok(())
}

pub(super) fn well_formed(operation: &'static str, document: &str) -> Result<(), AwsError> {
    match serde_json::from_str::<serde_json::Value>(document) {
        Ok(serde_json::Value::Object(policy)) if policy.contains_key("Statement") => Ok(()),
        _ => Err(
            AwsError::new(operation, ErrorClass::MalformedPolicy, "Syntax errors in policy.")
                .with_code("MalformedPolicyDocument"),
        ),
    }
}
