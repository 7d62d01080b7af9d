//! Sessions of federated users: by which binding, with which parameters, and when not.

use std::sync::Arc;

use deputy_index::ResourceKind;
use serde_json::json;

use super::super::*;
use crate::{
    fixtures::{binding_object, federated_index, federated_object, limit_object, made_at, pod_of},
    issuer::FederatedSessionKey,
};

fn outcome(index: &Index, wanted: Option<&str>) -> (&'static str, String) {
    let wanted = wanted.map(|name| name.parse::<BindingSelector>().unwrap());
    match resolve(index, &pod_of("uploader"), wanted.as_ref()) {
        Ok(grant) => ("Session", grant.key.binding().to_string()),
        Err(ResolveError::Refused { code, message, .. }) => (code.as_str(), message),
        Err(ResolveError::DeniedByAws { message, .. }) => ("AccessDenied", message),
        Err(ResolveError::NotReady { message }) => ("NotReady", message),
    }
}

fn key(index: &Index) -> FederatedSessionKey {
    match resolve(index, &pod_of("uploader"), None).map(|grant| grant.key) {
        Ok(SessionKey::FederatedUser(key)) => *key,
        _ => panic!("{:?}", outcome(index, None)),
    }
}

#[test]
fn a_pod_becomes_the_federated_user_of_its_binding() {
    let index = federated_index(&json!({"policy": null, "resourcePolicyOnly": true, "duration": "36h"}));
    let request = key(&index).request;
    assert_eq!(
        request.user.to_string(),
        "arn:aws:sts::123456789012:federated-user/Manager"
    );
    assert_eq!(request.duration.as_seconds(), 36 * 3600);
    assert_eq!(request.policy, None);
    let tags: Vec<String> = request
        .tags
        .iter()
        .map(|(key, value)| format!("{}={}", key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags,
        [
            "deputy-cluster=demo",
            "deputy-namespace=payments",
            "deputy-service-account=uploader"
        ]
    );
    let index = federated_index(&json!({}));
    assert!(
        key(&index).request.policy.unwrap().contains("s3:GetObject"),
        "the session policy goes along"
    );
}

#[test]
fn the_default_is_the_oldest_binding_of_either_kind() {
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let role = |at| made_at(binding_object("uploader", "uploader", &json!({})), at);
    let user = |name, at| made_at(federated_object(name, &json!({})), at);
    for (role, user, expected) in [
        (
            role(early),
            user("manager", late),
            "AWSRoleBinding payments/uploader",
        ),
        (
            role(late),
            user("manager", early),
            "AWSFederatedUserBinding payments/manager",
        ),
        // Of one second the first by name, and of one name the binding of a role.
        (
            role(early),
            user("manager", early),
            "AWSFederatedUserBinding payments/manager",
        ),
        (
            role(early),
            user("uploader", early),
            "AWSRoleBinding payments/uploader",
        ),
    ] {
        let index = federated_index(&json!({}));
        index.reset(ResourceKind::Bindings, [role]);
        index.reset(ResourceKind::FederatedBindings, [user]);
        assert_eq!(outcome(&index, None), ("Session", expected.to_owned()));
        // Whichever it is, a pod may name the other.
        assert_eq!(
            outcome(&index, Some("uploader")).1,
            "AWSRoleBinding payments/uploader"
        );
    }
}

#[test]
fn a_default_that_is_refused_or_cannot_be_read_lets_no_other_take_its_place() {
    let early = "2026-01-01T00:00:00Z";
    let index = federated_index(&json!({}));
    let binding = binding_object("uploader", "uploader", &json!({}));
    index.reset(ResourceKind::Bindings, [binding]);
    let beyond = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    let wide = made_at(federated_object("manager", &json!({"policy": beyond})), early);
    index.reset(ResourceKind::FederatedBindings, [wide]);
    let (word, message) = outcome(&index, None);
    assert_eq!(word, "NotAccepted", "{message}");
    assert!(
        message.contains("AWSFederatedUserBinding payments/manager") && message.contains("another: uploader"),
        "{message}"
    );
    let mut broken = made_at(federated_object("manager", &json!({})), early);
    broken.data["spec"]["session"]["policy"] = json!("none");
    index.reset(ResourceKind::FederatedBindings, [broken.clone()]);
    let (word, message) = outcome(&index, None);
    assert_eq!(word, "NotAccepted", "{message}");
    assert!(
        message.starts_with("AWSFederatedUserBinding payments/manager can't be read"),
        "{message}"
    );
    assert_eq!(outcome(&index, Some("uploader")).0, "Session");
    // It names others: it is not the default of this one.
    broken.data["spec"]["subjects"] = json!([{"kind": "ServiceAccount", "name": "reports"}]);
    broken.metadata.generation = Some(900_000);
    index.reset(ResourceKind::FederatedBindings, [broken]);
    assert_eq!(outcome(&index, None).0, "Session");
}

#[test]
fn a_refusal_says_which_binding_and_why() {
    type Change = fn(&Arc<Index>);
    let table: [(&str, Option<&str>, Change, &str); 5] = [
        (
            "NoBinding",
            None,
            |w| w.reset(ResourceKind::FederatedBindings, []),
            "no AWSRoleBinding and no AWSFederatedUserBinding in namespace payments names ServiceAccount payments/uploader",
        ),
        (
            "NoBinding",
            Some("awsfederateduserbinding/other"),
            |_| {},
            "there is no AWSFederatedUserBinding payments/other that names",
        ),
        // An AWSRoleBinding of that name is another thing.
        (
            "NoBinding",
            Some("manager"),
            |_| {},
            "there is no AWSRoleBinding payments/manager",
        ),
        (
            "NotAccepted",
            None,
            |w| w.reset(ResourceKind::Limits, [limit_object("s3:GetObject")]),
            "it allows none",
        ),
        (
            "NotAccepted",
            None,
            |w| w.reset(ResourceKind::Accounts, []),
            "AWSAccount production does not exist",
        ),
    ];
    for (code, wanted, change, expected) in table {
        let index = federated_index(&json!({}));
        change(&index);
        let (word, message) = outcome(&index, wanted);
        assert_eq!(word, code, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_was_given_is_not_given_again_once_another_thing_would_be() {
    type Change = fn(&Arc<Index>);
    let table: [(&str, bool, Change); 6] = [
        ("nothing", true, |_| {}),
        ("the duration", false, |w| {
            w.reset(
                ResourceKind::FederatedBindings,
                [federated_object("manager", &json!({"duration": "2h"}))],
            );
        }),
        ("the policy", false, |w| {
            let only = json!({"policy": null, "resourcePolicyOnly": true});
            w.reset(
                ResourceKind::FederatedBindings,
                [federated_object("manager", &only)],
            );
        }),
        ("the binding was made again", false, |w| {
            let mut object = federated_object("manager", &json!({}));
            object.metadata.uid = Some("uid-again".into());
            w.reset(ResourceKind::FederatedBindings, [object]);
        }),
        ("the limit allows the name no more", false, |w| {
            w.reset(ResourceKind::Limits, [limit_object("s3:GetObject")]);
        }),
        ("the ServiceAccount is no subject any more", false, |w| {
            let mut object = federated_object("manager", &json!({}));
            object.data["spec"]["subjects"] = json!([{"kind": "ServiceAccount", "name": "reports"}]);
            w.reset(ResourceKind::FederatedBindings, [object]);
        }),
    ];
    for (what, expected, change) in table {
        let index = federated_index(&json!({}));
        let key = SessionKey::FederatedUser(Box::new(key(&index)));
        change(&index);
        assert_eq!(still_granted(&index, &key).is_some(), expected, "{what}");
    }
}
