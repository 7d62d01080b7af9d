//! Elements of statements in words.

use deputy_policy::{ActionElement, ResourceElement};

/// `s3:GetObject, s3:PutObject`, or `everything but iam:*`.
pub fn actions(element: &ActionElement) -> String {
    match element {
        ActionElement::Action(listed) => listed.join(", "),
        ActionElement::NotAction(listed) => format!("everything but {}", listed.join(", ")),
    }
}

/// The same of resources.
pub fn resources(element: &ResourceElement) -> String {
    match element {
        ResourceElement::Resource(listed) => listed.join(", "),
        ResourceElement::NotResource(listed) => format!("everything but {}", listed.join(", ")),
    }
}
