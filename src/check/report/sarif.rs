//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), as GitHub's code scanning takes it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::text::sentence;
use crate::check::answer::{CheckAnswer, CheckFinding, CheckedObject, FindingLevel};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where a rule's reason is explained.
const HELP: &str = "docs/contracts.md";

/// The answer as a log of one run.
pub fn sarif(answer: &CheckAnswer) -> Value {
    let rules: BTreeSet<&str> = answer.findings().map(|(_, finding)| finding.reason).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let described: Vec<Value> = rules.iter().map(|rule| described(rule)).collect();
    let results: Vec<Value> = answer
        .findings()
        .map(|(object, finding)| result(object, finding, &rules))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "deputy",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": described,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn described(rule: &str) -> Value {
    json!({
        "id": rule,
        "shortDescription": {"text": format!("deputy: {rule}")},
        "help": {"text": format!("The reasons are explained in {HELP}.")},
    })
}

fn result(object: &CheckedObject, finding: &CheckFinding, rules: &[&str]) -> Value {
    let level = match finding.level {
        FindingLevel::Error => "error",
        FindingLevel::Undecided | FindingLevel::Warning => "warning",
    };
    let mut result = json!({
        "ruleId": finding.reason,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.reason),
        "level": level,
        "message": {"text": sentence(object, finding)},
        "properties": {"status": object.status, "object": object.object, "field": finding.field, "limit": finding.limit},
    });
    let place = finding.place.as_ref().or(object.place.as_ref());
    let located = place.map(|place| {
        json!({"physicalLocation": {
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": place.line, "startColumn": place.column},
        }})
    });
    if let Some(fields) = result.as_object_mut() {
        fields.insert("locations".to_owned(), located.into_iter().collect());
    }
    result
}

/// The path as a URI reference: relative to wherever the command ran.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        assert_eq!(uri("./a b/ü%.yaml"), "a%20b/%C3%BC%25.yaml");
        assert_eq!(uri("/x/y-1_~.json"), "/x/y-1_~.json");
        // A first part with a colon would be a scheme.
        assert_eq!(uri("c:x.yaml"), "c%3Ax.yaml");
    }
}
