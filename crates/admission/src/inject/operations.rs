//! RFC 6902 operations, written as the text that the API server gets: a patch for many containers is many operations, and none of them
//! is looked at again.

use std::fmt;

use serde::Serialize;

/// Operations on a pod.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// Those so far, with a comma between each two.
    text: Vec<u8>,
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

/// An operation as it is written.
#[derive(Serialize)]
struct Operation<'a, V> {
    op: &'static str,
    path: fmt::Arguments<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a V>,
}

/// An error is one of writing: whoever asked for the pod is told so, and nothing of the patch is used.
impl Patch {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The patch as the API server takes it: a JSON array.
    #[must_use]
    pub fn into_json(self) -> Vec<u8> {
        let mut json = self.text;
        json.insert(0, b'[');
        json.push(b']');
        json
    }

    /// Puts `value` at a place.
    pub(super) fn add<V: Serialize>(&mut self, path: fmt::Arguments<'_>, value: &V) -> Result<(), String> {
        self.push("add", path, Some(value))
    }

    /// Demands that a place has this name, for operations on its element to be about the one that was looked at.
    pub(super) fn test(&mut self, path: fmt::Arguments<'_>, value: &str) -> Result<(), String> {
        self.push("test", path, Some(&value))
    }

    /// Takes away what is at a place.
    pub(super) fn remove(&mut self, path: fmt::Arguments<'_>) -> Result<(), String> {
        self.push::<()>("remove", path, None)
    }

    fn push<V: Serialize>(
        &mut self,
        op: &'static str,
        path: fmt::Arguments<'_>,
        value: Option<&V>,
    ) -> Result<(), String> {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        serde_json::to_writer(&mut self.text, &Operation { op, path, value }).map_err(unwritten)
    }
}

/// What whoever asked for the pod is told.
#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error away")]
pub(super) fn unwritten(error: serde_json::Error) -> String {
    format!("deputy could not write what it adds to the pod: {error}")
}
