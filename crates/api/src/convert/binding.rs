//! `AWSRoleBinding` → [`Binding`].

use std::collections::BTreeSet;

use deputy_delegation::{
    ObjectName, ServiceAccountName, Violations,
    model::{self, Binding, SessionSpec},
};
use deputy_policy::PolicyKind;

use super::{Findings, MAX_SUBJECTS, MIN_BROKER_SESSION_SECONDS};
use crate::{AWSRoleBinding, RoleRefKind, SessionScope, SubjectKind};

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

    let RoleRefKind::AWSRole = spec.role_ref.kind;
    let role = findings.take("spec.roleRef.name", ObjectName::new(spec.role_ref.name.as_str()));

    findings.count("spec.subjects", "subjects", spec.subjects.len(), 1, MAX_SUBJECTS);
    let mut subjects = BTreeSet::new();
    for (i, subject) in spec.subjects.iter().enumerate().take(MAX_SUBJECTS) {
        let SubjectKind::ServiceAccount = subject.kind;
        let at = format!("spec.subjects[{i}].name");
        subjects.extend(findings.take(at, ServiceAccountName::new(subject.name.as_str())));
    }

    let session = &spec.session;
    let policy = session
        .policy
        .as_ref()
        .and_then(|policy| findings.document("spec.session.policy", policy, PolicyKind::Session));
    let duration = session
        .duration
        .as_deref()
        .and_then(|text| findings.duration("spec.session.duration", text, MIN_BROKER_SESSION_SECONDS));
    let tags = findings.tags("spec.session.tags", &session.tags, |f, at, text| {
        f.tag_value(at, text)
    });

    let binding = (|| {
        Some(Binding {
            id: id?,
            uid,
            role: role?,
            subjects,
            session: SessionSpec {
                scope: match session.scope {
                    SessionScope::ServiceAccount => model::SessionScope::ServiceAccount,
                    SessionScope::Pod => model::SessionScope::Pod,
                },
                policy,
                duration,
                tags,
            },
            created,
        })
    })();
    findings.finish(binding)
}
