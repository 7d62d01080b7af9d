//! `AWSRoleBinding` → [`Binding`].

use std::collections::BTreeSet;

use deputy_delegation::{
    ObjectName, ServiceAccountName, SessionDuration, Violations,
    model::{self, Binding, RoleId, RoleKind, SessionPolicy, SessionSpec, Subjects},
    quota::{SESSION_POLICY_ARNS, SUBJECTS_OF_BINDING},
};
use deputy_policy::PolicyKind;
use serde_json::Value;

use super::Findings;
use crate::{AWSRoleBinding, RoleRefKind, SessionScopeSpec, SubjectKind};

const SESSION_POLICY: &str = "spec.session.policy";

/// Reads a binding.
///
/// Reserved session tags are left to `decide`, which says more about them.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_binding(object: &AWSRoleBinding) -> Result<Binding, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let id = findings.id(&object.metadata);
    let uid = findings.uid(&object.metadata);
    let created = object
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(0, |time| time.0.as_second());

    let namespace = id.as_ref().map(|id| id.namespace.clone());
    let RoleRefKind::AWSRole = spec.role_ref.kind;
    let role = findings.take("spec.roleRef.name", ObjectName::new(spec.role_ref.name.as_str()));

    let is_allowed = findings.count(
        "spec.subjects",
        "subjects",
        spec.subjects.len(),
        1..=SUBJECTS_OF_BINDING,
    );
    let mut names = Vec::new();
    for (i, subject) in spec.subjects.iter().enumerate().take(SUBJECTS_OF_BINDING) {
        let SubjectKind::ServiceAccount = subject.kind;
        let at = format!("spec.subjects[{i}].name");
        names.extend(findings.take(at, ServiceAccountName::new(subject.name.as_str())));
    }
    // Otherwise it has been said.
    let subjects = if is_allowed && names.len() == spec.subjects.len() {
        findings.take("spec.subjects", Subjects::new(names))
    } else {
        None
    };

    let session = &spec.session;
    let policy = session
        .policy
        .as_ref()
        .and_then(|policy| findings.document(SESSION_POLICY, policy, PolicyKind::Session))
        .and_then(|document| findings.take(SESSION_POLICY, SessionPolicy::new(document)));
    let policy_arns = findings.managed_policies(
        "spec.session.policyARNs",
        session.policy_arns.as_ref(),
        SESSION_POLICY_ARNS,
    );
    let duration = session
        .duration
        .as_deref()
        .and_then(|text| findings.duration("spec.session.duration", SessionDuration::parse(text)));
    let tags = findings.tags("spec.session.tags", &session.tags, |f, at, text| {
        f.tag_value(at, text)
    });

    let binding = (|| {
        Some(Binding {
            id: id?,
            uid,
            role: RoleId {
                namespace: namespace?,
                name: role?,
                kind: RoleKind::AWSRole,
            },
            subjects: subjects?,
            method: spec.method.map(Into::into),
            session: SessionSpec {
                scope: match session.scope {
                    SessionScopeSpec::ServiceAccount => model::SessionScope::ServiceAccount,
                    SessionScopeSpec::Pod => model::SessionScope::Pod,
                },
                policy,
                policy_arns,
                duration,
                tags,
            },
            created,
        })
    })();
    findings.finish(binding)
}

/// The ServiceAccounts that a binding names, read from the raw object: for a binding that can't be read otherwise, and may
/// still be the oldest one of theirs.
///
/// `None` when a subject can't be read either: it may be any ServiceAccount of the namespace.
#[must_use]
pub fn subjects_of(object: &Value) -> Option<BTreeSet<ServiceAccountName>> {
    let subjects = object.get("spec")?.get("subjects")?.as_array()?;
    let mut found = BTreeSet::new();
    for subject in subjects {
        let (kind, name) = (subject.get("kind")?.as_str()?, subject.get("name")?.as_str()?);
        // A kind that another version knows is no ServiceAccount.
        if kind == "ServiceAccount" {
            found.insert(ServiceAccountName::new(name).ok()?);
        }
    }
    (!subjects.is_empty()).then_some(found)
}
