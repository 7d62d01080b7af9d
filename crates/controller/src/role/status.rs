//! *Status*: what is said about a role. Pure; written by the controller when it differs.

use deputy_api::{
    AWSRoleStatus,
    conditions::{self, ACCEPTED, PROVISIONED, READY, Status, of_decision, reason},
};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{Decision, Violation, plan::Conflict};
use jiff::Timestamp;

/// How far a role has come in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is as it should be. `bound`: somebody may become it.
    Done {
        /// Whether an accepted binding names it.
        bound: bool,
    },
    /// Refused: unusable, if it is there at all.
    Suspended {
        /// Whether AWS has it.
        exists: bool,
    },
    /// It waits: a reason and a message.
    Waiting {
        /// For machines.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// It is being deleted, and not gone yet.
    Deleting {
        /// What keeps it.
        message: String,
    },
}

/// The progress that an error of AWS means.
#[must_use]
pub fn of_error(error: &AwsError) -> Progress {
    let reason = match error.class() {
        ErrorClass::AccessDenied | ErrorClass::NoCredentials => reason::ACCESS_DENIED,
        ErrorClass::Throttled => reason::THROTTLED,
        ErrorClass::LimitExceeded => reason::QUOTA_EXCEEDED,
        ErrorClass::Unreachable | ErrorClass::Service => reason::UNAVAILABLE,
        _ => reason::AWS_ERROR,
    };
    Progress::Waiting {
        reason,
        message: error.to_string(),
    }
}

/// The progress that somebody else's role of our name means.
#[must_use]
pub fn of_conflict(role: &str, conflict: &Conflict) -> Progress {
    Progress::Waiting {
        reason: reason::CONFLICT,
        message: format!("the role {role} is left alone: {conflict}"),
    }
}

/// Every violation, one a line.
#[must_use]
pub fn list(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Writes the three conditions into `status`.
pub fn write(
    status: &mut AWSRoleStatus,
    decision: &Decision,
    progress: &Progress,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    let mut set = |type_, holds, reason, message: &str| {
        conditions::upsert(
            &mut status.conditions,
            type_,
            holds,
            reason,
            message,
            generation,
            now,
        );
    };
    match decision {
        Decision::Accepted(accepted) => {
            let limits: Vec<&str> = accepted.limits.iter().map(AsRef::as_ref).collect();
            set(
                ACCEPTED,
                Status::True,
                reason::WITHIN_LIMITS,
                &format!("within {}", limits.join(", ")),
            );
        }
        Decision::Refused(violations) => {
            let first = violations
                .first()
                .map_or(reason::INVALID, |v| of_decision(v.reason));
            set(ACCEPTED, Status::False, first, &list(violations));
        }
        Decision::Undecided(missing) => {
            let text: Vec<String> = missing.iter().map(ToString::to_string).collect();
            set(
                ACCEPTED,
                Status::Unknown,
                reason::ACCOUNT_NOT_FOUND,
                &text.join("; "),
            );
        }
    }
    write_progress(status, progress, generation, now);
}

/// Writes the conditions about AWS alone.
pub fn write_progress(
    status: &mut AWSRoleStatus,
    progress: &Progress,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    let mut set = |type_, holds, reason, message: &str| {
        conditions::upsert(
            &mut status.conditions,
            type_,
            holds,
            reason,
            message,
            generation,
            now,
        );
    };
    match progress {
        Progress::Done { bound } => {
            set(
                PROVISIONED,
                Status::True,
                reason::UP_TO_DATE,
                "AWS has the role as it should be",
            );
            let message = if *bound {
                "usable by its bindings"
            } else {
                "no accepted binding: nobody can become it"
            };
            set(READY, Status::True, reason::READY, message);
        }
        Progress::Suspended { exists } => {
            let (reason, message) = if *exists {
                (
                    reason::SUSPENDED,
                    "not accepted: the role stays, and nobody can become it",
                )
            } else {
                (reason::NOT_ACCEPTED, "not accepted: nothing is made in AWS")
            };
            set(PROVISIONED, Status::False, reason, message);
            set(READY, Status::False, reason, message);
        }
        Progress::Waiting { reason, message } => {
            set(PROVISIONED, Status::False, reason, message);
            set(READY, Status::False, reason, message);
        }
        Progress::Deleting { message } => {
            set(READY, Status::False, reason::DELETING, message);
        }
    }
}
