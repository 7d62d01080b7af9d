//! Condition keys of the reference: how many values a key has, and of which type.

/// How many values a key has in a request that has it at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    /// One.
    Single,
    /// Any number.
    Multi,
    /// AWS does not say, or says both.
    Unknown,
}

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    String,
    Arn,
    Bool,
    Numeric,
    Date,
    IpAddress,
}

/// A condition key of the reference.
#[derive(Debug)]
pub(crate) struct ConditionKey {
    /// As AWS spells it, with `*` for text of the policy's author: `s3:ExistingObjectTag/*`.
    pub(crate) name: String,
    /// The same in lower case.
    pub(super) lower: String,
    /// Where its `*` is.
    pub(super) open: Option<usize>,
    /// How many values it has.
    pub(crate) arity: Arity,
    /// Of which type they are, when AWS's sources agree.
    pub(crate) value_type: Option<KeyType>,
}

impl ConditionKey {
    /// `code` is what the head of the table says of types.
    pub(super) fn read(code: &str, name: String) -> Self {
        let arity = match code.get(1..) {
            Some("") => Arity::Single,
            Some("*") => Arity::Multi,
            _ => Arity::Unknown,
        };
        let value_type = match code.get(..1) {
            Some("S") => Some(KeyType::String),
            Some("A") => Some(KeyType::Arn),
            Some("B") => Some(KeyType::Bool),
            Some("N") => Some(KeyType::Numeric),
            Some("D") => Some(KeyType::Date),
            Some("I") => Some(KeyType::IpAddress),
            _ => None,
        };
        Self {
            lower: name.to_lowercase(),
            open: name.find('*'),
            name,
            arity: if value_type.is_some() {
                arity
            } else {
                Arity::Unknown
            },
            value_type,
        }
    }

    /// The name in lower case.
    pub(crate) fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether a part of it is text of the policy's author.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a key in lower case is this one, with any text but none for its `*`.
    pub(crate) fn is_of(&self, key: &str) -> bool {
        let Some(before) = self.open else {
            return self.lower == key;
        };
        let Some((before, after)) = self.lower.split_at_checked(before) else {
            return false;
        };
        let after = after.strip_prefix('*').unwrap_or_default();
        key.strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|free| !free.is_empty())
    }
}
