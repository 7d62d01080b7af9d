//! Who gets what: roles, and bindings with their subjects and what their sessions may do.

use std::collections::BTreeMap;

use deputy_delegation::{
    Decision, NamespaceName, ObjectName,
    model::{Binding, FederatedBinding, Kind, ObjectId, PersonSubject, Role, RoleId, Subjects},
    naming,
};

use super::model::{GrantOutcome, ReportedBinding, ReportedRole, ReportedSubject};
use crate::{
    asked::{AskedGrant, binding_words, decision_words, of_grant},
    objects::AskedWorld,
};

/// An AWSRole, or what a ClusterAWSRole is where it is bound.
pub fn role(world: &AskedWorld, id: &RoleId) -> ReportedRole {
    let index = &world.index;
    let parsed = index.role(id).map(|view| view.parsed());
    let account = index.account_of_role(id);
    let readable = parsed.as_ref().and_then(|parsed| parsed.as_ref().ok());
    let role_arn = arn(world, id, readable.map(|role| &**role));
    let (outcome, decision, boundary) = match (&parsed, index.decide_role(id)) {
        (Some(Err(why)), _) => (GrantOutcome::Unreadable, why.to_string(), None),
        (_, Some((_, decision))) => {
            let boundary = match &*decision {
                Decision::Accepted(accepted) => accepted.boundary.as_ref().map(ToString::to_string),
                Decision::Refused(_) | Decision::Undecided(_) => None,
            };
            (GrantOutcome::of(&decision), decision_words(&decision), boundary)
        }
        (_, None) => (
            GrantOutcome::Undecided,
            "it is being deleted, or its role is not there".to_owned(),
            None,
        ),
    };
    ReportedRole {
        object: id.title().to_string(),
        kind: role_kind(id),
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        limits: limits_of(world, &id.namespace, account.as_ref()),
        account: account.map(|name| name.to_string()),
        role_arn,
        outcome,
        decision,
        boundary,
        bindings: index.bindings_of_role(id).len(),
    }
}

/// The ARN of a role, as far as it is known: its own word of one that exists, else what follows from cluster and account.
fn arn(world: &AskedWorld, id: &RoleId, role: Option<&Role>) -> Option<String> {
    if let Some(existing) = role.and_then(Role::existing) {
        return Some(existing.arn.to_string());
    }
    let account = world.index.account_of_role(id)?;
    let account = world.index.account(&account).known().cloned()?;
    Some(naming::role_arn(world.cluster.as_ref()?, &account, id).to_string())
}

/// `AWSRole` or `ClusterAWSRole`
pub fn role_kind(id: &RoleId) -> &'static str {
    Kind::from(&id.kind).as_str()
}

fn limits_of(world: &AskedWorld, namespace: &NamespaceName, account: Option<&ObjectName>) -> Vec<String> {
    let Some(account) = account else { return Vec::new() };
    let limits = world.index.limits_of(namespace, account);
    limits.iter().map(|limit| limit.name().to_string()).collect()
}

/// The bindings of a world, of either kind. `given`: what accepted ones grant.
pub fn bindings(world: &AskedWorld, given: &[AskedGrant]) -> Result<Vec<ReportedBinding>, String> {
    let given: BTreeMap<&ObjectId, &AskedGrant> =
        given.iter().map(|grant| (&grant.binding.id, grant)).collect();
    let mut found = Vec::new();
    for id in world.index.bindings() {
        found.push(binding(world, &id, given.get(&id).copied())?);
    }
    for id in world.index.federated_bindings() {
        found.extend(federated(world, &id));
    }
    found.sort_by(|a, b| (&a.namespace, &a.name, a.kind).cmp(&(&b.namespace, &b.name, b.kind)));
    Ok(found)
}

fn binding(world: &AskedWorld, id: &ObjectId, given: Option<&AskedGrant>) -> Result<ReportedBinding, String> {
    let index = &world.index;
    let mut reported = ReportedBinding {
        kind: "AWSRoleBinding",
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        target: String::new(),
        account: None,
        arn: None,
        outcome: GrantOutcome::Undecided,
        decision: "it is being deleted".to_owned(),
        limits: Vec::new(),
        subjects: Vec::new(),
        has_session_policy: false,
        may: Vec::new(),
        unknown: Vec::new(),
    };
    if let Some(Err(why)) = index.binding(id).map(|view| view.parsed()) {
        reported.outcome = GrantOutcome::Unreadable;
        reported.decision = why.to_string();
        return Ok(reported);
    }
    let Some(decided) = index.decide_binding(id) else {
        return Ok(reported);
    };
    let binding = &decided.binding;
    let account = index.account_of_role(&binding.role);
    reported.target = binding.role.title().to_string();
    reported.limits = limits_of(world, &id.namespace, account.as_ref());
    let known = decided.role.known();
    reported.arn = known.and_then(|role| arn(world, &binding.role, Some(role)));
    reported.account = account.map(|name| name.to_string());
    reported.outcome = match (&*decided.decision, decided.role_decision.as_deref()) {
        (Decision::Accepted(_), Some(role)) => GrantOutcome::of(role),
        (Decision::Accepted(_), None) => GrantOutcome::Undecided,
        (own, _) => GrantOutcome::of(own),
    };
    reported.decision = binding_words(&decided);
    reported.subjects = subjects(world, binding);
    reported.has_session_policy = binding.session.policy.is_some() || !binding.session.policy_arns.is_empty();
    if let Some(grant) = given {
        let can = of_grant(world, grant)?;
        (reported.may, reported.unknown) = (can.may, can.unknown);
    }
    Ok(reported)
}

fn federated(world: &AskedWorld, id: &ObjectId) -> Option<ReportedBinding> {
    let index = &world.index;
    let parsed = index.federated_binding(id)?.parsed();
    let decided = index.decide_federated(id);
    let (outcome, decision) = match (&parsed, &decided) {
        (Err(why), _) => (GrantOutcome::Unreadable, why.to_string()),
        (Ok(_), Some(decided)) => (
            GrantOutcome::of(&decided.decision),
            decision_words(&decided.decision),
        ),
        (Ok(_), None) => (GrantOutcome::Undecided, "it is being deleted".to_owned()),
    };
    let of = parsed.ok();
    let account = of
        .as_ref()
        .and_then(|of| index.account(&of.account).known().cloned());
    let arn = of
        .as_ref()
        .and_then(|of| Some(of.arn(account.as_deref()?).to_string()));
    let limits = of
        .as_ref()
        .map(|of| limits_of(world, &id.namespace, Some(&of.account)));
    let names = |of: &FederatedBinding| {
        let names = of.service_accounts.iter();
        let names = names.map(|name| service_account(world, &id.namespace, name.as_str()));
        names.collect()
    };
    Some(ReportedBinding {
        kind: "AWSFederatedUserBinding",
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        target: of
            .as_ref()
            .map_or_else(String::new, |of| format!("federated user {}", of.user.as_str())),
        account: of.as_ref().map(|of| of.account.to_string()),
        arn,
        outcome,
        decision,
        limits: limits.unwrap_or_default(),
        subjects: of.as_deref().map_or_else(Vec::new, names),
        has_session_policy: of.as_ref().is_some_and(|of| of.share.policy().is_some()),
        may: Vec::new(),
        unknown: vec!["what policies of resources, and the federation user's own, allow".to_owned()],
    })
}

fn subjects(world: &AskedWorld, binding: &Binding) -> Vec<ReportedSubject> {
    let other = |kind: &'static str, name: String| ReportedSubject {
        kind,
        name,
        missing: false,
    };
    match &binding.subjects {
        Subjects::ServiceAccounts(names) => names
            .iter()
            .map(|name| service_account(world, &binding.id.namespace, name.as_str()))
            .collect(),
        Subjects::AwsPrincipals(list) => list
            .iter()
            .map(|one| other("AWS principal", one.arn().to_string()))
            .collect(),
        Subjects::SamlPrincipals(list) => list
            .iter()
            .map(|one| other("SAML provider", one.provider.to_string()))
            .collect(),
        Subjects::OidcPrincipals(list) => list
            .iter()
            .map(|one| other("OIDC provider", one.provider().to_string()))
            .collect(),
        Subjects::People(list) => list
            .iter()
            .map(|person| match person {
                PersonSubject::User(name) => other("user", name.as_str().to_owned()),
                PersonSubject::Group(name) => other("group", name.as_str().to_owned()),
            })
            .collect(),
    }
}

fn service_account(world: &AskedWorld, namespace: &NamespaceName, name: &str) -> ReportedSubject {
    ReportedSubject {
        kind: "ServiceAccount",
        name: format!("{namespace}/{name}"),
        missing: world.core.lacks_service_account(namespace.as_str(), name),
    }
}
