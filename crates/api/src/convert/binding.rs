//! `AWSRoleBinding` → [`Binding`].

use deputy_delegation::{
    NamespaceName, ObjectName, Reason, SessionDuration, Violations,
    model::{self, Binding, RoleId, RoleKind, SessionPolicy, SessionSpec, Subjects},
    quota::SESSION_POLICY_ARNS,
};
use deputy_policy::PolicyKind;
use serde_json::Value;

use super::{Findings, SESSION_POLICY, SESSION_TAGS, created, subjects};
use crate::{AWSRoleBinding, AWSRoleBindingSpec, RoleRefKind, SessionScopeSpec};

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
    let created = created(&object.metadata);

    let namespace = id.as_ref().map(|id| id.namespace.clone());
    let role = findings.take("spec.roleRef.name", ObjectName::new(spec.role_ref.name.as_str()));
    let kind = role_kind(spec, &mut findings);

    let subjects = subjects::subjects(&mut findings, &spec.subjects);
    if let Some(subjects) = &subjects {
        only_for_sessions_of_deputy(&mut findings, spec, subjects);
    }

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
    let tags = findings.tags(SESSION_TAGS, &session.tags, |f, at, text| f.tag_value(at, text));

    let binding = (|| {
        Some(Binding {
            id: id?,
            uid,
            role: RoleId {
                namespace: namespace?,
                name: role?,
                kind: kind?,
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

/// The kind of role, with the account of one that does not name it itself.
fn role_kind(spec: &AWSRoleBindingSpec, findings: &mut Findings) -> Option<RoleKind> {
    let account = spec.account_ref.as_ref().map(|account| account.name.as_str());
    match (spec.role_ref.kind, account) {
        (RoleRefKind::AWSRole, None) => Some(RoleKind::AWSRole),
        (RoleRefKind::AWSRole, Some(_)) => {
            let message = "goes with a roleRef of kind ClusterAWSRole; an AWSRole names its account itself";
            findings.push(Reason::Structure, "spec.accountRef", message);
            None
        }
        (RoleRefKind::ClusterAWSRole, Some(account)) => {
            let account = findings.take("spec.accountRef.name", ObjectName::new(account))?;
            Some(RoleKind::ClusterAWSRole { account })
        }
        (RoleRefKind::ClusterAWSRole, None) => {
            let message = "is required with a roleRef of kind ClusterAWSRole: it says in which account the role is made";
            findings.push(Reason::Structure, "spec.accountRef", message);
            None
        }
    }
}

/// The ClusterAWSRole that a binding names, read from the raw object: for a binding that can't be read otherwise, and may still
/// be all that keeps its IAM role. `Ok(None)`: an AWSRole, which its own object keeps.
///
/// # Errors
/// When that can't be read either: it may be any.
pub fn cluster_role_of(namespace: &NamespaceName, object: &Value) -> Result<Option<RoleId>, NotReadable> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    match text("/spec/roleRef/kind") {
        Some("AWSRole") => Ok(None),
        Some("ClusterAWSRole") => {
            let name = |pointer| text(pointer).and_then(|name| ObjectName::new(name).ok());
            let role = name("/spec/roleRef/name").zip(name("/spec/accountRef/name"));
            let (name, account) = role.ok_or(NotReadable)?;
            Ok(Some(RoleId {
                namespace: namespace.clone(),
                name,
                kind: RoleKind::ClusterAWSRole { account },
            }))
        }
        _ => Err(NotReadable),
    }
}

/// A part of an object can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("can't be read")]
pub struct NotReadable;

/// What is said of sessions that Deputy does not give.
fn only_for_sessions_of_deputy(findings: &mut Findings, spec: &AWSRoleBindingSpec, subjects: &Subjects) {
    let session = &spec.session;
    if spec.method.is_some() && !matches!(subjects, Subjects::ServiceAccounts(_)) {
        let message = "is of ServiceAccounts: who is outside the cluster calls STS by itself, and people get sessions from the broker";
        findings.push(Reason::Method, "spec.method", message);
    }
    if matches!(subjects, Subjects::People(_)) && session.scope != SessionScopeSpec::ServiceAccount {
        let message = "is of pods; each person has a session of their own";
        findings.push(Reason::Structure, "spec.session.scope", message);
    }
    if !subjects.are_outside() {
        return;
    }
    let said = [
        ("policy", session.policy.is_some()),
        ("policyARNs", session.policy_arns.is_some()),
        ("duration", session.duration.is_some()),
        ("tags", !session.tags.is_empty()),
        ("scope", session.scope != SessionScopeSpec::ServiceAccount),
    ];
    for (field, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        let message = "is for subjects to whom Deputy gives the session: these call STS by themselves";
        findings.push(Reason::Structure, format!("spec.session.{field}"), message);
    }
}
