//! A policy in YAML as the JSON that AWS takes, with where in the YAML each part of it stands.

use std::{collections::BTreeMap, ops::Range};

use deputy_policy::{Code, Lint};

use crate::yaml::{MERGE, YamlKey, YamlKind, YamlNode};

/// JSON text made of YAML.
#[derive(Debug)]
pub struct Translated {
    pub json: String,
    places: Places,
    /// Values that not every reader of YAML reads alike, by their path within the policy.
    pub ambiguous: Vec<Lint>,
}

/// Bytes of the JSON, from the first one on, to bytes of the YAML.
type Places = BTreeMap<usize, Range<usize>>;

impl Translated {
    /// Translates `node` of the text `yaml`. A key that is there twice is so in the JSON too.
    pub fn new(node: &YamlNode, yaml: &str) -> Self {
        let mut translation = Self {
            json: String::new(),
            places: BTreeMap::new(),
            ambiguous: Vec::new(),
        };
        translation.value(node, yaml, "");
        translation
    }

    /// The bytes of the YAML that bytes of the JSON come from: of the key or value that begins there, or the last one before.
    pub fn place(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let (_, place) = self.places.range(..=span.start).next_back()?;
        Some(place.clone())
    }

    fn value(&mut self, node: &YamlNode, yaml: &str, path: &str) {
        self.places.insert(self.json.len(), node.span.clone());
        if let Some(tag) = &node.tag {
            let message = format!("a tag ({tag}), which YAML readers treat differently; leave it out");
            self.ambiguous(&node.span, path, message);
        }
        match &node.kind {
            YamlKind::Null => self.json.push_str("null"),
            YamlKind::Bool(value) => self.boolean(*value, node, yaml, path),
            YamlKind::Number(_) => self.number(node, yaml, path),
            YamlKind::Text(text) => {
                if is_plain(&node.span, yaml) && reads_otherwise(text) {
                    self.disagree(&node.span, path, text, "write it in quotes");
                }
                self.text(text);
            }
            YamlKind::List(items) => {
                self.json.push('[');
                for (i, item) in items.iter().enumerate() {
                    self.comma(i);
                    self.value(item, yaml, &format!("{path}[{i}]"));
                }
                self.json.push(']');
            }
            YamlKind::Map(members) => {
                self.json.push('{');
                for (i, (key, value)) in members.iter().enumerate() {
                    self.comma(i);
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", key.name);
                    let plain = is_plain(&key.span, yaml);
                    if key.merges {
                        self.ambiguous(&key.span, &path, MERGE.to_owned());
                    } else if !key.is_text || plain && reads_otherwise(&key.name) {
                        let written = yaml.get(key.span.clone()).unwrap_or_default();
                        self.disagree(&key.span, &path, written, "write it in quotes");
                    }
                    self.key(key);
                    self.json.push(':');
                    self.value(value, yaml, &path);
                }
                self.json.push('}');
            }
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.json.push(',');
        }
    }

    fn key(&mut self, key: &YamlKey) {
        self.places.insert(self.json.len(), key.span.clone());
        self.text(&key.name);
    }

    fn text(&mut self, text: &str) {
        self.json.push_str(&serde_json::Value::from(text).to_string());
    }

    fn boolean(&mut self, value: bool, node: &YamlNode, yaml: &str, path: &str) {
        let written = yaml.get(node.span.clone()).unwrap_or_default();
        if !["true", "True", "TRUE", "false", "False", "FALSE"].contains(&written) {
            self.disagree(
                &node.span,
                path,
                written,
                &format!("write {value}, or write it in quotes"),
            );
        }
        self.json.push_str(if value { "true" } else { "false" });
    }

    /// A number as it is written: parsed and printed, an account id would have lost digits.
    fn number(&mut self, node: &YamlNode, yaml: &str, path: &str) {
        let written = yaml.get(node.span.clone()).unwrap_or_default();
        if serde_json::from_str::<serde_json::Number>(written).is_ok() {
            self.json.push_str(written);
            return;
        }
        self.disagree(
            &node.span,
            path,
            written,
            "write it in quotes, or in decimal digits",
        );
        // As text, so that it is not complained of twice.
        self.text(written);
    }

    fn disagree(&mut self, span: &Range<usize>, path: &str, written: &str, repair: &str) {
        let message = format!(
            "YAML readers disagree on what {written} is without quotes (kubectl reads YAML 1.1); {repair}"
        );
        self.ambiguous(span, path, message);
    }

    fn ambiguous(&mut self, span: &Range<usize>, path: &str, message: String) {
        self.ambiguous.push(Lint {
            code: Code::WrongType,
            path: path.to_owned(),
            message,
            suggestion: None,
            span: Some(span.clone()),
        });
    }
}

/// Whether a text stands there without quotes, and not as a block (`|`, `>`), whose first line is its own.
fn is_plain(span: &Range<usize>, yaml: &str) -> bool {
    let written = yaml.get(span.clone()).unwrap_or_default();
    if written.starts_with(['"', '\'']) {
        return false;
    }
    let before = yaml
        .get(..span.start)
        .unwrap_or_default()
        .trim_end_matches([' ', '\t']);
    let header = before
        .trim_end()
        .trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    !(before.ends_with('\n') && header.ends_with(['|', '>']))
}

/// Whether a plain text is a boolean, number or key of YAML 1.1 as Go reads it, though it was read as text here.
fn reads_otherwise(text: &str) -> bool {
    if text.starts_with('?') {
        return true;
    }
    let boolean = ["y", "n", "yes", "no", "on", "off"];
    if boolean.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let radix = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    let number =
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok();
    number || radix("0x", 16) || radix("0o", 8) || radix("0b", 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            // Without ?, which the writer leaves without quotes.
            "[a-c:#\"'{}\\[\\], |>&*!%@`é\u{1f512}\n\t-]{0,5}",
            Just("yes".to_owned()),
            Just("0x1F".to_owned()),
            Just("1.5e+11".to_owned()),
            Just("null".to_owned()),
            Just("~".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let object = prop::collection::hash_map(word.clone(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                object.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The text of every scalar and key of a JSON text, with where it begins.
    fn scalars(json: &str) -> Vec<(usize, Value)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(rest) = json.get(at..).filter(|rest| !rest.is_empty()) {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            match rest.starts_with(['{', '}', '[', ']', ',', ':']) {
                true => at += 1,
                false => {
                    found.push((at, values.next().unwrap().unwrap()));
                    at += values.byte_offset();
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_in_yaml_and_every_part_of_it_is_found(value in value()) {
            let yaml = serde_saphyr::to_string(&value).unwrap();
            let nodes = crate::yaml::read(&yaml).unwrap();
            let Some(node) = nodes.first() else {
                prop_assert_eq!(value, Value::Null);
                return Ok(());
            };
            prop_assert_eq!(&node.to_value(), &value, "{}", yaml);
            let translated = Translated::new(node, &yaml);
            prop_assert!(translated.ambiguous.is_empty(), "{}: {:?}", yaml, translated.ambiguous);
            prop_assert_eq!(serde_json::from_str::<Value>(&translated.json).unwrap(), value, "{}", yaml);
            for (at, scalar) in scalars(&translated.json) {
                let place = translated.place(&(at..at + 1)).unwrap();
                let there = yaml.get(place).unwrap();
                // Blocks, which are for text of several lines, and escapes are written in another way.
                let block = scalar.as_str().is_some_and(|text| text.contains('\n'));
                if there.starts_with('"') && !there.contains('\\') && !block {
                    prop_assert_eq!(serde_json::from_str::<Value>(there).unwrap(), scalar, "{}", yaml);
                } else if scalar.is_number() || scalar.is_boolean() {
                    prop_assert_eq!(there, scalar.to_string(), "{}", yaml);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(yaml in "[a{}\\[\\]\"':,#&*!|>?%@ \n\t<0-9.é-]{0,48}") {
            for node in crate::yaml::read(&yaml).unwrap_or_default() {
                let translated = Translated::new(&node, &yaml);
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&translated.json).is_ok(), "{}", translated.json);
            }
        }
    }
}
