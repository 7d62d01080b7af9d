//! The text of a policy in an answer.

use deputy_delegation::names::PolicyResourceKind;

use super::super::senseless;
use crate::error::AwsError;

/// What of an attribute or an answer is the policy's text: none when it is empty.
///
/// # Errors
/// Longer than twice what the service takes: no policy, and nothing to keep in memory and write back.
pub(super) fn policy_text(
    operation: &'static str,
    kind: PolicyResourceKind,
    text: Option<String>,
) -> Result<Option<String>, AwsError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let longest = kind.policy_size().saturating_mul(2);
    if text.len() > longest {
        return Err(senseless(
            operation,
            &format!("a policy of more than {longest} bytes"),
        ));
    }
    Ok(Some(text))
}
