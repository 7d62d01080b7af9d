//! Types and reasons of the conditions in `status`, and how one is written.
//!
//! The types and reasons are a contract: alerts and `kubectl wait` are built on them. They follow the conventions of
//! Kubernetes and kstatus: `Ready` sums up, `observedGeneration` says what it was found on, and `lastTransitionTime`
//! moves only when `status` does.

use deputy_delegation::Reason;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Sums up whether the object does its job.
pub const READY: &str = "Ready";
/// A role or binding is within every limit of its namespace.
pub const ACCEPTED: &str = "Accepted";
/// A role is in AWS as it should be.
pub const PROVISIONED: &str = "Provisioned";

/// A role or boundary policy has the tags that its AWSAccount says. `False` while AWS refuses them, which holds up nothing else.
pub const TAGGED: &str = "Tagged";

/// An account: the broker is the issuer that it names, as AWS says. Written by `deputy broker`.
pub const ISSUER_READY: &str = "IssuerReady";
/// An account: the identity that writes roles is there, and the one that it names. Written by `deputy controller`.
pub const PROVISIONER_READY: &str = "ProvisionerReady";
/// An account: the identity that writes boundary policies is there, and the one that it names. Written by `deputy limits`.
pub const BOUNDARY_WRITER_READY: &str = "BoundaryWriterReady";
/// A binding: STS gives sessions by it. Absent until it once refused. Written by `deputy broker`.
pub const SESSIONS_ISSUED: &str = "SessionsIssued";

/// Reasons, beside those of a decision ([`of_decision`]).
pub mod reason {
    /// `Accepted`: every limit that applies accepts.
    pub const WITHIN_LIMITS: &str = "WithinLimits";
    /// `Provisioned`: AWS has it as it should be.
    pub const UP_TO_DATE: &str = "UpToDate";
    /// `Ready`: it works.
    pub const READY: &str = "Ready";
    /// Work on it is under way.
    pub const PROGRESSING: &str = "Progressing";
    /// The object can't be read; the message lists every field that is wrong.
    pub const INVALID: &str = "Invalid";
    /// Not accepted: nobody gets credentials. What is in AWS stays, with a trust policy that denies.
    pub const SUSPENDED: &str = "Suspended";
    /// Not accepted, and never was: nothing is in AWS.
    pub const NOT_ACCEPTED: &str = "NotAccepted";
    /// The AWSAccount does not exist.
    pub const ACCOUNT_NOT_FOUND: &str = "AccountNotFound";
    /// The AWSRole does not exist.
    pub const ROLE_NOT_FOUND: &str = "RoleNotFound";
    /// The AWSRole is not ready.
    pub const ROLE_NOT_READY: &str = "RoleNotReady";
    /// The boundary policy of the limit is not in AWS yet.
    pub const BOUNDARY_NOT_READY: &str = "BoundaryNotReady";
    /// Another binding comes first for each of its ServiceAccounts; this one is used when asked for by name.
    pub const SHADOWED: &str = "Shadowed";
    /// AWS has something of that name that is not ours, or not this object's; it is left alone.
    pub const CONFLICT: &str = "Conflict";
    /// AWS refused the call: the identity lacks a permission.
    pub const ACCESS_DENIED: &str = "AccessDenied";
    /// AWS asked to call less often.
    pub const THROTTLED: &str = "Throttled";
    /// A quota of the AWS account is used up, or a document is larger than it allows.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// AWS can't be reached, or failed.
    pub const UNAVAILABLE: &str = "Unavailable";
    /// AWS refused the call for another reason; the message has it.
    pub const AWS_ERROR: &str = "AWSError";
    /// The identity is not in the account, or not in the partition, that the AWSAccount names.
    pub const ACCOUNT_MISMATCH: &str = "AccountMismatch";
    /// The identity is not the one that the AWSAccount names.
    pub const IDENTITY_MISMATCH: &str = "IdentityMismatch";
    /// The process has no identity in AWS.
    pub const NO_CREDENTIALS: &str = "NoCredentials";
    /// The broker is not the issuer that the account names: nobody gets credentials of it.
    pub const ISSUER_NOT_READY: &str = "IssuerNotReady";
    /// Session policy and tags together are larger than AWS takes in a session.
    pub const PACKED_POLICY_TOO_LARGE: &str = "PackedPolicyTooLarge";
    /// The account's region is not enabled in the AWS account.
    pub const REGION_DISABLED: &str = "RegionDisabled";
    /// An older AWSAccount is of the same AWS account: that one counts, and nothing is done by this one.
    pub const DUPLICATE_ACCOUNT: &str = "DuplicateAccount";
    /// The object is being deleted.
    pub const DELETING: &str = "Deleting";
}

/// The condition reason of a violation.
#[must_use]
pub fn of_decision(reason: Reason) -> &'static str {
    match reason {
        Reason::NoLimit => "NoLimit",
        Reason::LimitInvalid => "LimitInvalid",
        Reason::BoundaryOverlap => "BoundaryOverlap",
        Reason::NoBoundary => "NoBoundary",
        Reason::AccountInvalid => "AccountInvalid",
        Reason::RoleInvalid => "RoleInvalid",
        Reason::ExceedsLimit => "ExceedsLimit",
        Reason::ContainmentUnknown => "ContainmentUnknown",
        Reason::TooLarge => "TooLarge",
        Reason::Duration => "Duration",
        Reason::SessionTag => "SessionTag",
        Reason::Escalation => "Escalation",
        Reason::TenantVariable => "TenantVariable",
        Reason::Partition => "Partition",
        Reason::Structure => reason::INVALID,
    }
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known.
    Unknown,
}

impl Status {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// The longest message, in characters. The API takes 32,768 bytes; nobody reads as much.
pub const MAX_MESSAGE_CHARS: usize = 4096;

/// Sets condition `type_`, adding it if it is not there. `lastTransitionTime` stays unless `status` changes, so that
/// what is written again is equal. Gives whether anything changed.
pub fn upsert(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Status,
    reason: &str,
    message: &str,
    observed_generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let mut new = Condition {
        type_: type_.to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.to_owned(),
        message: cut(message),
        observed_generation,
        last_transition_time: Time(now),
    };
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            let changed = *old != new;
            *old = new;
            changed
        }
        None => {
            conditions.push(new);
            true
        }
    }
}

/// The condition of a type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of a type is `True`. Absent is not true.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == "True")
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{} … (cut)", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        assert!(upsert(
            &mut conditions,
            READY,
            Status::False,
            reason::PROGRESSING,
            "",
            Some(1),
            at(10)
        ));
        assert!(upsert(
            &mut conditions,
            READY,
            Status::False,
            reason::CONFLICT,
            "taken",
            Some(2),
            at(20)
        ));
        let ready = find(&conditions, READY).unwrap();
        assert_eq!(
            (ready.last_transition_time.0, ready.reason.as_str()),
            (at(10), reason::CONFLICT)
        );
        assert!(upsert(
            &mut conditions,
            READY,
            Status::True,
            reason::READY,
            "",
            Some(2),
            at(30)
        ));
        assert_eq!(find(&conditions, READY).unwrap().last_transition_time.0, at(30));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn writing_the_same_again_changes_nothing() {
        let mut conditions = Vec::new();
        upsert(
            &mut conditions,
            ACCEPTED,
            Status::True,
            reason::WITHIN_LIMITS,
            "",
            Some(1),
            at(10),
        );
        let before = conditions.clone();
        assert!(!upsert(
            &mut conditions,
            ACCEPTED,
            Status::True,
            reason::WITHIN_LIMITS,
            "",
            Some(1),
            at(99)
        ));
        assert_eq!(conditions, before);
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let mut conditions = Vec::new();
        upsert(
            &mut conditions,
            READY,
            Status::False,
            "Long",
            &"ä".repeat(50_000),
            None,
            at(0),
        );
        let message = &conditions[0].message;
        assert!(message.chars().count() < MAX_MESSAGE_CHARS + 10 && message.ends_with("(cut)"));
    }

    #[test]
    fn an_absent_condition_is_not_true() {
        assert!(!is_true(&[], READY));
    }
}
