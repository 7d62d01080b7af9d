//! Injection, pod by pod.

mod properties;

use deputy_delegation::{NamespaceName, Region};
use serde_json::{Value, json};

use super::*;

fn config() -> InjectionConfig {
    InjectionConfig {
        agent_image: "example.com/deputy-agent@sha256:0000".into(),
        broker_url: "https://deputy-broker.deputy-system.svc:7418".into(),
        broker_address: Some("10.96.0.77:7418".into()),
        broker_ca: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into(),
        own_namespace: NamespaceName::new("deputy-system").unwrap(),
    }
}

struct Case {
    namespace: NamespaceName,
    service_account: Option<&'static str>,
    namespace_label: Option<&'static str>,
    region: Option<Region>,
}

impl Case {
    fn enabled() -> Self {
        Self {
            namespace: NamespaceName::new("payments").unwrap(),
            service_account: None,
            namespace_label: Some("enabled"),
            region: Some(Region::new("ap-northeast-1").unwrap()),
        }
    }
    fn run(&self, pod: &Value) -> Injection {
        let region = |_: Option<&str>| self.region.clone();
        let facts = PodFacts {
            namespace: &self.namespace,
            service_account_label: self.service_account,
            namespace_label: self.namespace_label,
            region: &region,
        };
        inject(pod, &facts, &config())
    }
    fn skipped(&self, pod: &Value) -> SkipReason {
        match self.run(pod) {
            Injection::Skipped { reason, .. } => reason,
            other => panic!("not skipped: {other:?}"),
        }
    }
    fn applied(&self, pod: &Value) -> (Value, Vec<String>) {
        match self.run(pod) {
            Injection::Injected { patch, warnings } => (apply(pod, patch), warnings),
            other => panic!("not injected: {other:?}"),
        }
    }
}

fn apply(pod: &Value, patch: Vec<Value>) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(Value::Array(patch)).unwrap();
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

fn pod() -> Value {
    json!({
        "metadata": {"name": "uploader", "labels": {"app": "uploader"}},
        "spec": {
            "serviceAccountName": "uploader",
            "containers": [{"name": "app", "image": "app:1"}],
            "volumes": [{"name": "kube-api-access", "projected": {"sources": []}}]
        }
    })
}

fn env_of(container: &Value, name: &str) -> Option<String> {
    container["env"]
        .as_array()?
        .iter()
        .find(|e| e["name"] == name)
        .map(|e| e["value"].as_str().unwrap().to_owned())
}

#[test]
fn an_injected_pod_is_what_the_contract_says() {
    let (pod, warnings) = Case::enabled().applied(&pod());
    assert!(warnings.is_empty());
    insta::assert_json_snapshot!("injected_pod", pod);
}

#[test]
fn the_label_of_the_pod_wins_over_the_service_account_and_that_over_the_namespace() {
    let labelled = |value: Option<&str>| {
        let mut p = pod();
        if let Some(v) = value {
            p["metadata"]["labels"][INJECT_LABEL] = json!(v);
        }
        p
    };
    for (on_pod, on_account, on_namespace, injected) in [
        (Some("enabled"), Some("disabled"), Some("disabled"), true),
        (Some("disabled"), Some("enabled"), Some("enabled"), false),
        (None, Some("enabled"), Some("disabled"), true),
        (None, Some("disabled"), Some("enabled"), false),
        (None, None, Some("enabled"), true),
        (None, None, None, false),
        // A typing mistake is not an "enabled".
        (Some("true"), None, None, false),
    ] {
        let case = Case {
            service_account: on_account,
            namespace_label: on_namespace,
            ..Case::enabled()
        };
        let got = matches!(case.run(&labelled(on_pod)), Injection::Injected { .. });
        assert_eq!(
            got, injected,
            "pod {on_pod:?}, account {on_account:?}, namespace {on_namespace:?}"
        );
    }
}

#[test]
fn pods_that_can_not_be_injected_are_left_alone_with_the_reason() {
    let with = |path: &str, value: Value| {
        let mut p = pod();
        *p.pointer_mut(path.rsplit_once('/').unwrap().0)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .entry(path.rsplit_once('/').unwrap().1)
            .or_insert(Value::Null) = value;
        p
    };
    let case = Case::enabled();
    assert_eq!(
        case.skipped(&with("/spec/hostNetwork", json!(true))),
        SkipReason::HostNetwork
    );
    assert_eq!(
        case.skipped(&with("/spec/os", json!({"name": "windows"}))),
        SkipReason::Windows
    );
    assert_eq!(
        case.skipped(&with(
            "/spec/nodeSelector",
            json!({"kubernetes.io/os": "windows"})
        )),
        SkipReason::Windows
    );
    assert_eq!(
        case.skipped(&with(
            "/metadata/annotations",
            json!({"kubernetes.io/config.mirror": "x"})
        )),
        SkipReason::MirrorPod
    );
    let irsa = json!([{"name": "app", "env": [
        {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/x"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/x"}]}]);
    assert_eq!(case.skipped(&with("/spec/containers", irsa)), SkipReason::Irsa);

    let namespace = |name: &str| Case {
        namespace: NamespaceName::new(name).unwrap(),
        ..Case::enabled()
    };
    assert_eq!(
        namespace("deputy-system").skipped(&pod()),
        SkipReason::OwnNamespace
    );
    assert_eq!(namespace("kube-system").skipped(&pod()), SkipReason::KubeSystem);
    let own_label = with("/metadata/labels", json!({INJECT_LABEL: "enabled"}));
    assert!(matches!(
        namespace("kube-system").run(&own_label),
        Injection::Injected { .. }
    ));
    // Not even its own label gets a pod of Deputy's namespace injected.
    assert_eq!(
        namespace("deputy-system").skipped(&own_label),
        SkipReason::OwnNamespace
    );
}

#[test]
fn a_skipped_pod_that_asked_says_so_in_an_annotation_and_a_warning() {
    let mut p = pod();
    p["spec"]["hostNetwork"] = json!(true);
    let Injection::Skipped { patch, warnings, .. } = Case::enabled().run(&p) else {
        panic!()
    };
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        apply(&p, patch)["metadata"]["annotations"][INJECTED_ANNOTATION],
        "skipped: host-network"
    );
}

#[test]
fn what_the_user_set_is_kept_and_warned_about() {
    let mut p = pod();
    p["spec"]["containers"][0]["env"] = json!([
        {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:1/mine"},
        {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
        {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}
    ]);
    let (out, warnings) = Case::enabled().applied(&p);
    let app = &out["spec"]["containers"][0];
    assert_eq!(
        env_of(app, "AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap(),
        "http://127.0.0.1:1/mine"
    );
    assert!(
        app["env"]
            .as_array()
            .unwrap()
            .iter()
            .all(|e| e["name"] != "AWS_REGION")
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn a_binding_can_be_named_for_the_pod_and_for_one_container() {
    let mut p = pod();
    p["metadata"]["annotations"] =
        json!({"deputy.dev/binding": "writer", "deputy.dev/binding.reader": "reader"});
    p["spec"]["containers"] = json!([{"name": "app", "image": "a"}, {"name": "reader", "image": "b"}]);
    let (out, _) = Case::enabled().applied(&p);
    let uri = |i: usize| {
        env_of(
            &out["spec"]["containers"][i],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        )
        .unwrap()
    };
    assert_eq!(uri(0), "http://127.0.0.1:7419/v1/credentials/writer");
    assert_eq!(uri(1), "http://127.0.0.1:7419/v1/credentials/reader");
    assert_eq!(
        env_of(&out["spec"]["initContainers"][0], "DEPUTY_BINDINGS").unwrap(),
        "writer,reader"
    );

    p["metadata"]["annotations"] = json!({"deputy.dev/binding.reader": "reader"});
    let (out, _) = Case::enabled().applied(&p);
    assert_eq!(
        env_of(&out["spec"]["initContainers"][0], "DEPUTY_BINDINGS").unwrap(),
        ",reader"
    );
}

#[test]
fn nonsense_in_annotations_is_refused_with_its_name() {
    for (key, value) in [
        ("deputy.dev/binding", "../../x"),
        ("deputy.dev/binding.app", "A B"),
        ("deputy.dev/wait-for", "never"),
        ("deputy.dev/agent-cpu-request", "lots"),
        ("deputy.dev/agent-memory-request", "-1Mi"),
    ] {
        let mut p = pod();
        p["metadata"]["annotations"] = json!({key: value});
        match Case::enabled().run(&p) {
            Injection::Refused { message } => assert!(message.contains(key), "{message}"),
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn a_container_that_takes_the_sidecars_name_is_refused() {
    for list in ["initContainers", "containers"] {
        let mut p = pod();
        p["spec"][list] = json!([{"name": "deputy-agent", "image": "evil"}, {"name": "app", "image": "a"}]);
        assert!(
            matches!(Case::enabled().run(&p), Injection::Refused { .. }),
            "{list}"
        );
    }
}

#[test]
fn the_sidecar_comes_first_but_after_a_mesh() {
    let mut p = pod();
    p["spec"]["initContainers"] =
        json!([{"name": "istio-init"}, {"name": "istio-proxy"}, {"name": "migrate"}]);
    let (out, _) = Case::enabled().applied(&p);
    let names: Vec<_> = out["spec"]["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["istio-init", "istio-proxy", "deputy-agent", "migrate"]);
    assert!(
        env_of(
            &out["spec"]["initContainers"][3],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        )
        .is_some()
    );
}

#[test]
fn ports_that_a_mesh_must_not_redirect_are_added_to_those_already_there() {
    let mut p = pod();
    p["metadata"]["annotations"] = json!({"traffic.sidecar.istio.io/excludeOutboundPorts": "5432"});
    let (out, _) = Case::enabled().applied(&p);
    assert_eq!(
        out["metadata"]["annotations"]["traffic.sidecar.istio.io/excludeOutboundPorts"],
        "5432,7418"
    );
    assert_eq!(
        out["metadata"]["annotations"]["config.linkerd.io/skip-outbound-ports"],
        "7418"
    );
}

#[test]
fn no_array_that_was_there_is_replaced_and_every_index_is_tested() {
    let mut p = pod();
    p["spec"]["containers"][0]["env"] = json!([{"name": "X", "value": "1"}]);
    p["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let Injection::Injected { patch, .. } = Case::enabled().run(&p) else {
        panic!()
    };
    for op in &patch {
        let path = op["path"].as_str().unwrap();
        assert!(
            ![
                "/spec/containers",
                "/spec/volumes",
                "/spec/containers/0/env",
                "/spec/containers/0/volumeMounts"
            ]
            .contains(&path),
            "{op}"
        );
        assert!(["add", "test"].contains(&op["op"].as_str().unwrap()));
    }
    assert_eq!(
        patch[0],
        json!({"op": "test", "path": "/spec/containers/0/name", "value": "app"})
    );
}

#[test]
fn one_pod_can_use_64_bindings_and_not_one_more() {
    let with = |count: usize, default_too: bool| {
        let mut p = pod();
        let named = |i: usize| json!({"name": format!("c{i}"), "image": "a"});
        let mut containers: Vec<Value> = (0..count).map(named).collect();
        if default_too {
            containers.push(json!({"name": "app", "image": "a"}));
        }
        p["spec"]["containers"] = containers.into();
        p["metadata"]["annotations"] = (0..count)
            .map(|i| (format!("deputy.dev/binding.c{i}"), json!(format!("b{i}"))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        Case::enabled().run(&p)
    };
    assert!(matches!(with(64, false), Injection::Injected { .. }));
    assert!(matches!(with(63, true), Injection::Injected { .. }));
    for (count, default_too) in [(65, false), (64, true)] {
        match with(count, default_too) {
            Injection::Refused { message } => assert!(message.contains("use 65 bindings"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_container_is_told_the_region_of_its_own_binding() {
    let mut p = pod();
    p["metadata"]["annotations"] = json!({"deputy.dev/binding.reader": "reader"});
    p["spec"]["containers"] = json!([{"name": "app", "image": "a"}, {"name": "reader", "image": "b"}]);
    let namespace = NamespaceName::new("payments").unwrap();
    let region = |binding: Option<&str>| binding.is_some().then(|| Region::new("eu-west-1").unwrap());
    let facts = PodFacts {
        namespace: &namespace,
        service_account_label: None,
        namespace_label: Some("enabled"),
        region: &region,
    };
    let Injection::Injected { patch, .. } = inject(&p, &facts, &config()) else {
        panic!()
    };
    let out = apply(&p, patch);
    assert_eq!(env_of(&out["spec"]["containers"][0], "AWS_REGION"), None);
    assert_eq!(
        env_of(&out["spec"]["containers"][1], "AWS_REGION").unwrap(),
        "eu-west-1"
    );
}

#[test]
fn a_volume_that_takes_the_tokens_name_is_refused() {
    let mut p = pod();
    p["spec"]["volumes"] = json!([{"name": "deputy-token", "emptyDir": {}}]);
    match Case::enabled().run(&p) {
        Injection::Refused { message } => assert!(message.contains("deputy-token"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sidecars_memory_limit_is_never_below_its_request() {
    for (request, limit) in [
        ("16Mi", "64Mi"),
        ("64Mi", "64Mi"),
        ("65Mi", "65Mi"),
        ("1G", "1G"),
        ("67108864", "64Mi"),
    ] {
        let mut p = pod();
        p["metadata"]["annotations"] = json!({"deputy.dev/agent-memory-request": request});
        let (out, _) = Case::enabled().applied(&p);
        let resources = &out["spec"]["initContainers"][0]["resources"];
        assert_eq!(resources["requests"]["memory"], request);
        assert_eq!(resources["limits"]["memory"], limit);
    }
}
