//! What is read of a pod is all that injection goes by. That the rest says nothing each other test asks as well (`Case::run`).

use proptest::prelude::*;

use super::*;

/// An object's fields in the order opposite to that of their names.
fn backwards(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().rev();
            let fields = fields.map(|(key, value)| format!("{}:{}", json!(key), backwards(value)));
            format!("{{{}}}", joined(fields.collect()))
        }
        Value::Array(elements) => format!("[{}]", joined(elements.iter().map(backwards).collect())),
        scalar => scalar.to_string(),
    }
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(values).prop_map(|text| serde_json::from_str(text).unwrap())
}

/// A container with any of the fields of which only a part is read, or nothing.
fn container() -> impl Strategy<Value = Value> {
    // Seldom the name that pods are refused for.
    let name = prop_oneof![8 => Just(json!("app")), 1 => Just(json!("istio-proxy")), 1 => Just(json!("deputy-agent"))];
    let variable = one_of(&[
        r#"{"name": "SETTING", "value": "v"}"#,
        r#"{"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}"#,
        r#"{"name": "AWS_REGION", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}"#,
        r#"{"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}"#,
        r#"{"name": "AWS_PROFILE", "value": "p"}"#,
        r#"{"name": "HTTPS_PROXY", "value": "p"}"#,
        r#"{"name": "http_proxy", "value": "http://proxy"}"#,
        r#"{"name": "NO_PROXY", "value": "127.0.0.1"}"#,
        r#"{"name": "DEPUTY_BROKER_URL", "value": "https://broker"}"#,
        r#"{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:7419/v1/credentials"}"#,
        r#"{"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": "/var/run/secrets/deputy.dev/serviceaccount/token"}"#,
    ]);
    let more = one_of(&[
        "{}",
        r#"{"ports": [{"name": "http", "containerPort": 7419, "hostPort": 1}]}"#,
        r#"{"ports": [{"containerPort": 7419, "protocol": "UDP"}], "envFrom": []}"#,
        r#"{"envFrom": [{"secretRef": {"name": "s"}}], "livenessProbe": {"exec": {"command": ["\u0022"]}}}"#,
        r#"{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}, "image": "i", "command": ["sh", "-c", "{}"]}"#,
        r#"{"volumeMounts": [{"name": "v", "mountPath": "/var/run/secrets/deputy.dev/serviceaccount/", "subPath": "s"}]}"#,
        r#"{"volumeMounts": [{"name": "deputy-token", "mountPath": "/var/run/secrets/deputy.dev/serviceaccount", "readOnly": true}]}"#,
    ]);
    (name, prop::collection::vec(variable, 0..5), more).prop_map(|(name, env, more)| {
        let mut container = more;
        container["name"] = name;
        container["env"] = env.into();
        container
    })
}

fn pod() -> impl Strategy<Value = Value> {
    let spec = one_of(&[
        "{}",
        r#"{"hostNetwork": true, "hostPID": true}"#,
        r#"{"os": {"name": "windows"}, "hostNetwork": null}"#,
        r#"{"nodeSelector": {"kubernetes.io/os": "windows"}}"#,
        r#"{"tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists"}], "schedulerName": "default-scheduler"}"#,
        r#"{"schedulerName": "fargate-scheduler", "affinity": {"podAffinity": {}}}"#,
        r#"{"securityContext": {"runAsUser": 0, "fsGroup": 1}, "resources": {"limits": {"cpu": "1"}}}"#,
        r#"{"volumes": [{"name": "deputy-token", "projected": {"sources": [{"serviceAccountToken": {"audience": "deputy"}}]}}]}"#,
        r#"{"volumes": [{"name": "deputy-token", "emptyDir": {}}, {"name": "v", "configMap": {"name": "c"}}]}"#,
        r#"{"volumes": [{"name": "aws-iam-token", "projected": {"sources": []}}]}"#,
    ]);
    let metadata = one_of(&[
        r#"{"managedFields": [{"fieldsV1": {"k:{\"name\":\"app\"}": {"f:env": {}}}}]}"#,
        r#"{"annotations": {"deputy.dev/injected": "v1", "deputy.dev/binding.app": "one", "other": "\u00e9"}}"#,
        r#"{"annotations": {"deputy.dev/delivery": "Node", "sidecar.istio.io/inject": "true"}, "labels": {"istio.io/rev": "1"}}"#,
        r#"{"annotations": {"kubernetes.io/config.mirror": "m"}, "labels": null}"#,
    ]);
    let containers = || prop::collection::vec(container(), 1..3);
    (metadata, spec, containers(), prop::option::of(containers())).prop_map(|(metadata, spec, main, init)| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}});
        pod["spec"]["containers"] = main.into();
        if let Some(init) = init {
            pod["spec"]["initContainers"] = init.into();
        }
        pod
    })
}

proptest! {
    #[test]
    fn what_is_not_read_of_a_pod_says_nothing(pod in pod(), by_node: bool, to_sts: bool) {
        let case = match (by_node, to_sts) {
            (_, true) => web_identity::calling_sts(),
            (true, false) => Case::by_node(),
            (false, false) => Case::enabled(),
        };
        // As serde_json writes a pod, the names come after what they name; as the API server does, before.
        for text in [pod.to_string(), backwards(&pod)] {
            prop_assert!(case.run_text(&text).is_ok(), "{}", text);
        }
    }
}

#[test]
fn what_nobody_looks_at_is_not_kept() {
    let container = json!({"name": "app", "image": "i", "args": ["unread"], "env": [{"name": "UNREAD", "value": "unread"}, {"name": "AWS_REGION", "value": "r"}]});
    let text = json!({
        "metadata": {"managedFields": [{"unread": {}}], "labels": {"a": "b"}},
        "spec": {"containers": [container], "unread": []},
        "status": {"unread": []},
    })
    .to_string();
    let read = format!("{:?}", serde_json::from_str::<PodJson<'_>>(&text).unwrap());
    assert!(!read.to_lowercase().contains("unread"), "{read}");
    assert!(read.contains("AWS_REGION"), "{read}");
}

#[test]
fn a_pod_of_another_shape_is_refused_with_the_place() {
    for (text, says) in [
        ("[]", "expected an object"),
        (r#"{"spec": []}"#, "expected an object"),
        (r#"{"spec": {"containers": {}}}"#, "expected a list"),
        (r#"{"spec": {"containers": ["app"]}}"#, "expected an object"),
        (
            r#"{"spec": {"containers": [{"env": [1]}]}}"#,
            "expected an object",
        ),
        (
            r#"{"spec": {"initContainers": [{"env": {}}]}}"#,
            "expected a list",
        ),
        (r#"{"metadata": "m"}"#, "expected an object"),
    ] {
        let error = serde_json::from_str::<PodJson<'_>>(text).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("column"),
            "{text}: {error}"
        );
    }
    // As Go writes what is not there.
    let none = r#"{"metadata": null, "spec": {"containers": [{"env": null}], "volumes": null}}"#;
    assert!(serde_json::from_str::<PodJson<'_>>(none).is_ok());
}
