//! What the fuzz targets do with their bytes; tests/corpus.rs replays the corpora with the same functions.

use deputy_policy::{Candidate, Context, Document, PolicyKind};
use serde_json::{Value, json};

use crate::generate::{
    keys::{Theory, theory_of},
    pairs::pair,
    profiles::SoakProfile,
    values::tests,
};
use crate::{
    choices::Choices,
    engine::{KnownRequest, contain, decide},
    forge::{Forgeries, forge},
    naive::{NaiveDecision, Readings},
    soak::SoakCounts,
};

/// A target: its name and what it does.
pub type FuzzTarget = (&'static str, fn(&[u8]));

pub const TARGETS: &[FuzzTarget] = &[
    ("document", document),
    ("glob", glob),
    ("arn", arn),
    ("condition", condition),
    ("contains", contains),
    ("certificate", certificate),
];

const KINDS: [PolicyKind; 7] = [
    PolicyKind::Identity,
    PolicyKind::Session,
    PolicyKind::Boundary,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
];

/// Any text: reading it does not panic, and what is read is written and read again as the same document, which contains
/// itself.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for kind in KINDS {
        let Ok(document) = Document::parse(text, kind) else {
            continue;
        };
        let json = document.to_json();
        let again = Document::parse(&json, kind).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(again, document);
        assert_eq!(again.to_json(), json);
        assert!(again.semantically_eq(&document));
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Document::from_value(&value, kind).unwrap(), document);
        let answer = contain(&Candidate::new(&[&document]), &document);
        assert!(!answer.exceeds(), "{answer:?}");
    }
}

/// Lines of a text, none of them long: the second evaluator takes exponential time.
fn lines<const N: usize>(data: &[u8]) -> Option<[&str; N]> {
    let text = std::str::from_utf8(data).ok()?;
    let lines: Vec<&str> = text.split('\n').collect();
    let short = |line: &&str| line.len() <= 32 && line.matches('*').count() <= 5;
    lines.iter().all(short).then(|| lines.try_into().ok())?
}

fn ask(resource: &str, context: Context) -> KnownRequest {
    KnownRequest {
        action: "s3:a".to_owned(),
        resource: resource.to_owned(),
        who: None,
        context,
    }
}

fn agree(value: &Value, asked: &KnownRequest) {
    let Ok(document) = Document::from_value(value, PolicyKind::Identity) else {
        return;
    };
    let ours = decide(&[&[&document]], &asked.request());
    let other = asked.decide(&[vec![value.clone()]], &Readings::EVALUATOR);
    assert_eq!(ours, other, "{value} {asked:?}");
}

/// A pattern, a text and the value of a variable, one a line: both evaluators agree whether they match.
pub fn glob(data: &[u8]) {
    let Some([pattern, text, user]) = lines(data) else {
        return;
    };
    let context = Context::new().with("aws:username", user).with("s3:prefix", text);
    let request = ask(&format!("arn:aws:s3:::{text}"), context);
    let statement = |more: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "s3:a", "Resource": "*"});
        for (name, value) in more.as_object().unwrap() {
            statement[name] = value.clone();
        }
        json!({"Version": "2012-10-17", "Statement": statement})
    };
    agree(
        &statement(json!({"Resource": format!("arn:aws:s3:::{pattern}")})),
        &request,
    );
    agree(
        &statement(json!({"Condition": {"StringLike": {"s3:prefix": pattern}}})),
        &request,
    );
    agree(
        &statement(json!({"Condition": {"StringNotEquals": {"s3:prefix": pattern}}})),
        &request,
    );
    let named = KnownRequest {
        action: format!("s3:{text}"),
        ..request
    };
    agree(&statement(json!({"Action": format!("s3:{pattern}")})), &named);
}

/// A pattern and an ARN, one a line: both evaluators agree, as a resource and as a condition.
pub fn arn(data: &[u8]) {
    let Some([pattern, text]) = lines(data) else {
        return;
    };
    let request = ask(text, Context::new().with("aws:SourceArn", text));
    let base = json!({"Effect": "Allow", "Action": "s3:a", "Resource": pattern});
    agree(&json!({"Version": "2012-10-17", "Statement": base}), &request);
    for test in tests(Theory::Arn) {
        let statement = json!({"Effect": "Allow", "Action": "s3:a", "Resource": "*",
            "Condition": {*test: {"aws:SourceArn": pattern}}});
        agree(
            &json!({"Version": "2012-10-17", "Statement": statement}),
            &request,
        );
    }
}

/// Two values, one a line, under every typed operator: both evaluators agree where both values are of the operator's
/// type, a value equals itself, and of `<` and `>=` exactly one holds.
pub fn condition(data: &[u8]) {
    let Some([value, given]) = lines(data) else { return };
    let policy = |test: &str, value: &str| {
        let statement = json!({"Effect": "Allow", "Action": "s3:a", "Resource": "*", "Condition": {test: {"a:k": value}}});
        json!({"Version": "2012-10-17", "Statement": statement})
    };
    let read = |value: &Value| Document::from_value(value, PolicyKind::Identity).ok();
    let request = ask("*", Context::new().with("a:k", given));
    let same = ask("*", Context::new().with("a:k", value));
    let allows = |document: &Document, asked: &KnownRequest| {
        decide(&[&[document]], &asked.request()) == NaiveDecision::Allowed
    };
    for test in deputy_policy::Test::ALL {
        let test = test.as_str();
        let json = policy(test, value);
        let (Some(document), Some(_)) = (read(&json), read(&policy(test, given))) else {
            continue;
        };
        agree(&json, &request);
        let theory = theory_of(test);
        let typed = matches!(
            theory,
            Theory::Number | Theory::Date | Theory::Bool | Theory::Binary
        );
        if typed
            && (test.ends_with("Equals") && !test.contains("Than") && !test.contains("Not") || test == "Bool")
        {
            assert!(allows(&document, &same), "{json}");
        }
        if let Some(stem) = test.strip_suffix("LessThan") {
            let other = read(&policy(&format!("{stem}GreaterThanEquals"), value)).unwrap();
            assert_ne!(
                allows(&document, &request),
                allows(&other, &request),
                "{json} {given}"
            );
        }
    }
}

/// What the pair is about. Those of AWS are not there when a corpus is replayed elsewhere.
fn profile(c: &mut Choices<'_>) -> SoakProfile {
    let all = || {
        SoakProfile::ALL
            .into_iter()
            .filter(|profile| *profile != SoakProfile::Managed)
    };
    let all: Vec<SoakProfile> = [SoakProfile::Everything].into_iter().chain(all()).collect();
    *c.pick(&all)
}

/// A pair made from the bytes: what `make soak` checks.
pub fn contains(data: &[u8]) {
    let mut c = Choices::bytes(data);
    let profile = profile(&mut c);
    let pair = pair(&mut c, profile);
    let mut counts = SoakCounts::default();
    if let Err(wrong) = counts.pair(&mut c, &pair) {
        panic!("{wrong}\n{pair}");
    }
}

/// A pair made from the bytes, and its certificate changed and held against pairs next to it.
pub fn certificate(data: &[u8]) {
    let mut c = Choices::bytes(data);
    let profile = profile(&mut c);
    let pair = pair(&mut c, profile);
    if let Err(wrong) = forge(&mut c, &pair, &mut Forgeries::default()) {
        panic!("{wrong}\nforged from\n{pair}");
    }
}
