//! One finding.

use std::ops::Range;

use crate::{
    ast::Effect,
    document::{
        code::{Code, Severity},
        error::ParseError,
    },
};

/// One finding: a refusal or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The kind of finding: a contract, listed in the README.
    pub code: Code,
    /// Where, such as `Statement[0].Action[1]`.
    pub path: String,
    /// A sentence for people, without the path.
    pub message: String,
    /// The text that should stand there instead (without quotes), when there is only one that can be meant.
    pub suggestion: Option<String>,
    /// The bytes of the source that it is about, when the source is known.
    pub span: Option<Range<usize>>,
}

impl Lint {
    pub(super) fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
            suggestion: None,
            span: None,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl From<&ParseError> for Lint {
    fn from(problem: &ParseError) -> Self {
        Self {
            code: problem.code(),
            path: problem.path().to_owned(),
            message: problem.message().to_owned(),
            suggestion: problem.suggestion().map(str::to_owned),
            span: problem.span(),
        }
    }
}

pub(super) fn allows(effect: Effect) -> bool {
    effect == Effect::Allow
}
