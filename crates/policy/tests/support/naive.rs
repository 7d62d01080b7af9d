//! A second evaluator, written from the rules of the IAM User Guide as plainly as possible: on JSON values, without any
//! code of the crate, without cleverness and without regard to speed. Where the crate's evaluator and this one differ,
//! one of them is wrong.

use std::collections::BTreeMap;

use serde_json::Value;

use super::naive_values::{address_in_range, bytes_of_base64, compare_dates, compare_numbers};

/// A request. `caller` is an ARN, a service, a provider, a canonical user id, or `*` for somebody anonymous.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub caller: Option<&'a str>,
    /// Path and name of the user that made a federated session.
    pub of_user: Option<&'a str>,
    /// Whether the caller has a permissions boundary.
    pub bounded: bool,
    pub context: &'a Keys,
}

/// Context keys in lower case with their values.
pub type Keys = BTreeMap<String, Vec<String>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

/// Any Deny that applies denies; else every layer must have an Allow that applies.
pub fn decide(layers: &[Vec<&Value>], ask: &Ask<'_>) -> Answer {
    if layers.iter().any(|layer| denies(layer, ask)) {
        return Answer::ExplicitDeny;
    }
    if layers.iter().all(|layer| allows(layer, ask)) {
        Answer::Allowed
    } else {
        Answer::ImplicitDeny
    }
}

/// Whether a Deny of one of the documents applies.
pub fn denies(documents: &[&Value], ask: &Ask<'_>) -> bool {
    documents
        .iter()
        .any(|document| some_applies(document, "Deny", ask))
}

/// Whether an Allow of one of the documents applies.
pub fn allows(documents: &[&Value], ask: &Ask<'_>) -> bool {
    documents
        .iter()
        .any(|document| some_applies(document, "Allow", ask))
}

/// How the most direct Allow of a resource policy that applies names the caller.
pub fn grant(document: &Value, ask: &Ask<'_>) -> Option<Naming> {
    statements(document)
        .into_iter()
        .filter(|statement| statement["Effect"] == "Allow" && statement_applies(document, statement, ask))
        .filter_map(|statement| naming(&statement["Principal"], ask))
        .max()
}

fn some_applies(document: &Value, effect: &str, ask: &Ask<'_>) -> bool {
    statements(document)
        .iter()
        .any(|statement| statement["Effect"] == *effect && statement_applies(document, statement, ask))
}

fn statements(document: &Value) -> Vec<&Value> {
    match &document["Statement"] {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}

/// A string or a list of strings; numbers and booleans as they are written.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn statement_applies(document: &Value, statement: &Value, ask: &Ask<'_>) -> bool {
    // Version 2008-10-17, and no Version, have no variables.
    let variables = document["Version"] == "2012-10-17";
    let action = |pattern: &String| {
        let pattern = pattern.to_lowercase();
        let asked: Vec<char> = ask.action.to_lowercase().chars().collect();
        glob(&tokens(&pattern, true, false, ask.context), &asked)
    };
    let resource = |pattern: &String| {
        pattern == "*" || same_arn(&tokens(pattern, true, variables, ask.context), ask.resource)
    };
    let of = |name: &str| statement.get(name).map(texts);
    let actions = match (of("Action"), of("NotAction")) {
        (Some(patterns), _) => patterns.iter().any(action),
        (_, Some(patterns)) => !patterns.iter().any(action),
        _ => false,
    };
    let resources = match (of("Resource"), of("NotResource")) {
        (Some(patterns), _) => patterns.iter().any(resource),
        (_, Some(patterns)) => !patterns.iter().any(resource),
        // A trust policy is about its own role.
        _ => true,
    };
    let principals = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(element), _) => ask.caller.is_some_and(|_| principal_names(element, ask)),
        (_, Some(element)) => ask.caller.is_some_and(|_| !principal_spares(element, ask)),
        _ => true,
    };
    actions && resources && principals && conditions_hold(statement, variables, ask.context)
}

// Patterns

/// One element of a pattern.
enum Token {
    Letter(char),
    One,
    Run,
    /// The value of a variable, which is no pattern; nothing when there is no value.
    Value(Option<Vec<char>>),
}

fn tokens(pattern: &str, wildcards: bool, variables: bool, context: &Keys) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if variables && chars[i] == '$' && chars.get(i + 1) == Some(&'{') {
            let end = (i..chars.len()).find(|j| chars[*j] == '}').unwrap();
            let inside: String = chars[i + 2..end].iter().collect();
            out.push(match inside.as_str() {
                "*" | "?" | "$" => Token::Letter(chars[i + 2]),
                name => Token::Value(variable(name, context)),
            });
            i = end + 1;
            continue;
        }
        out.push(match chars[i] {
            '*' if wildcards => Token::Run,
            '?' if wildcards => Token::One,
            c => Token::Letter(c),
        });
        i += 1;
    }
    out
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

fn glob(pattern: &[Token], text: &[char]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some(Token::Letter(c)) => text.first() == Some(c) && glob(&pattern[1..], &text[1..]),
        Some(Token::One) => !text.is_empty() && glob(&pattern[1..], &text[1..]),
        Some(Token::Run) => (0..=text.len()).any(|n| glob(&pattern[1..], &text[n..])),
        Some(Token::Value(None)) => false,
        Some(Token::Value(Some(value))) => {
            text.starts_with(value) && glob(&pattern[1..], &text[value.len()..])
        }
    }
}

/// Six parts, compared one by one; only the last one may hold colons.
fn same_arn(pattern: &[Token], text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let mut from = 0;
    for (i, part) in parts.iter().enumerate() {
        let part: Vec<char> = part.chars().collect();
        let to = if i == 5 {
            Some(pattern.len())
        } else {
            (from..pattern.len()).find(|j| matches!(pattern[*j], Token::Letter(':')))
        };
        let Some(to) = to else { return false };
        if !glob(&pattern[from..to], &part) {
            return false;
        }
        from = to + 1;
    }
    parts.len() == 6
}

// Principals

/// `arn:partition:service::account:kind/name`
struct Arn<'a> {
    partition: &'a str,
    account: &'a str,
    rest: &'a str,
}

fn arn(text: &str) -> Option<Arn<'_>> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    (parts.len() == 6).then(|| Arn {
        partition: parts[1],
        account: parts[4],
        rest: parts[5],
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

/// Whether the caller has an account (identity providers do not act in theirs).
fn account_of(caller: &str) -> Option<Arn<'_>> {
    arn(caller).filter(|arn| !arn.rest.contains("-provider/"))
}

fn listed(element: &Value) -> Vec<(String, String)> {
    let Some(types) = element.as_object() else {
        return Vec::new();
    };
    types
        .iter()
        .flat_map(|(kind, value)| texts(value).into_iter().map(|text| (kind.clone(), text)))
        .collect()
}

fn is_anyone(element: &Value) -> bool {
    *element == "*" || listed(element).contains(&("AWS".to_owned(), "*".to_owned()))
}

/// How a Principal element means the caller; the order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// The account is named.
    Account,
    /// The role of the session, or the user of the federated session, is named.
    Behind,
    /// The caller itself is named, or everybody.
    Itself,
}

fn principal_names(element: &Value, ask: &Ask<'_>) -> bool {
    naming(element, ask).is_some()
}

fn naming(element: &Value, ask: &Ask<'_>) -> Option<Naming> {
    if is_anyone(element) {
        return Some(Naming::Itself);
    }
    listed(element)
        .iter()
        .filter_map(|(kind, text)| naming_by(kind, text, ask))
        .max()
}

fn naming_by(kind: &str, text: &str, ask: &Ask<'_>) -> Option<Naming> {
    let caller = ask.caller?;
    if kind != "AWS" {
        return (kind_of(caller) == kind && text == caller).then_some(Naming::Itself);
    }
    let who = account_of(caller)?;
    if is_account(text) {
        return (who.account == text).then_some(Naming::Account);
    }
    let named = arn(text)?;
    if (named.partition, named.account) != (who.partition, who.account) {
        return None;
    }
    // The ARN of a role shows its path, that of a session does not.
    let by_path = who.rest.starts_with("role/");
    let behind = role_named(&named)
        .is_some_and(|role| role_of(&who) == Some(role) && (!by_path || named.rest == who.rest))
        || ask
            .of_user
            .is_some_and(|user| named.rest == format!("user/{user}"));
    if named.rest == "root" {
        Some(Naming::Account)
    } else if behind {
        Some(Naming::Behind)
    } else {
        (text == caller).then_some(Naming::Itself)
    }
}

/// `NotPrincipal` spares whoever is listed with the most specific ARN; accounts and roles are listed besides, and do
/// not spare everybody in them. A caller with a permissions boundary is not spared.
fn principal_spares(element: &Value, ask: &Ask<'_>) -> bool {
    let caller = ask.caller.unwrap();
    let who = account_of(caller);
    let may_be_bounded = who.as_ref().is_some_and(|who| who.rest != "root");
    if ask.bounded && may_be_bounded {
        return false;
    }
    is_anyone(element)
        || listed(element).iter().any(|(kind, text)| match &who {
            _ if kind != "AWS" => kind_of(caller) == kind && text == caller,
            Some(who) if who.rest == "root" && is_account(text) => who.account == text,
            // The ARN of a role is not the ARN of one of its sessions.
            Some(who) if who.rest.starts_with("role/") => false,
            Some(_) => text == caller,
            None => false,
        })
}

/// The name of a role, without its path, which the ARNs of sessions do not have.
fn role_named<'a>(arn: &Arn<'a>) -> Option<&'a str> {
    arn.rest.strip_prefix("role/")?.rsplit('/').next()
}

/// The role of a session; a session whose name is not known has the ARN of the role.
fn role_of<'a>(arn: &Arn<'a>) -> Option<&'a str> {
    match arn.rest.strip_prefix("assumed-role/") {
        Some(session) => session.split('/').next(),
        None => role_named(arn),
    }
}

fn kind_of(caller: &str) -> &'static str {
    // The web identity provider that is named like a service.
    if caller == "cognito-identity.amazonaws.com" {
        "Federated"
    } else if caller.ends_with(".amazonaws.com") {
        "Service"
    } else if caller.contains("-provider/") || caller.contains('.') {
        "Federated"
    } else if caller.len() == 64 {
        "CanonicalUser"
    } else {
        "AWS"
    }
}

// Conditions

fn conditions_hold(statement: &Value, variables: bool, context: &Keys) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        keys.as_object()
            .unwrap()
            .iter()
            .all(|(key, values)| condition_holds(operator, key, &texts(values), variables, context))
    })
}

fn condition_holds(operator: &str, key: &str, values: &[String], variables: bool, context: &Keys) -> bool {
    let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    // A key with an empty list is an absent key.
    let given = context.get(&key.to_lowercase()).filter(|list| !list.is_empty());
    if operator == "Null" {
        let absent = if given.is_none() { "true" } else { "false" };
        return values.iter().any(|value| value.to_lowercase() == absent);
    }
    // "StringNotLike" is true when "StringLike" is false for every value.
    let negated = operator.contains("Not");
    let positive = operator.replace("Not", "");
    let passes = |text: &String| {
        let some = values
            .iter()
            .any(|value| value_matches(&positive, text, value, variables, context));
        some != negated
    };
    match (set, given) {
        ("ForAllValues", None) => true,
        ("ForAllValues", Some(list)) => list.iter().all(passes),
        ("ForAnyValue", None) => if_exists,
        ("ForAnyValue", Some(list)) => list.iter().any(passes),
        (_, None) => negated || if_exists,
        (_, Some(list)) => list.len() == 1 && passes(&list[0]),
    }
}

/// Whether the request's value matches the policy's under an operator that is not negated.
fn value_matches(operator: &str, text: &str, value: &str, variables: bool, context: &Keys) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let chars: Vec<char> = text.chars().collect();
    let ordered = |order: Option<std::cmp::Ordering>, name: &str| match name {
        "Equals" => order == Some(Equal),
        "LessThan" => order == Some(Less),
        "LessThanEquals" => matches!(order, Some(Less | Equal)),
        "GreaterThan" => order == Some(Greater),
        "GreaterThanEquals" => matches!(order, Some(Greater | Equal)),
        other => panic!("{other}"),
    };
    match operator {
        "StringEquals" => glob(&tokens(value, false, variables, context), &chars),
        "StringLike" => glob(&tokens(value, true, variables, context), &chars),
        "StringEqualsIgnoreCase" => {
            let lower = |token| match token {
                Token::Letter(c) => Token::Letter(c.to_lowercase().next().unwrap()),
                Token::Value(Some(value)) => {
                    let text: String = value.into_iter().collect();
                    Token::Value(Some(text.to_lowercase().chars().collect()))
                }
                other => other,
            };
            let pattern: Vec<Token> = tokens(value, false, variables, context)
                .into_iter()
                .map(lower)
                .collect();
            let text: Vec<char> = text.to_lowercase().chars().collect();
            glob(&pattern, &text)
        }
        // Whether a text that is no ARN matches is not known; it is taken not to.
        "ArnEquals" | "ArnLike" if value == "*" => {
            text.starts_with("arn:") && text.splitn(6, ':').count() == 6
        }
        "ArnEquals" | "ArnLike" => same_arn(&tokens(value, true, variables, context), text),
        "Bool" => text.to_lowercase() == value.to_lowercase(),
        "BinaryEquals" => bytes_of_base64(text).is_some_and(|bytes| bytes_of_base64(value) == Some(bytes)),
        "IpAddress" => address_in_range(text, value),
        _ => {
            if let Some(name) = operator.strip_prefix("Numeric") {
                ordered(compare_numbers(text, value), name)
            } else if let Some(name) = operator.strip_prefix("Date") {
                ordered(compare_dates(text, value), name)
            } else {
                panic!("{operator}")
            }
        }
    }
}
