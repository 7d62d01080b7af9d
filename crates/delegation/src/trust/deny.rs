//! Documents that deny everything.

use deputy_policy::{
    ActionElement, Document, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement, Statement,
    Version,
};

/// Trust of a role that nobody may assume: no accepted binding, or suspended.
#[must_use]
pub fn deny_all() -> Document {
    deny_everything(PolicyKind::Trust)
}

/// The document of `kind` that denies everything to everybody.
#[expect(
    clippy::expect_used,
    reason = "a constant document for each kind, built by a test; there is no safer value to fall back to"
)]
pub(crate) fn deny_everything(kind: PolicyKind) -> Document {
    // A trust policy takes no wildcard in its actions' names; nobody tags a session that can't be made.
    const SESSIONS: &[&str] = &[
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
    ];
    let (principal, actions, resource) = match kind {
        PolicyKind::Trust => (
            Some(PrincipalElement::Principal(Principal::Anyone)),
            SESSIONS,
            None,
        ),
        PolicyKind::Resource => (
            Some(PrincipalElement::Principal(Principal::Anyone)),
            &["*"][..],
            Some("*"),
        ),
        PolicyKind::ResourceControl => (
            Some(PrincipalElement::Principal(Principal::Anyone)),
            &["*"][..],
            Some("*"),
        ),
        PolicyKind::Identity | PolicyKind::Session | PolicyKind::Boundary | PolicyKind::ServiceControl => {
            (None, &["*"][..], Some("*"))
        }
    };
    let statement = Statement {
        sid: Some("DenyAll".to_owned()),
        effect: Effect::Deny,
        principal,
        action: ActionElement::Action(actions.iter().map(|&action| action.to_owned()).collect()),
        resource: resource.map(|r| ResourceElement::Resource(vec![r.to_owned()])),
        conditions: Vec::new(),
    };
    Document::new(Version::V2012, vec![statement], kind).expect("a constant")
}

/// These statements as a document; nobody is trusted when there are none.
pub(super) fn written(statements: Vec<Statement>) -> Document {
    if statements.is_empty() {
        return deny_all();
    }
    Document::new(Version::V2012, statements, PolicyKind::Trust)
        // Typed names hold no character that a policy could not; an error would still never be an allow.
        .unwrap_or_else(|_| deny_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_document_can_deny_everything() {
        for kind in [
            PolicyKind::Identity,
            PolicyKind::Session,
            PolicyKind::Boundary,
            PolicyKind::Resource,
            PolicyKind::Trust,
        ] {
            let document = deny_everything(kind);
            assert_eq!(document.kind(), kind);
            assert!(document.statements().iter().all(|s| s.effect == Effect::Deny));
        }
    }
}
