//! The words of an answer.

use serde::{Serialize, Serializer};

use crate::objects::WrittenPlace;

/// What is said of an object, or of something that would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckedStatus {
    /// It would be stored, and come about.
    Accepted,
    /// It would be stored, and whether it comes about rests on what is not known here.
    Undecided,
    /// It would not be stored.
    Refused,
    /// It can't be read.
    Unreadable,
}

impl CheckedStatus {
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Refused, Self::Undecided, Self::Unreadable];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Undecided => "undecided",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    /// For it something is refused, or can't be read.
    Error,
    /// For it something is undecided.
    Undecided,
    /// What would be said beside it.
    Warning,
}

impl FindingLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Undecided => "undecided",
            Self::Warning => "warning",
        }
    }
}

/// One sentence about one field: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    pub level: FindingLevel,
    /// A reason of decisions, a code of findings about policies, or `Unreadable`.
    pub reason: &'static str,
    #[serde(serialize_with = "in_parts", flatten)]
    pub place: Option<WrittenPlace>,
    /// Empty where it is about the whole.
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What is wrong, and what would be allowed.
    pub message: String,
}

fn in_parts<S: Serializer>(place: &Option<WrittenPlace>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Parts<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<usize>,
    }
    let place = place.as_ref();
    let parts = Parts {
        file: place.map(|place| &*place.file),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
    };
    parts.serialize(serializer)
}

/// What is said of one object, or of a part of a file that would be one: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedObject {
    /// `AWSRole payments/uploader`; the file's name where no object can be read.
    pub object: String,
    #[serde(serialize_with = "in_parts", flatten)]
    pub place: Option<WrittenPlace>,
    pub status: CheckedStatus,
    pub findings: Vec<CheckFinding>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// In the order of the files.
    pub objects: Vec<CheckedObject>,
    /// Documents that are no objects of Deputy's.
    pub passed_over: usize,
}

impl CheckAnswer {
    pub fn count(&self, status: CheckedStatus) -> usize {
        self.objects
            .iter()
            .filter(|object| object.status == status)
            .count()
    }

    /// Every finding with its object.
    pub fn findings(&self) -> impl Iterator<Item = (&CheckedObject, &CheckFinding)> {
        let of = |object| move |finding| (object, finding);
        self.objects
            .iter()
            .flat_map(move |object: &CheckedObject| object.findings.iter().map(of(object)))
    }

    /// `3 objects: 2 accepted, 1 refused; 4 other documents passed over`
    pub fn summary(&self) -> String {
        let counts = CheckedStatus::ALL.map(|status| (self.count(status), status));
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, status)| format!("{count} {}", status.as_str()))
            .collect();
        let objects = match self.objects.len() {
            0 => "no object of Deputy's".to_owned(),
            1 => format!("1 object: {}", counts.join(", ")),
            many => format!("{many} objects: {}", counts.join(", ")),
        };
        match self.passed_over {
            0 => objects,
            1 => format!("{objects}; 1 other document passed over"),
            many => format!("{objects}; {many} other documents passed over"),
        }
    }
}
