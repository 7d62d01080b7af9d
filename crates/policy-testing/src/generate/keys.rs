//! The context keys that the generator uses.

use std::borrow::Cow;

/// What the values of a context key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theory {
    Text,
    Number,
    Date,
    Bool,
    Address,
    Arn,
    Binary,
    /// Anything: texts of no type, of one and of several.
    Mixed,
}

/// A context key that the generator uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedKey {
    pub name: Cow<'static, str>,
    pub theory: Theory,
    pub arity: KeyArity,
}

/// How many values a request may have of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyArity {
    /// One, as the IAM User Guide says.
    One,
    /// One today; several where a policy uses a set operator on it.
    Open,
    /// Nobody knows.
    Unknown,
    /// Several by definition, so that conditions need a set operator.
    Several,
}

const fn key(name: &'static str, theory: Theory, arity: KeyArity) -> GeneratedKey {
    GeneratedKey {
        name: Cow::Borrowed(name),
        theory,
        arity,
    }
}

/// Few keys, so that conditions of different statements meet.
pub const KEYS: &[GeneratedKey] = &[
    key("aws:PrincipalTag/a", Theory::Text, KeyArity::One),
    key("aws:username", Theory::Text, KeyArity::One),
    key("s3:prefix", Theory::Text, KeyArity::Open),
    key("a:k", Theory::Text, KeyArity::Unknown),
    key("aws:TagKeys", Theory::Text, KeyArity::Several),
    key("aws:MultiFactorAuthAge", Theory::Number, KeyArity::One),
    key("s3:max-keys", Theory::Number, KeyArity::Open),
    key("aws:CurrentTime", Theory::Date, KeyArity::One),
    key("aws:SecureTransport", Theory::Bool, KeyArity::One),
    key("aws:MultiFactorAuthPresent", Theory::Bool, KeyArity::One),
    key("aws:SourceIp", Theory::Address, KeyArity::One),
    key("aws:SourceArn", Theory::Arn, KeyArity::One),
    key("a:b", Theory::Binary, KeyArity::Unknown),
];

/// Keys whose values may be anything: tags, and a key that nobody knows.
pub const MIXED_KEYS: &[GeneratedKey] = &[
    key("aws:PrincipalTag/t", Theory::Mixed, KeyArity::One),
    key("a:m", Theory::Mixed, KeyArity::Unknown),
    key("aws:RequestTag/t", Theory::Mixed, KeyArity::One),
    key("aws:SourceIp", Theory::Address, KeyArity::One),
    key("s3:max-keys", Theory::Number, KeyArity::Open),
    key("aws:CurrentTime", Theory::Date, KeyArity::One),
];

/// Keys whose values stand for variables; those of a tag that a request asks for may hold `*` and `?`.
pub const VARIABLE_KEYS: &[GeneratedKey] = &[
    key("aws:username", Theory::Text, KeyArity::One),
    key("aws:PrincipalTag/a", Theory::Text, KeyArity::One),
    key("aws:RequestTag/w", Theory::Text, KeyArity::One),
    key("aws:PrincipalAccount", Theory::Text, KeyArity::One),
    key("s3:prefix", Theory::Text, KeyArity::Open),
    key("aws:SourceArn", Theory::Arn, KeyArity::One),
];

/// The key with this name, whatever the case.
pub fn key_named(name: &str) -> Option<&'static GeneratedKey> {
    let mut all = KEYS.iter().chain(MIXED_KEYS).chain(VARIABLE_KEYS);
    all.find(|key| key.name.eq_ignore_ascii_case(name))
}

/// The theory that a test belongs to.
pub fn theory_of(test: &str) -> Theory {
    match test {
        "Bool" => Theory::Bool,
        "BinaryEquals" => Theory::Binary,
        "IpAddress" | "NotIpAddress" => Theory::Address,
        test if test.starts_with("Numeric") => Theory::Number,
        test if test.starts_with("Date") => Theory::Date,
        test if test.starts_with("Arn") => Theory::Arn,
        _ => Theory::Text,
    }
}
