//! Policy variables: `${key}`, `${key, 'default'}`, and the literals `${*}`, `${?}`, `${$}`.

use crate::{keys, reference::condition_key::Arity};

/// A variable: the context key it takes its value from, and what stands for it when the key is absent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Variable {
    /// The key, lower case.
    pub(crate) key: String,
    /// The key as spelled.
    pub(crate) spelled: String,
    /// The default, when given.
    pub(crate) default: Option<String>,
    /// Whether its value may hold `*` or `?` and stands where wildcards count: AWS does not say whether they are some then.
    pub(crate) wild: bool,
}

/// What follows `${`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// One of `*`, `?`, `$` meant literally.
    Literal(char),
    Variable(Variable),
}

/// Whether the key can have several values, as far as AWS says; such a key can't be a variable.
pub(crate) fn is_multi_valued(key: &str) -> bool {
    keys::arity(&key.to_lowercase()) == Arity::Multi
}

/// Variables that can stand for the region or the account of an ARN: what they stand for has no colon (IAM User Guide, "AWS
/// global condition context keys"). In lower case, with the part.
const WORDS: &[(&str, &str)] = &[
    ("aws:principalaccount", "account"),
    ("aws:requestedregion", "region"),
    ("aws:resourceaccount", "account"),
    ("aws:sourceaccount", "account"),
    ("aws:vpceaccount", "account"),
];

/// Whether no value of the key has a colon. `key` is in lower case.
pub(crate) fn is_word(key: &str) -> bool {
    WORDS.iter().any(|(known, _)| *known == key)
}

impl Variable {
    /// Whether it can stand for this part of an ARN.
    pub(crate) fn fits(&self, part: &str) -> bool {
        self.default.is_none() && WORDS.contains(&(self.key.as_str(), part))
    }

    /// Whether what stands for it has no colon.
    pub(crate) fn is_word(&self) -> bool {
        is_word(&self.key) && self.default.as_ref().is_none_or(|text| !text.contains(':'))
    }
}

/// Reads the text between `${` and `}`; `wildcards` says whether `*` and `?` are wildcards around it.
pub(crate) fn parse(inner: &str, wildcards: bool) -> Result<Expansion, String> {
    match inner {
        "*" => return Ok(Expansion::Literal('*')),
        "?" => return Ok(Expansion::Literal('?')),
        "$" => return Ok(Expansion::Literal('$')),
        _ => {}
    }
    let (key, default) = match inner.split_once(',') {
        None => (inner, None),
        Some((key, rest)) => {
            let quoted = rest
                .trim_start_matches(' ')
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''))
                .ok_or_else(|| format!("the default of ${{{inner}}} must stand in single quotes"))?;
            if quoted.contains(['*', '?', '$', '\'', '{']) {
                return Err(format!(
                    "the default of ${{{inner}}} may not hold wildcards, quotes or variables"
                ));
            }
            (key, Some(quoted.to_owned()))
        }
    };
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, ':' | '/' | '_' | '.' | '@' | '=' | '+' | '-' | ' ');
    if !key.contains(':') || key.trim() != key || !key.chars().all(plain) {
        return Err(format!("${{{inner}}} does not name a context key"));
    }
    if is_multi_valued(key) {
        return Err(format!("{key} can have several values and can't be a variable"));
    }
    let lower = key.to_lowercase();
    Ok(Expansion::Variable(Variable {
        wild: wildcards && keys::value_may_have_wildcards(&lower),
        key: lower,
        spelled: key.to_owned(),
        default,
    }))
}
