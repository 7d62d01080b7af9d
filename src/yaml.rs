//! YAML as a tree that remembers where everything stands, repeated keys included. What it means is said elsewhere:
//! [`crate::input`] makes plain values of it, [`crate::policy`] policies.

use std::{fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, Spanned, Tagged, budget::BudgetBreach,
};

use crate::text::position;

/// A value and its bytes in the text.
#[derive(Debug, Clone)]
pub struct YamlNode {
    pub kind: YamlKind,
    /// Of a scalar all of it, quotes included; of a list or mapping its beginning. Of an alias, what it stands for.
    pub span: Range<usize>,
    /// A tag such as `!!binary`.
    pub tag: Option<String>,
}

/// What a value is, as `kubectl` reads it: `yes` is a boolean, a date is text.
#[derive(Debug, Clone)]
pub enum YamlKind {
    Null,
    Bool(bool),
    /// What it is written as is in the text.
    Number(serde_json::Number),
    Text(String),
    List(Vec<YamlNode>),
    /// In the order of the text, a key as often as it is there.
    Map(Vec<(YamlKey, YamlNode)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub struct YamlKey {
    pub name: String,
    pub span: Range<usize>,
    /// Whether it is text, and no number, boolean or null.
    pub is_text: bool,
    /// Whether it is `<<`, which merges other mappings in and is not followed here.
    pub merges: bool,
}

/// Why a text is not read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    pub message: String,
    /// Line and column, from 1.
    pub at: Option<(u64, u64)>,
}

/// What is said of `<<`. Where a key of the merged mapping stands before it too, kubectl takes the merged value and other
/// readers that one.
pub const MERGE: &str =
    "a merge key (<<); YAML readers disagree on which of two values counts, so write the values out";

/// Next line, line separator, paragraph separator, and the byte order mark, which may end a document.
const HIDING: [char; 4] = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'];

/// The most that aliases may stand for, in values.
const MAX_REPLAYED: usize = 100_000;

/// The most values in one text, where nothing else is said.
pub const MAX_VALUES: usize = 250_000;

/// Every document of a text; empty ones are left out.
///
/// # Errors
/// What is not YAML, nests more than 64 deep, or has more than [`MAX_VALUES`] values or 100,000 by way of aliases; and
/// characters that end a line in YAML 1.1, which `kubectl` reads, and not here: they would hide a line in a comment.
pub fn read(text: &str) -> Result<Vec<YamlNode>, YamlError> {
    read_up_to(text, MAX_VALUES)
}

/// The same with at most so many values.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(text: &str, most: usize) -> Result<Vec<YamlNode>, YamlError> {
    if let Some((at, c)) = text.char_indices().find(|(_, c)| HIDING.contains(c)) {
        return Err(YamlError {
            message: format!(
                "the character U+{:04X}, which ends a line for some YAML readers",
                u32::from(c)
            ),
            at: position(text, at).map(|(line, column)| (line as u64, column as u64)),
        });
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: most,
            // Of a value its beginning and, of a list or mapping, its end.
            max_events: most.saturating_mul(4),
            max_documents: 1_024,
        },
        // Aliases may stand for each other: a short text can be a huge tree.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
    };
    let documents: Vec<Part> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|e| problem(&e, most))?;
    documents
        .into_iter()
        .filter(|document| !matches!(document.0.value, Raw::Null))
        .map(|document| node(document, text))
        .collect()
}

fn problem(error: &Error, most: usize) -> YamlError {
    let at = error.location().map(|l| (l.line(), l.column()));
    let cause = cause(error);
    let message = match cause {
        Error::Budget { breach, .. } => beyond(breach, most),
        Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases stand for more than {MAX_REPLAYED} values")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias stands within what its anchor names, so it has no end".to_owned()
        }
        other => {
            let said = other.to_string();
            let place = other
                .location()
                .map(|l| format!(" at line {}, column {}", l.line(), l.column()));
            let bare = place.and_then(|place| said.strip_suffix(&place).map(str::to_owned));
            bare.unwrap_or(said)
        }
    };
    YamlError { message, at }
}

/// The error itself, without what it was wrapped in.
fn cause(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => cause(error),
        other => other,
    }
}

fn beyond(breach: &BudgetBreach, most: usize) -> String {
    match breach {
        BudgetBreach::Depth { .. } => "it nests more than 64 deep".to_owned(),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("it has more than {most} values")
        }
        BudgetBreach::Documents { .. } => "it has more than 1,024 documents".to_owned(),
        _ => "it has more anchors, aliases, merges or comments than are read of one file".to_owned(),
    }
}

/// A value, its place, and its tag.
type Part = Tagged<Spanned<Raw>>;

/// What the parser hands over, before places are bytes.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Part>),
    Map(Vec<(Part, Part)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(Raw::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Raw::Map(members))
    }
}

fn node(Tagged(raw, tag): Part, text: &str) -> Result<YamlNode, YamlError> {
    let span = bytes(raw.defined, text);
    let kind = match raw.value {
        Raw::Null => YamlKind::Null,
        Raw::Bool(value) => YamlKind::Bool(value),
        Raw::Number(value) => YamlKind::Number(value),
        Raw::Text(value) => YamlKind::Text(value),
        Raw::List(items) => YamlKind::List(
            items
                .into_iter()
                .map(|item| node(item, text))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Map(members) => YamlKind::Map(
            members
                .into_iter()
                .map(|(key, value)| Ok((self::key(key, text)?, node(value, text)?)))
                .collect::<Result<_, YamlError>>()?,
        ),
    };
    Ok(YamlNode { kind, span, tag })
}

/// A key as `kubectl` makes text of it.
fn key(Tagged(raw, tag): Part, text: &str) -> Result<YamlKey, YamlError> {
    let is_text = matches!(raw.value, Raw::Text(_));
    let name = match raw.value {
        Raw::Text(name) => name,
        Raw::Null => "null".to_owned(),
        Raw::Bool(value) => value.to_string(),
        Raw::Number(value) => value.to_string(),
        Raw::List(_) | Raw::Map(_) => {
            return Err(YamlError {
                message: "a key that is no text; JSON, and so IAM and Kubernetes, have none such".to_owned(),
                at: Some((raw.defined.line(), raw.defined.column())),
            });
        }
    };
    let span = bytes(raw.defined, text);
    let plain = text.get(span.clone()) == Some("<<") && tag.is_none();
    let merges = plain || tag.as_deref().is_some_and(|tag| tag.ends_with("merge"));
    Ok(YamlKey {
        name,
        span,
        is_text,
        merges,
    })
}

/// The parser's place as bytes of the text.
fn bytes(location: Location, text: &str) -> Range<usize> {
    let span = location.span();
    let known = span.byte_offset().zip(span.byte_len());
    let range = known.and_then(|(from, length)| {
        let from = usize::try_from(from).ok()?;
        Some(from..from.checked_add(usize::try_from(length).ok()?)?)
    });
    // Not seen in texts read as a whole; a place at the beginning is better than none.
    range
        .filter(|range| text.get(range.clone()).is_some())
        .unwrap_or(0..0)
}

impl YamlNode {
    /// The members of a mapping.
    pub fn members(&self) -> &[(YamlKey, Self)] {
        match &self.kind {
            YamlKind::Map(members) => members,
            _ => &[],
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            YamlKind::List(items) => items,
            _ => &[],
        }
    }

    /// A member of a mapping; of several with that name the last one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let named = |(key, value)| (key == name).then_some(value);
        let members = self
            .members()
            .iter()
            .map(|(key, value)| (key.name.as_str(), value));
        members.rev().find_map(named)
    }

    /// The value with a path such as `spec.policies[0].name`, or as far as there is one.
    pub fn find(&self, path: &str) -> &Self {
        let rest = path.strip_prefix('.').unwrap_or(path);
        if let Some((index, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let item = index.parse().ok().and_then(|i: usize| self.items().get(i));
            return item.map_or(self, |item| item.find(rest));
        }
        // Keys may hold dots: the longest one counts.
        let after = |(key, value)| Some((value, rest.strip_prefix(key)?));
        let ends = |after: &str| after.is_empty() || after.starts_with(['.', '[']);
        let members = self
            .members()
            .iter()
            .map(|(key, value)| (key.name.as_str(), value));
        let found = members
            .filter_map(after)
            .filter(|(_, after): &(&Self, &str)| ends(after));
        match found.min_by_key(|(_, after)| after.len()) {
            Some((value, after)) if after.len() < rest.len() => value.find(after),
            _ => self,
        }
    }

    /// The text of a scalar that is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            YamlKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The plain value; of repeated keys the last one counts.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            YamlKind::Null => Value::Null,
            YamlKind::Bool(value) => Value::Bool(*value),
            YamlKind::Number(value) => Value::Number(value.clone()),
            YamlKind::Text(value) => Value::String(value.clone()),
            YamlKind::List(items) => items.iter().map(Self::to_value).collect(),
            YamlKind::Map(members) => members
                .iter()
                .map(|(key, value)| (key.name.clone(), value.to_value()))
                .collect(),
        }
    }

    /// Every key that is there more than once, with its path such as `spec.policies[0].name`.
    pub fn repeated_keys(&self) -> Vec<(String, Range<usize>)> {
        let mut found = Vec::new();
        self.repeated("", &mut found);
        found
    }

    fn repeated(&self, path: &str, found: &mut Vec<(String, Range<usize>)>) {
        for (i, item) in self.items().iter().enumerate() {
            item.repeated(&format!("{path}[{i}]"), found);
        }
        let mut seen = std::collections::HashSet::new();
        for (key, value) in self.members() {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", key.name);
            if !seen.insert(key.name.as_str()) {
                found.push((path.clone(), key.span.clone()));
            }
            value.repeated(&path, found);
        }
    }
}
