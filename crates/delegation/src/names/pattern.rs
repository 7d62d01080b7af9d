//! Patterns on names.

use std::fmt;

use super::{NameError, NamespaceName};

/// Whether `pattern`, in which `*` is any run of characters, covers all of `text`.
pub(crate) fn wildcard_match(pattern: &str, text: &str) -> bool {
    // Greedy with one point of return: linear in pattern times name.
    let (p, s) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j, mut back) = (0, 0, None);
    while j < s.len() {
        match p.get(i) {
            Some(b'*') => {
                back = Some((i + 1, j));
                i += 1;
            }
            Some(c) if Some(c) == s.get(j) => {
                i += 1;
                j += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    i = star;
                    j = at + 1;
                    back = Some((star, at + 1));
                }
                None => return false,
            },
        }
    }
    p.get(i..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// A pattern on namespace names: literal characters and `*` (any run of characters, also none).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacePattern(String);

impl NamespacePattern {
    /// # Errors
    /// Empty, longer than 63 characters, or with characters no namespace has.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let good = !text.is_empty()
            && text.len() <= 63
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'*');
        if good {
            Ok(Self(text))
        } else {
            Err(NameError::new(
                "namespace pattern",
                &text,
                "1 to 63 of lower-case letters, digits, - and *",
            ))
        }
    }
    /// Whether `namespace` is covered.
    #[must_use]
    pub fn matches(&self, namespace: &NamespaceName) -> bool {
        wildcard_match(&self.0, namespace.as_str())
    }
    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for NamespacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
