//! The syntax tree of the policy language: plain data, without any meaning. `document` reads, checks and writes it.

use std::fmt;

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
    pub(crate) fn is_language_of_2012(self) -> bool {
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

/// `ForAllValues:` or `ForAnyValue:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SetOperator {
    /// Every value of the request must pass; true when there is none.
    ForAllValues,
    /// Some value of the request must pass; false when there is none.
    ForAnyValue,
}

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// The comparison that an operator makes, without its prefix and suffix.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are IAM's own")]
        pub enum Test { $($name),* }

        impl Test {
            /// Every comparison of the language.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// IAM's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

tests!(
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    BinaryEquals,
    Bool,
    DateEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    DateLessThan,
    DateLessThanEquals,
    DateNotEquals,
    IpAddress,
    NotIpAddress,
    Null,
    NumericEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericNotEquals,
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    StringNotEquals,
    StringNotEqualsIgnoreCase,
    StringNotLike,
);

impl Test {
    /// Whether the value must differ from every value of the policy (and an absent key passes).
    pub fn is_negated(self) -> bool {
        matches!(
            self,
            Self::ArnNotEquals
                | Self::ArnNotLike
                | Self::DateNotEquals
                | Self::NotIpAddress
                | Self::NumericNotEquals
                | Self::StringNotEquals
                | Self::StringNotEqualsIgnoreCase
                | Self::StringNotLike
        )
    }
}

/// A condition operator: comparison, optional set operator, optional `IfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operator {
    /// `ForAllValues:` or `ForAnyValue:`.
    pub set: Option<SetOperator>,
    /// The comparison.
    pub test: Test,
    /// `…IfExists`: true when the key is absent.
    pub if_exists: bool,
}

impl Operator {
    /// The comparison alone.
    pub const fn plain(test: Test) -> Self {
        Self {
            set: None,
            test,
            if_exists: false,
        }
    }

    /// Reads IAM's spelling, which is case-sensitive. `Null` takes neither prefix nor suffix.
    pub fn parse(text: &str) -> Option<Self> {
        let (set, rest) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(SetOperator::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(SetOperator::ForAnyValue), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let test = Test::ALL.iter().copied().find(|test| test.as_str() == name)?;
        if test == Test::Null && (set.is_some() || if_exists) {
            return None;
        }
        Some(Self { set, test, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.set {
            Some(SetOperator::ForAllValues) => f.write_str("ForAllValues:")?,
            Some(SetOperator::ForAnyValue) => f.write_str("ForAnyValue:")?,
            None => {}
        }
        f.write_str(self.test.as_str())?;
        if self.if_exists {
            f.write_str("IfExists")
        } else {
            Ok(())
        }
    }
}

/// One condition: an operator, a context key and the values it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Condition {
    /// The operator.
    pub operator: Operator,
    /// The context key as spelled; keys are case-insensitive.
    pub key: String,
    /// The values, any of which may match (for negated comparisons: none of which may match).
    pub values: Vec<String>,
}

impl Condition {
    /// A condition with an operator that has neither prefix nor suffix.
    pub fn new<T: Into<String>>(
        test: Test,
        key: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            operator: Operator::plain(test),
            key: key.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}
