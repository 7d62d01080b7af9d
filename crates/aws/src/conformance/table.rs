//! What was seen of a double, beside what AWS's documentation says.

use crate::AwsError;

/// Who stands for AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Double {
    Model,
    Ministack,
    Moto,
}

// What AWS refuses with, and the class that Deputy makes of it.
pub(super) const ABSENT: &str = "NoSuchEntity (NotFound)";
pub(super) const EXISTS: &str = "EntityAlreadyExists (AlreadyExists)";
pub(super) const IN_USE: &str = "DeleteConflict (Conflict)";
pub(super) const TOO_MUCH: &str = "LimitExceeded (LimitExceeded)";
pub(super) const MALFORMED: &str = "MalformedPolicyDocument (MalformedPolicy)";

/// That a double is wrong, and how. The model never is.
pub(super) struct Difference {
    pub(super) double: Double,
    /// Which line of the table.
    pub(super) what: &'static str,
    /// What it says instead.
    pub(super) seen: &'static str,
    /// Where AWS says otherwise.
    pub(super) page: &'static str,
}

/// One line of the table.
struct Seen {
    what: &'static str,
    aws: String,
    seen: String,
}

/// All lines.
#[derive(Default)]
pub(super) struct AnswerTable(Vec<Seen>);

impl AnswerTable {
    /// `seen` came of `what`, of which AWS says that `aws` comes.
    pub(super) fn see(&mut self, what: &'static str, aws: impl Into<String>, seen: impl Into<String>) {
        let (aws, seen) = (aws.into(), seen.into());
        self.0.push(Seen { what, aws, seen });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is otherwise than AWS says and not known to be, and what is known to be and is not (any more).
    pub(super) fn unexplained(&self, double: Double, known: &[Difference]) -> Vec<String> {
        let mut wrong = Vec::new();
        let known: Vec<_> = known.iter().filter(|known| known.double == double).collect();
        for line in &self.0 {
            let Seen { what, aws, seen } = line;
            match known.iter().find(|known| known.what == *what) {
                None if seen != aws => wrong.push(format!("{what}: {seen}; AWS: {aws}")),
                Some(known) if seen == aws => {
                    wrong.push(format!("{what}: {seen}, as AWS: it is known as {}", known.seen));
                }
                Some(known) if seen != known.seen => {
                    let Difference {
                        seen: known, page, ..
                    } = known;
                    wrong.push(format!(
                        "{what}: {seen}; it is known as {known}; AWS: {aws} ({page})"
                    ));
                }
                _ => {}
            }
        }
        let unseen = known
            .iter()
            .filter(|known| !self.0.iter().any(|line| line.what == known.what));
        wrong.extend(unseen.map(|known| format!("{}: is in no line of the table", known.what)));
        wrong
    }
}

/// The error code of AWS and the class that Deputy makes of it, or `ok`.
pub(super) fn outcome<T>(result: &Result<T, AwsError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{} ({})", error.code().unwrap_or("no code"), error.class()),
    }
}

#[test]
fn a_difference_that_is_no_more_or_another_one_is_told() {
    let known = |seen, what| Difference {
        double: Double::Moto,
        what,
        seen,
        page: "https://docs.aws.amazon.com/",
    };
    let mut record = AnswerTable::default();
    record.see("made twice", "EntityAlreadyExists", "ok");
    let told = |known: &[Difference]| record.unexplained(Double::Moto, known);
    assert_eq!(told(&[known("ok", "made twice")]), Vec::<String>::new());
    assert_eq!(told(&[]), ["made twice: ok; AWS: EntityAlreadyExists"]);
    assert_eq!(
        told(&[known("Conflict", "made twice")]),
        ["made twice: ok; it is known as Conflict; AWS: EntityAlreadyExists (https://docs.aws.amazon.com/)"]
    );
    assert_eq!(
        told(&[known("ok", "made twice"), known("ok", "never made")]),
        ["never made: is in no line of the table"]
    );
    let mut right = AnswerTable::default();
    right.see("made twice", "EntityAlreadyExists", "EntityAlreadyExists");
    assert_eq!(
        right.unexplained(Double::Moto, &[known("ok", "made twice")]),
        ["made twice: EntityAlreadyExists, as AWS: it is known as ok"]
    );
    assert_eq!(
        right
            .unexplained(Double::Ministack, &[known("ok", "made twice")])
            .len(),
        0
    );
}
