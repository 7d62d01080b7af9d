//! The `id` of a line that is otherwise not understood: whoever asked can match the answer to it.

use serde_json::value::RawValue;

/// The longest line that is read, in bytes without its end: two documents of AWS's largest size and a request fit.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Deeper ids are not answered: readers of JSON have limits, and an answer that can't be read helps nobody.
pub const MAX_DEPTH: usize = 64;
/// Longer keys are not `id`, however its letters are escaped.
const MAX_KEY_BYTES: usize = 16;

/// The id of a line, when it can be found.
pub fn of(line: &[u8]) -> Option<Box<RawValue>> {
    let mut finder = Finder::default();
    finder.read(line);
    finder.found()
}

/// Whether a JSON value nests deeper than an id may.
pub fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut deepest, mut string, mut escaped) = (0usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            b'{' | b'[' if !string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest > MAX_DEPTH
}

/// Looks for the member `id` of an object as its bytes go by. Values are passed over by their brackets and quotes alone, so
/// that they may hold any mistake; what is between them has to be JSON, or nothing more is found.
#[derive(Default)]
pub struct Finder {
    at: At,
    /// Bytes of a byte order mark that were passed over.
    mark: usize,
    key: Vec<u8>,
    /// The value of the last member called `id`.
    value: Vec<u8>,
    is_id: bool,
    ids: usize,
    /// Whether the value is there to its end.
    whole: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    /// Where a key may begin.
    Member,
    Key {
        escaped: bool,
    },
    Colon,
    Value,
    /// In a number or a word, which end with what comes after them.
    Word,
    Text {
        depth: usize,
        escaped: bool,
    },
    Inside {
        depth: usize,
    },
    Comma,
    End,
}

impl Finder {
    pub fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.at == At::End {
                return;
            }
            self.at = self.step(*byte);
        }
    }

    /// What was found: one `id`, complete and JSON. Of two nobody knows which one is meant.
    pub fn found(self) -> Option<Box<RawValue>> {
        if self.ids != 1 || !self.whole {
            return None;
        }
        let text = String::from_utf8(self.value).ok()?;
        let id = RawValue::from_string(text.trim().to_owned()).ok()?;
        (!is_too_deep(id.get())).then_some(id)
    }

    fn step(&mut self, byte: u8) -> At {
        let space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match self.at {
            At::Start => match (byte, self.mark) {
                (b'{', _) => At::Member,
                (0xEF, 0) | (0xBB, 1) | (0xBF, 2) => {
                    self.mark += 1;
                    At::Start
                }
                _ if space => At::Start,
                _ => At::End,
            },
            At::Member => match byte {
                b'"' => {
                    self.key.clear();
                    self.key.push(byte);
                    At::Key { escaped: false }
                }
                _ if space => At::Member,
                _ => At::End,
            },
            At::Key { escaped } => {
                if self.key.len() <= MAX_KEY_BYTES {
                    self.key.push(byte);
                }
                match byte {
                    _ if escaped => At::Key { escaped: false },
                    b'\\' => At::Key { escaped: true },
                    b'"' => At::Colon,
                    _ => At::Key { escaped: false },
                }
            }
            At::Colon => match byte {
                b':' => {
                    self.begin();
                    At::Value
                }
                _ if space => At::Colon,
                _ => At::End,
            },
            At::Value if space => At::Value,
            At::Value | At::Word => self.value(byte),
            At::Text { depth, escaped } => {
                self.keep(byte);
                match byte {
                    _ if escaped => At::Text {
                        depth,
                        escaped: false,
                    },
                    b'\\' => At::Text { depth, escaped: true },
                    b'"' => self.inside(depth),
                    _ => At::Text {
                        depth,
                        escaped: false,
                    },
                }
            }
            At::Inside { depth } => {
                self.keep(byte);
                match byte {
                    b'"' => At::Text {
                        depth,
                        escaped: false,
                    },
                    b'{' | b'[' => At::Inside { depth: depth + 1 },
                    b'}' | b']' => self.inside(depth - 1),
                    _ => At::Inside { depth },
                }
            }
            At::Comma => match byte {
                b',' => At::Member,
                _ if space => At::Comma,
                _ => At::End,
            },
            At::End => At::End,
        }
    }

    /// A value begins.
    fn begin(&mut self) {
        self.is_id = serde_json::from_slice::<String>(&self.key).is_ok_and(|key| key == "id");
        if self.is_id {
            self.ids += 1;
            self.value.clear();
            self.whole = false;
        }
    }

    fn value(&mut self, byte: u8) -> At {
        match byte {
            b',' | b'}' => {
                self.end();
                if byte == b',' { At::Member } else { At::End }
            }
            b'"' | b'{' | b'[' if self.at == At::Value => {
                self.keep(byte);
                match byte {
                    b'"' => At::Text {
                        depth: 0,
                        escaped: false,
                    },
                    _ => At::Inside { depth: 1 },
                }
            }
            _ => {
                self.keep(byte);
                At::Word
            }
        }
    }

    /// After a string or a closing bracket, with so many brackets open.
    fn inside(&mut self, depth: usize) -> At {
        if depth > 0 {
            return At::Inside { depth };
        }
        self.end();
        At::Comma
    }

    fn keep(&mut self, byte: u8) {
        // A longer one stays without its end, and is no JSON then.
        if self.is_id && self.value.len() <= MAX_LINE_BYTES {
            self.value.push(byte);
        }
    }

    fn end(&mut self) {
        if self.is_id {
            self.whole = true;
            self.is_id = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(line: impl AsRef<[u8]>) -> Option<String> {
        of(line.as_ref()).map(|id| id.get().to_owned())
    }

    #[test]
    fn the_id_of_a_broken_line_is_found() {
        for (line, id) in [
            (r#"{"id": "a", "candidate": 1"#, Some("\"a\"")),
            (r#"{"candidate": {"a": [nonsense, "}"]}, "id" : 7 }"#, Some("7")),
            (r#"{"id":1.10,"x":}"#, Some("1.10")),
            (
                r#"{"id":12345678901234567890123}trailing"#,
                Some("12345678901234567890123"),
            ),
            (r#"{"id":{"a" : [1e5, "\"}"]},,"#, Some(r#"{"a" : [1e5, "\"}"]}"#)),
            (r#"{"\u0069d":"\u00e9"} x"#, Some(r#""\u00e9""#)),
            ("\u{feff}{\"id\":null}", Some("null")),
            (r#"{"x":{"id":1},"id":2,"#, Some("2")),
            // Cut off: it may have been longer.
            (r#"{"id":12"#, None),
            (r#"{"id":"a"#, None),
            (r#"{"id":[1,2"#, None),
            // Which one?
            (r#"{"id":1,"id":2}"#, None),
            (r#"{"id":nonsense}"#, None),
            (r#"{"id":01,"x":1}"#, None),
            (r#"{"id":}"#, None),
            (r#"["id",1]"#, None),
            (r#"{"x" "id":1}"#, None),
            (r#""id":1"#, None),
            ("", None),
        ] {
            assert_eq!(found(line).as_deref(), id, "{line}");
        }
        assert_eq!(found(b"{\"x\":\"\xE9\",\"id\":3}").as_deref(), Some("3"));
        assert_eq!(found(b"{\"id\":\"\xE9\"}"), None);
        let nested = |deep: usize| format!("{{\"id\":{}{},", "[".repeat(deep), "]".repeat(deep));
        assert!(found(nested(MAX_DEPTH)).is_some());
        assert_eq!(found(nested(MAX_DEPTH + 1)), None);
        assert_eq!(found(nested(100_000)), None);
    }

    proptest! {
        #[test]
        fn a_line_without_mistake_has_the_same_id(
            id in "(-?[1-9][0-9]{0,30}(\\.[0-9]{1,4})?(e[+-]?[0-9])?|\"[a-z\\\\\"{}é]{0,5}\"|null|true|\\[1, \\{\"id\": 2\\}\\])",
            before in "[a-c{}\\[\\],: \"\\\\]{0,8}",
            cut in 1usize..9,
        ) {
            let Ok(raw) = serde_json::from_str::<&RawValue>(&id) else { return Ok(()) };
            let other = serde_json::Value::from(before);
            let line = format!("{{\"x\":{other},\"id\": {} ,\"y\":[{other},{{}}]}}", raw.get());
            prop_assert_eq!(found(&line), Some(id.clone()));
            // Read in pieces, and with its end missing.
            let mut finder = Finder::default();
            for part in line.as_bytes().chunks(cut) {
                finder.read(part);
            }
            prop_assert_eq!(finder.found().map(|found| found.get().to_owned()), Some(id));
            let lacking = line.len() - cut.min(5);
            prop_assert!(found(&line.as_bytes()[..lacking]).is_some());
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            of(&bytes);
        }
    }
}
