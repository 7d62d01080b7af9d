//! What is said of each kind of object.

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{BindingRef, LimitEntry, ObjectId, Role, RoleId, SessionPolicy},
    naming,
};
use deputy_index::ChosenBinding;

use super::fact::{ExplainedFact, ExplainedObject};
use crate::{
    asked::{arn_parts, binding_words, bindings_of_user, decision_words, is_federated_user, subject_lines},
    objects::AskedWorld,
};

/// What is said instead of a name in AWS that follows from one that is not known.
const WITHOUT_CLUSTER: &str = "follows from the name of the cluster: say it by --cluster-name";

/// One thing that is said.
pub fn fact(what: &'static str, is: impl Into<String>) -> ExplainedFact {
    ExplainedFact { what, is: is.into() }
}

/// Namespace and name of `which`. Without a namespace, by `-n` or by the context either, it is one of any.
pub fn place(world: &AskedWorld, which: &str) -> Result<(Option<NamespaceName>, String), String> {
    let (namespace, name) = match which.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (world.namespace.as_deref(), which),
    };
    let namespace = namespace.map(NamespaceName::new).transpose();
    Ok((namespace.map_err(|error| error.to_string())?, name.to_owned()))
}

/// Whether an object is in the namespace that is asked about.
pub fn is_in(namespace: Option<&NamespaceName>, of: &NamespaceName) -> bool {
    namespace.is_none_or(|namespace| namespace == of)
}

/// The roles of a name in a namespace: an AWSRole, and what a ClusterAWSRole is there.
pub fn roles(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let name = ObjectName::new(name).map_err(|error| error.to_string())?;
    let ids = world.index.roles().into_iter();
    let ids = ids.filter(|id| is_in(namespace.as_ref(), &id.namespace) && id.name == name);
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
    let is_meant = |id: &ObjectId| is_in(namespace.as_ref(), &id.namespace) && id.name == name;
    let roles = world.index.bindings().into_iter().filter(is_meant);
    let users = world.index.federated_bindings().into_iter().filter(is_meant);
    Ok(roles
        .map(BindingRef::role)
        .chain(users.map(BindingRef::federated_user))
        .filter_map(|reference| of_binding(world, &reference))
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
            let none = "none: a session has all of the role";
            facts.push(session_policy(binding.session.policy.as_ref(), none));
            let arns = binding.session.policy_arns.iter();
            facts.extend(arns.map(|arn| fact("managed session policy", arn.to_string())));
            facts.push(duration(binding.session.duration));
            facts.push(fact("decision", binding_words(found)));
            (format!("AWSRoleBinding {}", binding.id), facts)
        }
        ChosenBinding::FederatedUser(found) => {
            let binding = &found.binding;
            let mut facts = vec![fact("federated user", binding.user.as_str())];
            let arn = found.account.known().map(|account| binding.arn(account));
            facts.push(fact(
                "arn",
                arn.map_or_else(
                    || format!("not known without AWSAccount {}", binding.account),
                    |arn| arn.to_string(),
                ),
            ));
            let accounts = binding.service_accounts.iter();
            facts.extend(accounts.map(|name| {
                fact(
                    "subject",
                    format!("ServiceAccount {}/{name}", binding.id.namespace),
                )
            }));
            let none = "none: a session has what policies of resources grant it by name";
            facts.push(session_policy(binding.share.policy(), none));
            facts.push(duration(binding.duration));
            facts.push(fact("decision", decision_words(&found.decision)));
            (format!("AWSFederatedUserBinding {}", binding.id), facts)
        }
    };
    Some(ExplainedObject { object, facts })
}

fn session_policy(policy: Option<&SessionPolicy>, none: &str) -> ExplainedFact {
    let narrowed = policy.map(|policy| {
        let (statements, size) = (policy.statements().len(), policy.size());
        format!("{statements} statements, {size} characters")
    });
    fact("session policy", narrowed.unwrap_or_else(|| none.to_owned()))
}

fn duration(own: Option<impl ToString>) -> ExplainedFact {
    let own = own.map(|own| own.to_string());
    fact(
        "session duration",
        own.unwrap_or_else(|| "the account's default".to_owned()),
    )
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
    if is_federated_user(text) {
        let decided = bindings_of_user(world, text).into_iter();
        let references = decided.map(|one| BindingRef::federated_user(one.binding.id.clone()));
        return Ok(references
            .filter_map(|reference| of_binding(world, &reference))
            .collect());
    }
    if let Some((account, name)) = role_of(text) {
        let ids = world.index.roles().into_iter();
        let ids = ids.filter(|id| world.is_role(id, account, name));
        return Ok(ids.map(|id| role(world, &id)).collect());
    }
    if !is_policy(text) {
        return Err(format!(
            "{text}: an ARN of a role, of a session of one, of a federated user, or of a boundary policy is needed"
        ));
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

/// Whether an ARN is one of a managed policy.
fn is_policy(arn: &str) -> bool {
    arn_parts(arn).is_some_and(|(service, _, rest)| service == "iam" && rest.starts_with("policy/"))
}

/// Account and name of the role in the ARN of one, or of a session of one.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let (service, account, rest) = arn_parts(arn)?;
    match service {
        "iam" => Some((account, rest.strip_prefix("role/")?.rsplit('/').next()?)),
        "sts" => Some((account, rest.strip_prefix("assumed-role/")?.split('/').next()?)),
        _ => None,
    }
}
