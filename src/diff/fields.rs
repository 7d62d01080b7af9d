//! What changes beside policies, in words.

use deputy_admission::DeputyKind;
use serde::Serialize;
use serde_json::Value;

/// A field that has another value: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Such as `spec.session.duration`.
    pub field: String,
    /// What the field is about.
    pub about: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
}

impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.field)?;
        if !self.about.is_empty() {
            write!(f, " ({})", self.about)?;
        }
        match (self.removed.as_slice(), self.added.as_slice()) {
            ([was], [is]) => write!(f, ": {is}, was {was}"),
            ([], added) => write!(f, ": added {}", added.join(", ")),
            (removed, []) => write!(f, ": removed {}", removed.join(", ")),
            (removed, added) => write!(f, ": added {}; removed {}", added.join(", "), removed.join(", ")),
        }
    }
}

/// The fields of `new` that differ from those of `old`, but for the policies.
pub fn fields(kind: DeputyKind, old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let spec = |object: &Value| object.get("spec").cloned().unwrap_or_default();
    walk(kind, "spec", &spec(old), &spec(new), &mut found);
    for part in ["annotations", "labels"] {
        let own = |object: &Value| own_marks(object, part);
        walk(
            kind,
            &format!("metadata.{part}"),
            &own(old),
            &own(new),
            &mut found,
        );
    }
    found
}

/// Annotations or labels that are Deputy's; those of others say nothing to it.
fn own_marks(object: &Value, part: &str) -> Value {
    let marks = object
        .pointer(&format!("/metadata/{part}"))
        .and_then(Value::as_object);
    let own = marks
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("deputy.dev/"));
    Value::Object(own.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn walk(kind: DeputyKind, path: &str, old: &Value, new: &Value, found: &mut Vec<FieldChange>) {
    if old == new || is_policy(kind, path) {
        return;
    }
    if let (Some(old), Some(new)) = (members(old), members(new)) {
        let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let value = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or_default();
            walk(kind, &format!("{path}.{key}"), &value(&old), &value(&new), found);
        }
        return;
    }
    let (before, after) = (items(old), items(new));
    let removed: Vec<String> = without(&before, &after);
    let added: Vec<String> = without(&after, &before);
    // The order of a list says nothing.
    if !(removed.is_empty() && added.is_empty()) {
        found.push(FieldChange {
            field: path.to_owned(),
            about: about(kind, path),
            removed,
            added,
        });
    }
}

/// Of something that is there on one side alone: nothing of it.
fn members(value: &Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members.clone()),
        Value::Null => Some(serde_json::Map::new()),
        _ => None,
    }
}

fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(shown).collect(),
        other => vec![shown(other)],
    }
}

fn without(these: &[String], those: &[String]) -> Vec<String> {
    these
        .iter()
        .filter(|item| !those.contains(item))
        .cloned()
        .collect()
}

/// `ServiceAccount uploader`, or as JSON.
fn shown(value: &Value) -> String {
    if let Value::String(text) = value {
        return text.clone();
    }
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let is_reference = value.as_object().is_some_and(|members| members.len() == 2);
    match (text("kind"), text("name").or_else(|| text("arn"))) {
        (Some(kind), Some(name)) if is_reference => format!("{kind} {name}"),
        _ => value.to_string(),
    }
}

/// Whether a policy stands there, which is compared by what it means.
fn is_policy(kind: DeputyKind, path: &str) -> bool {
    match kind {
        DeputyKind::Role | DeputyKind::ClusterRole => path == "spec.policies",
        DeputyKind::Binding | DeputyKind::FederatedBinding => path == "spec.session.policy",
        DeputyKind::Statement => path == "spec.statement",
        DeputyKind::Limit => path == "spec.ceiling",
        DeputyKind::Account => false,
    }
}

/// What a field is about, by its beginning; the first one that fits counts.
const ABOUT: &[(Option<DeputyKind>, &str, &str)] = &[
    (
        Some(DeputyKind::Limit),
        "spec.namespaces",
        "where the limit applies",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.accounts",
        "in which accounts the limit applies",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.enforcement",
        "whether the limit refuses what exceeds it",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.boundary",
        "how AWS holds roles to the limit",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.managedPolicies",
        "which managed policies roles and sessions may have",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.session.maxDuration",
        "how long a session may be",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.session.tags",
        "which tags a session may have",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.session.methods",
        "by which calls pods may get sessions",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.principals",
        "which AWS principals bindings may name",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.samlProviders",
        "whose SAML users bindings may name",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.oidcProviders",
        "whose OpenID Connect tokens bindings may name",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.people",
        "which people bindings may name",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.acknowledgeEscalation",
        "which actions that widen permissions are meant",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.existingRoles",
        "which roles of others may be bound",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.federatedUsers",
        "which names federated users may have",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.resourcePolicies",
        "whose policies may have statements of the namespace",
    ),
    (
        Some(DeputyKind::Limit),
        "spec.roles.allowRetain",
        "whether a role may outlive its object",
    ),
    (
        Some(DeputyKind::ClusterRole),
        "spec.namespaces",
        "which namespaces may bind the role",
    ),
    (None, "spec.subjects", "who gets sessions"),
    (None, "spec.principals", "who is granted it"),
    (None, "spec.roleRef", "the role; immutable"),
    (None, "spec.accountRef", "the account; immutable"),
    (None, "spec.userName", "the federated user; immutable"),
    (None, "spec.resourceARN", "the resource; immutable"),
    (
        None,
        "spec.maxSessionDuration",
        "how long a session of the role may be",
    ),
    (None, "spec.session.duration", "how long a session is"),
    (None, "spec.session.tags", "which tags a session has"),
    (None, "spec.session.scope", "who shares a session"),
    (
        None,
        "spec.session.policyARNs",
        "managed policies that narrow the session",
    ),
    (None, "spec.managedPolicyARNs", "managed policies of the role"),
    (
        None,
        "spec.existing",
        "the role of somebody else that it stands for",
    ),
    (
        None,
        "spec.deletionPolicy",
        "what becomes of the role when its object is deleted",
    ),
    (
        None,
        "spec.revocation",
        "whose sessions end when somebody loses the role",
    ),
    (None, "spec.method", "by which call pods get sessions"),
    (
        Some(DeputyKind::Account),
        "spec.issuer",
        "who hands out credentials",
    ),
    (
        None,
        "metadata.annotations.deputy.dev/accept-suspending",
        "how many suspended grants are meant",
    ),
];

fn about(kind: DeputyKind, path: &str) -> &'static str {
    let fits = |of: Option<DeputyKind>, begin: &str| {
        let rest = path.strip_prefix(begin);
        of.is_none_or(|of| of == kind) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let found = ABOUT.iter().find(|(of, begin, _)| fits(*of, begin));
    found.map_or("", |(_, _, about)| about)
}
