//! What a template language should have expanded, or what is spelled as it is there.

use super::finding::Lint;
use crate::{
    ast::{ResourceElement, Statement},
    document::code::Code,
    text::quote,
};

pub(super) fn lint(statement: &Statement, path: &str, found: &mut Vec<Lint>) {
    let mut look = |texts: &[String], at: &str| {
        for (i, text) in texts.iter().enumerate() {
            if let Some((message, suggestion)) = spelled(text) {
                let mut lint = Lint::new(Code::TemplateSyntax, format!("{at}[{i}]"), message);
                lint.suggestion = suggestion;
                found.push(lint);
            }
        }
    };
    match &statement.resource {
        Some(ResourceElement::Resource(texts)) => look(texts, &format!("{path}.Resource")),
        Some(ResourceElement::NotResource(texts)) => look(texts, &format!("{path}.NotResource")),
        None => {}
    }
    for condition in &statement.conditions {
        look(
            &condition.values,
            &format!("{path}.Condition.{}.{}", condition.operator, condition.key),
        );
    }
}

/// What is wrong, and what should stand there.
fn spelled(text: &str) -> Option<(String, Option<String>)> {
    for of_terraform in ["&{", "$${"] {
        if text.contains(of_terraform) {
            let message = format!(
                "{}: {of_terraform}…}} is how Terraform spells the variable ${{…}}; IAM takes the {} as it stands",
                quote(text),
                &of_terraform.get(..1).unwrap_or_default()
            );
            return Some((message, Some(text.replace(of_terraform, "${"))));
        }
    }
    let (_, after) = text.split_once("{{")?;
    after.contains("}}").then(|| {
        let message = format!(
            "{}: {{{{…}}}} belongs to a template; IAM takes it as it stands",
            quote(text)
        );
        (message, None)
    })
}
