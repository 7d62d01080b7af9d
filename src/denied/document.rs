//! AWS's message in JSON: an event of CloudTrail, an export of events, lines of a log.

use serde_json::{Deserializer, Value};

use super::message::{DenialMessage, PERFORM};

/// So many of the others are named.
const NAMED: usize = 8;

/// A message in a document.
struct FoundMessage {
    /// Where, such as `Records[3].errorMessage`.
    at: String,
    text: String,
}

/// The denial that `text` tells, as a message or as JSON with one in it, and which others the JSON has.
///
/// # Errors
/// A sentence: what the text does not say.
pub fn read(text: &str) -> Result<(DenialMessage, Option<String>), String> {
    let found = messages(text).unwrap_or_default();
    let mut readable = found.iter().filter_map(|one| {
        let message = DenialMessage::parse(&one.text).ok()?;
        Some((one, message))
    });
    let Some((first, message)) = readable.next() else {
        let text = found.first().map_or(text, |one| one.text.as_str());
        return Ok((DenialMessage::parse(text)?, None));
    };
    let others: Vec<String> = readable
        .map(|(one, message)| format!("{} ({} by {})", one.at, message.action, message.caller))
        .collect();
    Ok((message, told(&first.at, &others)))
}

/// Which of several messages is meant.
fn told(at: &str, others: &[String]) -> Option<String> {
    let named = others.get(..NAMED).unwrap_or(others);
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!others.is_empty()).then(|| {
        format!(
            "the document has {} different denials, and the answer is about that at {at}; hand over another one alone: {}{more}",
            others.len() + 1,
            named.join(", ")
        )
    })
}

/// The messages of denials in a JSON document, or in several one after the other, each once; `None` of what is no JSON.
fn messages(text: &str) -> Option<Vec<FoundMessage>> {
    let text = text.trim();
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    let documents = Deserializer::from_str(text).into_iter::<Value>();
    let documents = documents.collect::<Result<Vec<_>, _>>().ok()?;
    let mut found = Vec::new();
    for (i, document) in documents.iter().enumerate() {
        let at = match documents.len() {
            1 => String::new(),
            _ => format!("document {}: ", i + 1),
        };
        walk(document, &at, &mut found);
    }
    Some(found)
}

/// The texts of a value that are such a message, or JSON with one in it, as `aws cloudtrail lookup-events` gives events.
fn walk(value: &Value, at: &str, found: &mut Vec<FoundMessage>) {
    match value {
        Value::String(text) if text.contains(PERFORM) => match messages(text) {
            Some(inner) => inner.into_iter().for_each(|one| {
                let at = join(at, &one.at);
                put(FoundMessage { at, ..one }, found);
            }),
            None => {
                let (at, text) = (at.to_owned(), text.clone());
                put(FoundMessage { at, text }, found);
            }
        },
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                walk(value, &format!("{at}[{i}]"), found);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                walk(value, &join(at, key), found);
            }
        }
        _ => {}
    }
}

fn put(one: FoundMessage, found: &mut Vec<FoundMessage>) {
    if !found.iter().any(|other| other.text == one.text) {
        found.push(one);
    }
}

fn join(at: &str, key: &str) -> String {
    match at.is_empty() || at.ends_with(' ') {
        true => format!("{at}{key}"),
        false => format!("{at}.{key}"),
    }
}
