//! The smallest change by which a request would be allowed, and what the limits say to it.

use deputy_admission::{DeputyKind, ObjectOutcome, answer};
use deputy_delegation::{RoleKind, model::ObjectId};
use deputy_policy::reference;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    asked::AskedGrant,
    objects::{AskedWorld, ReadObject, world as index_of},
};

/// Where a binding of either kind has the statements of its session policy: in JSON, and for people.
const OF_SESSION: (&str, &str) = ("/spec/session/policy/Statement", "spec.session.policy.Statement");

/// A statement to add: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposedStatement {
    pub object: String,
    /// The list that it belongs into.
    pub field: String,
    pub yaml: String,
}

impl ProposedStatement {
    pub fn place(&self) -> String {
        format!("{}, add to {}", self.object, self.field)
    }
}

/// What to add where `role` or `session` lacks it, and whether the limits accept that.
pub fn propose(
    world: &AskedWorld,
    grant: &AskedGrant,
    (action, resource): (&str, &str),
    role: bool,
    session: bool,
) -> (Vec<ProposedStatement>, Option<String>) {
    let kind = match grant.role.id.kind {
        RoleKind::AWSRole => DeputyKind::Role,
        RoleKind::ClusterAWSRole { .. } => DeputyKind::ClusterRole,
    };
    let (namespace, name) = (grant.role.id.namespace.as_str(), grant.role.id.name.as_str());
    let binding = grant.binding.id.name.as_str();
    let mut changed = Vec::new();
    let mut found = Vec::new();
    if role && let Some(object) = find(world, kind, namespace, name) {
        let pointer = (
            "/spec/policies/0/document/Statement",
            "spec.policies[0].document.Statement",
        );
        add(object, pointer, (action, resource), &mut changed, &mut found);
    }
    if session && let Some(object) = find(world, DeputyKind::Binding, namespace, binding) {
        add(object, OF_SESSION, (action, resource), &mut changed, &mut found);
    }
    // A ClusterAWSRole is decided about with the binding.
    let binding = find(world, DeputyKind::Binding, namespace, binding);
    let limits = decided(world, &changed, binding);
    (found, limits)
}

/// What to add to the session policy of a federated user's binding, and whether the limits accept that.
pub fn propose_for_user(
    world: &AskedWorld,
    binding: &ObjectId,
    asked: (&str, &str),
) -> (Vec<ProposedStatement>, Option<String>) {
    let (mut changed, mut found) = (Vec::new(), Vec::new());
    let (namespace, name) = (binding.namespace.as_str(), binding.name.as_str());
    if let Some(object) = find(world, DeputyKind::FederatedBinding, namespace, name) {
        add(object, OF_SESSION, asked, &mut changed, &mut found);
    }
    let limits = decided(world, &changed, None);
    (found, limits)
}

/// That a change has to be as wide as it is.
pub fn takes_no_resource(action: &str, resource: &str, change: &[ProposedStatement]) -> Option<String> {
    let is_wide = !change.is_empty() && resource == "*" && reference::takes_no_resource(action);
    is_wide.then(|| {
        format!(
            "by AWS's service reference {action} is on no resource that a policy can name: no Resource is narrower than \"*\""
        )
    })
}

/// What the limits say to changed objects, and to `also` beside them; nothing where none is changed.
fn decided(world: &AskedWorld, changed: &[ReadObject], also: Option<&ReadObject>) -> Option<String> {
    if changed.is_empty() {
        return None;
    }
    let objects = world
        .objects
        .iter()
        .filter(|object| !changed.iter().any(|new| new.id() == object.id()));
    let (index, _) = index_of(world.index.cluster().clone(), objects.chain(changed));
    let asked = changed
        .iter()
        .chain(also.filter(|binding| !changed.iter().any(|new| new.id() == binding.id())));
    let (mut refusals, mut undecided) = (Vec::new(), Vec::new());
    for object in asked {
        match answer(&index, &object.value, None).map(|answer| answer.outcome) {
            Some(ObjectOutcome::Accepted) => {}
            Some(ObjectOutcome::Refused { violations, message }) if violations.is_empty() => {
                refusals.push(message)
            }
            Some(ObjectOutcome::Refused { violations, .. }) => {
                refusals.extend(
                    violations
                        .iter()
                        .map(|violation| format!("{}: {violation}", object.title())),
                );
            }
            Some(ObjectOutcome::Awaiting) | None => undecided.push(object.title()),
        }
    }
    Some(match (refusals.as_slice(), undecided.as_slice()) {
        ([], []) => "accepted".to_owned(),
        ([], undecided) => format!(
            "undecided: an account, a role or a limit is not there for {}",
            undecided.join(", ")
        ),
        (refusals, _) => format!("refused: {}", refusals.join("; ")),
    })
}

fn find<'a>(world: &'a AskedWorld, kind: DeputyKind, namespace: &str, name: &str) -> Option<&'a ReadObject> {
    let namespace = kind.is_namespaced().then_some(namespace);
    world
        .objects
        .iter()
        .find(|object| object.id() == (kind, namespace, name))
}

fn add(
    object: &ReadObject,
    (pointer, field): (&str, &str),
    (action, resource): (&str, &str),
    changed: &mut Vec<ReadObject>,
    found: &mut Vec<ProposedStatement>,
) {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let mut value = object.value.clone();
    let mut yaml = format!(
        "- Effect: Allow\n  Action: {action}\n  Resource: {}",
        json!(resource)
    );
    let mut field = field;
    match value.pointer_mut(pointer) {
        Some(Value::Array(statements)) => statements.push(statement),
        Some(one) => *one = json!([one.clone(), statement]),
        // A role that has managed policies alone.
        None => {
            let document = json!({"Version": "2012-10-17", "Statement": [statement]});
            let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else {
                return;
            };
            spec.insert(
                "policies".to_owned(),
                json!([{"name": "own", "document": document}]),
            );
            field = "spec.policies";
            let statement = yaml.replace('\n', "\n    ");
            yaml = format!(
                "- name: own\n  document:\n    Version: \"2012-10-17\"\n    Statement:\n    {statement}"
            );
        }
    }
    found.push(ProposedStatement {
        object: object.title(),
        field: field.to_owned(),
        yaml,
    });
    changed.extend(ReadObject::of_cluster(object.kind, value));
}
