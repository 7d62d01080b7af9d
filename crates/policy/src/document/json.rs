//! JSON text to values, with every duplicate key reported.
//!
//! `serde_json` keeps the last of two equal keys and says nothing; another parser may keep the first, and the document
//! that was judged is not the one that holds.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{MAX_TEXT_BYTES, ParseError, ParseErrorKind, ParseErrors, error::quote};

/// A policy nests seven deep: document, statements, statement, conditions, operator, key, values.
const MAX_DEPTH: usize = 12;

/// Reads a value; the problems are duplicate keys.
pub(super) fn read(text: &str) -> Result<(Value, Vec<ParseError>), ParseErrors> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseErrors::one(
            ParseErrorKind::Size,
            "",
            format!(
                "the policy has {} bytes; at most {MAX_TEXT_BYTES} are read",
                text.len()
            ),
        ));
    }
    let mut problems = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Node {
        path: String::new(),
        depth: 0,
        problems: &mut problems,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|e| ParseErrors::one(ParseErrorKind::Json, "", format!("not a JSON document: {e}")))?;
    Ok((value, problems))
}

struct Node<'a> {
    path: String,
    depth: usize,
    problems: &'a mut Vec<ParseError>,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, values.len());
            match seq.next_element_seed(Node {
                path,
                depth,
                problems: self.problems,
            })? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.len() > 4096 {
                return Err(A::Error::custom("a key of more than 4096 bytes"));
            }
            let path = if self.path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", self.path)
            };
            if values.contains_key(&key) {
                self.problems.push(ParseError::new(
                    ParseErrorKind::DuplicateKey,
                    path.clone(),
                    format!("the key {} is there more than once", quote(&key)),
                ));
            }
            let value = map.next_value_seed(Node {
                path,
                depth,
                problems: self.problems,
            })?;
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}
