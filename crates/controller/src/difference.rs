//! How a policy document that was found differs from the one that there should be, for people.

use serde_json::Value;

/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 240;

/// The statements of a document, as they are written there; none of one that can't be read.
#[must_use]
pub fn statements(document: &str) -> Vec<Value> {
    let parsed: Value = serde_json::from_str(document).unwrap_or_default();
    match parsed.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// The first of these statements that is none of the others, cut at [`STATEMENT_CHARS`] characters, and how many more there are. `None`
/// when all of them are.
#[must_use]
pub fn only(verb: &str, these: &[Value], others: &[Value]) -> Option<String> {
    let mut only = these.iter().filter(|statement| !others.contains(statement));
    let text = cut(only.next()?.to_string());
    let more = only.count();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(format!("{verb} {text}{more}"))
}

/// The text of a statement, cut at [`STATEMENT_CHARS`] characters.
#[must_use]
pub fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(STATEMENT_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}
