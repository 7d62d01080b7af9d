//! Policies of a few words, to ask with.

use deputy_policy::{ActionElement, Document, Effect, PolicyKind, ResourceElement, Statement, Version};

/// A statement about one action and one resource, or a pattern of each.
pub fn statement(effect: Effect, action: &str, resource: &str) -> Statement {
    Statement {
        sid: None,
        effect,
        principal: None,
        action: ActionElement::Action(vec![action.to_owned()]),
        resource: Some(ResourceElement::Resource(vec![resource.to_owned()])),
        conditions: Vec::new(),
    }
}

/// The policy of a role with these statements.
///
/// # Errors
/// When they are none.
pub fn identity(statements: Vec<Statement>) -> Result<Document, String> {
    let document = Document::new(Version::V2012, statements, PolicyKind::Identity);
    document.map_err(|error| error.to_string())
}
