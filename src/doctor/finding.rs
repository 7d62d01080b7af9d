//! What a check finds.

use serde::Serialize;

/// What to do about what the chart installs and somebody took away.
pub const UPGRADE: &str = "run helm upgrade: the chart has it";

/// How much a finding matters; the last one matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// It works, and will not for ever, or not for everybody.
    Warning,
    /// It could not be looked at: it may be an error.
    Unknown,
    /// Something does not work.
    Error,
}

/// One thing that is not as it should be: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    pub severity: FindingSeverity,
    /// Kind and name, or empty.
    pub object: String,
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl DoctorFinding {
    pub fn error(object: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(FindingSeverity::Error, object, message, fix)
    }

    pub fn warning(object: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(FindingSeverity::Warning, object, message, fix)
    }

    /// That something could not be looked at.
    pub fn unknown(object: &str, why: &str) -> Self {
        let fix = "look at it as somebody who may read it, and while the API server answers";
        Self::of(
            FindingSeverity::Unknown,
            object,
            format!("it is not known: {why}"),
            fix,
        )
    }

    /// That something can't be told of what is not there. That it is missing is an error of another check.
    pub fn absent(object: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(FindingSeverity::Unknown, object, message, fix)
    }

    pub fn of(
        severity: FindingSeverity,
        object: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            object: object.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

/// What a check comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It looked, and this is not as it should be.
    Looked(Vec<DoctorFinding>),
    /// It is not for this install, or was not asked for.
    Skipped(&'static str),
}
