//! A second evaluator, written from the rules of the IAM User Guide as plainly as possible: on JSON values, without any
//! code of the crate, without cleverness and without regard to speed. Where the crate's evaluator and this one differ,
//! one of them is wrong. Where the guide leaves open what holds, it takes the [`Readings`] that it is told.

pub mod conditions;
pub mod grid;
pub mod readings;
pub mod sessions;
mod text;
pub mod values;
pub mod who;

use std::collections::BTreeMap;

use serde_json::Value;

pub use conditions::conditions_hold;
use readings::has_head_variable;
pub use readings::{ComparisonClass, ListReading, OpenQuestions, Readings};
pub use text::{statements, texts};
pub use who::{KnownCaller, NamedAs};

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct NaiveRequest<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub who: Option<&'a KnownCaller>,
    pub context: &'a Keys,
    pub readings: &'a Readings,
}

/// Context keys in lower case with their values.
pub type Keys = BTreeMap<String, Vec<String>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NaiveDecision {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

/// Any Deny that applies denies; else every layer must have an Allow that applies.
pub fn decide(layers: &[Vec<&Value>], ask: &NaiveRequest<'_>) -> NaiveDecision {
    if layers.iter().any(|layer| denies(layer, ask)) {
        return NaiveDecision::ExplicitDeny;
    }
    if layers.iter().all(|layer| allows(layer, ask)) {
        NaiveDecision::Allowed
    } else {
        NaiveDecision::ImplicitDeny
    }
}

/// Whether a Deny of one of the documents applies.
pub fn denies(documents: &[&Value], ask: &NaiveRequest<'_>) -> bool {
    documents
        .iter()
        .any(|document| some_applies(document, "Deny", ask))
}

/// Whether an Allow of one of the documents applies.
pub fn allows(documents: &[&Value], ask: &NaiveRequest<'_>) -> bool {
    documents
        .iter()
        .any(|document| some_applies(document, "Allow", ask))
}

/// How the most direct Allow of a resource policy that applies names the caller.
pub fn grant(document: &Value, ask: &NaiveRequest<'_>) -> Option<NamedAs> {
    statements(document)
        .into_iter()
        .filter(|statement| statement["Effect"] == "Allow" && statement_applies(document, statement, ask))
        .filter_map(|statement| who::naming(&statement["Principal"], ask.who?, ask.readings))
        .max()
}

fn some_applies(document: &Value, effect: &str, ask: &NaiveRequest<'_>) -> bool {
    statements(document)
        .iter()
        .any(|statement| statement["Effect"] == *effect && statement_applies(document, statement, ask))
}

fn statement_applies(document: &Value, statement: &Value, ask: &NaiveRequest<'_>) -> bool {
    let variables = has_variables(document);
    actions_match(statement, ask.action)
        && resources_match(statement, variables, ask.resource, ask.context, ask.readings)
        && principals_match(statement, ask.who, ask.readings)
        && conditions_hold(statement, variables, ask.context, ask.readings)
}

/// Version 2008-10-17, and no Version, have no variables.
pub fn has_variables(document: &Value) -> bool {
    document["Version"] == "2012-10-17"
}

/// Whether one of the list matches, or none of the list of the negated element; nothing when neither is there.
fn either(statement: &Value, name: &str, negated: &str, matches: impl Fn(&str) -> bool) -> Option<bool> {
    let any = |list: &Value| texts(list).iter().any(|text| matches(text));
    match (statement.get(name), statement.get(negated)) {
        (Some(list), _) => Some(any(list)),
        (_, Some(list)) => Some(!any(list)),
        _ => None,
    }
}

pub fn actions_match(statement: &Value, action: &str) -> bool {
    let asked: Vec<char> = action.to_lowercase().chars().collect();
    let matches = |pattern: &str| glob(&tokens(&pattern.to_lowercase(), true, None), &asked);
    either(statement, "Action", "NotAction", matches).unwrap_or(false)
}

pub fn resources_match(
    statement: &Value,
    variables: bool,
    resource: &str,
    context: &Keys,
    readings: &Readings,
) -> bool {
    let expand = Expand { context, readings };
    // "Policy variables": a pattern with a variable without value matches nothing, so that NotResource excludes nothing.
    let without_value = |pattern: &String| {
        let tokens = tokens(pattern, true, variables.then_some(expand));
        tokens
            .iter()
            .any(|token| matches!(token, PatternToken::Value(None)))
    };
    let negated = statement.get("NotResource").map(texts).unwrap_or_default();
    if !readings.unresolved && negated.iter().any(without_value) {
        return false;
    }
    let matches = |pattern: &str| {
        // Nor is one expanded before the last part; a policy of AWS's own has one there.
        if variables && has_head_variable(pattern) && !readings.in_head.by(statement) {
            return false;
        }
        // "JSON policy elements: Resource": what ends early in a star is every ARN that begins so.
        let parts = pattern.split(':').count();
        let padded = if pattern.ends_with(":*") && parts < 6 {
            format!("{pattern}{}", ":*".repeat(6 - parts))
        } else {
            pattern.to_owned()
        };
        pattern == "*" || same_arn(&tokens(&padded, true, variables.then_some(expand)), resource)
    };
    // A trust policy is about its own role, and another one without Resource about what it is attached to; but not
    // everywhere.
    either(statement, "Resource", "NotResource", matches).unwrap_or(readings.attached)
}

pub fn principals_match(statement: &Value, who: Option<&KnownCaller>, readings: &Readings) -> bool {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(element), _) => who.is_some_and(|who| who::naming(element, who, readings).is_some()),
        (_, Some(element)) => who.is_some_and(|who| !who::spares(element, who, readings)),
        _ => true,
    }
}

// Patterns

/// One element of a pattern.
pub enum PatternToken {
    Letter(char),
    One,
    Run,
    /// The value of a variable, which is no pattern; nothing when there is no value.
    Value(Option<Vec<char>>),
}

/// Where the values of variables come from.
#[derive(Clone, Copy)]
struct Expand<'a> {
    context: &'a Keys,
    readings: &'a Readings,
}

fn tokens(pattern: &str, wildcards: bool, variables: Option<Expand<'_>>) -> Vec<PatternToken> {
    let chars: Vec<char> = pattern.chars().collect();
    let wild = |c: char| match c {
        '*' if wildcards => PatternToken::Run,
        '?' if wildcards => PatternToken::One,
        c => PatternToken::Letter(c),
    };
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if let Some(expand) = variables
            && chars[i] == '$'
            && chars.get(i + 1) == Some(&'{')
        {
            let end = (i..chars.len()).find(|j| chars[*j] == '}').unwrap();
            let inside: String = chars[i + 2..end].iter().collect();
            match inside.as_str() {
                "*" | "?" | "$" => out.push(PatternToken::Letter(chars[i + 2])),
                name => match variable(name, expand.context) {
                    Some(value) if wildcards && expand.readings.wildcards && !is_plain(name) => {
                        let plain = |c: &char| !matches!(c, '*' | '?');
                        for run in value.chunk_by(|a, b| plain(a) && plain(b)) {
                            out.push(match run {
                                [c] if !plain(c) => wild(*c),
                                run => PatternToken::Value(Some(run.to_vec())),
                            });
                        }
                    }
                    value => out.push(PatternToken::Value(value)),
                },
            }
            i = end + 1;
            continue;
        }
        out.push(wild(chars[i]));
        i += 1;
    }
    out
}

/// Whether the values of the variable's key hold no wildcards: names and tags of IAM (IAM API reference: `[\w+=,.@-]`,
/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`), and numbers of accounts.
pub fn is_plain(variable: &str) -> bool {
    let name = variable.split(',').next().unwrap().to_lowercase();
    ["aws:username", "aws:principaltag/", "aws:principalaccount"]
        .iter()
        .any(|plain| name.starts_with(plain))
}

/// The only value of the key, else the default.
fn variable(inside: &str, context: &Keys) -> Option<Vec<char>> {
    let (name, default) = match inside.find(',') {
        Some(comma) => {
            let quoted = inside[comma + 1..].trim();
            (&inside[..comma], Some(quoted.trim_matches('\'').to_owned()))
        }
        None => (inside, None),
    };
    let value = match context.get(&name.to_lowercase()) {
        Some(values) if values.len() == 1 => Some(values[0].clone()),
        Some(values) if values.len() > 1 => None,
        _ => default,
    };
    value.map(|text| text.chars().collect())
}

pub fn glob(pattern: &[PatternToken], text: &[char]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some(PatternToken::Letter(c)) => text.first() == Some(c) && glob(&pattern[1..], &text[1..]),
        Some(PatternToken::One) => !text.is_empty() && glob(&pattern[1..], &text[1..]),
        Some(PatternToken::Run) => (0..=text.len()).any(|n| glob(&pattern[1..], &text[n..])),
        Some(PatternToken::Value(None)) => false,
        Some(PatternToken::Value(Some(value))) => {
            text.starts_with(value) && glob(&pattern[1..], &text[value.len()..])
        }
    }
}

/// Six parts, compared one by one; only the last one may hold colons.
fn same_arn(pattern: &[PatternToken], text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let mut from = 0;
    for (i, part) in parts.iter().enumerate() {
        let part: Vec<char> = part.chars().collect();
        let to = if i == 5 {
            Some(pattern.len())
        } else {
            (from..pattern.len()).find(|j| matches!(pattern[*j], PatternToken::Letter(':')))
        };
        let Some(to) = to else { return false };
        if !glob(&pattern[from..to], &part) {
            return false;
        }
        from = to + 1;
    }
    parts.len() == 6
}
