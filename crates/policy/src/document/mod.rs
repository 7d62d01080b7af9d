//! Policy documents: the parsed form, its checks, its canonical JSON.

mod canonical;
pub(crate) mod code;
mod conditions;
pub(crate) mod error;
mod json;
mod limits;
mod parse;
pub(crate) mod place;
pub(crate) mod principal;
pub(crate) mod span;
mod syntax;
mod validate;

use std::{
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

pub use code::{Code, Severity};
pub use error::{ParseError, ParseErrorKind, ParseErrors};
pub use limits::MAX_TEXT_BYTES;
pub use place::StatementRef;
pub use span::Locator;

use self::error::Problems;
use crate::{
    ast::{PolicyKind, Statement, Version},
    compiled::Compiled,
};

/// A policy document that passed every check of its kind. Cloning is cheap enough for a cache.
#[derive(Clone)]
pub struct Document {
    kind: PolicyKind,
    version: Version,
    id: Option<String>,
    statements: Vec<Statement>,
    /// Follows from the other fields; made once, because every evaluation needs it.
    compiled: Arc<Compiled>,
}

impl Document {
    /// Reads a document from JSON text.
    ///
    /// # Errors
    /// Every problem found, each with its path: text over [`MAX_TEXT_BYTES`], duplicate keys, deep nesting, and all
    /// that [`Document::from_value`] refuses; and each with the bytes of the text that it is about.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, ParseErrors> {
        let (value, problems) = json::read(text)?;
        Self::build(&value, kind, problems).map_err(|problems| problems.locate(text))
    }

    /// Reads a document from a JSON value, such as a field of a Kubernetes object. Duplicate keys can no longer be
    /// seen here.
    ///
    /// # Errors
    /// Every problem found, each with its path; the dialect is described in the crate's documentation.
    pub fn from_value(value: &serde_json::Value, kind: PolicyKind) -> Result<Self, ParseErrors> {
        let bytes = value.to_string().len();
        if bytes > MAX_TEXT_BYTES {
            let message = format!("the policy has {bytes} bytes; at most {MAX_TEXT_BYTES} are read");
            let problem = ParseError::new(ParseErrorKind::Size, Code::TooLarge, "", message);
            return Err(ParseErrors::one(problem));
        }
        Self::build(value, kind, Problems::default())
    }

    fn build(
        value: &serde_json::Value,
        kind: PolicyKind,
        mut problems: Problems,
    ) -> Result<Self, ParseErrors> {
        let parsed = parse::document(value, kind, &mut problems);
        Self::check(
            kind,
            parsed.version,
            parsed.id,
            parsed.statements,
            &parsed.positions,
            problems,
        )
    }

    /// Makes a document from statements, with the same checks as a parsed one.
    ///
    /// # Errors
    /// Every problem found, each with its path.
    pub fn new(version: Version, statements: Vec<Statement>, kind: PolicyKind) -> Result<Self, ParseErrors> {
        let positions: Vec<usize> = (0..statements.len()).collect();
        Self::check(kind, version, None, statements, &positions, Problems::default())
    }

    fn check(
        kind: PolicyKind,
        version: Version,
        id: Option<String>,
        mut statements: Vec<Statement>,
        positions: &[usize],
        problems: Problems,
    ) -> Result<Self, ParseErrors> {
        for statement in &mut statements {
            statement.conditions.sort();
        }
        let compiled = validate::compile(kind, version, id.as_deref(), &statements, positions, problems)?;
        Ok(Self {
            kind,
            version,
            id,
            statements,
            compiled: Arc::new(compiled),
        })
    }

    /// The union of several documents of one kind: all their statements. A Sid that was used before is dropped.
    ///
    /// # Errors
    /// When there is no document, or when kinds or versions differ.
    pub fn merge<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Result<Self, ParseErrors> {
        let mut documents = documents.into_iter();
        let Some(first) = documents.next() else {
            let message = "there is no policy to merge";
            let problem = ParseError::new(ParseErrorKind::Empty, Code::EmptyElement, "", message);
            return Err(ParseErrors::one(problem));
        };
        let mut statements = first.statements.clone();
        for document in documents {
            if (document.kind, document.version) != (first.kind, first.version) {
                let message = "policies of different kinds or versions can't be merged";
                let problem = ParseError::new(ParseErrorKind::Version, Code::VersionUnsupported, "", message);
                return Err(ParseErrors::one(problem));
            }
            statements.extend(document.statements.iter().cloned());
        }
        let mut sids = HashSet::new();
        for statement in &mut statements {
            if statement
                .sid
                .as_ref()
                .is_some_and(|sid| !sids.insert(sid.clone()))
            {
                statement.sid = None;
            }
        }
        Self::new(first.version, statements, first.kind)
    }

    /// What the document is used for.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The language version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// `Id`, when given.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The statements, in the order of the source.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Compact canonical JSON: what is sent to AWS. Parsing it gives an equal document.
    pub fn to_json(&self) -> String {
        canonical::to_json(self.version, self.id.as_deref(), &self.statements)
    }

    /// The canonical form as a JSON value.
    pub fn to_value(&self) -> serde_json::Value {
        // The text is JSON by construction; null would be refused by whoever reads it.
        serde_json::from_str(&self.to_json()).unwrap_or(serde_json::Value::Null)
    }

    /// Characters of the canonical form, which holds no white space outside of strings: what AWS counts against its
    /// size quotas.
    pub fn size(&self) -> usize {
        self.to_json().chars().count()
    }

    /// Whether two documents say the same apart from spelling: order of statements and values, string or list,
    /// case of actions and condition keys, Sids and Id, account id or account ARN as principal.
    pub fn semantically_eq(&self, other: &Self) -> bool {
        self.version == other.version && canonical::mean_the_same(&self.statements, &other.statements)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.version, &self.id, &self.statements)
            == (other.kind, other.version, &other.id, &other.statements)
    }
}

impl Eq for Document {}

impl Hash for Document {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.version, &self.id, &self.statements).hash(state);
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("id", &self.id)
            .field("statements", &self.statements)
            .finish()
    }
}
