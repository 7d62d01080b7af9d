//! Statements as few others that allow the same.

use deputy_policy::{
    ActionElement, Candidate, Containment, Document, Effect, PolicyKind, ResourceElement, Statement, Version,
    contains,
};

use super::resources::patterns;
use crate::asked::statement;

/// Of more statements none is compared with each other one.
const MAX_COMPARED: usize = 150;

/// The Allows of a ceiling, merged: what another one has is left out, and statements that differ in their actions alone, or in their
/// resources alone, are one. With `is_shorter` also resources of one folder are its pattern, which allows more.
///
/// # Errors
/// When they are no ceiling any more.
pub fn merged(ceiling: &Document, is_shorter: bool) -> Result<Document, String> {
    let mut statements = ceiling.statements().to_vec();
    loop {
        let before = statements.clone();
        statements = without_covered(statements)?;
        statements = joined(statements);
        for one in &mut statements {
            tidy(one, is_shorter)?;
        }
        if statements == before {
            return document(statements);
        }
    }
}

fn document(statements: Vec<Statement>) -> Result<Document, String> {
    Document::new(Version::V2012, statements, PolicyKind::Boundary).map_err(|errors| errors.to_string())
}

fn is_within(one: &Statement, other: &Statement) -> Result<bool, String> {
    let (one, other) = (document(vec![one.clone()])?, document(vec![other.clone()])?);
    Ok(matches!(
        contains(&Candidate::new(&[&one]), &other),
        Containment::Contained(_)
    ))
}

fn without_covered(statements: Vec<Statement>) -> Result<Vec<Statement>, String> {
    if statements.len() > MAX_COMPARED {
        return Ok(statements);
    }
    let mut kept: Vec<Statement> = Vec::new();
    for one in statements {
        let mut is_covered = false;
        for other in &kept {
            is_covered |= is_within(&one, other)?;
        }
        if is_covered {
            continue;
        }
        let mut rest = Vec::new();
        for other in kept {
            if !is_within(&other, &one)? {
                rest.push(other);
            }
        }
        rest.push(one);
        kept = rest;
    }
    Ok(kept)
}

fn joined(statements: Vec<Statement>) -> Vec<Statement> {
    let mut kept: Vec<Statement> = Vec::new();
    for one in statements {
        match kept
            .iter_mut()
            .find_map(|other| joint(other, &one).map(|joint| (other, joint)))
        {
            Some((other, joint)) => *other = joint,
            None => kept.push(one),
        }
    }
    kept
}

/// Two statements as one that allows the same.
fn joint(a: &Statement, b: &Statement) -> Option<Statement> {
    if a.conditions != b.conditions {
        return None;
    }
    let mut joint = a.clone();
    match (&a.action, &b.action, &a.resource, &b.resource) {
        (ActionElement::Action(x), ActionElement::Action(y), of_a, of_b) if of_a == of_b => {
            joint.action = ActionElement::Action([x.as_slice(), y].concat());
        }
        (x, y, Some(ResourceElement::Resource(of_a)), Some(ResourceElement::Resource(of_b))) if x == y => {
            joint.resource = Some(ResourceElement::Resource([of_a.as_slice(), of_b].concat()));
        }
        _ => return None,
    }
    Some(joint)
}

/// Sorted, and without elements that another one includes.
fn tidy(one: &mut Statement, is_shorter: bool) -> Result<(), String> {
    if let ActionElement::Action(actions) = &mut one.action {
        *actions = distinct(std::mem::take(actions), |action| {
            statement(Effect::Allow, action, "*")
        })?;
    }
    if let Some(ResourceElement::Resource(resources)) = &mut one.resource {
        *resources = distinct(std::mem::take(resources), |resource| {
            statement(Effect::Allow, "*", resource)
        })?;
        let is_plain = resources
            .iter()
            .all(|resource| !resource.contains("${") && resource != "*");
        if is_shorter
            && is_plain
            && let Some(patterns) = patterns(resources)
        {
            *resources = patterns;
        }
    }
    Ok(())
}

fn distinct(mut elements: Vec<String>, alone: impl Fn(&str) -> Statement) -> Result<Vec<String>, String> {
    elements.sort();
    elements.dedup();
    let wide: Vec<String> = elements
        .iter()
        .filter(|text| text.contains(['*', '?']))
        .cloned()
        .collect();
    let mut kept: Vec<String> = Vec::new();
    for element in elements {
        let mut is_covered = false;
        for other in wide.iter().filter(|other| **other != element) {
            let (one, other) = (alone(&element), alone(other));
            // Of two that mean the same the first one stays.
            is_covered |= is_within(&one, &other)?
                && (!is_within(&other, &one)? || kept.iter().any(|k| alone(k) == other));
        }
        if !is_covered {
            kept.push(element);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(statements: &serde_json::Value, is_shorter: bool) -> serde_json::Value {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let ceiling = Document::from_value(&document, PolicyKind::Boundary).unwrap();
        merged(&ceiling, is_shorter).unwrap().to_value()["Statement"].clone()
    }

    #[test]
    fn what_allows_the_same_is_one_statement() {
        let got = of(
            &json!([
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::a/*"},
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"},
                {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/x"},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/x/y"},
            ]),
            false,
        );
        assert_eq!(
            got,
            json!([
                {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]},
                {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/x"},
            ])
        );
    }

    #[test]
    fn conditions_are_not_mixed() {
        let only = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
        let statements = json!([
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:*:a", "Condition": only},
            {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "arn:aws:sqs:*:*:a"},
        ]);
        assert_eq!(of(&statements, false).as_array().unwrap().len(), 2);
    }

    #[test]
    fn wider_only_where_it_is_asked_for() {
        let resources: Vec<String> = (0..5).map(|i| format!("arn:aws:s3:::logs/team/{i}")).collect();
        let statements = json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}]);
        assert_eq!(of(&statements, false)[0]["Resource"], json!(resources));
        assert_eq!(of(&statements, true)[0]["Resource"], "arn:aws:s3:::logs/team/*");
    }
}
