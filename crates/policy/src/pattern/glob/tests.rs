use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, Syntax::pattern(Version::V2012)).unwrap()
}

fn matches(text: &str, subject: &str) -> bool {
    let chars: Vec<char> = subject.chars().collect();
    pattern(text).matches(&chars, &Context::new(), &mut Work::unlimited())
}

fn includes(outer: &str, inner: &str) -> bool {
    pattern(outer).includes(&pattern(inner), &mut Work::unlimited())
}

fn meet(a: &str, b: &str) -> bool {
    pattern(a).may_intersect(&pattern(b), &mut Work::unlimited())
}

/// Matching by the definition, on bytes.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => naive(rest, text) || (!text.is_empty() && naive(pattern, &text[1..])),
        (Some((b'?', rest)), Some((_, tail))) => naive(rest, tail),
        (Some((p, rest)), Some((t, tail))) => p == t && naive(rest, tail),
        _ => false,
    }
}

/// All texts over `a`, `b` and `z` (which no pattern has) of up to seven letters.
fn texts() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..7 {
        last = last
            .iter()
            .flat_map(|text| ["a", "b", "z"].map(|letter| format!("{text}{letter}")))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matching_is_what_the_definition_says(p in "[ab*?]{0,8}", text in "[abz]{0,10}") {
        prop_assert_eq!(matches(&p, &text), naive(p.as_bytes(), text.as_bytes()));
    }

    /// Inclusion is certain; without `?` it is also complete.
    #[test]
    fn inclusion_agrees_with_all_short_texts(outer in "[ab*?]{0,4}", inner in "[ab*?]{0,4}") {
        let counterexample = texts().into_iter().find(|text| matches(&inner, text) && !matches(&outer, text));
        if includes(&outer, &inner) {
            prop_assert_eq!(counterexample, None);
        } else if !outer.contains('?') && !inner.contains('?') {
            prop_assert!(counterexample.is_some());
        }
    }

    #[test]
    fn intersection_agrees_with_all_short_texts(a in "[ab*?]{0,4}", b in "[ab*?]{0,3}") {
        let common = texts().into_iter().any(|text| matches(&a, &text) && matches(&b, &text));
        prop_assert_eq!(meet(&a, &b), common);
    }

    /// Whatever the value of a variable, inclusion and disjointness hold.
    #[test]
    fn variables_may_have_any_value(
        a in "[ab*]{0,3}(\\$\\{x:v\\})?[ab*]{0,2}",
        b in "[ab*?]{0,2}(\\$\\{x:v\\})?[ab*?]{0,2}",
        value in prop::option::of("[ab*?]{0,3}"),
        text in "[ab*]{0,7}",
    ) {
        let context = match value {
            Some(value) => Context::new().with("x:v", value),
            None => Context::new(),
        };
        let chars: Vec<char> = text.chars().collect();
        let mut work = Work::unlimited();
        let (p, q) = (pattern(&a), pattern(&b));
        let (in_p, in_q) = (p.matches(&chars, &context, &mut work), q.matches(&chars, &context, &mut work));
        prop_assert!(!(in_p && !in_q && q.includes(&p, &mut work)), "{b} includes {a}");
        prop_assert!(!(in_p && in_q && !q.may_intersect(&p, &mut work)), "{b} meets {a}");
    }

    #[test]
    fn an_instance_matches_its_pattern(p in "[ab*?]{0,8}", run in "[ab]{0,3}") {
        let text = pattern(&p).instance(&Context::new(), &run, 'b').unwrap();
        prop_assert!(matches(&p, &text));
    }
}

#[test]
fn wildcards_in_a_row_have_one_form() {
    for text in ["*?*", "?**", "**?", "*?"] {
        assert_eq!(pattern(text), pattern("?*"), "{text}");
    }
}

#[test]
fn a_variable_with_a_default_is_another_letter() {
    assert!(includes("a${x:v, 'd'}", "a${X:V, 'd'}"));
    assert!(!includes("a${x:v}", "a${x:v, 'd'}"));
    assert!(!includes("a?", "a${x:v}"));
    assert!(includes("a*", "a${x:v}"));
}

#[test]
fn work_runs_out() {
    let mut work = Work::limited(100);
    let chars: Vec<char> = "a".repeat(1000).chars().collect();
    assert!(!pattern("*a*b").matches(&chars, &Context::new(), &mut work));
    assert!(work.exhausted());
}
