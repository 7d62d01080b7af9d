//! RFC 6902 operations, written as the text that the API server gets: a patch for many containers is many operations, and none of them
//! is looked at again.

use std::fmt;

use serde::Serialize;

/// Operations on a pod.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// Those so far, as the JSON array that they are to be, without its end.
    text: Vec<u8>,
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

/// A place in a pod: a JSON pointer (RFC 6901), from its last step to its first.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    before: Option<&'p Path<'p>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// A field of an object.
    Field(&'static str),
    /// What a map has under a key of ours, which may have a slash. None has a character that JSON escapes.
    Key(&'static str),
    /// An element of a list.
    Element(usize),
    /// Behind the last element of a list.
    End,
}

impl<'p> Path<'p> {
    /// A field of the pod.
    pub(super) const fn of(field: &'static str) -> Self {
        Self {
            before: None,
            step: Step::Field(field),
        }
    }
    /// A field of what is here.
    pub(super) const fn field(&'p self, field: &'static str) -> Self {
        self.then(Step::Field(field))
    }
    /// What the map here has under a key.
    pub(super) const fn key(&'p self, key: &'static str) -> Self {
        self.then(Step::Key(key))
    }
    /// An element of the list here.
    pub(super) const fn element(&'p self, index: usize) -> Self {
        self.then(Step::Element(index))
    }
    /// Behind the last element of the list here.
    pub(super) const fn end(&'p self) -> Self {
        self.then(Step::End)
    }

    const fn then(&'p self, step: Step) -> Self {
        Self {
            before: Some(self),
            step,
        }
    }

    fn write(&self, text: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if let Some(before) = self.before {
            before.write(text)?;
        }
        text.push(b'/');
        match self.step {
            Step::Field(name) => text.extend_from_slice(name.as_bytes()),
            Step::Key(key) => {
                for byte in key.bytes() {
                    match byte {
                        b'~' => text.extend_from_slice(b"~0"),
                        b'/' => text.extend_from_slice(b"~1"),
                        _ => text.push(byte),
                    }
                }
            }
            Step::Element(index) => serde_json::to_writer(text, &index)?,
            Step::End => text.push(b'-'),
        }
        Ok(())
    }
}

/// An error is one of writing: whoever asked for the pod is told so, and nothing of the patch is used.
impl Patch {
    /// Nothing yet, and place for what a pod with so many containers gets: text that grows is copied.
    pub(super) fn for_containers(count: usize) -> Self {
        const SIDECAR: usize = 4096;
        const CONTAINER: usize = 768;
        Self {
            text: Vec::with_capacity(SIDECAR + count * CONTAINER),
        }
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The patch as the API server takes it: a JSON array.
    #[must_use]
    pub fn into_json(self) -> Vec<u8> {
        let mut json = self.text;
        json.extend_from_slice(if json.is_empty() { b"[]" } else { b"]" });
        json
    }

    /// Puts `value` at a place.
    pub(super) fn add<V: Serialize + ?Sized>(&mut self, path: Path<'_>, value: &V) -> Result<(), String> {
        self.push("add", path, Some(value))
    }

    /// Demands that a place has this name, for operations on its element to be about the one that was looked at.
    pub(super) fn test(&mut self, path: Path<'_>, value: &str) -> Result<(), String> {
        self.push("test", path, Some(value))
    }

    /// Takes away what is at a place.
    pub(super) fn remove(&mut self, path: Path<'_>) -> Result<(), String> {
        self.push::<()>("remove", path, None)
    }

    fn push<V: Serialize + ?Sized>(
        &mut self,
        operation: &'static str,
        path: Path<'_>,
        value: Option<&V>,
    ) -> Result<(), String> {
        let text = &mut self.text;
        text.push(if text.is_empty() { b'[' } else { b',' });
        text.extend_from_slice(br#"{"op":""#);
        text.extend_from_slice(operation.as_bytes());
        text.extend_from_slice(br#"","path":""#);
        path.write(text).map_err(unwritten)?;
        text.push(b'"');
        if let Some(value) = value {
            text.extend_from_slice(br#","value":"#);
            serde_json::to_writer(&mut *text, value).map_err(unwritten)?;
        }
        text.push(b'}');
        Ok(())
    }
}

/// What whoever asked for the pod is told.
#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error away")]
pub(super) fn unwritten(error: serde_json::Error) -> String {
    format!("deputy could not write what it adds to the pod: {error}")
}
