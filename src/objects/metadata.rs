//! Labels and annotations, by the rules of an API server, which says nothing of them before it refuses an object.
//!
//! Source: `ValidateLabels` and `ValidateAnnotations` of `k8s.io/apimachinery`, and
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>.

use serde_json::{Map, Value};

use super::place::ProblemSort;

/// Characters of a name in a key, and of a label's value.
const MAX_NAME: usize = 63;
/// Characters of what stands before the `/` of a key.
const MAX_PREFIX: usize = 253;
/// Bytes of all annotations of an object, keys and values.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with labels or annotations.
#[derive(Debug, PartialEq, Eq)]
pub struct MetadataFault {
    pub sort: ProblemSort,
    /// Such as `metadata.labels.team`.
    pub field: String,
    pub message: String,
}

/// All that is wrong with the labels and annotations of an object.
pub fn faults(object: &Value) -> Vec<MetadataFault> {
    let mut found = Vec::new();
    if let Some(labels) = texts(object, "labels", &mut found) {
        for (key, value) in labels {
            let mut fault = |message: &str| found.push(not_taken(&format!("labels.{key}"), message));
            if !is_key(key) {
                fault(BAD_KEY);
            } else if value.as_str().is_some_and(|value| !is_value(value)) {
                fault(
                    "a label's value has up to 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit",
                );
            }
        }
    }
    if let Some(annotations) = texts(object, "annotations", &mut found) {
        // The API server takes capitals before the `/` of these.
        let bad = annotations.keys().filter(|key| !is_key(&key.to_lowercase()));
        found.extend(bad.map(|key| not_taken(&format!("annotations.{key}"), BAD_KEY)));
        let bytes = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
        let bytes: usize = annotations.iter().map(bytes).sum();
        if bytes > MAX_ANNOTATIONS {
            let message = format!("annotations have {bytes} bytes; at most {MAX_ANNOTATIONS} are stored");
            found.push(not_taken("annotations", &message));
        }
    }
    found
}

const BAD_KEY: &str = "a key is a name of up to 63 letters, digits, '-', '_' and '.', which begins and ends with a letter or digit, \
                       perhaps after a DNS name in lower case and a '/'";

fn not_taken(field: &str, message: &str) -> MetadataFault {
    MetadataFault {
        sort: ProblemSort::NotTaken,
        field: format!("metadata.{field}"),
        message: message.to_owned(),
    }
}

/// The members of a mapping of texts. What is none of that is a fault: the whole object can't be read with it.
fn texts<'a>(
    object: &'a Value,
    field: &str,
    found: &mut Vec<MetadataFault>,
) -> Option<&'a Map<String, Value>> {
    let mut fault = |field: String, message: &str| {
        found.push(MetadataFault {
            sort: ProblemSort::Unreadable,
            field: format!("metadata.{field}"),
            message: message.to_owned(),
        });
    };
    match object.get("metadata")?.get(field)? {
        Value::Object(members) => {
            for (key, _) in members.iter().filter(|(_, value)| !value.is_string()) {
                fault(format!("{field}.{key}"), "it is not text; write it in quotes");
            }
            Some(members)
        }
        Value::Null => None,
        _ => {
            fault(field.to_owned(), "it is no mapping of keys to texts");
            None
        }
    }
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && !name.is_empty() && is_value(name),
        None => !key.is_empty() && is_value(key),
    }
}

fn is_value(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= MAX_NAME
        && text.chars().all(|c| is_end(c) || matches!(c, '-' | '_' | '.'))
        && text.starts_with(is_end) != text.is_empty()
        && text.ends_with(is_end) != text.is_empty()
}

fn is_dns_name(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_end) && part.ends_with(is_end) && part.chars().all(|c| is_end(c) || c == '-')
    };
    text.len() <= MAX_PREFIX && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(metadata: &Value) -> Vec<(ProblemSort, String)> {
        let found = faults(&json!({ "metadata": metadata }));
        found.into_iter().map(|fault| (fault.sort, fault.field)).collect()
    }

    #[test]
    fn labels_and_annotations_are_judged_as_an_api_server_does() {
        let good = json!({
            "labels": {"app.kubernetes.io/name": "a_B.1", "x": "", "9": "y"},
            "annotations": {"Example.com/A_b": "anything: goes\n", "a": ""},
        });
        assert!(told(&good).is_empty());
        assert!(told(&json!({"labels": null})).is_empty());
        let long = "x".repeat(64);
        for (key, value) in [
            ("bad key!", "x"),
            ("", "x"),
            ("a/", "x"),
            ("/a", "x"),
            ("A.b/c", "x"),
            ("a..b/c", "x"),
            ("a/b/c", "x"),
            ("-a", "x"),
            (long.as_str(), "x"),
            ("a", "x y"),
            ("a", "-x"),
            ("a", long.as_str()),
        ] {
            let field = format!("metadata.labels.{key}");
            assert_eq!(
                told(&json!({"labels": {key: value}})),
                [(ProblemSort::NotTaken, field)]
            );
        }
        let large = json!({"annotations": {"a": "x".repeat(MAX_ANNOTATIONS)}});
        assert_eq!(
            told(&large),
            [(ProblemSort::NotTaken, "metadata.annotations".to_owned())]
        );
    }

    #[test]
    fn what_is_not_text_makes_the_object_unreadable() {
        for metadata in [
            json!({"annotations": {"a": 1}}),
            json!({"annotations": {"a": true}}),
        ] {
            let field = "metadata.annotations.a".to_owned();
            assert_eq!(told(&metadata), [(ProblemSort::Unreadable, field)]);
        }
        let field = "metadata.labels".to_owned();
        assert_eq!(told(&json!({"labels": [1]})), [(ProblemSort::Unreadable, field)]);
    }
}
