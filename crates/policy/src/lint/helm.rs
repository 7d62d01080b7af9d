//! Numbers that Helm printed into a text.

use super::finding::Lint;
use crate::{
    ast::{Principal, PrincipalElement, ResourceElement, Statement},
    document::code::Code,
    helm::printed,
};

pub(super) fn lint(statement: &Statement, path: &str, found: &mut Vec<Lint>) {
    let mut look = |texts: &[String], at: String| {
        for (i, text) in texts.iter().enumerate() {
            if let Some(number) = printed(text) {
                let mut lint = Lint::new(Code::HelmNumber, format!("{at}[{i}]"), number.message(text));
                lint.suggestion = number.repaired(text);
                found.push(lint);
            }
        }
    };
    let (name, principal) = match &statement.principal {
        Some(PrincipalElement::Principal(principal)) => ("Principal", Some(principal)),
        Some(PrincipalElement::NotPrincipal(principal)) => ("NotPrincipal", Some(principal)),
        None => ("Principal", None),
    };
    if let Some(Principal::Listed { aws, federated, .. }) = principal {
        look(aws, format!("{path}.{name}.AWS"));
        look(federated, format!("{path}.{name}.Federated"));
    }
    match &statement.resource {
        Some(ResourceElement::Resource(texts)) => look(texts, format!("{path}.Resource")),
        Some(ResourceElement::NotResource(texts)) => look(texts, format!("{path}.NotResource")),
        None => {}
    }
    for condition in &statement.conditions {
        // Where a number belongs, it may be one.
        if !condition.operator.test.as_str().starts_with("Numeric") {
            look(
                &condition.values,
                format!("{path}.Condition.{}.{}", condition.operator, condition.key),
            );
        }
    }
}
