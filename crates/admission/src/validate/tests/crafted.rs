//! Requests that no API server would send.

use super::*;

#[test]
fn nothing_is_decided_before_everything_was_read() {
    let index = Arc::new(Index::new(ClusterName::new("prod-1").unwrap()));
    index.reset(ResourceKind::Limits, []);
    let facts = Facts::new(index);
    create(&facts, &role(&["s3:GetObject"])).denied(500);
    delete(&facts, &limit(&["s3:GetObject"])).denied(500);
    let (old, mut new) = (role(&["s3:GetObject"]), role(&["s3:GetObject"]));
    new["metadata"]["finalizers"] = json!([]);
    update(&facts, &old, &new).allowed();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decided_on_what_is_older_than_thirty_seconds() {
    let facts = usual();
    create(&facts, &role(&["s3:GetObject"])).allowed();
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    for answer in [
        create(&facts, &role(&["s3:GetObject"])),
        delete(&facts, &limit(&["s3:GetObject", "s3:PutObject"])),
    ] {
        let message = answer.denied(500).to_owned();
        assert!(
            message.contains("for 31 s; nothing new is decided after 30 s"),
            "{message}"
        );
    }
    let (old, mut new) = (role(&["s3:GetObject"]), role(&["s3:GetObject"]));
    new["metadata"]["finalizers"] = json!([]);
    update(&facts, &old, &new).allowed();
}

#[test]
fn kind_and_resource_and_object_must_agree() {
    let good = body("CREATE", Some(&role(&["s3:GetObject"])), None);
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    ask(&usual(), &good).allowed();
    for (pointer, value) in [
        ("/request/kind/kind", json!("AWSAccount")),
        ("/request/kind/kind", json!("Pod")),
        ("/request/kind/group", json!("")),
        ("/request/kind/version", json!("v2")),
        ("/request/resource/resource", json!("awsaccounts")),
        ("/request/resource/group", json!("apps")),
        ("/request/resource/version", json!("v1")),
        ("/request/object/kind", json!("AWSAccount")),
        ("/request/object/apiVersion", json!("v1")),
        ("/request/object/metadata/name", json!("other")),
        ("/request/object/metadata/namespace", json!("other")),
        ("/request/namespace", json!("other")),
        ("/request/namespace", Value::Null),
        ("/request/object", Value::Null),
        ("/request/object", json!([])),
        ("/request/operation", json!("CONNECT")),
        ("/request/operation", json!("UPDATE")),
        ("/request/operation", json!("DELETE")),
    ] {
        ask(&usual(), &with(pointer, value)).denied(400);
    }
}
