//! What is said of each kind of object.

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{BindingRef, LimitEntry, ObjectId, Role, RoleId},
    naming,
};
use deputy_index::ChosenBinding;

use super::fact::{ExplainedFact, ExplainedObject};
use crate::{
    asked::{binding_words, decision_words, subject_lines},
    objects::AskedWorld,
};

/// What is said instead of a name in AWS that follows from one that is not known.
const WITHOUT_CLUSTER: &str = "follows from the name of the cluster: say it by --cluster-name";

/// One thing that is said.
pub fn fact(what: &'static str, is: impl Into<String>) -> ExplainedFact {
    ExplainedFact { what, is: is.into() }
}

/// Namespace and name of `which`.
pub fn place(world: &AskedWorld, which: &str) -> Result<(NamespaceName, String), String> {
    let (namespace, name) = match which.split_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name),
        None => {
            let namespace = world.namespace.clone();
            let missing = || format!("{which}: say NAMESPACE/NAME, or the namespace by -n");
            (namespace.ok_or_else(missing)?, which)
        }
    };
    let namespace = NamespaceName::new(namespace).map_err(|error| error.to_string())?;
    Ok((namespace, name.to_owned()))
}

/// The roles of a name in a namespace: an AWSRole, and what a ClusterAWSRole is there.
pub fn roles(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let name = ObjectName::new(name).map_err(|error| error.to_string())?;
    let ids = world.index.roles().into_iter();
    let ids = ids.filter(|id| id.namespace == namespace && id.name == name);
    Ok(ids.map(|id| role(world, &id)).collect())
}

/// A role.
pub fn role(world: &AskedWorld, id: &RoleId) -> ExplainedObject {
    let mut facts = Vec::new();
    match world.index.role(id).map(|view| view.parsed()) {
        Some(Ok(role)) => facts.extend(of_role(world, &role)),
        Some(Err(why)) => facts.push(fact("unreadable", &*why)),
        None => {}
    }
    if let Some((_, decision)) = world.index.decide_role(id) {
        facts.push(fact("decision", decision_words(&decision)));
    }
    for binding in world.index.bindings_of_role(id) {
        let decided = world.index.decide_binding(&binding.id);
        let decision = decided.map_or_else(String::new, |decided| format!(", {}", binding_words(&decided)));
        let subjects = subject_lines(&binding, &binding.subjects).join(", ");
        facts.push(fact(
            "bound by",
            format!("AWSRoleBinding {}: {subjects}{decision}", binding.id),
        ));
    }
    ExplainedObject {
        object: id.title().to_string(),
        facts,
    }
}

fn of_role(world: &AskedWorld, role: &Role) -> Vec<ExplainedFact> {
    let mut facts = vec![fact("arn", arn_of(world, role))];
    facts.push(match world.index.account(&role.account).known() {
        Some(account) => fact("account", format!("AWSAccount {} ({})", role.account, account.id)),
        None => fact(
            "account",
            format!(
                "AWSAccount {}, which is not there, or can't be read",
                role.account
            ),
        ),
    });
    if role.existing().is_some() {
        facts.push(fact("policies", "its owner's; only AWS knows them"));
    } else {
        let cluster = world.cluster.as_ref();
        let id = cluster.map(|cluster| naming::external_id(cluster, &role.id).to_string());
        facts.push(fact(
            "external id",
            id.unwrap_or_else(|| WITHOUT_CLUSTER.to_owned()),
        ));
    }
    for policy in role.policies() {
        let (statements, size) = (policy.document.statements().len(), policy.document.size());
        let text = format!(
            "{}: {statements} statements, {size} characters as AWS counts them",
            policy.name
        );
        facts.push(fact("policy", text));
    }
    if let Some(owned) = role.owned() {
        facts.extend(
            owned
                .policies
                .managed()
                .iter()
                .map(|arn| fact("managed policy", arn.to_string())),
        );
    }
    facts
}

fn arn_of(world: &AskedWorld, role: &Role) -> String {
    let Some(account) = world.index.account(&role.account).known().cloned() else {
        return "not known without its account".to_owned();
    };
    match (&world.cluster, role.existing()) {
        (_, Some(existing)) => existing.arn.to_string(),
        (Some(cluster), None) => naming::role_arn(cluster, &account, &role.id).to_string(),
        (None, None) => WITHOUT_CLUSTER.to_owned(),
    }
}

/// A binding of either kind.
pub fn binding(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let name = ObjectName::new(name).map_err(|error| error.to_string())?;
    let id = ObjectId { namespace, name };
    let both = [BindingRef::role(id.clone()), BindingRef::federated_user(id)];
    Ok(both
        .iter()
        .filter_map(|reference| of_binding(world, reference))
        .collect())
}

/// A binding of either kind, if it is there and decided about.
pub fn of_binding(world: &AskedWorld, reference: &BindingRef) -> Option<ExplainedObject> {
    let chosen = world.index.decide_chosen(reference)?;
    let (object, facts) = match &chosen {
        ChosenBinding::Role(found) => {
            let binding = &found.binding;
            let mut facts = vec![fact("role", binding.role.title().to_string())];
            facts.extend(found.role.known().map(|role| fact("arn", arn_of(world, role))));
            facts.extend(
                subject_lines(binding, &binding.subjects)
                    .into_iter()
                    .map(|who| fact("subject", who)),
            );
            let narrowed = match &binding.session.policy {
                Some(policy) => format!(
                    "{} statements, {} characters",
                    policy.statements().len(),
                    policy.size()
                ),
                None => "none: a session has all of the role".to_owned(),
            };
            facts.push(fact("session policy", narrowed));
            let arns = binding.session.policy_arns.iter();
            facts.extend(arns.map(|arn| fact("managed session policy", arn.to_string())));
            let duration = binding
                .session
                .duration
                .map_or_else(|| "the account's default".to_owned(), |d| d.to_string());
            facts.push(fact("session duration", duration));
            facts.push(fact("decision", binding_words(found)));
            (format!("AWSRoleBinding {}", binding.id), facts)
        }
        ChosenBinding::FederatedUser(found) => {
            let binding = &found.binding;
            let mut facts = vec![fact("federated user", binding.user.as_str())];
            let accounts = binding.service_accounts.iter();
            facts.extend(accounts.map(|name| {
                fact(
                    "subject",
                    format!("ServiceAccount {}/{name}", binding.id.namespace),
                )
            }));
            facts.push(fact("decision", decision_words(&found.decision)));
            (format!("AWSFederatedUserBinding {}", binding.id), facts)
        }
    };
    Some(ExplainedObject { object, facts })
}

/// A limit, and what is under it.
pub fn limit(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let name = ObjectName::new(which).map_err(|error| error.to_string())?;
    let Some((entry, ..)) = world.index.limit(&name) else {
        return Ok(Vec::new());
    };
    let mut facts = Vec::new();
    match &entry {
        LimitEntry::Invalid { .. } => facts.push(fact(
            "unreadable",
            "it can't be read, and refuses all where it may apply",
        )),
        LimitEntry::Valid(limit) => {
            let namespaces: Vec<&str> = limit
                .scope
                .namespaces
                .iter()
                .map(|pattern| pattern.as_str())
                .collect();
            facts.push(fact("namespaces", namespaces.join(", ")));
            let (statements, size) = (limit.ceiling.statements().len(), limit.ceiling.size());
            facts.push(fact(
                "ceiling",
                format!("{statements} statements, {size} characters as AWS counts them"),
            ));
            for account in &limit.scope.accounts {
                let known = world.index.account(account).known().cloned();
                let boundary = match (&world.cluster, known) {
                    _ if !limit.carries_boundary() => "no boundary".to_owned(),
                    (_, None) => "it is not there, or can't be read".to_owned(),
                    (None, _) => format!("the ARN of its boundary {WITHOUT_CLUSTER}"),
                    (Some(cluster), Some(known)) => {
                        naming::boundary_arn(cluster, &known, &limit.name).to_string()
                    }
                };
                facts.push(fact("account", format!("AWSAccount {account}: {boundary}")));
            }
        }
    }
    for id in world.index.roles_under_limit(&name) {
        let decided = world.index.decide_role(&id);
        let decision = decided.map_or_else(
            || "it can't be read".to_owned(),
            |(_, decision)| decision_words(&decision),
        );
        facts.push(fact("role", format!("{}: {decision}", id.title())));
    }
    Ok(vec![ExplainedObject {
        object: format!("DelegationLimit {name}"),
        facts,
    }])
}

/// What an ARN of a role, of a session or of a boundary is.
pub fn arn(world: &AskedWorld, text: &str) -> Result<Vec<ExplainedObject>, String> {
    if !text.starts_with("arn:") {
        return Err(format!(
            "{text}: an ARN of a role, of a session of one, or of a boundary policy is needed"
        ));
    }
    if let Some((account, name)) = role_of(text) {
        let ids = world.index.roles().into_iter();
        let ids = ids.filter(|id| world.is_role(id, account, name));
        return Ok(ids.map(|id| role(world, &id)).collect());
    }
    let Some(cluster) = &world.cluster else {
        return Err(format!("which limit has the boundary {text} {WITHOUT_CLUSTER}"));
    };
    let mut found = Vec::new();
    for entry in world.index.all_limits() {
        let LimitEntry::Valid(of) = &entry else { continue };
        let accounts = of
            .scope
            .accounts
            .iter()
            .filter_map(|name| world.index.account(name).known().cloned());
        let mut arns = accounts.map(|account| naming::boundary_arn(cluster, &account, &of.name).to_string());
        if arns.any(|arn| arn == text) {
            found.extend(limit(world, of.name.as_str())?);
        }
    }
    Ok(found)
}

/// Account and name of the role in the ARN of one, or of a session of one.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, _, account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    match service {
        "iam" => Some((account, rest.strip_prefix("role/")?.rsplit('/').next()?)),
        "sts" => Some((account, rest.strip_prefix("assumed-role/")?.split('/').next()?)),
        _ => None,
    }
}
