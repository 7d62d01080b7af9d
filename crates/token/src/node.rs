//! The name of a node.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Longest name, in bytes: a DNS-1123 subdomain, as Kubernetes wants the names of nodes.
const MAX_NAME: usize = 253;

/// The name of a node, as a token's claim and `spec.nodeName` have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct NodeName(String);

/// The text is not a name that a node can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name of a node: at most {MAX_NAME} lower-case letters, digits, '-' and '.', letter or digit at both ends"
)]
pub struct InvalidNodeName;

impl NodeName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidNodeName`].
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidNodeName> {
        let name = name.into();
        let is_alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let is_label = |label: &str| {
            let bytes = label.as_bytes();
            bytes.first().is_some_and(is_alphanumeric)
                && bytes.last().is_some_and(is_alphanumeric)
                && bytes.iter().all(|b| is_alphanumeric(b) || *b == b'-')
        };
        if name.len() <= MAX_NAME && name.split('.').all(is_label) {
            Ok(Self(name))
        } else {
            Err(InvalidNodeName)
        }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NodeName {
    type Error = InvalidNodeName;

    fn try_from(name: String) -> Result<Self, InvalidNodeName> {
        Self::new(name)
    }
}

impl FromStr for NodeName {
    type Err = InvalidNodeName;

    fn from_str(name: &str) -> Result<Self, InvalidNodeName> {
        Self::new(name)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
