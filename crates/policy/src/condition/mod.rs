//! Conditions: operators, their spelling and what they do.

pub(crate) mod atom;
pub(crate) mod case;
pub(crate) mod value;

use std::fmt;

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
        #[allow(missing_docs, reason = "the names are IAM's own")]
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
