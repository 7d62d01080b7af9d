//! *Status*: what is said about a role, and when it is looked at again. Pure; written by the controller when it differs.

use std::time::Duration;

use deputy_api::{
    AWSRoleStatus,
    conditions::{self, ACCEPTED, PROVISIONED, READY, Status, TAGGED, of_decision, reason},
};
use deputy_aws::AwsError;
use deputy_delegation::{Decision, Violation, plan::Conflict};
use jiff::Timestamp;

use super::converge::Stopped;
use crate::queue::Requeue;

/// How often something is looked at again that only somebody else can change, and that nobody tells us of.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// How far a role has come in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is as it should be.
    Done {
        /// Whether an accepted binding names it: somebody may become it.
        bound: bool,
        /// Its unique id in AWS.
        role_id: Option<String>,
        /// What AWS refused of the account's tags.
        untagged: Vec<AwsError>,
    },
    /// Refused: unusable, if it is there at all.
    Suspended {
        /// Its unique id in AWS; `None` when it is not there.
        role_id: Option<String>,
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

impl Progress {
    /// The progress that waits for `reason`.
    pub fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Waiting {
            reason,
            message: message.into(),
        }
    }

    /// When the role is looked at again, if AWS was seen to have it `trusted_for` from now.
    #[must_use]
    pub fn next(&self, trusted_for: Duration) -> Requeue {
        match self {
            Self::Done { untagged, .. } if untagged.iter().any(AwsError::is_retryable) => Requeue::Retry,
            Self::Done { untagged, .. } if !untagged.is_empty() => Requeue::After(LOOK_AGAIN),
            Self::Done { .. } | Self::Suspended { .. } => Requeue::After(trusted_for),
            Self::Waiting { reason, .. } => match *reason {
                // Another object: its change brings the role back.
                reason::ACCOUNT_NOT_FOUND | reason::BOUNDARY_NOT_READY => Requeue::After(LOOK_AGAIN),
                // Somebody has to do something in AWS, and nothing tells us when.
                reason::CONFLICT | reason::QUOTA_EXCEEDED => Requeue::After(LOOK_AGAIN),
                other if other == of_decision(deputy_delegation::Reason::AccountInvalid) => {
                    Requeue::After(LOOK_AGAIN)
                }
                _ => Requeue::Retry,
            },
            Self::Deleting { .. } => Requeue::Retry,
        }
    }
}

/// The progress that an error of AWS means.
#[must_use]
pub fn of_error(error: &AwsError) -> Progress {
    let (reason, message) = trouble(error);
    Progress::waiting(reason, message)
}

/// The reason and the words for an error of AWS. The words are the same each time: what differs from call to call, such as
/// the request id, would make each try a change of the object.
#[must_use]
pub fn trouble(error: &AwsError) -> (&'static str, String) {
    (error.class().condition_reason(), error.sentence())
}

/// What is said of the account's tags: AWS may refuse them for ever, and nothing else waits for them.
#[must_use]
pub fn tagged(refused: &[AwsError]) -> (Status, &'static str, String) {
    match refused.first().map(trouble) {
        None => (
            Status::True,
            reason::UP_TO_DATE,
            "it has the tags of its AWSAccount".to_owned(),
        ),
        Some((reason, message)) => (
            Status::False,
            reason,
            format!("not tagged as the AWSAccount says; all else is as it should be: {message}"),
        ),
    }
}

/// The progress that a role of this name which is not as it should be means; `None` when this process may not go on.
#[must_use]
pub fn of_stopped(role: &str, stopped: &Stopped) -> Option<Progress> {
    Some(match stopped {
        Stopped::Conflict(conflict) => of_conflict(role, conflict),
        Stopped::Unread(error) | Stopped::Failed(error) => of_error(error),
        Stopped::NotShown => Progress::waiting(reason::PROGRESSING, "AWS does not show the change yet"),
        Stopped::NotLeader => return None,
    })
}

fn of_conflict(role: &str, conflict: &Conflict) -> Progress {
    Progress::waiting(
        reason::CONFLICT,
        format!("the role {role} is left alone: {conflict}"),
    )
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

/// Writes the three conditions into `status`, and what is known of the role in AWS.
pub fn write(
    status: &mut AWSRoleStatus,
    decision: &Decision,
    progress: &Progress,
    generation: Option<i64>,
    now: Timestamp,
) {
    let (holds, reason, message) = match decision {
        Decision::Accepted(accepted) => {
            status.limits = accepted.limits.iter().map(ToString::to_string).collect();
            let message = format!("within {}", status.limits.join(", "));
            (Status::True, reason::WITHIN_LIMITS, message)
        }
        Decision::Refused(violations) => {
            let first = violations
                .first()
                .map_or(reason::INVALID, |v| of_decision(v.reason));
            (Status::False, first, list(violations))
        }
        Decision::Undecided(missing) => {
            let text: Vec<String> = missing.iter().map(ToString::to_string).collect();
            (Status::Unknown, reason::ACCOUNT_NOT_FOUND, text.join("; "))
        }
    };
    conditions::upsert(
        &mut status.conditions,
        ACCEPTED,
        holds,
        reason,
        &message,
        generation,
        now,
    );
    write_progress(status, progress, generation, now);
}

/// Writes what is known about AWS alone.
pub fn write_progress(
    status: &mut AWSRoleStatus,
    progress: &Progress,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    match progress {
        Progress::Done { role_id, .. } | Progress::Suspended { role_id } => {
            status.role_id.clone_from(role_id);
        }
        Progress::Waiting { .. } | Progress::Deleting { .. } => {}
    }
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
        Progress::Done { bound, untagged, .. } => {
            let is_there = "AWS has the role as it should be";
            set(PROVISIONED, Status::True, reason::UP_TO_DATE, is_there);
            let message = if *bound {
                "usable by its bindings"
            } else {
                "no accepted binding: nobody can become it"
            };
            set(READY, Status::True, reason::READY, message);
            let (holds, reason, message) = tagged(untagged);
            set(TAGGED, holds, reason, &message);
        }
        Progress::Suspended { role_id } => {
            let (reason, message) = if role_id.is_some() {
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

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
