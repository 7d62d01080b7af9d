//! Text of documents as it may stand in messages.

/// Text of a document as it may stand in a message: quoted, escaped, at most 80 characters of it.
pub(crate) fn quote(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("\"{}{dots}\"", short.escape_debug())
}
