//! What a request may name, and the words of its answer. AWS's requests name one action on one resource by one caller; anything else would be compared
//! with the patterns of policies as text, and the answer would look like one.

use deputy_policy::{AccessDecision, Caller, Context, PolicyKind, Request};

use super::batch::short;
use crate::exit::Failure;

/// A request without context.
///
/// # Errors
/// A sentence that begins with the part it is about, and says what would be allowed.
pub fn read(action: &str, resource: &str, principal: Option<&str>) -> Result<Request, String> {
    self::action(action).map_err(|why| format!("action {}: {why}", short(action)))?;
    self::resource(resource).map_err(|why| format!("resource {}: {why}", short(resource)))?;
    let principal = principal.map(self::principal).transpose();
    Ok(Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: principal.map_err(|why| format!("principal: {why}"))?,
        context: Context::new(),
    })
}

/// `service:Name`, of the characters that a policy may name (Service Authorization Reference).
fn action(text: &str) -> Result<(), &'static str> {
    if text.contains(['*', '?']) {
        return Err("a request asks for one action, without wildcards, such as s3:GetObject");
    }
    let word = |part: &str, more: &[char]| {
        let letter = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        !part.is_empty() && part.chars().all(letter)
    };
    match text.split_once(':') {
        Some((service, name)) if word(service, &['-', '_']) && word(name, &['-', '_', '.']) => Ok(()),
        _ => Err("an action is service:Name, such as s3:GetObject, in letters, digits and hyphens"),
    }
}

/// `*`, or `arn:partition:service:region:account:resource` (IAM User Guide, "Identify AWS resources with ARNs"). In its last
/// part anything may stand, `*` too: keys of S3 objects do have it.
fn resource(text: &str) -> Result<(), &'static str> {
    const NEEDED: &str =
        "a resource is an ARN such as arn:aws:s3:::bucket/key, or * for actions that have none";
    if text == "*" {
        return Ok(());
    }
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let [
        Some("arn"),
        Some(partition),
        Some(service),
        Some(region),
        Some(account),
        Some(rest),
    ] = [next(), next(), next(), next(), next(), next()]
    else {
        return Err(NEEDED);
    };
    let head = [partition, service, region, account];
    if head.iter().any(|part| part.contains(['*', '?'])) {
        return Err("a request names one resource; wildcards before the fifth colon are for policies");
    }
    let word = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if partition.is_empty() || service.is_empty() || rest.is_empty() || !head.iter().all(|part| word(part)) {
        return Err(NEEDED);
    }
    Ok(())
}

/// What the policy of the resource is read as: that of a role that is assumed is its trust policy.
pub fn resource_kind(request: &Request) -> PolicyKind {
    if request.asks_trust_policy() {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    }
}

/// One caller, spelled out.
///
/// # Errors
/// A sentence about the text.
pub fn principal(text: &str) -> Result<Caller, String> {
    let caller = Caller::parse(text)?;
    let why = |why: &str| Err(format!("{}: {why}", short(text)));
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return why("a principal has no white space");
    }
    if text != "*" && text.contains(['*', '?']) {
        return why("a request has one caller; * alone is an anonymous one");
    }
    let account = text.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
    if account.is_some_and(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit())) {
        return why("the account in an ARN of a principal has 12 digits");
    }
    Ok(caller)
}

/// `prefix:name`, as condition keys are: no policy asks for any other.
///
/// # Errors
/// As of [`read`].
pub fn key(text: &str) -> Result<(), String> {
    let well_formed = text
        .split_once(':')
        .is_some_and(|(prefix, name)| !prefix.is_empty() && !name.is_empty())
        && text.trim() == text
        && !text.contains(['*', '?', '$', '{', '}', '"'])
        && !text.contains(char::is_control);
    if well_formed {
        return Ok(());
    }
    Err(format!(
        "context {}: a context key is prefix:name, such as aws:SourceIp",
        short(text)
    ))
}

/// The values of each key, whose case does not matter, in their order.
fn gather<'a>(pairs: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut gathered: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, value) in pairs {
        match gathered
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            Some((_, values)) => values.push(value),
            None => gathered.push((key, vec![value])),
        }
    }
    gathered
}

/// The context keys of a flag, given as `KEY=VALUE`, with the values of each.
///
/// # Errors
/// What is no pair.
pub fn pairs<'a>(flag: &str, given: &'a [String]) -> Result<Vec<(&'a str, Vec<&'a str>)>, Failure> {
    let split = given.iter().map(|pair| {
        pair.split_once('=')
            .ok_or_else(|| Failure::input(format!("--{flag} {pair:?}: KEY=VALUE is needed")))
    });
    Ok(gather(split.collect::<Result<Vec<_>, _>>()?))
}

/// A decision in the words of every answer.
pub fn word(decision: AccessDecision) -> &'static str {
    match decision {
        AccessDecision::Allowed => "allowed",
        AccessDecision::ExplicitDeny => "explicitDeny",
        AccessDecision::ImplicitDeny => "implicitDeny",
    }
}
