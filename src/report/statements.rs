//! The statements of resource policies that a world has.

use deputy_admission::DeputyKind;
use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{ObjectId, OwnedStatement},
};

use super::model::{GrantOutcome, ReportedStatement};
use crate::{asked::decision_words, objects::AskedWorld, policy::words};

/// Names of all of them.
pub fn ids(world: &AskedWorld) -> impl Iterator<Item = ObjectId> {
    let objects = world.objects.iter();
    objects
        .filter(|object| object.kind == DeputyKind::Statement)
        .filter_map(|object| {
            let namespace = NamespaceName::new(object.namespace.clone()?).ok()?;
            let name = ObjectName::new(object.name.clone()).ok()?;
            Some(ObjectId { namespace, name })
        })
}

/// All of them, by name.
pub fn reported(world: &AskedWorld) -> Vec<ReportedStatement> {
    let mut found: Vec<_> = ids(world).filter_map(|id| statement(world, &id)).collect();
    found.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    found
}

/// An AWSResourcePolicyStatement.
fn statement(world: &AskedWorld, id: &ObjectId) -> Option<ReportedStatement> {
    let parsed = world.index.statement(id)?.parsed();
    let decision = world.index.decide_statement(id);
    let (outcome, decision) = match (&parsed, &decision) {
        (Err(why), _) => (GrantOutcome::Unreadable, why.to_string()),
        (Ok(_), Some(decision)) => (GrantOutcome::of(decision), decision_words(decision)),
        (Ok(_), None) => (GrantOutcome::Undecided, "it is being deleted".to_owned()),
    };
    let of = |what: fn(&OwnedStatement) -> String| parsed.as_deref().map_or_else(|_| String::new(), what);
    let first = |owned: &OwnedStatement| owned.grant.statements().first().cloned();
    Some(ReportedStatement {
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        resource: of(|owned| owned.resource.to_string()),
        principals: parsed.as_ref().map_or_else(
            |_| Vec::new(),
            |owned| owned.principals.iter().map(ToString::to_string).collect(),
        ),
        actions: parsed
            .as_deref()
            .ok()
            .and_then(first)
            .map_or_else(String::new, |statement| words::actions(&statement.action)),
        resources: parsed
            .as_deref()
            .ok()
            .and_then(first)
            .and_then(|statement| statement.resource)
            .map_or_else(String::new, |resource| words::resources(&resource)),
        outcome,
        decision,
    })
}
