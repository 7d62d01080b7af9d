//! JSON text to values, with every duplicate key reported.
//!
//! `serde_json` keeps the last of two equal keys and says nothing; another parser may keep the first, and the document
//! that was judged is not the one that holds.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{
    code::Code,
    error::{ParseError, ParseErrorKind as Kind, ParseErrors, Problems},
    limits::{MAX_DEPTH, MAX_TEXT_BYTES},
};
use crate::text::quote;

/// Reads a value; the problems are duplicate keys.
pub(super) fn read(text: &str) -> Result<(Value, Problems), ParseErrors> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "the policy has {} bytes; at most {MAX_TEXT_BYTES} are read",
            text.len()
        );
        return Err(ParseErrors::one(ParseError::new(
            Kind::Size,
            Code::TooLarge,
            "",
            message,
        )));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut reader = Reader {
        path: Vec::new(),
        problems: Problems::default(),
        floats: false,
    };
    let value = Node(&mut reader)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|e| {
            let message = format!("not a JSON document: {e}");
            let problem = ParseError::new(Kind::Json, Code::NotJson, "", message);
            ParseErrors::one(problem.at(position(text, &e)))
        })?;
    if reader.floats {
        rounded(text, &mut reader.problems);
    }
    Ok((value, reader.problems))
}

/// Numbers of more digits than a floating-point number keeps: what was read is not what is written.
fn rounded(text: &str, problems: &mut Problems) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (_, token) = rest.split_at(at);
        let string = token.starts_with('"');
        let end = if string {
            end_of_string(token)
        } else {
            token.find(|c: char| !is_of_number(c))
        };
        let (token, after) = token
            .split_at_checked(end.unwrap_or(token.len()))
            .unwrap_or((token, ""));
        let from = text.len() - after.len() - token.len();
        rest = after;
        let mantissa = token.split(['e', 'E']).next().unwrap_or(token);
        let digits = mantissa
            .chars()
            .filter(char::is_ascii_digit)
            .skip_while(|c| *c == '0')
            .count();
        if !string && digits > 15 && token.parse::<u64>().is_err() && token.parse::<i64>().is_err() {
            problems.add(|| {
                let message = format!(
                    "the number {token} has more than 15 digits, which not every parser keeps; write it in quotes"
                );
                let problem = ParseError::new(Kind::ConditionValue, Code::UnquotedNumber, "", message);
                let suggested = problem.suggest(Some(format!("\"{token}\"")));
                suggested.at(Some(from..from + token.len()))
            });
        }
    }
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')
}

/// Where the string ends with which the text begins.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let closing = |(_, c): &(usize, char)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    };
    text.char_indices().skip(1).find(closing).map(|(at, _)| at + 1)
}

/// The byte that an error of `serde_json` is about.
fn position(text: &str, error: &serde_json::Error) -> Option<std::ops::Range<usize>> {
    let lines = text.split_inclusive('\n').take(error.line().checked_sub(1)?);
    let before: usize = lines.map(str::len).sum();
    let mut at = before
        .saturating_add(error.column().saturating_sub(1))
        .min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    let length = text.get(at..)?.chars().next().map_or(0, char::len_utf8);
    Some(at..at + length)
}

enum Segment {
    Key(String),
    Index(usize),
}

struct Reader {
    /// From the document to the value that is being read.
    path: Vec<Segment>,
    problems: Problems,
    /// Whether there is a number that is not a whole one of 64 bits.
    floats: bool,
}

/// A path as problems give it. A statement alone is the first of its list, as everywhere else.
fn text_of(path: &[Segment]) -> String {
    let mut text = String::new();
    for (i, segment) in path.iter().enumerate() {
        // Writing to a string can't fail.
        match segment {
            Segment::Key(key) if i == 0 => text.push_str(key),
            Segment::Key(key) if i == 1 && text == "Statement" => drop(write!(text, "[0].{key}")),
            Segment::Key(key) => drop(write!(text, ".{key}")),
            Segment::Index(index) => drop(write!(text, "[{index}]")),
        }
    }
    text
}

struct Node<'a>(&'a mut Reader);

impl Node<'_> {
    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.0.path.len() >= MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
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
        self.0.floats = true;
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
        self.check_depth()?;
        let mut values = Vec::new();
        loop {
            self.0.path.push(Segment::Index(values.len()));
            let value = seq.next_element_seed(Node(self.0))?;
            self.0.path.pop();
            match value {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.len() > 4096 {
                return Err(A::Error::custom("a key of more than 4096 bytes"));
            }
            self.0.path.push(Segment::Key(key.clone()));
            if values.contains_key(&key) {
                let Reader { path, problems, .. } = &mut *self.0;
                problems.add(|| {
                    let message = format!("the key {} is there more than once", quote(&key));
                    ParseError::new(Kind::DuplicateKey, Code::DuplicateKey, text_of(path), message)
                });
            }
            let value = map.next_value_seed(Node(self.0))?;
            self.0.path.pop();
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}
