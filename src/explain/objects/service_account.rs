//! What pods of a ServiceAccount get.

use deputy_delegation::ServiceAccountName;

use super::{
    about::{fact, of_binding, place},
    default::DefaultOf,
    fact::ExplainedObject,
};
use crate::objects::AskedWorld;

/// Every binding that names it, with how pods get it.
pub fn service_account(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let name = ServiceAccountName::new(name).map_err(|error| error.to_string())?;
    let bindings = world.index.bindings_of_service_account(&namespace, &name);
    let default = DefaultOf::of(world, &namespace, &name);
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
        return Ok(Vec::new());
    }
    facts.push(fact(
        "session name",
        format!("{namespace}.{name}, or with .POD behind it where each pod has its own"),
    ));
    Ok(vec![ExplainedObject {
        object: format!("ServiceAccount {namespace}/{name}"),
        facts,
    }])
}
