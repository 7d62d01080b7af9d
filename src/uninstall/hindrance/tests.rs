//! What hinders a role from staying in AWS.

use serde_json::json;

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn limit(name: &str, namespaces: &[&str], allow: Option<bool>, enforcement: Option<&str>) -> DynamicObject {
    let mut spec = json!({
        "accounts": ["production"],
        "namespaces": namespaces,
        "ceiling": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
        ]},
        "boundary": {"type": "Generated"},
    });
    let fields = spec.as_object_mut().unwrap();
    if let Some(allow) = allow {
        fields.insert("roles".to_owned(), json!({"allowRetain": allow}));
    }
    if let Some(enforcement) = enforcement {
        fields.insert("enforcement".to_owned(), json!(enforcement));
    }
    object(json!({"metadata": {"name": name, "uid": name}, "spec": spec}))
}

fn role(namespace: &str, account: &str) -> DynamicObject {
    object(json!({
        "metadata": {"name": "uploader", "namespace": namespace},
        // What a webhook or a status said before is no proof.
        "spec": {"accountRef": {"name": account}, "deletionPolicy": "Retain"},
        "status": {"roleARN": "arn", "conditions": [{"type": "Accepted", "status": "True", "reason": "WithinLimits", "message": ""}]},
    }))
}

fn cluster_role(namespaces: &[&str]) -> DynamicObject {
    let instance =
        |namespace: &&str| json!({"namespace": namespace, "account": "production", "roleARN": "arn"});
    let mut instances: Vec<_> = namespaces.iter().map(instance).collect();
    // Never in AWS.
    instances.push(json!({"namespace": "nobody", "account": "production", "reason": "NoLimit"}));
    object(json!({"metadata": {"name": "reader"}, "spec": {}, "status": {"instances": instances}}))
}

fn said(limits: Vec<DynamicObject>, kind: DeputyKind, object: &DynamicObject) -> Option<String> {
    let accounts = [serde_json::from_value(json!({"metadata": {"name": "production"}})).unwrap()];
    let left = LeftObjects::of_objects(DeputyKind::Limit, limits);
    hindrance(&super::limits(&left).unwrap(), &accounts, kind, object)
}

#[test]
fn a_role_stays_only_where_every_limit_of_each_of_its_places_lets_it() {
    let (role, cluster_role) = (role("shop", "production"), cluster_role(&["shop", "blog"]));
    let yes = |name: &str, of: &[&str]| limit(name, of, Some(true), None);
    let no = |name: &str, of: &[&str]| limit(name, of, Some(false), None);
    for (limits, of_role, of_cluster_role) in [
        (
            vec![],
            Some("no DelegationLimit applies to namespace shop"),
            Some("no DelegationLimit applies to namespace shop"),
        ),
        (
            vec![yes("a", &["shop"])],
            None,
            Some("no DelegationLimit applies to namespace blog"),
        ),
        (vec![yes("a", &["shop", "blog"])], None, None),
        (
            vec![yes("a", &["shop"]), no("b", &["blog"])],
            None,
            Some("in namespace blog"),
        ),
        (
            vec![yes("a", &["shop", "blog"]), no("b", &["shop"])],
            Some("not true in DelegationLimit b"),
            Some("not true in DelegationLimit b"),
        ),
        (
            vec![limit("a", &["shop", "blog"], None, None)],
            Some("not true in DelegationLimit a"),
            Some("not true in DelegationLimit a"),
        ),
        // A dry run decides nothing, in either way.
        (
            vec![limit("a", &["shop", "blog"], Some(true), Some("DryRun"))],
            Some("no DelegationLimit applies"),
            Some("no DelegationLimit applies"),
        ),
    ] {
        for (kind, object, expected) in [
            (DeputyKind::Role, &role, of_role),
            (DeputyKind::ClusterRole, &cluster_role, of_cluster_role),
        ] {
            let said = said(limits.clone(), kind, object);
            let is_so = match (&said, expected) {
                (Some(said), Some(part)) => said.contains(part),
                (said, part) => said.is_none() && part.is_none(),
            };
            assert!(is_so, "{kind:?} {limits:?}: {said:?}, not {expected:?}");
        }
    }
}

#[test]
fn what_is_not_known_does_not_stay() {
    let all = || vec![limit("a", &["shop"], Some(true), None)];
    let unread = |kind, object: DynamicObject| said(all(), kind, &object).unwrap();
    let elsewhere = role("shop", "staging");
    assert!(unread(DeputyKind::Role, elsewhere).contains("no AWSAccount staging"));
    assert!(unread(DeputyKind::Role, role("shop", "No Name")).contains("can't be read"));
    let nowhere = json!({"metadata": {"name": "x"}, "status": {"instances": [{"roleARN": "arn"}]}});
    assert!(unread(DeputyKind::ClusterRole, object(nowhere)).contains("can't be read"));
}
