//! Warnings of the webhook as findings.

use deputy_admission::ObjectWarning;

use super::answer::{CheckFinding, FindingLevel};
use crate::objects::ReadObject;

/// What a change takes away is only known where the object is not there yet (`suspends`); and that a reason is there is said with its
/// sentence.
pub fn is_said(warning: &ObjectWarning) -> bool {
    let is_reason_alone = warning.field.is_empty() && matches!(warning.code, Some("NoLimit" | "NoBoundary"));
    !is_reason_alone && !warning.is_about_the_change()
}

pub fn of_warning(object: &ReadObject, warning: &ObjectWarning, is_awaiting: bool) -> CheckFinding {
    let awaited = ["NoLimit", "NoBoundary", "AccountNotFound", "RoleNotFound"];
    let is_reason = is_awaiting && warning.code.is_some_and(|code| awaited.contains(&code));
    CheckFinding {
        level: if is_reason {
            FindingLevel::Undecided
        } else {
            FindingLevel::Warning
        },
        reason: warning.code.unwrap_or("Warning"),
        place: object.place(&warning.field),
        field: warning.field.clone(),
        limit: None,
        message: warning.message.clone(),
    }
}
