//! Credentials of a new session, of whatever kind, and how much of a session token a request fills.

use std::collections::BTreeMap;

use deputy_delegation::names::{TagKey, TagValue};
use jiff::{SignedDuration, Timestamp};

use super::{InMemoryIam, state::ModelState};
use crate::{
    error::{AwsError, ErrorClass},
    traits::Credentials,
};

/// Credentials and when they end.
pub(super) struct IssuedCredentials {
    pub(super) credentials: Credentials,
    pub(super) expiration: Timestamp,
}

pub(super) fn packed_too_large(operation: &'static str, percent: u32) -> AwsError {
    let message = format!("Packed size of session tags consumes {percent}% of allotted space.");
    AwsError::new(operation, ErrorClass::PackedPolicyTooLarge, &message).with_code("PackedPolicyTooLarge")
}

/// AWS's packing is not public; here it is characters of policies and tags, in percent of 2,048.
pub(super) fn packed_percent(
    tags: &BTreeMap<TagKey, TagValue>,
    policy_arns: &[String],
    policy: Option<&str>,
) -> u32 {
    let tags: usize = tags
        .iter()
        .map(|(k, v)| k.as_str().len() + v.as_str().len())
        .sum();
    let arns: usize = policy_arns.iter().map(String::len).sum();
    let characters = tags + arns + policy.map_or(0, str::len);
    u32::try_from((characters * 100).div_ceil(2048)).unwrap_or(u32::MAX)
}

impl InMemoryIam {
    /// New credentials for so many seconds.
    pub(super) fn issue(
        &self,
        state: &mut ModelState,
        operation: &'static str,
        seconds: u32,
    ) -> Result<IssuedCredentials, AwsError> {
        let serial = state.serial();
        let expiration = state
            .now()
            .checked_add(SignedDuration::from_secs(i64::from(seconds)))
            .map_err(|e| AwsError::new(operation, ErrorClass::Other, &e.to_string()))?;
        Ok(IssuedCredentials {
            credentials: Credentials {
                access_key_id: format!("ASIA{serial:016}"),
                secret_access_key: format!("secret-{serial}").into(),
                session_token: format!("token-{serial}").into(),
            },
            expiration,
        })
    }
}
