//! Exports: whole clusters and accounts in one file, so with larger bounds than manifests have.

use std::{cell::Cell, fmt, path::Path};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{exit::Failure, input, manifests};

/// The most that is read of one export, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The most values in one export in JSON: those of some ten thousand pods.
const MAX_VALUES: usize = 10_000_000;
/// The same in YAML, which takes more time and memory: each value is kept with its place.
const MAX_YAML_VALUES: usize = 2_000_000;

/// All documents of an export; `-` is standard input.
///
/// # Errors
/// What can't be read, is neither JSON nor YAML, or is larger than the bounds; and keys that are there twice.
pub fn documents(path: &Path) -> Result<Vec<Value>, Failure> {
    let text = input::read_up_to(path, MAX_BYTES)?;
    if text.trim_start().starts_with(['{', '[']) {
        match json(&text, MAX_VALUES) {
            Ok(documents) => return Ok(documents),
            // YAML has mappings in braces, too.
            Err(error) if error.is_syntax() || error.is_eof() => {}
            Err(error) => return Err(Failure::input(format!("{}: {error}", path.display()))),
        }
    }
    manifests::parse(path, &text, MAX_YAML_VALUES)
}

/// The documents of a text, one after the other.
fn json(text: &str, most: usize) -> Result<Vec<Value>, serde_json::Error> {
    let left = Cell::new(most);
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut documents = Vec::new();
    while reader.end().is_err() {
        documents.push(Bounded { left: &left, most }.deserialize(&mut reader)?);
    }
    Ok(documents)
}

/// A value of which so many parts may be left.
#[derive(Clone, Copy)]
struct Bounded<'c> {
    left: &'c Cell<usize>,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(D::Error::custom(format_args!(
                "it has more than {} values",
                self.most
            )));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "{key}: the key is there more than once"
                )));
            }
            let value = map.next_value_seed(self)?;
            members.insert(key, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_one_document_after_the_other() {
        let text = r#"{"a": [1, -2, 0.5, true, null, "x"], "b": {"c": {}}} {"d": []}"#;
        let documents = json(text, 12).unwrap();
        assert_eq!(
            documents,
            [
                json!({"a": [1, -2, 0.5, true, null, "x"], "b": {"c": {}}}),
                json!({"d": []})
            ]
        );
        let more = json(text, 11).unwrap_err().to_string();
        assert!(more.starts_with("it has more than 11 values at line 1"), "{more}");
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_and_not_read_as_yaml() {
        let twice = json(r#"{"a": {"b": 1, "b": 2}}"#, 10).unwrap_err();
        assert!(twice.is_data(), "{twice}");
        assert!(
            twice
                .to_string()
                .starts_with("b: the key is there more than once at line 1")
        );
        assert!(json("{a: b}", 10).unwrap_err().is_syntax());
    }

    #[test]
    fn the_bound_of_yaml_is_that_of_who_asks() {
        let text = format!("items: [{}]", ["x"; 100].join(", "));
        let read = |most| manifests::parse(Path::new("export"), &text, most).map_err(|e| e.to_string());
        assert!(read(200).is_ok());
        let refused = read(50).unwrap_err();
        assert!(refused.contains("it has more than 50 values"), "{refused}");
    }
}
