//! From the SDK's types to ours.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use aws_smithy_types::DateTime;
use deputy_delegation::names::{TagKey, TagValue};
use jiff::Timestamp;

use super::senseless;
use crate::error::AwsError;

/// Longer documents than IAM can hold are not read (`policyDocumentType` ends at 131,072 characters, each of up to nine
/// when percent-encoded).
const MAX_DOCUMENT: usize = 131_072 * 9;

/// A policy document out of an answer of IAM: percent-encoded after RFC 3986, where `+` is a plus.
pub(super) fn document(operation: &'static str, text: &str) -> Result<String, AwsError> {
    if text.len() > MAX_DOCUMENT {
        return Err(senseless(
            operation,
            "a policy document of more than 131,072 characters",
        ));
    }
    // Some servers other than AWS's own do not encode; encoded text can't start with a brace.
    if text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    percent_decode(text)
        .ok_or_else(|| senseless(operation, "a policy document that is not percent-encoded UTF-8"))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let (high, low) = (
                    char::from(bytes.next()?).to_digit(16)?,
                    char::from(bytes.next()?).to_digit(16)?,
                );
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

pub(super) fn tags(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    tags.unwrap_or_default()
        .iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}

/// Our tags in IAM's type.
pub(super) fn to_tags(
    operation: &'static str,
    tags: &BTreeMap<TagKey, TagValue>,
) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key.as_str()).value(value.as_str()).build())
        .collect::<Result<_, _>>()
        .map_err(|e| senseless(operation, &e.to_string()))
}

pub(super) fn timestamp(operation: &'static str, time: &DateTime) -> Result<Timestamp, AwsError> {
    i32::try_from(time.subsec_nanos())
        .ok()
        .and_then(|nanos| Timestamp::new(time.secs(), nanos).ok())
        .ok_or_else(|| senseless(operation, "a time out of range"))
}

/// A count; AWS's integers are signed.
pub(super) fn count(number: Option<i32>) -> u32 {
    number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_decoded_and_plus_is_a_plus() {
        for (encoded, decoded) in [
            (
                "%7B%22Version%22%3A%222012-10-17%22%7D",
                r#"{"Version":"2012-10-17"}"#,
            ),
            ("%7B%22a%22%3A%20%22x+y%22%7d", r#"{"a": "x+y"}"#),
            ("%7B%22a%22%3A%22%C3%A9%22%7D", r#"{"a":"é"}"#),
            (r#"{"a":"100%25"}"#, r#"{"a":"100%25"}"#),
        ] {
            assert_eq!(document("iam:GetRole", encoded).unwrap(), decoded);
        }
    }

    #[test]
    fn a_document_that_cannot_be_decoded_is_an_error() {
        for bad in ["%7", "%zz", "%FF", "%"] {
            assert!(document("iam:GetRole", bad).is_err(), "{bad}");
        }
    }
}
