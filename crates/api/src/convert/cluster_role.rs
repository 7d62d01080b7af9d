//! `ClusterAWSRole` → [`RoleTemplate`] → [`Role`].

use std::sync::Arc;

use deputy_delegation::{
    NamespaceName, NamespacePattern, ObjectName, Reason, Uid, Violations,
    model::{Role, RoleKind},
    quota,
};
use kube::api::ObjectMeta;
use serde_json::Value;

use super::{Findings, parse_role};
use crate::{
    AWSRole, AWSRoleSpec, AccountRef, ClusterAWSRole, ClusterAWSRoleSpec, RolePermissions, RolePolicy,
};

/// What stands for the name of the namespace that binds the role.
pub const NAMESPACE_VARIABLE: &str = "${namespace}";
/// The elements of a statement in which it does.
pub const NAMESPACE_ELEMENTS: [&str; 3] = ["Resource", "NotResource", "Condition"];
/// Characters of the longest name of a namespace.
const LONGEST_NAMESPACE: usize = 63;

/// A ClusterAWSRole that can be read: it becomes a [`Role`] in each namespace and account that binds it.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleTemplate {
    /// The object's name.
    pub name: ObjectName,
    /// The object's uid; none before it is stored.
    pub uid: Option<Uid>,
    /// The namespaces that may bind it.
    pub namespaces: Arc<[NamespacePattern]>,
    spec: ClusterAWSRoleSpec,
}

/// Reads a ClusterAWSRole, as it would be in the namespace with the longest name that may bind it.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_cluster_role(object: &ClusterAWSRole) -> Result<RoleTemplate, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();
    let name = findings.name(&object.metadata);
    let uid = findings.uid(&object.metadata);

    findings.count(
        "spec.namespaces",
        "namespaces",
        spec.namespaces.len(),
        1..=quota::NAMESPACES_OF_CLUSTER_ROLE,
    );
    let mut namespaces = Vec::new();
    let listed = spec.namespaces.iter().enumerate();
    for (i, text) in listed.take(quota::NAMESPACES_OF_CLUSTER_ROLE) {
        let at = format!("spec.namespaces[{i}]");
        namespaces.extend(findings.take(at, NamespacePattern::new(text.as_str())));
    }

    let longest = longest_namespace(&namespaces);
    // The account is the binding's.
    let any = findings.take("", ObjectName::new("account"));
    let template = any.zip(name).map(|(any, name)| {
        let template = RoleTemplate {
            name,
            uid,
            namespaces: namespaces.into(),
            spec: spec.clone(),
        };
        (any, template)
    });
    if let (Some(namespace), Some((any, template))) = (
        findings.take("spec.namespaces", NamespaceName::new("a".repeat(longest))),
        &template,
    ) {
        match template.instance(&namespace, any) {
            Ok(role) => fits_into_one_policy(&role, longest, &mut findings),
            Err(violations) => findings.extend(violations),
        }
    }
    findings.finish(template.map(|(_, template)| template))
}

/// Characters of the longest name of a namespace that may bind it.
fn longest_namespace(patterns: &[NamespacePattern]) -> usize {
    let length = |pattern: &NamespacePattern| {
        if pattern.as_str().contains('*') {
            LONGEST_NAMESPACE
        } else {
            pattern.as_str().len()
        }
    };
    patterns.iter().map(length).max().unwrap_or(LONGEST_NAMESPACE)
}

fn fits_into_one_policy(role: &Role, longest: usize, findings: &mut Findings) {
    let size = role.owned().and_then(|owned| owned.policies.inline());
    let size = size.map_or(0, |inline| inline.size());
    if size > quota::ROLE_INLINE_POLICIES {
        let message = format!(
            "in a namespace whose name has {longest} characters the role's inline policy would have {size} characters; AWS takes {}",
            quota::ROLE_INLINE_POLICIES
        );
        findings.push(Reason::TooLarge, "spec.policies", message);
    }
}

impl RoleTemplate {
    /// What it is in a namespace and account, whether the namespace may bind it or not: that is a decision.
    ///
    /// # Errors
    /// Every field that is wrong there. None, as a rule: it was read with the longest name.
    pub fn instance(&self, namespace: &NamespaceName, account: &ObjectName) -> Result<Role, Violations> {
        let put_in = |policy: &RolePolicy| RolePolicy {
            name: policy.name.clone(),
            document: put_in(&policy.document, namespace.as_str()),
        };
        let permissions = &self.spec.permissions;
        let policies = permissions.policies.as_ref();
        let object = AWSRole {
            metadata: ObjectMeta {
                name: Some(self.name.as_str().to_owned()),
                namespace: Some(namespace.as_str().to_owned()),
                uid: self.uid.as_ref().map(|uid| uid.as_str().to_owned()),
                ..ObjectMeta::default()
            },
            spec: AWSRoleSpec {
                account_ref: AccountRef {
                    name: account.as_str().to_owned(),
                },
                permissions: RolePermissions {
                    policies: policies.map(|policies| policies.iter().map(put_in).collect()),
                    ..permissions.clone()
                },
                // Deputy makes them all.
                existing: None,
            },
            status: None,
        };
        let mut role = parse_role(&object)?;
        role.id.kind = RoleKind::ClusterAWSRole {
            account: account.clone(),
        };
        role.allowed_namespaces = Some(Arc::clone(&self.namespaces));
        Ok(role)
    }
}

/// The document with the name of the namespace in place of the variable. Every other variable is IAM's.
fn put_in(document: &Value, namespace: &str) -> Value {
    let mut document = document.clone();
    let statements = document.get_mut("Statement");
    let statements = match statements {
        Some(Value::Array(statements)) => statements.as_mut_slice(),
        Some(statement) => std::slice::from_mut(statement),
        None => &mut [],
    };
    for statement in statements {
        for element in NAMESPACE_ELEMENTS {
            if let Some(value) = statement.get_mut(element) {
                put_into(value, namespace);
            }
        }
    }
    document
}

/// Into every text of a value; not into keys.
fn put_into(value: &mut Value, namespace: &str) {
    match value {
        Value::String(text) => {
            if text.contains(NAMESPACE_VARIABLE) {
                *text = text.replace(NAMESPACE_VARIABLE, namespace);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| put_into(value, namespace)),
        Value::Object(fields) => fields.values_mut().for_each(|value| put_into(value, namespace)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster_role(namespaces: &[&str], document: Value) -> ClusterAWSRole {
        serde_json::from_value(json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "ClusterAWSRole",
            "metadata": {"name": "logs", "uid": "6c0a9a6e-0000-0000-0000-000000000004"},
            "spec": {"namespaces": namespaces, "policies": [{"name": "own", "document": document}]},
        }))
        .unwrap()
    }

    fn allow(resource: Value, condition: Value) -> Value {
        let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource, "Condition": condition});
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    fn instance(object: &ClusterAWSRole, namespace: &str) -> Role {
        let namespace = NamespaceName::new(namespace).unwrap();
        let account = ObjectName::new("production").unwrap();
        parse_cluster_role(object)
            .unwrap()
            .instance(&namespace, &account)
            .unwrap()
    }

    #[test]
    fn the_namespace_is_put_in_and_every_other_variable_is_iams() {
        let object = cluster_role(
            &["payments", "team-*"],
            allow(
                json!([
                    "arn:aws:s3:::app/${namespace}/*",
                    "arn:aws:s3:::app/${aws:PrincipalTag/deputy-pod-uid}/${namespace}"
                ]),
                json!({"StringEquals": {"aws:PrincipalTag/deputy-namespace": "${namespace}"}}),
            ),
        );
        let role = instance(&object, "payments");
        assert_eq!(
            role.id.title().to_string(),
            "ClusterAWSRole logs (namespace payments, account production)"
        );
        let document = role.policies()[0].document.to_json();
        for part in [
            "arn:aws:s3:::app/payments/*",
            "arn:aws:s3:::app/${aws:PrincipalTag/deputy-pod-uid}/payments",
            "\"aws:PrincipalTag/deputy-namespace\":\"payments\"",
        ] {
            assert!(document.contains(part), "{part} in {document}");
        }
        assert!(!document.contains(NAMESPACE_VARIABLE), "{document}");
    }

    #[test]
    fn a_namespace_outside_of_the_list_may_not_bind_it() {
        let object = cluster_role(&["payments", "team-*"], allow(json!("*"), json!({})));
        for (namespace, allowed) in [
            ("payments", true),
            ("team-a", true),
            ("team", false),
            ("payments-2", false),
        ] {
            assert_eq!(
                instance(&object, namespace).may_be_bound(),
                allowed,
                "{namespace}"
            );
        }
    }

    #[test]
    fn the_size_is_that_of_the_longest_name_that_may_bind_it() {
        let resources: Vec<_> = (0..130)
            .map(|n| format!("arn:aws:s3:::app/${{namespace}}/{n}/*"))
            .collect();
        let with = |namespaces: &[&str]| {
            parse_cluster_role(&cluster_role(namespaces, allow(json!(resources), json!({}))))
        };
        assert!(with(&["payments"]).is_ok());
        let violations = with(&["payments", "team-*"]).unwrap_err();
        assert_eq!(violations.reason(), Reason::TooLarge);
        assert!(violations[0].message.contains("63 characters"), "{violations}");
    }

    #[test]
    fn every_wrong_field_of_a_cluster_role_is_listed() {
        let mut object = cluster_role(&["Upper"], json!({"Version": "2012-10-17", "Statement": []}));
        object.spec.permissions.max_session_duration = Some("5m".to_owned());
        let violations = parse_cluster_role(&object).unwrap_err();
        for field in [
            "spec.namespaces[0]",
            "spec.policies[0].document",
            "spec.maxSessionDuration",
        ] {
            assert!(
                violations.iter().any(|v| v.field.starts_with(field)),
                "{field}: {violations}"
            );
        }
    }
    #[test]
    fn what_its_roles_share_with_an_aws_role_is_each_ones() {
        let mut object = cluster_role(&["payments"], allow(json!("*"), json!({})));
        object.spec.permissions.deletion_policy = Some(crate::DeletionPolicySpec::Retain);
        object.spec.permissions.max_session_duration = Some("2h".to_owned());
        object.spec.permissions.revocation = Some(crate::RevocationSpec::All);
        let role = instance(&object, "payments");
        let owned = role.owned().unwrap();
        assert_eq!(owned.deletion, deputy_delegation::model::DeletionPolicy::Retain);
        assert_eq!(owned.revocation, deputy_delegation::model::Revocation::All);
        assert_eq!(owned.max_session_duration.as_seconds(), 7200);
    }
}
