//! The federation user of an account: what its own policy is to say.
//!
//! A federated user has what its session policy and this policy both allow, and the broker compares the session policy with the ceiling of its
//! namespace. So this is the cap around all of them together, and names the sessions that may be made.

use std::collections::BTreeSet;

use deputy_policy::{Document, Effect, PolicyKind, ResourceElement, Statement, Version};

use crate::{
    model::{Account, Enforcement, Limit},
    names::{FederatedUserPattern, IssuerArn},
};

use super::{
    identity::ProcessIdentity,
    policies::{allow, document},
};

/// Whose it is: the broker has its keys beside its own identity.
pub(super) const PROCESS: &str = "deputy broker for federated users";

/// The identity of the federation user that an account names. None where it names none.
pub(super) fn federation_user(account: &Account, limits: &[Limit]) -> Option<ProcessIdentity> {
    let user = account.federation_user.as_ref()?;
    Some(ProcessIdentity {
        arn: IssuerArn::from(user.clone()),
        process: PROCESS,
        policy: policy(account, limits),
        trust: None,
    })
}

/// GetFederationToken, with Deputy's tags, for the names that limits allow there; the ceilings of those limits; and nothing else.
fn policy(account: &Account, limits: &[Limit]) -> Document {
    // A dry run grants nothing.
    let of_account: Vec<&Limit> = limits
        .iter()
        .filter(|limit| limit.enforcement == Enforcement::Enforce)
        .filter(|limit| limit.scope.accounts.contains(&account.name) && !limit.federated_users.is_empty())
        .collect();
    let patterns: BTreeSet<&FederatedUserPattern> = of_account
        .iter()
        .flat_map(|limit| &limit.federated_users)
        .collect();
    let names: Vec<String> = patterns
        .into_iter()
        .map(|pattern| {
            format!(
                "arn:{}:sts::{}:federated-user/{pattern}",
                account.partition, account.id
            )
        })
        .collect();
    if names.is_empty() {
        // As long as no limit allows a name there is none: a policy has a statement at least.
        return crate::trust::deny_everything(PolicyKind::Identity);
    }
    let actions = ["sts:GetFederationToken", "sts:TagSession"];
    let mut statements = vec![allow("FederatedUsers", &actions, &names, vec![])];
    statements.extend(cap(&of_account));
    document(PolicyKind::Identity, statements)
}

/// What the ceilings allow, each; and what all of them deny. What one denies, another may allow: as a Deny of the user it would hold in the
/// namespaces of the other, too.
fn cap(limits: &[&Limit]) -> Vec<Statement> {
    let ceilings: Vec<Vec<Statement>> = limits.iter().map(|limit| statements(&limit.ceiling)).collect();
    let mut cap: Vec<Statement> = Vec::new();
    for statement in ceilings.iter().flatten() {
        let is_of_all = || ceilings.iter().all(|of| of.contains(statement));
        if !cap.contains(statement) && (statement.effect == Effect::Allow || is_of_all()) {
            cap.push(statement.clone());
        }
    }
    cap
}

/// The statements of a ceiling without their names, of which no two may be alike. One of 2008 in which a text looks like a variable would mean
/// something else beside those of today, and is left out.
fn statements(ceiling: &Document) -> Vec<Statement> {
    let is_variable = |text: &String| text.contains("${");
    let means_the_same = |statement: &Statement| {
        let resources = match &statement.resource {
            Some(ResourceElement::Resource(texts) | ResourceElement::NotResource(texts)) => texts.as_slice(),
            None => &[],
        };
        let values = statement
            .conditions
            .iter()
            .flat_map(|condition| &condition.values);
        !resources.iter().chain(values).any(is_variable)
    };
    let is_today = ceiling.version() == Version::V2012;
    let all = ceiling.statements().iter();
    all.filter(|statement| is_today || means_the_same(statement))
        .map(|statement| Statement {
            sid: None,
            ..statement.clone()
        })
        .collect()
}
