//! The trust policy of a role, built from typed parts; never from text templates. Conditions are `StringEquals`, `ArnEquals` and `Bool`
//! alone, so nothing matches that is not written.

mod callers;
mod deny;
mod issuer;
mod outside;

use std::{collections::BTreeSet, sync::Arc};

use deputy_policy::{Document, PolicyKind, Statement, Version};

pub(crate) use self::deny::deny_everything;
pub use self::{callers::caller_policy, deny::deny_all};

use crate::{
    model::{Account, Binding, ObjectId, RoleId, SessionMethod, Subjects},
    names::ClusterName,
    quota::TRUST_POLICY,
    web_identity,
};

/// A trust policy, and whom it has no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledTrust {
    /// What is written.
    pub document: Document,
    /// Bindings whose subjects it does not name, because it would be larger than [`TRUST_POLICY`] with them.
    pub left_out: Vec<LeftOut>,
}

/// A binding that a trust policy has no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub binding: ObjectId,
    /// What the policy would have with it, in characters.
    pub size: usize,
}

/// The trust policy of a role with these bindings, oldest first, all of them accepted: nobody's when there are none. The older ones have
/// what room there is.
#[must_use]
pub fn compile(
    cluster: &ClusterName,
    account: &Account,
    id: &RoleId,
    bindings: &[Arc<Binding>],
) -> CompiledTrust {
    let mut trusted: Vec<&Binding> = Vec::new();
    let mut left_out = Vec::new();
    for binding in bindings {
        trusted.push(binding);
        let size = size_with(cluster, account, id, &trusted);
        if size > TRUST_POLICY {
            trusted.pop();
            let binding = binding.id.clone();
            left_out.push(LeftOut { binding, size });
        }
    }
    CompiledTrust {
        document: written(statements(cluster, account, id, &trusted)),
        left_out,
    }
}

/// What the trust policy of a role has with these bindings, in characters.
#[must_use]
pub fn size_with(cluster: &ClusterName, account: &Account, id: &RoleId, bindings: &[&Binding]) -> usize {
    written(statements(cluster, account, id, bindings)).size()
}

/// Trust for sessions that the broker makes: the issuer, this external id, these request tags.
#[must_use]
pub fn for_issuer(cluster: &ClusterName, account: &Account, id: &RoleId) -> Document {
    written(issuer::statements(cluster, account, id).into())
}

/// What is said of everybody whom these bindings name.
fn statements(
    cluster: &ClusterName,
    account: &Account,
    id: &RoleId,
    bindings: &[&Binding],
) -> Vec<Statement> {
    let mut by_broker = false;
    let mut by_token = BTreeSet::new();
    let mut outside = Vec::new();
    for binding in bindings {
        match &binding.subjects {
            Subjects::ServiceAccounts(names) => match binding.method_in(account) {
                SessionMethod::AssumeRole => by_broker = true,
                SessionMethod::AssumeRoleWithWebIdentity => by_token.extend(names),
            },
            Subjects::People(_) => by_broker = true,
            Subjects::AwsPrincipals(list) => outside.extend(outside::aws(&account.partition, list)),
            Subjects::SamlPrincipals(list) => outside.extend(list.iter().map(outside::saml)),
            Subjects::OidcPrincipals(list) => outside.extend(list.iter().map(outside::oidc)),
        }
    }
    let mut statements = Vec::new();
    if by_broker {
        statements.extend(issuer::statements(cluster, account, id));
    }
    if let (Some(provider), false) = (&account.oidc, by_token.is_empty()) {
        statements.push(web_identity::statement(provider, &id.namespace, &by_token));
    }
    for statement in outside {
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements
}

/// These statements as a document; nobody is trusted when there are none.
fn written(statements: Vec<Statement>) -> Document {
    if statements.is_empty() {
        return deny_all();
    }
    Document::new(Version::V2012, statements, PolicyKind::Trust)
        // Typed names hold no character that a policy could not; an error would still never be an allow.
        .unwrap_or_else(|_| deny_all())
}
