//! Objects of a batch, member by member: what is missing, unknown, there twice or of another type is said in the words of
//! JSON and of docs/contracts.md, and the text of a value stays as it was written.

use std::{collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object that nobody has looked at yet.
pub struct Members<'a> {
    /// `request.`, or nothing for the line itself.
    prefix: String,
    left: Vec<(String, &'a RawValue)>,
    /// What was asked for: what there may be.
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// Reads an object; `what` is what it is called.
    ///
    /// # Errors
    /// A sentence, when it is none, or has a member twice.
    pub fn read(text: &'a str, what: &str) -> Result<Self, String> {
        let value: &RawValue =
            serde_json::from_str(text).map_err(|e| format!("{what} is not JSON: {}", syntax(&e)))?;
        Self::of(value, what, String::new())
    }

    /// The object that is the value of `name`.
    ///
    /// # Errors
    /// A sentence, as of [`Members::read`], or when it is missing.
    pub fn object(&mut self, name: &'static str) -> Result<Self, String> {
        let value = self.required(name)?;
        let path = self.path(name);
        Self::of(value, &path, format!("{path}."))
    }

    /// The object that is the value of `name`, if it is there.
    ///
    /// # Errors
    /// A sentence, as of [`Members::read`]; null is no object.
    pub fn optional_object(&mut self, name: &'static str) -> Result<Option<Self>, String> {
        let path = self.path(name);
        let value = self.take(name);
        value
            .map(|value| Self::of(value, &path, format!("{path}.")))
            .transpose()
    }

    fn of(value: &'a RawValue, what: &str, prefix: String) -> Result<Self, String> {
        if !value.get().starts_with('{') {
            return Err(format!("{what} is {}; an object is needed", name_of(value)));
        }
        let entries: Entries<'a> =
            serde_json::from_str(value.get()).map_err(|e| format!("{what}: {}", syntax(&e)))?;
        let mut seen = HashSet::new();
        if let Some((name, _)) = entries.0.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            return Err(format!("{what} has the member {} more than once", short(name)));
        }
        Ok(Self {
            prefix,
            left: entries.0,
            known: Vec::new(),
        })
    }

    /// The name of a member as messages have it, such as `request.action`.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A member, null included.
    pub fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.remove(at).1)
    }

    /// A member that may be left out or null, which is the same.
    pub fn optional(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.take(name).filter(|value| value.get() != "null")
    }

    /// A member that must be there.
    ///
    /// # Errors
    /// A sentence, when it is not.
    pub fn required(&mut self, name: &'static str) -> Result<&'a RawValue, String> {
        let value = self.take(name);
        value.ok_or_else(|| format!("{} is missing", self.path(name)))
    }

    /// A member that is text.
    ///
    /// # Errors
    /// A sentence, when it is missing or of another type.
    pub fn required_text(&mut self, name: &'static str) -> Result<String, String> {
        let value = self.required(name)?;
        text(value, &self.path(name))
    }

    /// A member that is text, if it is there and not null.
    ///
    /// # Errors
    /// A sentence, when it is of another type.
    pub fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        let value = self.optional(name);
        value.map(|value| text(value, &self.path(name))).transpose()
    }

    /// A member that is one of several words; `default` when it is left out.
    ///
    /// # Errors
    /// A sentence with all of them.
    pub fn word<T: clap::ValueEnum>(&mut self, name: &'static str, default: T) -> Result<T, String> {
        let Some(value) = self.take(name) else {
            return Ok(default);
        };
        let path = self.path(name);
        let found = text(value, &path)?;
        T::from_str(&found, false).map_err(|_| {
            let words = T::value_variants().iter().filter_map(|v| v.to_possible_value());
            let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
            format!("{path}: {} is none of {}", short(&found), words.join(", "))
        })
    }

    /// Everything that is left, for objects whose names are data.
    pub fn rest(self) -> Vec<(String, &'a RawValue)> {
        self.left
    }

    /// Refuses what nobody asked for: a mistyped restriction would be none.
    ///
    /// # Errors
    /// A sentence with what there may be.
    pub fn done(&self) -> Result<(), String> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!(
                "{} is not known; there may be {}",
                self.path(&short(name)),
                self.known.join(", ")
            )),
        }
    }
}

/// The items of a list.
///
/// # Errors
/// A sentence, when it is none.
pub fn list<'a>(value: &'a RawValue, path: &str) -> Result<Vec<&'a RawValue>, String> {
    if !value.get().starts_with('[') {
        return Err(format!("{path} is {}; a list is needed", name_of(value)));
    }
    serde_json::from_str(value.get()).map_err(|e| format!("{path}: {}", syntax(&e)))
}

/// The text of a string.
///
/// # Errors
/// A sentence, when it is none.
pub fn text(value: &RawValue, path: &str) -> Result<String, String> {
    if !value.get().starts_with('"') {
        return Err(format!("{path} is {}; text in quotes is needed", name_of(value)));
    }
    serde_json::from_str(value.get()).map_err(|e| format!("{path}: {}", syntax(&e)))
}

/// A name from outside as it may stand in a message.
pub fn short(name: &str) -> String {
    let cut: String = name.chars().take(80).collect();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    format!("\"{}{dots}\"", cut.escape_debug())
}

/// What a value is.
pub fn name_of(value: &RawValue) -> &'static str {
    match value.get().bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A mistake of syntax. The line is always the first one, and says nothing.
fn syntax(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match said.strip_suffix(&place) {
        Some(what) if error.line() == 1 => format!("{what} at column {}", error.column()),
        _ => said,
    }
}

/// Members in their order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each).map(Self)
    }
}

struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
