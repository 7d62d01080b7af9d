//! What pods of a ServiceAccount get.

use std::collections::BTreeSet;

use deputy_delegation::{NamespaceName, ServiceAccountName, model::BindingKind};

use super::{
    about::{fact, of_binding, place},
    default::DefaultOf,
    fact::ExplainedObject,
};
use crate::objects::AskedWorld;

/// The ServiceAccounts of a name, each with the bindings that name it, and how pods get them.
pub fn service_accounts(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let name = ServiceAccountName::new(name).map_err(|error| error.to_string())?;
    let namespaces = match namespace {
        Some(namespace) => BTreeSet::from([namespace]),
        None => {
            let roles = world.index.bindings().into_iter();
            let ids = roles.chain(world.index.federated_bindings());
            ids.map(|id| id.namespace).collect()
        }
    };
    let found = namespaces.iter();
    Ok(found
        .filter_map(|namespace| service_account(world, namespace, &name))
        .collect())
}

fn service_account(
    world: &AskedWorld,
    namespace: &NamespaceName,
    name: &ServiceAccountName,
) -> Option<ExplainedObject> {
    let bindings = world.index.bindings_of_service_account(namespace, name);
    let default = DefaultOf::of(world, namespace, name);
    let mut facts = Vec::new();
    if let DefaultOf::Unreadable(reference, why) = &default {
        facts.push(fact(
            "default",
            format!("none: {reference} may be the one, and can't be read: {why}"),
        ));
    }
    facts.extend(default.unknown().map(|why| fact("default", why)));
    for reference in &bindings {
        let Some(explained) = of_binding(world, reference) else {
            continue;
        };
        let decision = explained.facts.iter().find(|fact| fact.what == "decision");
        let decision = decision.map_or("", |fact| fact.is.as_str());
        facts.push(fact(
            "binding",
            format!("{}, {}: {decision}", explained.object, default.how(reference)),
        ));
        let arn = explained.facts.iter().find(|fact| fact.what == "arn");
        facts.extend(arn.map(|arn| fact("arn", arn.is.clone())));
    }
    if facts.is_empty() {
        return None;
    }
    let of_role = bindings.iter().any(|binding| binding.kind == BindingKind::Role);
    // Of a federated user it is in the ARN.
    facts.extend(of_role.then(|| {
        fact(
            "session name",
            format!("{namespace}.{name}, or with .POD behind it where each pod has its own"),
        )
    }));
    Some(ExplainedObject {
        object: format!("ServiceAccount {namespace}/{name}"),
        facts,
    })
}
