//! The request context.

use std::{collections::BTreeMap, fmt};

/// Context keys and their values. Keys are case-insensitive, tag names after the slash included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    values: Vec<String>,
}

impl Context {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to one value.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(key, [value.into()]);
        self
    }

    /// Sets a key to a list of values.
    #[must_use]
    pub fn with_many<T: Into<String>>(
        mut self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.set(key, values);
        self
    }

    /// Sets a key to a list of values; the last setting holds.
    pub fn set<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        let key = key.into();
        let values = values.into_iter().map(Into::into).collect();
        self.0.insert(key.to_lowercase(), Entry { key, values });
    }

    /// The values of a key, or `None` when it is absent.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.get_lower(&key.to_lowercase())
    }

    /// The same for a key that is lower case already.
    pub(crate) fn get_lower(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(|entry| entry.values.as_slice())
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.0.remove(&key.to_lowercase());
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys as spelled, with their values, in the order of the lower-cased keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0
            .values()
            .map(|entry| (entry.key.as_str(), entry.values.as_slice()))
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, values)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match values {
                [value] => write!(f, "{key}={value}")?,
                values => write!(f, "{key}=[{}]", values.join(", "))?,
            }
        }
        Ok(())
    }
}
