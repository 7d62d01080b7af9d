//! `AWSFederatedUserBinding` → [`FederatedBinding`].

use deputy_delegation::{
    FederatedDuration, FederatedUserName, ObjectName, Reason, ServiceAccountName, Violations,
    model::{FederatedBinding, FederatedShare, SessionPolicy},
    quota::SUBJECTS_OF_BINDING,
};
use deputy_policy::PolicyKind;
use kube::api::DynamicObject;
use serde_json::Value;

use super::{Findings, SESSION_POLICY, SESSION_TAGS, created};
use crate::{AWSFederatedUserBinding, FederatedSessionSpec};

/// Reads a binding of a federated user.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_federated_binding(object: &AWSFederatedUserBinding) -> Result<FederatedBinding, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let id = findings.id(&object.metadata);
    let uid = findings.uid(&object.metadata);
    let created = created(&object.metadata);
    let account = findings.take(
        "spec.accountRef.name",
        ObjectName::new(spec.account_ref.name.as_str()),
    );
    let user = findings.take("spec.userName", FederatedUserName::new(spec.user_name.as_str()));

    let max = SUBJECTS_OF_BINDING;
    findings.count("spec.subjects", "subjects", spec.subjects.len(), 1..=max);
    let subjects = spec.subjects.iter().enumerate().take(max);
    let service_accounts = subjects.filter_map(|(i, subject)| {
        let name = ServiceAccountName::new(subject.name.as_str());
        findings.take(format!("spec.subjects[{i}].name"), name)
    });
    let service_accounts = service_accounts.collect();

    let session = &spec.session;
    let share = share(session, &mut findings);
    let duration = session
        .duration
        .as_deref()
        .and_then(|text| findings.duration("spec.session.duration", FederatedDuration::parse(text)));
    let tags = findings.tags(SESSION_TAGS, &session.tags, |f, at, text| f.tag_value(at, text));

    let binding = (|| {
        Some(FederatedBinding {
            id: id?,
            uid,
            account: account?,
            user: user?,
            service_accounts,
            share: share?,
            duration,
            tags,
            created,
        })
    })();
    findings.finish(binding)
}

/// What the sessions may do: the one or the other, and said.
fn share(session: &FederatedSessionSpec, findings: &mut Findings) -> Option<FederatedShare> {
    match (&session.policy, session.resource_policy_only) {
        (Some(policy), false) => {
            let document = findings.document(SESSION_POLICY, policy, PolicyKind::Session)?;
            let policy = findings.take(SESSION_POLICY, SessionPolicy::new(document))?;
            Some(FederatedShare::Policy(policy))
        }
        (None, true) => Some(FederatedShare::ResourcePolicyOnly),
        (Some(_), true) => {
            let message = "resourcePolicyOnly: true says that there is no session policy, and here is one; keep one of the two";
            findings.push(Reason::Structure, SESSION_POLICY, message);
            None
        }
        (None, false) => {
            let message = "is required: without a session policy AWS gives a federated user nothing but what resource policies grant it by name; \
                           if that is what is meant, say resourcePolicyOnly: true";
            findings.push(Reason::Structure, SESSION_POLICY, message);
            None
        }
    }
}

/// The account and the name that a binding holds there, read from the raw object: one that can't be read otherwise holds its name, too.
#[must_use]
pub fn federated_user_of(object: &DynamicObject) -> Option<(ObjectName, FederatedUserName)> {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str);
    let account = ObjectName::new(text("/spec/accountRef/name")?).ok()?;
    Some((account, FederatedUserName::new(text("/spec/userName")?).ok()?))
}

#[cfg(test)]
mod tests {
    use deputy_delegation::{FederatedDuration, Reason};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        convert::tests::{account, limit},
        parse_account, parse_limit,
    };

    fn object() -> Value {
        json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding",
            "metadata": {"name": "manager", "namespace": "payments", "creationTimestamp": "2026-01-02T03:04:05Z"},
            "spec": {
                "accountRef": {"name": "production"}, "userName": "Manager-reports",
                "subjects": [{"kind": "ServiceAccount", "name": "reports"}],
                "session": {"resourcePolicyOnly": true, "duration": "15m", "tags": {"team": "payments"}},
            },
        })
    }

    fn parse(object: &Value) -> Result<FederatedBinding, Violations> {
        parse_federated_binding(&serde_json::from_value(object.clone()).unwrap())
    }

    fn fields(violations: Violations) -> Vec<(Reason, String)> {
        violations.into_iter().map(|v| (v.reason, v.field)).collect()
    }

    #[test]
    fn a_binding_of_a_federated_user_is_read() {
        let binding = parse(&object()).unwrap();
        assert_eq!(binding.user.as_str(), "Manager-reports");
        assert_eq!(binding.share, FederatedShare::ResourcePolicyOnly);
        assert_eq!(binding.duration, FederatedDuration::parse("15m").ok());
        assert_eq!((binding.service_accounts.len(), binding.tags.len()), (1, 1));
    }

    #[test]
    fn a_policy_or_openly_none_and_never_both_or_neither() {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        });
        for (session, is_read) in [
            (json!({"policy": policy}), true),
            (json!({"resourcePolicyOnly": true}), true),
            (json!({"policy": policy, "resourcePolicyOnly": true}), false),
            (json!({"policy": policy, "resourcePolicyOnly": false}), true),
            (json!({"resourcePolicyOnly": false}), false),
            (json!({}), false),
            (json!({"policy": null}), false),
        ] {
            let mut object = object();
            object["spec"]["session"] = session.clone();
            let read = parse(&object).map(drop).map_err(fields);
            let wanted = (Reason::Structure, SESSION_POLICY.to_owned());
            assert_eq!(
                read,
                if is_read { Ok(()) } else { Err(vec![wanted]) },
                "{session}"
            );
        }
    }

    #[test]
    fn every_wrong_field_of_a_federated_user_is_listed() {
        let mut object = object();
        object["spec"] = json!({
            "accountRef": {"name": "Production"}, "userName": "a*", "subjects": [{"kind": "ServiceAccount", "name": "A"}],
            "session": {"duration": "37h", "tags": {"deputy-x": "y"}},
        });
        let structure = |field: &str| (Reason::Structure, field.to_owned());
        let wanted = [
            structure("spec.accountRef.name"),
            structure("spec.userName"),
            structure("spec.subjects[0].name"),
            structure(SESSION_POLICY),
            (Reason::Duration, "spec.session.duration".to_owned()),
            (Reason::SessionTag, "spec.session.tags[\"deputy-x\"]".to_owned()),
        ];
        assert_eq!(fields(parse(&object).unwrap_err()), wanted);
    }

    #[test]
    fn a_federation_user_is_a_user_of_the_account_and_no_issuer() {
        let of = |arn: &str| {
            let mut object = account();
            object["spec"]["federation"] = json!({"userARN": arn});
            object["spec"]["previousIssuers"] =
                json!([{"principalARN": "arn:aws:iam::123456789012:user/former"}]);
            parse_account(&serde_json::from_value(object).unwrap()).is_ok()
        };
        assert!(of("arn:aws:iam::123456789012:user/deputy-federation"));
        for bad in [
            "arn:aws:iam::210987654321:user/deputy-federation",
            "arn:aws-cn:iam::123456789012:user/deputy-federation",
            "arn:aws:iam::123456789012:role/deputy-federation",
            "arn:aws:iam::123456789012:user/former",
        ] {
            assert!(!of(bad), "{bad}");
        }
    }

    #[test]
    fn a_limit_says_which_names_and_how_long() {
        let mut object = limit();
        let read = |object: &Value| parse_limit(&serde_json::from_value(object.clone()).unwrap());
        let plain = read(&object).unwrap();
        assert!(plain.federated_users.is_empty());
        assert_eq!(plain.max_federated_duration, plain.max_session_duration.into());
        object["spec"]["federatedUsers"] = json!(["Manager*"]);
        object["spec"]["session"]["maxFederatedDuration"] = json!("36h");
        assert_eq!(read(&object).unwrap().federated_users.len(), 1);
        object["spec"]["federatedUsers"] = json!(["Manager?", ""]);
        object["spec"]["session"]["maxFederatedDuration"] = json!("5m");
        assert_eq!(fields(read(&object).unwrap_err()).len(), 3);
    }
}
