//! Whether a witness could be a request at all.

use std::net::IpAddr;

use deputy_policy::{PolicyKind, Request};

use super::{
    model::{Theory, key_named},
    naive_values::{compare_dates, compare_numbers},
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
        let Some(key) = key_named(name) else {
            return Some(format!("nobody asks for {name}"));
        };
        if values.len() > 1 && !key.list {
            return Some(format!("{name} has one value, not {values:?}"));
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
        Theory::Text | Theory::Binary => true,
        Theory::Number => compare_numbers(text, "0").is_some(),
        Theory::Date => compare_dates(text, "2020").is_some(),
        Theory::Bool => ["true", "false"].contains(&text.to_lowercase().as_str()),
        Theory::Address => text.parse::<IpAddr>().is_ok(),
        Theory::Arn => text.starts_with("arn:") && text.matches(':').count() >= 5,
    }
}
