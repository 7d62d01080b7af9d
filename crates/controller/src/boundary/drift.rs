//! What somebody changed of a boundary policy, for people.

use deputy_policy::{Document, PolicyKind};
use serde_json::Value;

use super::policy::VersionInForce;

/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 240;

/// How the version that was found differs from the document that there should be: the first statement of each that the other has not, cut
/// at [`STATEMENT_CHARS`] characters, and how many more there are.
#[must_use]
pub fn difference(found: &VersionInForce, wanted: &Document) -> String {
    let Ok(document) = Document::parse(&found.document, PolicyKind::Boundary) else {
        return format!("version {} could not be read", found.id);
    };
    let (found_in, wanted) = (statements(&document), statements(wanted));
    let id = &found.id;
    let mut parts = Vec::new();
    parts.extend(only(&format!("version {id} had"), &found_in, &wanted));
    parts.extend(only(&format!("version {id} had not"), &wanted, &found_in));
    if parts.is_empty() {
        return format!("version {id} had the same statements in another way");
    }
    parts.join("; ")
}

/// As they are written: both documents in the same way.
fn statements(document: &Document) -> Vec<Value> {
    let parsed: Value = serde_json::from_str(&document.to_json()).unwrap_or_default();
    match parsed.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

fn only(verb: &str, these: &[Value], others: &[Value]) -> Option<String> {
    let mut only = these.iter().filter(|statement| !others.contains(statement));
    let mut text = only.next()?.to_string();
    let more = only.count();
    if let Some((end, _)) = text.char_indices().nth(STATEMENT_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(format!("{verb} {text}{more}"))
}
