//! What a witness is looked for.

use crate::{
    ast::{ActionElement, PolicyKind, ResourceElement},
    document::{Document, place::StatementRef},
};

/// An element of a candidate's Allow that was not proved.
#[derive(Debug, Clone)]
pub(in crate::contain) struct UnprovedElement {
    pub(in crate::contain) statement: StatementRef,
    /// Index of the action, of the resource.
    pub(in crate::contain) action: usize,
    pub(in crate::contain) resource: usize,
    /// The ceiling's Deny that it may run into; `None` when no Allow of the ceiling covers it.
    pub(in crate::contain) deny: Option<usize>,
}

impl UnprovedElement {
    /// The element as written.
    pub(in crate::contain) fn describe(&self, candidate: &[&Document]) -> String {
        let StatementRef { document, statement } = self.statement;
        let document = candidate.get(document);
        let Some(statement) = document.and_then(|d| d.statements().get(statement)) else {
            return "the policy".to_owned();
        };
        let pick = |list: &[String], i: usize| list.get(i).cloned().unwrap_or_default();
        let action = match &statement.action {
            ActionElement::Action(list) => pick(list, self.action),
            ActionElement::NotAction(list) => format!("everything but {}", list.join(", ")),
        };
        let resource = match &statement.resource {
            Some(ResourceElement::Resource(list)) => pick(list, self.resource),
            Some(ResourceElement::NotResource(list)) => format!("everything but {}", list.join(", ")),
            None if document.is_some_and(|d| d.kind() == PolicyKind::Trust) => "the role".to_owned(),
            None => "what it is attached to".to_owned(),
        };
        let text: String = format!("{action} on {resource}").chars().take(300).collect();
        text
    }
}
