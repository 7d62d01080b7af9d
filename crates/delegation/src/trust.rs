//! The trust policy of a role, built from typed parts; never from text templates.

use std::{collections::BTreeSet, sync::Arc};

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement,
    Statement, Test, Version,
};

use crate::{
    model::{Account, Binding, RoleId, SessionMethod},
    names::ClusterName,
    naming, web_identity,
};

/// The trust policy of a role with these bindings, all of them accepted: nobody's when there are none.
#[must_use]
pub fn compile(cluster: &ClusterName, account: &Account, id: &RoleId, bindings: &[Arc<Binding>]) -> Document {
    let by = |method| bindings.iter().filter(move |b| b.method_in(account) == method);
    let mut statements = Vec::new();
    if by(SessionMethod::AssumeRole).next().is_some() {
        statements.extend(issuer_statements(cluster, account, id));
    }
    let accounts: BTreeSet<_> = by(SessionMethod::AssumeRoleWithWebIdentity)
        .flat_map(|binding| binding.subjects.service_accounts())
        .collect();
    if let (Some(provider), false) = (&account.oidc, accounts.is_empty()) {
        statements.push(web_identity::statement(provider, &id.namespace, &accounts));
    }
    if statements.is_empty() {
        return deny_all();
    }
    written(statements)
}

/// Trust for sessions that the broker makes: the issuer, this external id, these request tags.
///
/// The principal is the issuer's account and the issuer is a condition: IAM stores a role or user principal as its unique
/// id, and a trust policy that names it would be dead after it is made again. AWS refuses with this a broker that was
/// talked into using another object's role, and a session without Deputy's tags.
#[must_use]
pub fn for_issuer(cluster: &ClusterName, account: &Account, id: &RoleId) -> Document {
    written(issuer_statements(cluster, account, id).into())
}

/// These statements as a document.
fn written(statements: Vec<Statement>) -> Document {
    Document::new(Version::V2012, statements, PolicyKind::Trust)
        // Typed names hold no character that a policy could not; an error would still never be an allow.
        .unwrap_or_else(|_| deny_all())
}

fn issuer_statements(cluster: &ClusterName, account: &Account, id: &RoleId) -> [Statement; 2] {
    let issuer = &account.issuer;
    let root = format!("arn:{}:iam::{}:root", issuer.partition(), issuer.account());
    let is_issuer = || Condition::new(Test::ArnEquals, "aws:PrincipalArn", [issuer.to_string()]);
    let request_tag = |tag: &str, value: &str| {
        Condition::new(
            Test::StringEquals,
            format!("aws:RequestTag/{tag}"),
            [value.to_owned()],
        )
    };
    let tags = || {
        [
            request_tag(naming::TAG_CLUSTER, cluster.as_str()),
            request_tag(naming::TAG_NAMESPACE, id.namespace.as_str()),
        ]
    };
    let allow = |sid: &str, action: &str, conditions: Vec<Condition>| Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(Principal::aws([root.clone()]))),
        action: ActionElement::Action(vec![action.to_owned()]),
        resource: None,
        conditions,
    };

    let mut assume = vec![is_issuer()];
    assume.extend(tags());
    assume.push(Condition::new(
        Test::StringEquals,
        "sts:ExternalId",
        [naming::external_id(cluster, id).to_string()],
    ));
    let mut tag = vec![is_issuer()];
    tag.extend(tags());

    [
        allow("AssumeRole", "sts:AssumeRole", assume),
        allow("TagSession", "sts:TagSession", tag),
    ]
}

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
