//! Whether a witness could be a request at all.

use std::net::IpAddr;

use deputy_policy::{PolicyKind, Request};

use crate::generate::keys::{KeyArity, Theory, key_named};
use crate::{
    naive::is_plain,
    naive::values::{compare_dates, compare_numbers, is_arn},
};

/// Why there can't be such a request, if there can't.
pub fn impossible(kind: PolicyKind, request: &Request) -> Option<String> {
    if kind == PolicyKind::Trust && request.resource != "*" {
        return Some(format!("the role is the resource, not {}", request.resource));
    }
    let mut parts = request.resource.splitn(6, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (arn, partition, service) = (part(), part(), part());
    let empty = partition.is_empty() || service.is_empty();
    if request.resource != "*" && (arn != "arn" || empty || request.resource.matches(':').count() < 5) {
        return Some(format!("{} is no ARN", request.resource));
    }
    for (name, values) in request.context.iter() {
        // Of keys of other people's policies nothing is known.
        let Some(key) = key_named(name) else { continue };
        if values.len() > 1 && key.arity == KeyArity::One {
            return Some(format!("{name} has one value, not {values:?}"));
        }
        if is_plain(name) && values.iter().any(|value| value.contains(['*', '?'])) {
            return Some(format!("{name} has no wildcards, as in {values:?}"));
        }
        if let Some(value) = values.iter().find(|value| !is_of(key.theory, value)) {
            return Some(format!("{name} can't be {value:?}"));
        }
    }
    None
}

/// Whether a text is a value of this type. AWS has no type for keys of bytes, so they may hold any text.
fn is_of(theory: Theory, text: &str) -> bool {
    match theory {
        Theory::Text | Theory::Binary | Theory::Mixed => true,
        Theory::Number => compare_numbers(text, "0").is_some(),
        Theory::Date => compare_dates(text, "2020-01-01").is_some(),
        Theory::Bool => ["true", "false"].contains(&text.to_lowercase().as_str()),
        Theory::Address => text.parse::<IpAddr>().is_ok(),
        Theory::Arn => is_arn(text),
    }
}
