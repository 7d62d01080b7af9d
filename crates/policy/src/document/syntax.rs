//! Actions, resources and condition values: whether they are in the dialect, and what is said of those that are not.
//!
//! Patterns are read by [`glob`](crate::pattern::glob) and [`arn`](crate::pattern::arn). Only what they refuse is looked at again here, for its name and
//! for what may have been meant; nothing here makes a document acceptable.

use super::code::Code;
use crate::{
    ast::{Condition, Test, Version},
    pattern::{
        arn::ResourcePattern,
        glob::{Pattern, Syntax},
        variable,
    },
    principal::account::is_account_id,
    text::quote,
};

/// What is wrong with a text.
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
    /// What should stand there instead.
    pub(super) suggestion: Option<String>,
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            suggestion: None,
        }
    }

    fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// `*`, or `service:Name` with wildcards in the name only; case does not matter.
pub(super) fn action(text: &str) -> Result<Pattern, Refusal> {
    if text != "*" {
        check_action(text)?;
    }
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: true,
    };
    Pattern::parse(text, syntax).map_err(|message| Refusal::new(Code::InvalidAction, message))
}

fn check_action(text: &str) -> Result<(), Refusal> {
    if text.contains("${") {
        return Err(Refusal::new(
            Code::VariableInAction,
            "a variable in an action; AWS expands none there",
        ));
    }
    if text == "*:*" {
        let message = "a wildcard in the service of an action; every action is a lone *";
        return Err(Refusal::new(Code::ActionStarColonStar, message).suggest("*"));
    }
    let Some((service, name)) = text.split_once(':') else {
        return Err(Refusal::new(
            Code::InvalidAction,
            "an action is * or service:Name",
        ));
    };
    if service.contains(['*', '?']) {
        let message = "a wildcard in the service of an action; spell the service out, or write a lone *";
        return Err(Refusal::new(Code::WildcardInService, message));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let wild = |c: char| word(c) || matches!(c, '*' | '?' | '.');
    let well_formed = |service: &str, name: &str| {
        !service.is_empty() && service.chars().all(word) && !name.is_empty() && name.chars().all(wild)
    };
    if well_formed(service, name) {
        return Ok(());
    }
    if service.is_empty() || name.is_empty() {
        return Err(Refusal::new(
            Code::InvalidAction,
            "an action is * or service:Name, with both",
        ));
    }
    let message = "service and name of an action have letters, digits and hyphens, the name also the wildcards * and ?; \
                   with anything else it matches nothing";
    let refusal = Refusal::new(Code::ActionCharacters, message);
    let (service, name) = (service.trim(), name.trim());
    Err(if well_formed(service, name) {
        refusal.suggest(format!("{service}:{name}"))
    } else {
        refusal
    })
}

/// `*` or a complete ARN.
pub(super) fn resource(text: &str, version: Version, negated: bool) -> Result<ResourcePattern, Refusal> {
    let pattern = ResourcePattern::parse(text, version).map_err(|message| {
        let mut refusal = about_resource(text, version, message);
        refusal.suggestion = complete_arn(text, version);
        refusal
    })?;
    if negated && pattern.has_variable_in_head() {
        let message = "a variable before the fifth colon of an ARN in NotResource, where AWS expands none";
        return Err(Refusal::new(Code::VariableInArnHead, message));
    }
    Ok(pattern)
}

fn about_resource(text: &str, version: Version, message: String) -> Refusal {
    if let Some(code) = about_variables(text, version) {
        return Refusal::new(code, message);
    }
    let parts = colon_parts(text, version);
    let [Some(first), partition, service, region, account, rest] = first_six(&parts) else {
        return Refusal::new(Code::InvalidResource, message);
    };
    if rest.is_none() || !first.eq_ignore_ascii_case("arn") {
        let like_arn = text.contains(':') && !text.contains(char::is_whitespace);
        return if like_arn {
            let message =
                format!("{message}; AWS fills the rest in, in a way that depends on the kind of policy");
            Refusal::new(Code::ShortArn, message)
        } else {
            Refusal::new(Code::InvalidResource, message)
        };
    }
    let head = [partition, service, region, account];
    let any = |test: fn(&str) -> bool| head.iter().flatten().any(|part| test(part));
    let code = if first != "arn" {
        Code::InvalidResource
    } else if version == Version::V2012 && any(|part| part.contains("${")) {
        Code::VariableInArnHead
    } else if service.is_some_and(|part| part.contains(['*', '?'])) {
        Code::WildcardInService
    } else if [partition, service].iter().flatten().any(|part| part.is_empty()) {
        Code::EmptyArnPart
    } else {
        Code::InvalidResource
    };
    Refusal::new(code, message)
}

/// The ARN that lacks nothing but `arn`, or `arn` and the partition `aws`.
fn complete_arn(text: &str, version: Version) -> Option<String> {
    let lower = text.to_lowercase();
    let complete = if lower.starts_with("arn:aws") {
        format!("arn{}", text.get(3..)?)
    } else if let Some(rest) = text.strip_prefix("arn:") {
        format!("arn:aws:{rest}")
    } else if lower.starts_with("aws:") || lower.starts_with("aws-") {
        format!("arn:{text}")
    } else {
        format!("arn:aws:{text}")
    };
    // A service of known shape, and a resource: "a:b" could mean anything.
    let parts = colon_parts(&complete, version);
    let [_, _, Some(service), region, account, Some(rest)] = first_six(&parts) else {
        return None;
    };
    let named = !service.is_empty()
        && service
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let account_fits = account.is_none_or(|a| a.is_empty() || a == "*" || is_account_id(a));
    let region_fits = region.is_none_or(|r| !r.contains('/'));
    let reads = complete != text && ResourcePattern::parse(&complete, version).is_ok();
    (named && account_fits && region_fits && !rest.is_empty() && reads).then_some(complete)
}

/// The text between colons, not counting those inside of variables.
fn colon_parts(text: &str, version: Version) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut inside) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '$' if version == Version::V2012 && text.get(at..).is_some_and(|rest| rest.starts_with("${")) => {
                inside = true
            }
            '}' => inside = false,
            ':' if !inside && parts.len() < 5 => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..));
    parts
}

fn first_six<'a>(parts: &[&'a str]) -> [Option<&'a str>; 6] {
    std::array::from_fn(|i| parts.get(i).copied())
}

/// The name of what is wrong with the variables of a text.
fn about_variables(text: &str, version: Version) -> Option<Code> {
    if version != Version::V2012 {
        return None;
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((inner, after)) = after.split_once('}') else {
            return Some(Code::InvalidVariable);
        };
        if variable::parse(inner, false).is_err() {
            let key = inner.split_once(',').map_or(inner, |(key, _)| key);
            return Some(if variable::is_multi_valued(key) {
                Code::VariableOfListKey
            } else {
                Code::InvalidVariable
            });
        }
        rest = after;
    }
    None
}

/// The name of what is wrong with a condition value that its operator can't use, and what may have been meant.
pub(super) fn about_value(
    condition: &Condition,
    index: Option<usize>,
    version: Version,
    message: String,
) -> Refusal {
    use Code as C;
    let text = index
        .and_then(|i| condition.values.get(i))
        .map_or("", String::as_str);
    let test = condition.operator.test;
    let name = test.as_str();
    let expands = name.starts_with("String") || name.starts_with("Arn");
    if expands {
        let code = about_variables(text, version).unwrap_or(C::InvalidArnValue);
        return Refusal::new(code, message);
    }
    if version == Version::V2012 && text.contains("${") {
        let code = if test == Test::Bool {
            C::VariableInBool
        } else {
            C::VariableInTypedValue
        };
        return Refusal::new(
            code,
            format!("{message}; variables are expanded under String and Arn operators only"),
        );
    }
    let code = match test {
        Test::Bool | Test::Null => C::InvalidBool,
        Test::BinaryEquals => C::InvalidBinary,
        Test::IpAddress | Test::NotIpAddress => C::InvalidAddress,
        _ if name.starts_with("Date") => C::InvalidDate,
        _ => C::InvalidNumber,
    };
    let trimmed = text.trim();
    let flag = trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false");
    let refusal = Refusal::new(code, message);
    match code {
        C::InvalidBool if flag => refusal.suggest(trimmed.to_lowercase()),
        _ => refusal,
    }
}

/// The refusal of a number where text belongs. Twelve digits are an account id that lost nothing.
pub(super) fn about_number(number: &serde_json::Number, operator: &str) -> Refusal {
    let message = format!(
        "the number {number} under {operator}: write it in quotes, or digits get lost (account ids!)"
    );
    let refusal = Refusal::new(Code::UnquotedNumber, message);
    let digits = number.to_string();
    if is_account_id(&digits) {
        refusal.suggest(format!("\"{digits}\""))
    } else {
        refusal
    }
}

/// An operator that differs from the text in nothing but case.
pub(super) fn about_operator(text: &str) -> Refusal {
    let (set, rest) = match text.split_once(':') {
        Some((set, rest)) => (Some(set), rest),
        None => (None, text),
    };
    let lower = rest.to_lowercase();
    let (base, if_exists) = match lower.strip_suffix("ifexists") {
        Some(base) => (base, "IfExists"),
        None => (lower.as_str(), ""),
    };
    let known = Test::ALL.iter().find(|test| test.as_str().to_lowercase() == base);
    if known == Some(&Test::Null) && (set.is_some() || !if_exists.is_empty()) {
        return Refusal::new(Code::NullModifier, "Null takes neither prefix nor suffix").suggest("Null");
    }
    let refusal = Refusal::new(
        Code::UnknownOperator,
        format!("{} is not a condition operator", quote(text)),
    );
    let set = match set.map(str::to_lowercase).as_deref() {
        None => Some(""),
        Some("forallvalues") => Some("ForAllValues:"),
        Some("foranyvalue") => Some("ForAnyValue:"),
        Some(_) => None,
    };
    match (set, known) {
        (Some(set), Some(test)) => refusal.suggest(format!("{set}{}{if_exists}", test.as_str())),
        _ => refusal,
    }
}
