//! Short ways to say what a document is and what is said about it.

pub use deputy_policy::{
    Document, ParseErrorKind as Kind, PolicyKind,
    PolicyKind::{Boundary, Identity, Resource, Session},
};
pub use serde_json::{Value, json};

/// An identity policy of one statement.
pub fn statement(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

pub fn get_object(resource: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}))
}

pub fn action(action: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
}

pub fn condition(condition: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}))
}

pub fn trust(principal: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}))
}

#[track_caller]
pub fn accepts(value: &Value, kind: PolicyKind) -> Document {
    let document = Document::from_value(value, kind).unwrap_or_else(|e| panic!("{value} is refused: {e}"));
    let again = Document::parse(&document.to_json(), kind).unwrap();
    assert_eq!(again, document, "the canonical form means the same");
    document
}

/// The document has one problem, of this kind, at this path.
#[track_caller]
pub fn refuses(value: &Value, kind: PolicyKind, problem: Kind, path: &str) -> String {
    let errors = Document::from_value(value, kind).expect_err(&format!("{value} is accepted"));
    let first = &errors.as_slice()[0];
    assert_eq!((first.kind(), first.path()), (problem, path), "{errors}");
    assert_eq!(errors.as_slice().len(), 1, "{errors}");
    first.message().to_owned()
}

pub fn refuses_text(text: &str, problem: Kind, path: &str) {
    let errors = Document::parse(text, PolicyKind::Identity).expect_err("accepted");
    let found: Vec<_> = errors.iter().map(|e| (e.kind(), e.path())).collect();
    assert!(found.contains(&(problem, path)), "{errors}");
}
