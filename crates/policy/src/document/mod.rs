//! Policy documents: the parsed form, its checks, its canonical JSON.

mod canonical;
mod code;
mod conditions;
mod error;
mod json;
mod parse;
mod principal;
mod span;
mod syntax;
mod validate;

use error::Problems;
pub(crate) use error::quote;
pub(crate) use principal::{is_account_id, is_provider, is_unique_id, missing_parent};

use std::{
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

pub use code::{Code, Severity};
pub use error::{ParseError, ParseErrorKind, ParseErrors};
pub use span::Locator;

use crate::{compiled::Compiled, condition::Condition};

/// Largest policy text that is read, in bytes. The largest policy that AWS itself has published, that of the service-linked
/// role of AWS Support, has 156,916; customers' own end at 131,072 characters (IAM API reference, `policyDocumentType`).
pub const MAX_TEXT_BYTES: usize = 262_144;

/// What a document is used for; it decides which elements are required, allowed and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a role, user or group.
    Identity,
    /// Passed to `sts:AssumeRole` and its relatives.
    Session,
    /// A permissions boundary, or the ceiling of a limit.
    Boundary,
    /// Attached to a resource such as a bucket.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// A service control policy of an organisation.
    ServiceControl,
    /// A resource control policy of an organisation.
    ResourceControl,
}

impl PolicyKind {
    /// Whether the statements say whom they are about.
    pub fn has_principal(self) -> bool {
        matches!(self, Self::Resource | Self::Trust | Self::ResourceControl)
    }

    /// Whether AWS takes documents of this kind in the language of 2012 only. Old accounts have trust policies of 2008.
    fn is_language_of_2012(self) -> bool {
        !matches!(self, Self::Resource | Self::Trust)
    }
}

/// The policy language version; variables exist only in the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, and what AWS assumes when the element is absent.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// `Allow` or `Deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Grants, unless something denies.
    Allow,
    /// Denies, whatever else allows.
    Deny,
}

/// `Action` or `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActionElement {
    /// Any of these patterns.
    Action(Vec<String>),
    /// Everything but these patterns.
    NotAction(Vec<String>),
}

/// `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ResourceElement {
    /// Any of these patterns.
    Resource(Vec<String>),
    /// Everything but these patterns.
    NotResource(Vec<String>),
}

/// Who a statement of a resource or trust policy is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// `"*"` or `{"AWS": "*"}`: everybody, anonymous callers included.
    Anyone,
    /// Those listed, by type.
    Listed {
        /// `AWS`: account ids and ARNs of accounts, users, roles and sessions.
        aws: Vec<String>,
        /// `Service`: service principals such as `ec2.amazonaws.com`.
        service: Vec<String>,
        /// `Federated`: ARNs of SAML and OIDC providers.
        federated: Vec<String>,
        /// `CanonicalUser`: canonical user ids of S3.
        canonical_user: Vec<String>,
    },
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PrincipalElement {
    /// These.
    Principal(Principal),
    /// Everybody but these; only with `Deny`. Whatever is listed, AWS also denies every principal that has a permissions
    /// boundary (IAM User Guide, "Permissions boundaries").
    NotPrincipal(Principal),
}

impl Principal {
    /// The AWS principals given, and no others.
    pub fn aws<T: Into<String>>(principals: impl IntoIterator<Item = T>) -> Self {
        Self::Listed {
            aws: principals.into_iter().map(Into::into).collect(),
            service: Vec::new(),
            federated: Vec::new(),
            canonical_user: Vec::new(),
        }
    }

    /// The federated principals given, and no others.
    pub fn federated<T: Into<String>>(principals: impl IntoIterator<Item = T>) -> Self {
        Self::Listed {
            aws: Vec::new(),
            service: Vec::new(),
            federated: principals.into_iter().map(Into::into).collect(),
            canonical_user: Vec::new(),
        }
    }
}

/// One statement. Conditions are kept sorted by operator and key, because JSON objects have no order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Statement {
    /// `Sid`, when given.
    pub sid: Option<String>,
    /// `Effect`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; only policies of some kinds have one ([`PolicyKind::has_principal`]).
    pub principal: Option<PrincipalElement>,
    /// `Action` or `NotAction`.
    pub action: ActionElement,
    /// `Resource` or `NotResource`; trust policies have none.
    pub resource: Option<ResourceElement>,
    /// `Condition`: all must hold.
    pub conditions: Vec<Condition>,
}

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
        canonical::to_json(self)
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
        canonical::semantically_eq(self, other)
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
