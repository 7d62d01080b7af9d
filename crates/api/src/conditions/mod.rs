//! Types and reasons of the conditions in `status`, and how one is written.
//!
//! The types and reasons are a contract: alerts and `kubectl wait` are built on them. They follow the conventions of
//! Kubernetes and kstatus: `Ready` sums up, `observedGeneration` says what it was found on, and `lastTransitionTime`
//! moves only when `status` does.

mod words;

use std::fmt;

use deputy_delegation::Reason;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use self::words::{ConditionReason, ConditionType, Status};

/// The longest message, in characters. The API takes 32,768 bytes; nobody reads as much.
pub const MAX_MESSAGE_CHARS: usize = 4096;

/// Writes conditions that were all found on one generation of an object, at one moment.
#[derive(Debug)]
pub struct Conditions<'a> {
    conditions: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    /// Writes into `conditions`, as found on `generation` (`metadata.generation`) at `now`.
    pub fn new(conditions: &'a mut Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self {
            conditions,
            generation,
            now,
        }
    }

    /// Sets a condition, adding it if it is not there. `lastTransitionTime` stays unless `status` changes, so that
    /// what is written again is equal. Returns whether anything changed.
    ///
    /// A message of more than [`MAX_MESSAGE_CHARS`] characters is cut.
    pub fn set(
        &mut self,
        type_: ConditionType,
        status: Status,
        reason: ConditionReason,
        message: impl fmt::Display,
    ) -> bool {
        let condition = Condition {
            type_: type_.to_string(),
            status: status.to_string(),
            reason: reason.to_string(),
            message: cut(message.to_string()),
            observed_generation: self.generation,
            last_transition_time: Time(self.now),
        };
        put(self.conditions, condition)
    }
}

fn put(conditions: &mut Vec<Condition>, mut new: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == new.type_) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// The condition of a type.
#[must_use]
pub fn find(conditions: &[Condition], type_: impl AsRef<str>) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.as_ref())
}

/// Whether the condition of a type is `True`. Absent is not true.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: impl AsRef<str>) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == Status::True.as_str())
}

fn cut(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{} … (cut)", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

// What follows are the words above as text, for callers that do not write with [`Conditions`] yet.

/// [`ConditionType::Ready`] as text.
pub const READY: &str = ConditionType::Ready.as_str();
/// [`ConditionType::Accepted`] as text.
pub const ACCEPTED: &str = ConditionType::Accepted.as_str();
/// [`ConditionType::Provisioned`] as text.
pub const PROVISIONED: &str = ConditionType::Provisioned.as_str();
/// [`ConditionType::Tagged`] as text.
pub const TAGGED: &str = ConditionType::Tagged.as_str();
/// [`ConditionType::IssuerReady`] as text.
pub const ISSUER_READY: &str = ConditionType::IssuerReady.as_str();
/// [`ConditionType::ProvisionerReady`] as text.
pub const PROVISIONER_READY: &str = ConditionType::ProvisionerReady.as_str();
/// [`ConditionType::BoundaryWriterReady`] as text.
pub const BOUNDARY_WRITER_READY: &str = ConditionType::BoundaryWriterReady.as_str();
/// [`ConditionType::SessionsIssued`] as text.
pub const SESSIONS_ISSUED: &str = ConditionType::SessionsIssued.as_str();

/// [`ConditionReason`]s as text.
pub mod reason {
    use super::ConditionReason;
    /// [`ConditionReason::WithinLimits`].
    pub const WITHIN_LIMITS: &str = ConditionReason::WithinLimits.as_str();
    /// [`ConditionReason::UpToDate`].
    pub const UP_TO_DATE: &str = ConditionReason::UpToDate.as_str();
    /// [`ConditionReason::Ready`].
    pub const READY: &str = ConditionReason::Ready.as_str();
    /// [`ConditionReason::Progressing`].
    pub const PROGRESSING: &str = ConditionReason::Progressing.as_str();
    /// [`ConditionReason::Invalid`].
    pub const INVALID: &str = ConditionReason::Invalid.as_str();
    /// [`ConditionReason::Suspended`].
    pub const SUSPENDED: &str = ConditionReason::Suspended.as_str();
    /// [`ConditionReason::NotAccepted`].
    pub const NOT_ACCEPTED: &str = ConditionReason::NotAccepted.as_str();
    /// [`ConditionReason::AccountNotFound`].
    pub const ACCOUNT_NOT_FOUND: &str = ConditionReason::AccountNotFound.as_str();
    /// [`ConditionReason::RoleNotFound`].
    pub const ROLE_NOT_FOUND: &str = ConditionReason::RoleNotFound.as_str();
    /// [`ConditionReason::RoleNotReady`].
    pub const ROLE_NOT_READY: &str = ConditionReason::RoleNotReady.as_str();
    /// [`ConditionReason::BoundaryNotReady`].
    pub const BOUNDARY_NOT_READY: &str = ConditionReason::BoundaryNotReady.as_str();
    /// [`ConditionReason::Shadowed`].
    pub const SHADOWED: &str = ConditionReason::Shadowed.as_str();
    /// [`ConditionReason::Conflict`].
    pub const CONFLICT: &str = ConditionReason::Conflict.as_str();
    /// [`ConditionReason::AccessDenied`].
    pub const ACCESS_DENIED: &str = ConditionReason::AccessDenied.as_str();
    /// [`ConditionReason::Throttled`].
    pub const THROTTLED: &str = ConditionReason::Throttled.as_str();
    /// [`ConditionReason::QuotaExceeded`].
    pub const QUOTA_EXCEEDED: &str = ConditionReason::QuotaExceeded.as_str();
    /// [`ConditionReason::Unavailable`].
    pub const UNAVAILABLE: &str = ConditionReason::Unavailable.as_str();
    /// [`ConditionReason::AWSError`].
    pub const AWS_ERROR: &str = ConditionReason::AWSError.as_str();
    /// [`ConditionReason::AccountMismatch`].
    pub const ACCOUNT_MISMATCH: &str = ConditionReason::AccountMismatch.as_str();
    /// [`ConditionReason::IdentityMismatch`].
    pub const IDENTITY_MISMATCH: &str = ConditionReason::IdentityMismatch.as_str();
    /// [`ConditionReason::NoCredentials`].
    pub const NO_CREDENTIALS: &str = ConditionReason::NoCredentials.as_str();
    /// [`ConditionReason::IssuerNotReady`].
    pub const ISSUER_NOT_READY: &str = ConditionReason::IssuerNotReady.as_str();
    /// [`ConditionReason::PackedPolicyTooLarge`].
    pub const PACKED_POLICY_TOO_LARGE: &str = ConditionReason::PackedPolicyTooLarge.as_str();
    /// [`ConditionReason::RegionDisabled`].
    pub const REGION_DISABLED: &str = ConditionReason::RegionDisabled.as_str();
    /// [`ConditionReason::DuplicateAccount`].
    pub const DUPLICATE_ACCOUNT: &str = ConditionReason::DuplicateAccount.as_str();
    /// [`ConditionReason::Deleting`].
    pub const DELETING: &str = ConditionReason::Deleting.as_str();
}

/// The condition reason of a violation, as text.
#[must_use]
pub fn of_decision(reason: Reason) -> &'static str {
    ConditionReason::from(reason).as_str()
}

/// Sets a condition by text. Returns whether anything changed.
pub fn upsert(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Status,
    reason: &str,
    message: &str,
    observed_generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.to_string(),
        reason: reason.to_owned(),
        message: cut(message.to_owned()),
        observed_generation,
        last_transition_time: Time(now),
    };
    put(conditions, condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        use {ConditionReason as Why, ConditionType::Ready};
        let mut conditions = Vec::new();
        let mut set = |generation, second, status, reason, message: &str| {
            Conditions::new(&mut conditions, Some(generation), at(second)).set(Ready, status, reason, message)
        };
        assert!(set(1, 10, Status::False, Why::Progressing, ""));
        assert!(set(2, 20, Status::False, Why::Conflict, "taken"));
        let ready = find(&conditions, Ready).unwrap();
        assert_eq!(
            (ready.last_transition_time.0, ready.reason.as_str()),
            (at(10), Why::Conflict.as_str())
        );
        assert!(Conditions::new(&mut conditions, Some(2), at(30)).set(Ready, Status::True, Why::Ready, ""));
        assert_eq!(find(&conditions, Ready).unwrap().last_transition_time.0, at(30));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn writing_the_same_again_changes_nothing() {
        let mut conditions = Vec::new();
        let mut set = |second| {
            let mut writer = Conditions::new(&mut conditions, Some(1), at(second));
            let changed = writer.set(
                ConditionType::Accepted,
                Status::True,
                ConditionReason::WithinLimits,
                "",
            );
            (changed, conditions.clone())
        };
        let (changed, before) = set(10);
        assert!(changed);
        assert_eq!(set(99), (false, before));
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let mut conditions = Vec::new();
        Conditions::new(&mut conditions, None, at(0)).set(
            ConditionType::Ready,
            Status::False,
            ConditionReason::Invalid,
            "ä".repeat(50_000),
        );
        let message = &conditions[0].message;
        assert!(message.chars().count() < MAX_MESSAGE_CHARS + 10 && message.ends_with("(cut)"));
    }

    #[test]
    fn an_absent_condition_is_not_true() {
        assert!(!is_true(&[], ConditionType::Ready));
    }

    #[test]
    fn each_reason_is_read_as_it_is_written() {
        for reason in ConditionReason::ALL {
            assert_eq!(ConditionReason::from_word(reason.as_str()), Some(*reason));
        }
        assert_eq!(ConditionReason::from_word("ready"), None);
    }
}
