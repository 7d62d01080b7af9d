//! What people ask for, as objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::wishes::{
    ACCOUNTS, BINDINGS, BindingPlace, Bound, ISSUERS, LIMITS, ROLES, RoleWish, SHARED, Wishes, names,
};
use crate::fixtures::{api_server::path_of, object, policy, roles::DEPLOY};

/// The objects of these wishes by their paths, as people write them: without what an API server adds.
pub fn objects(wishes: &Wishes) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    accounts(wishes, &mut all);
    limits(wishes, &mut all);
    for (number, wish) in &wishes.roles {
        let place = ROLES[*number];
        let mut spec = spec_of_role(wish);
        spec["accountRef"] = json!({"name": place.account});
        let mut role = written("AWSRole", Some(place.namespace), place.name, wish.uid, spec);
        request(&mut role, wish);
        all.insert(path_of("awsroles", Some(place.namespace), place.name), role);
    }
    if let Some(wish) = &wishes.shared {
        let mut spec = spec_of_role(wish);
        spec["namespaces"] = json!(["*"]);
        let mut role = written("ClusterAWSRole", None, SHARED, wish.uid, spec);
        request(&mut role, wish);
        all.insert(path_of("clusterawsroles", None, SHARED), role);
    }
    for (number, count) in &wishes.bindings {
        let place = BINDINGS[*number];
        let path = path_of("awsrolebindings", Some(place.namespace), place.name);
        all.insert(path, binding(place, *count));
    }
    all
}

fn accounts(wishes: &Wishes, all: &mut BTreeMap<String, Value>) {
    for (wish, (name, id)) in wishes.accounts.iter().zip(ACCOUNTS) {
        let user = |number: usize| json!({"principalARN": format!("arn:aws:iam::{id}:{}", ISSUERS[number])});
        let mut spec = json!({
            "accountID": id, "region": "ap-northeast-1", "issuer": user(wish.issuer),
            "tags": {"cost-center": format!("team-{}", wish.tag)},
        });
        if wish.has_previous {
            spec["previousIssuers"] = json!([user(1 - wish.issuer)]);
        }
        let path = path_of("awsaccounts", None, name);
        all.insert(path, written("AWSAccount", None, name, 0, spec));
    }
}

fn limits(wishes: &Wishes, all: &mut BTreeMap<String, Value>) {
    for (number, wish) in &wishes.limits {
        let name = LIMITS[*number];
        let actions: Vec<&str> = names(wish.actions).collect();
        let mut namespaces: Vec<&str> = wish.namespaces.iter().copied().collect();
        if namespaces.is_empty() {
            namespaces.push("nobody");
        }
        let spec = json!({
            "namespaces": namespaces, "accounts": ACCOUNTS.map(|(name, _)| name), "ceiling": policy(&actions),
            "principals": [{"match": ["arn:aws:iam::999999999999:*"]}],
        });
        let path = path_of("delegationlimits", None, name);
        all.insert(path, written("DelegationLimit", None, name, wish.uid, spec));
    }
}

fn binding(place: BindingPlace, count: usize) -> Value {
    let subjects: Vec<Value> = if place.bearers.is_empty() {
        vec![json!({"kind": "AWSPrincipal", "arn": DEPLOY})]
    } else {
        let named = place.bearers.iter().take(count);
        named
            .map(|name| json!({"kind": "ServiceAccount", "name": name}))
            .collect()
    };
    let spec = match place.to {
        Bound::Role(number) => json!({
            "roleRef": {"kind": "AWSRole", "name": ROLES[number].name}, "subjects": subjects,
        }),
        Bound::Shared(account) => json!({
            "roleRef": {"kind": "ClusterAWSRole", "name": SHARED}, "accountRef": {"name": account},
            "subjects": subjects,
        }),
    };
    written("AWSRoleBinding", Some(place.namespace), place.name, 0, spec)
}

fn spec_of_role(wish: &RoleWish) -> Value {
    let actions: Vec<&str> = names(wish.actions).collect();
    json!({
        "policies": [{"name": "objects", "document": policy(&actions)}],
        "maxSessionDuration": if wish.is_long { "4h" } else { "1h" },
    })
}

fn request(role: &mut Value, wish: &RoleWish) {
    if wish.requested > 0 {
        let annotation = json!({"deputy.dev/reconcile-requested-at": format!("time {}", wish.requested)});
        role["metadata"]["annotations"] = annotation;
    }
}

fn written(kind: &str, namespace: Option<&str>, name: &str, uid: usize, spec: Value) -> Value {
    let mut written = object(kind, namespace, name, spec);
    let namespace = namespace.unwrap_or_default();
    written.metadata.uid = Some(format!("uid-{namespace}-{name}-{uid}"));
    serde_json::to_value(written).unwrap()
}
