//! Bytes to text, and what is said of bytes that are none.

/// Why bytes are not read as text. Each is a sentence about "it", the file or line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// AWS does not take one in a policy, so none is skipped here: what is judged is what would be sent.
    #[error(
        "it begins with a byte order mark (U+FEFF), which AWS does not take; save it as UTF-8 without one"
    )]
    ByteOrderMark,
    /// UTF-16 or UTF-32, as some editors and PowerShell write.
    #[error("it is {0}; save it as UTF-8 without byte order mark")]
    Wide(&'static str),
    /// A byte that UTF-8 does not have there.
    #[error("it is not UTF-8: the byte 0x{byte:02X} at offset {offset}; save it as UTF-8")]
    Byte { byte: u8, offset: usize },
}

impl TextError {
    /// Line and column of the byte in `bytes` from which on they are no text, both from 1.
    pub fn position(&self, bytes: &[u8]) -> (usize, usize) {
        let offset = match self {
            Self::Byte { offset, .. } => *offset,
            Self::ByteOrderMark | Self::Wide(_) => 0,
        };
        let before = bytes
            .get(..offset)
            .and_then(|before| std::str::from_utf8(before).ok());
        before.and_then(|text| position(text, offset)).unwrap_or((1, 1))
    }
}

/// U+FEFF in UTF-8, as some editors begin a file.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// UTF-8 without byte order mark.
///
/// # Errors
/// What else it is.
pub fn decode(bytes: &[u8]) -> Result<&str, TextError> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(TextError::ByteOrderMark);
    }
    if let Some(name) = wide(bytes) {
        return Err(TextError::Wide(name));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        TextError::Byte { byte, offset }
    })
}

/// UTF-16 and UTF-32 by their mark; UTF-16 without one by its first letter, which is of ASCII in what is read here. A
/// batch is cut at the byte of a line end, so that its later lines begin with the second half of one.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    let first = |i: usize| bytes.get(i).copied();
    match (first(0)?, first(1)?) {
        (0xFF, 0xFE) if first(2) == Some(0) && first(3) == Some(0) => Some("UTF-32 (little endian)"),
        (0, 0) if first(2) == Some(0xFE) && first(3) == Some(0xFF) => Some("UTF-32 (big endian)"),
        (0xFF, 0xFE) => Some("UTF-16 (little endian)"),
        (0xFE, 0xFF) => Some("UTF-16 (big endian)"),
        (a, 0) if a.is_ascii() && a != 0 && first(3) == Some(0) => Some("UTF-16"),
        (0, b) if b.is_ascii() && b != 0 && first(2) == Some(0) => Some("UTF-16"),
        _ => None,
    }
}

/// Line and column of a byte, both from 1; columns are characters.
pub fn position(text: &str, at: usize) -> Option<(usize, usize)> {
    let before = text.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    Some((line, column))
}

/// Characters that steer a terminal, or turn the direction of text, are not written to one.
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// A text as it may be written to a terminal: what steers one is escaped.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn text_is_read_and_everything_else_is_named() {
        assert_eq!(decode("{\"a\": \"é\"}".as_bytes()), Ok("{\"a\": \"é\"}"));
        assert_eq!(decode(b""), Ok(""));
        // A NUL is a character of UTF-8; JSON and YAML refuse it.
        assert_eq!(decode(b"\0"), Ok("\0"));
        assert_eq!(decode(b"{\0}"), Ok("{\0}"));
        assert_eq!(decode(b"\xEF\xBB\xBF{}"), Err(TextError::ByteOrderMark));
        for mark in [true, false] {
            for of in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
                let said = decode(&utf16("{\"a\": 1}", mark, of)).unwrap_err().to_string();
                assert!(said.starts_with("it is UTF-16"), "{said}");
            }
        }
        let utf32 = b"\xFF\xFE\0\0{\0\0\0";
        assert_eq!(decode(utf32), Err(TextError::Wide("UTF-32 (little endian)")));
        let latin1 = decode(b"ab\xE9").unwrap_err();
        assert_eq!(
            latin1,
            TextError::Byte {
                byte: 0xE9,
                offset: 2
            }
        );
        assert!(latin1.to_string().contains("0xE9 at offset 2"), "{latin1}");
        // Cut off within a character.
        assert_eq!(
            decode(b"a\xC3"),
            Err(TextError::Byte {
                byte: 0xC3,
                offset: 1
            })
        );
    }
}
