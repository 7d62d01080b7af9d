//! What an AWSResourcePolicyStatement grants, as a policy: its statement with what Deputy sets for it, but for whom it names.

use std::ops::Range;

use deputy_policy::{Code, Lint};

use crate::yaml::{YamlKey, YamlKind, YamlNode};

/// Where it stands.
pub const STATEMENT: &str = "spec.statement";

/// What its owner writes, beside `Effect`, which can only be one thing.
const WRITTEN: [&str; 3] = ["Action", "Resource", "Condition"];

/// The policy. Everything has the place in the file from which it comes.
pub fn policy_of(statement: &YamlNode, resource: Option<&YamlNode>, problems: &mut Vec<Lint>) -> YamlNode {
    let mut whole = statement.clone();
    let at = whole.span.clone();
    for (key, value) in statement.members() {
        let path = format!("{STATEMENT}.{}", key.name);
        if key.name == "Effect" {
            if value.as_str() != Some("Allow") {
                let message = "it is an Allow: what others are granted here, Deputy does not take away";
                problems.push(problem(Code::WrongType, path, message, value.span.clone()));
            }
        } else if !WRITTEN.contains(&key.name.as_str()) && !key.merges {
            let message = "a statement has Action, Resource and Condition; Deputy sets the rest";
            problems.push(problem(Code::UnknownElement, path, message, key.span.clone()));
        }
    }
    if let YamlKind::Map(members) = &mut whole.kind {
        if statement.get("Effect").is_none() {
            members.push((key("Effect", &at), text("Allow", &at)));
        }
        if let Some(resource) = resource.filter(|_| statement.get("Resource").is_none()) {
            members.push((key("Resource", &at), resource.clone()));
        }
    }
    let statements = YamlNode {
        kind: YamlKind::List(vec![whole]),
        ..text("", &at)
    };
    YamlNode {
        kind: YamlKind::Map(vec![
            (key("Version", &at), text("2012-10-17", &at)),
            (key("Statement", &at), statements),
        ]),
        ..text("", &at)
    }
}

fn problem(code: Code, path: String, message: &str, span: Range<usize>) -> Lint {
    Lint {
        code,
        path,
        message: message.to_owned(),
        suggestion: None,
        span: Some(span),
    }
}

/// The path of an element of that policy, within the statement.
pub fn path_in(element: &str) -> &str {
    let rest = element.strip_prefix("Statement[0]").unwrap_or_default();
    rest.strip_prefix('.').unwrap_or(rest)
}

fn key(name: &str, at: &Range<usize>) -> YamlKey {
    YamlKey {
        name: name.to_owned(),
        span: at.clone(),
        is_text: true,
        merges: false,
    }
}

fn text(text: &str, at: &Range<usize>) -> YamlNode {
    YamlNode {
        kind: YamlKind::Text(text.to_owned()),
        span: at.clone(),
        tag: None,
    }
}
