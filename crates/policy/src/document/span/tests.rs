use proptest::prelude::*;

use super::*;

const TEXT: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
{"Effect": "Allow", "Action": ["s3:Get*", "s3:\u0050ut*"], "Resource": "*",
 "Condition": {"StringEquals": {"a.b:c": "x", "a.b:c[0]": ["y", "\"z\""], "\u0061:é": 1}}},
{"Effect": "Deny"}
  ]
}"#;

fn found(path: &str, key: bool) -> Option<&'static str> {
    TEXT.get(Locator::new(TEXT).find(path, key)?)
}

#[test]
fn elements_are_found_by_path() {
    for (path, text) in [
        ("Version", "\"2012-10-17\""),
        ("Statement[0].Action[1]", r#""s3:\u0050ut*""#),
        ("Statement[0].Resource[0]", "\"*\""),
        ("Statement[1].Effect", "\"Deny\""),
        (
            "Statement[0].Condition.StringEquals.a.b:c[0]",
            "[\"y\", \"\\\"z\\\"\"]",
        ),
        ("Statement[0].Condition.StringEquals.a.b:c[0][1]", r#""\"z\"""#),
        ("Statement[0].Condition.StringEquals.a:é[0]", "1"),
    ] {
        assert_eq!(found(path, false), Some(text), "{path}");
    }
    assert_eq!(found("Statement[0].Condition", true), Some("\"Condition\""));
}

#[test]
fn what_is_missing_is_at_the_beginning_of_what_misses_it() {
    let span = Locator::new(TEXT).find("Statement[1].Action", false).unwrap();
    assert!(TEXT.get(span).unwrap().starts_with('{'));
    assert_eq!(found("Statement[7]", false), Some("["));
    assert_eq!(found("Id", false), Some("{"));
}

#[test]
fn a_statement_alone_is_the_first() {
    let text = r#"{"Statement": {"Effect": "allow"}}"#;
    let span = Locator::new(text).find("Statement[0].Effect", false).unwrap();
    assert_eq!(text.get(span), Some("\"allow\""));
}

#[test]
fn of_a_key_given_twice_the_second_is_found() {
    let text = r#"{"Version": 1, "Version": 2}"#;
    assert_eq!(Locator::new(text).find("Version", true), Some(15..24));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let text = "[a-c\"\\\\/é\u{1f512}\n{}, ]{0,4}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let key = text.prop_filter("a path has no place for an empty key", |key| !key.is_empty());
        let object = prop::collection::hash_map(key, inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every element below `value` with its path.
fn elements<'a>(value: &'a serde_json::Value, path: &str, found: &mut Vec<(String, &'a serde_json::Value)>) {
    let mut add = |path: String, value| {
        elements(value, &path, found);
        found.push((path, value));
    };
    if let Some(list) = value.as_array() {
        for (i, item) in list.iter().enumerate() {
            add(format!("{path}[{i}]"), item);
        }
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        add(format!("{path}{dot}{key}"), member);
    }
}

proptest! {
    #[test]
    fn every_element_of_any_text_is_where_it_is_said_to_be(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let locator = Locator::new(&text);
        let mut all = Vec::new();
        elements(&value, "", &mut all);
        for (path, element) in all.into_iter().filter(|(path, _)| !path.is_empty()) {
            let span = locator.find(&path, false).unwrap();
            let there: serde_json::Value = serde_json::from_str(text.get(span).unwrap()).unwrap();
            prop_assert_eq!(&there, element, "{} in {}", path, text);
        }
    }

    #[test]
    fn a_text_that_is_no_json_has_places_inside_of_it(text in "[a{}\\[\\]\",:0é\\\\ ]{0,24}", path in "[a.\\[\\]0]{0,6}") {
        if let Some(span) = Locator::new(&text).find(&path, false) {
            prop_assert!(text.get(span).is_some());
        }
    }
}

#[test]
fn any_text_ends_without_a_panic() {
    for text in [
        "",
        "{",
        "[",
        "\"",
        "{\"a\"",
        "{\"a\":",
        "[1",
        "{]",
        "\"\\",
        "é",
        "[,]",
        "{\"a\":é}",
    ] {
        Locator::new(text).find("a[0].b", true);
    }
    let deep = "[".repeat(100_000);
    assert_eq!(Locator::new(&deep).find("[0]", false), None);
}
