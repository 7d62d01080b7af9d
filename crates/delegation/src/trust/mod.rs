//! The trust policy of a role, built from typed parts; never from text templates. Conditions are `StringEquals`, `ArnEquals` and `Bool`
//! alone, so nothing matches that is not written.

mod callers;
mod compiled;
mod deny;
mod issuer;
mod outside;
mod replaced;

use std::{collections::BTreeSet, sync::Arc};

use deputy_policy::Document;

pub use self::{
    callers::caller_policy,
    compiled::{CompiledTrust, LeftOut, LeftOutPrincipal, NamedPrincipals, WhyLeftOut, WrittenTrust},
    deny::deny_all,
    replaced::{FormerPrincipal, ReplacedPrincipals, closed},
};
pub(crate) use self::{
    deny::deny_everything,
    replaced::{notes_the_same, without_record},
};

use self::{compiled::Parts, deny::written};
use crate::{
    model::{Account, Binding, RoleId, SessionMethod, Subjects},
    names::ClusterName,
    quota::TRUST_POLICY,
    web_identity,
};

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
    let mut compiled = CompiledTrust::default();
    for binding in bindings {
        trusted.push(binding);
        let with_it = parts(cluster, account, id, &trusted);
        let document = with_it.document();
        let size = with_it.size(&document);
        if size > TRUST_POLICY {
            trusted.pop();
            let binding = binding.id.clone();
            compiled.left_out.push(LeftOut { binding, size });
        } else {
            compiled.trusts(with_it, document);
        }
    }
    compiled
}

/// What the trust policy of a role has with these bindings, in characters. With users and roles among them that includes what is kept
/// free, to note down one that is replaced.
#[must_use]
pub fn size_with(cluster: &ClusterName, account: &Account, id: &RoleId, bindings: &[&Binding]) -> usize {
    let parts = parts(cluster, account, id, bindings);
    parts.size(&parts.document())
}

/// Trust for sessions that the broker makes: the issuer, this external id, these request tags.
#[must_use]
pub fn for_issuer(cluster: &ClusterName, account: &Account, id: &RoleId) -> Document {
    written(issuer::statements(cluster, account, id, false))
}

/// What is said of everybody whom these bindings name.
fn parts(cluster: &ClusterName, account: &Account, id: &RoleId, bindings: &[&Binding]) -> Parts {
    let (mut by_broker, mut names_people) = (false, false);
    let mut by_token = BTreeSet::new();
    let mut outside = Vec::new();
    for binding in bindings {
        match &binding.subjects {
            Subjects::ServiceAccounts(names) => match binding.method_in(account) {
                SessionMethod::AssumeRole => by_broker = true,
                SessionMethod::AssumeRoleWithWebIdentity => by_token.extend(names),
            },
            Subjects::People(_) => {
                by_broker = true;
                names_people = account.names_people;
            }
            Subjects::AwsPrincipals(list) => outside.extend(outside::aws(&account.partition, list)),
            Subjects::SamlPrincipals(list) => outside.extend(list.iter().map(outside::saml)),
            Subjects::OidcPrincipals(list) => outside.extend(list.iter().map(outside::oidc)),
        }
    }
    let mut parts = Parts::default();
    if by_broker {
        let statements = issuer::statements(cluster, account, id, names_people);
        parts.inside.extend(statements);
    }
    if let (Some(provider), false) = (&account.oidc, by_token.is_empty()) {
        let statement = web_identity::statement(provider, &id.namespace, &by_token);
        parts.inside.push(statement);
    }
    for part in outside {
        parts.push(part);
    }
    parts
}
