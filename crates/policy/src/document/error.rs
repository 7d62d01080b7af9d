//! Why a document is refused.

use std::{fmt, ops::Range};

use super::{code::Code, span::Locator};
use crate::helm::printed;

/// Where in a document something stands. It becomes text when something is wrong there, and a document has hundreds of places.
pub(super) type ElementPath<'a> = fmt::Arguments<'a>;

/// The class of a [`ParseError`]; bounded, fit for metrics and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParseErrorKind {
    /// Not JSON, or not the shape of a policy.
    Json,
    /// An object has the same key twice.
    DuplicateKey,
    /// Too large or too deep.
    Size,
    /// An element or a key that the policy language does not have.
    UnknownElement,
    /// A required element is missing.
    MissingElement,
    /// An element that this kind of policy, or the dialect, does not allow.
    ForbiddenElement,
    /// An empty list, object or string.
    Empty,
    /// A value of the wrong JSON type.
    Type,
    /// `Version` is missing or not accepted.
    Version,
    /// A Sid with other characters than letters and digits, or used twice.
    Sid,
    /// An action that is not `*` or `service:Name`.
    Action,
    /// A resource that is not `*` or a complete ARN.
    Resource,
    /// A principal that is not understood.
    Principal,
    /// An operator that does not exist.
    Operator,
    /// A condition key that is not understood.
    ConditionKey,
    /// A condition value that its operator can't use.
    ConditionValue,
    /// A policy variable that is malformed or in a place where AWS does not expand it.
    Variable,
    /// A character that IAM does not accept.
    Character,
}

impl ParseErrorKind {
    /// The name used in metrics and reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "Json",
            Self::DuplicateKey => "DuplicateKey",
            Self::Size => "Size",
            Self::UnknownElement => "UnknownElement",
            Self::MissingElement => "MissingElement",
            Self::ForbiddenElement => "ForbiddenElement",
            Self::Empty => "Empty",
            Self::Type => "Type",
            Self::Version => "Version",
            Self::Sid => "Sid",
            Self::Action => "Action",
            Self::Resource => "Resource",
            Self::Principal => "Principal",
            Self::Operator => "Operator",
            Self::ConditionKey => "ConditionKey",
            Self::ConditionValue => "ConditionValue",
            Self::Variable => "Variable",
            Self::Character => "Character",
        }
    }
}

/// So many problems are listed, then only counted.
const MAX_LISTED: usize = 64;

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    kind: ParseErrorKind,
    code: Code,
    path: String,
    message: String,
    suggestion: Option<String>,
    span: Option<Range<usize>>,
}

impl ParseError {
    pub(crate) fn new(
        kind: ParseErrorKind,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            code,
            path: path.into(),
            message: message.into(),
            suggestion: None,
            span: None,
        }
    }

    /// With what should stand there instead.
    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// With the bytes of the source that it is about.
    pub(crate) fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = span;
        self
    }

    /// When it is about a text or number with a number in it as Helm prints it: that too.
    fn explain_number(mut self, source: &str) -> Self {
        let value = self.span.clone().and_then(|span| source.get(span));
        let scalar =
            value.filter(|value| value.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()));
        if let Some((value, number)) = scalar.and_then(|value| Some((value, printed(value)?))) {
            self.message = format!("{}; {}", self.message, number.message(value));
            let quoted = number
                .repaired(value)
                .filter(|_| self.code == Code::UnquotedNumber);
            self.suggestion = self.suggestion.or(quoted.map(|digits| format!("\"{digits}\"")));
        }
        self
    }

    /// The class of the problem.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The class of the problem as a bounded string.
    pub fn category(&self) -> &'static str {
        self.kind.as_str()
    }

    /// The name of the problem; finer than [`ParseError::kind`], and a contract.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Where, such as `Statement[0].Action[1]`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A sentence for people, without the path.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The text that should stand there instead (without quotes), when there is only one that can be meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// The bytes of the source that it is about; `None` when the document was not read from text
    /// ([`Document::from_value`](super::Document::from_value)).
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; write {suggestion}"),
            None => Ok(()),
        }
    }
}

/// The problems that are found while a document is read: the first ones, and how many more there are. A text may have as
/// many as it has bytes, each with a long path.
#[derive(Debug, Default)]
pub(super) struct Problems {
    listed: Vec<ParseError>,
    more: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: ParseError) {
        self.add(|| problem);
    }

    /// The same for a problem that is only made when it is listed.
    pub(super) fn add(&mut self, problem: impl FnOnce() -> ParseError) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.listed.push(problem());
        }
    }

    /// Whether further problems are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.listed.len() >= MAX_LISTED
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.listed.len() + self.more
    }

    /// Those that are listed.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, ParseError> {
        self.listed.iter()
    }
}

/// All problems of a document, in the order of the source; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseErrors(Vec<ParseError>);

impl ParseErrors {
    pub(crate) fn one(problem: ParseError) -> Self {
        Self(vec![problem])
    }

    /// `Err` with the problems, `Ok` when there are none.
    pub(super) fn check(problems: Problems) -> Result<(), Self> {
        let Problems { mut listed, more } = problems;
        if listed.is_empty() {
            return Ok(());
        }
        if more > 0 {
            listed.push(ParseError::new(
                ParseErrorKind::Size,
                Code::TooManyProblems,
                "",
                format!("and {more} more problems"),
            ));
        }
        Err(Self(listed))
    }

    /// The same problems, each with the bytes of the source that it is about.
    pub(super) fn locate(self, source: &str) -> Self {
        let locator = Locator::new(source);
        let locate = |problem: ParseError| {
            // What concerns the whole has no place.
            if problem.span.is_some() || problem.path.is_empty() {
                return problem;
            }
            let span = locator.find(&problem.path, problem.code.is_about_a_key());
            problem.at(span).explain_number(source)
        };
        Self(self.0.into_iter().map(locate).collect())
    }

    /// The problems.
    pub fn as_slice(&self) -> &[ParseError] {
        &self.0
    }

    /// The problems, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, ParseError> {
        self.0.iter()
    }

    /// The class of the first problem.
    pub fn category(&self) -> &'static str {
        self.0.first().map_or("Json", ParseError::category)
    }
}

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a ParseErrors {
    type Item = &'a ParseError;
    type IntoIter = std::slice::Iter<'a, ParseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for ParseErrors {
    type Item = ParseError;
    type IntoIter = std::vec::IntoIter<ParseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
