//! Injection, pod by pod: what a table of cases (`tests/injection`) would say less clearly.

mod delivery;
mod order;
mod properties;
mod read;
mod web_identity;

use std::collections::BTreeMap;

use deputy_delegation::{NamespaceName, Region, web_identity::WebIdentity};
use deputy_index::{NamespaceInfo, ServiceAccountInfo};
use serde_json::{Value, json};

use super::*;

pub(super) fn config() -> InjectionConfig {
    let quantity = |text: &str| Some(text.parse().unwrap());
    let mut resources = Resources::default();
    (resources.cpu.request, resources.memory.request) = (quantity("5m"), quantity("16Mi"));
    resources.memory.limit = quantity("64Mi");
    InjectionConfig {
        agent: AgentSettings {
            image: "example.com/deputy-agent:0.2.0".into(),
            port: 7419,
            resources,
            run_as: RunAs::Uid(65_532),
            default_region: None,
            mesh: MeshDefaults::default(),
            delivery: PodDelivery::Sidecar,
            node: Some("169.254.170.23:7419".parse().unwrap()),
        },
        broker_url: "https://deputy-broker.deputy-system.svc:7418".into(),
        broker_address: Some("10.96.0.77:7418".into()),
        broker_ca: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into(),
        own_namespace: NamespaceName::new("deputy-system").unwrap(),
    }
}

#[derive(Debug)]
struct Case {
    namespace: NamespaceName,
    namespace_info: NamespaceInfo,
    service_account: ServiceAccountInfo,
    region: Option<Region>,
    /// What every binding tells pods.
    web_identity: Option<WebIdentity>,
    host_network: HostNetworkLeave,
    config: InjectionConfig,
}

fn labelled(value: Option<&str>) -> BTreeMap<String, String> {
    let label = value.map(|v| (INJECT_LABEL.to_owned(), v.to_owned()));
    label.into_iter().collect()
}

impl Case {
    fn enabled() -> Self {
        Self::of(None, Some("enabled"))
    }
    /// The same, in a namespace whose pods the agent on the node serves.
    fn by_node() -> Self {
        let mut case = Self::enabled();
        let annotation = (DELIVERY_ANNOTATION.to_owned(), "Node".to_owned());
        case.namespace_info.annotations.extend([annotation]);
        case
    }
    fn of(service_account: Option<&str>, namespace: Option<&str>) -> Self {
        Self {
            namespace: NamespaceName::new("payments").unwrap(),
            namespace_info: NamespaceInfo {
                labels: labelled(namespace),
                ..NamespaceInfo::default()
            },
            service_account: ServiceAccountInfo {
                labels: labelled(service_account),
                ..ServiceAccountInfo::default()
            },
            region: Some(Region::new("ap-northeast-1").unwrap()),
            web_identity: None,
            host_network: HostNetworkLeave::NoLimit,
            config: config(),
        }
    }
    fn run(&self, pod: &Value) -> Injection {
        self.run_if_read(pod).unwrap()
    }
    /// An error: it is no pod.
    fn run_if_read(&self, pod: &Value) -> Result<Injection, serde_json::Error> {
        self.run_text(&pod.to_string())
    }
    fn run_text(&self, pod: &str) -> Result<Injection, serde_json::Error> {
        let region = |_: Option<&str>| self.region.clone();
        let web_identity = |_: Option<&str>| self.web_identity.clone();
        let facts = PodFacts {
            namespace: &self.namespace,
            namespace_info: &self.namespace_info,
            service_account: &self.service_account,
            region: &region,
            web_identity: &web_identity,
            host_network: &self.host_network,
        };
        let read = inject(&serde_json::from_str(pod)?, &facts, &self.config);
        let whole = PodJson::whole(serde_json::from_str(pod)?);
        assert_eq!(
            inject(&whole, &facts, &self.config),
            read,
            "what is not read says something: {pod}"
        );
        Ok(read)
    }
    fn skipped(&self, pod: &Value) -> SkipReason {
        match self.run(pod) {
            Injection::Skipped { reason, .. } => reason,
            other => panic!("not skipped: {other:?}"),
        }
    }
    fn applied(&self, pod: &Value) -> (Value, Vec<String>) {
        match self.run(pod) {
            Injection::Injected { patch, warnings, .. } => (apply(pod, patch), warnings),
            other => panic!("not injected: {other:?}"),
        }
    }
}

fn operations(patch: Patch) -> Vec<Value> {
    serde_json::from_slice(&patch.into_json()).unwrap()
}

fn apply(pod: &Value, patch: Patch) -> Value {
    let patch: json_patch::Patch = serde_json::from_slice(&patch.into_json()).unwrap();
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

/// Without lists and maps that are empty: a removal leaves them.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), pruned(value)))
            .filter(|(_, value)| ![json!([]), json!({})].contains(value))
            .collect(),
        Value::Array(values) => values.iter().map(pruned).collect(),
        other => other.clone(),
    }
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
fn nonsense_in_annotations_is_refused_with_its_name() {
    for (key, value) in [
        ("deputy.dev/binding", "../../x"),
        ("deputy.dev/binding.app", "A B"),
        ("deputy.dev/wait-for", "never"),
        ("deputy.dev/wait-for ", "credential"),
        ("deputy.dev/agent-port", "7419x"),
        ("deputy.dev/agent-port", "1023"),
        ("deputy.dev/agent-port", "65536"),
        ("deputy.dev/agent-cpu-limit", "none"),
        ("deputy.dev/accept-suspending", "1"),
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
fn no_array_that_was_there_is_replaced_and_every_index_is_tested() {
    let mut p = pod();
    p["spec"]["containers"][0]["env"] = json!([{"name": "X", "value": "1"}]);
    p["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let Injection::Injected { patch, .. } = Case::enabled().run(&p) else {
        panic!()
    };
    let patch = operations(patch);
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
fn the_pods_label_wins_then_the_accounts_then_the_namespaces() {
    let of = |value: Option<&str>| {
        let mut p = pod();
        if let Some(v) = value {
            p["metadata"]["labels"][INJECT_LABEL] = json!(v);
        }
        p
    };
    let (yes, no, odd) = (Some("enabled"), Some("disabled"), Some("true"));
    for (on_pod, on_account, on_namespace, outcome) in [
        (yes, no, no, "injected"),
        (no, yes, yes, "skipped"),
        (None, yes, no, "injected"),
        (None, no, yes, "skipped"),
        (None, None, yes, "injected"),
        (None, None, None, "skipped"),
        // A typing mistake is refused where it decides.
        (odd, None, None, "refused"),
        (odd, yes, yes, "refused"),
        (None, odd, yes, "refused"),
        (None, None, odd, "refused"),
        (yes, odd, odd, "injected"),
        (None, no, odd, "skipped"),
    ] {
        let got = match Case::of(on_account, on_namespace).run(&of(on_pod)) {
            Injection::Injected { .. } => "injected",
            Injection::Skipped { .. } => "skipped",
            Injection::Refused { .. } => "refused",
        };
        assert_eq!(
            got, outcome,
            "pod {on_pod:?}, account {on_account:?}, namespace {on_namespace:?}"
        );
    }
}

#[test]
fn each_container_is_told_the_region_of_its_own_binding() {
    let mut p = pod();
    p["metadata"]["annotations"] = json!({"deputy.dev/binding.reader": "reader"});
    p["spec"]["containers"] = json!([{"name": "app", "image": "a"}, {"name": "reader", "image": "b"}]);
    let case = Case::enabled();
    let region = |binding: Option<&str>| binding.is_some().then(|| Region::new("eu-west-1").unwrap());
    let facts = PodFacts {
        namespace: &case.namespace,
        namespace_info: &case.namespace_info,
        service_account: &case.service_account,
        region: &region,
        web_identity: &|_| None,
        host_network: &case.host_network,
    };
    let text = p.to_string();
    let Injection::Injected { patch, .. } = inject(&serde_json::from_str(&text).unwrap(), &facts, &config())
    else {
        panic!()
    };
    let out = apply(&p, patch);
    let region = |i: usize| env_of(&out["spec"]["containers"][i], "AWS_REGION");
    assert_eq!((region(0), region(1).as_deref()), (None, Some("eu-west-1")));
}

/// Every way to say a region, with the binding's known and not.
#[test]
fn the_region_is_the_authors_else_the_bindings_else_none() {
    let value = |name: &str| json!({"name": name, "value": "eu-west-1"});
    let from = |name: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    let (one, other) = ("AWS_REGION", "AWS_DEFAULT_REGION");
    let ways = [
        ("none", json!([]), true, 0),
        ("one", json!([value(one)]), false, 2),
        ("other", json!([value(other)]), false, 2),
        ("both", json!([value(one), from(other)]), false, 2),
        ("from", json!([from(one)]), false, 2),
        ("empty", json!([{"name": one, "value": ""}]), false, 1),
        ("refers", json!([{"name": one, "value": "$(X)"}]), false, 1),
    ];
    for known in [true, false] {
        for env_from in [true, false] {
            for (name, env, takes_known, own) in &ways {
                let mut p = pod();
                p["spec"]["containers"][0]["env"] = env.clone();
                if env_from {
                    p["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "c"}}]);
                }
                let case = Case {
                    region: known.then(|| Region::new("ap-northeast-1").unwrap()),
                    ..Case::enabled()
                };
                let (out, warnings) = case.applied(&p);
                let env = out["spec"]["containers"][0]["env"].as_array().unwrap();
                let count = |n: &str| env.iter().filter(|e| e["name"] == n).count();
                let regions = count(one) + count(other);
                let authors = p["spec"]["containers"][0]["env"].as_array().unwrap().len();
                let expected = match (env_from, *takes_known && known) {
                    (true, _) => authors,
                    (false, true) => 2,
                    (false, false) => *own,
                };
                let about = format!("{name}, known {known}, envFrom {env_from}");
                assert_eq!(regions, expected, "{about}");
                assert!(count(one) < 2 && count(other) < 2, "{about}");
                // Only where a region is certain.
                let certain = !env_from && regions > 0 && *name != "empty";
                assert_eq!(count("AWS_EC2_METADATA_DISABLED") == 1, certain, "{about}");
                let warned = (env_from && known && *name == "none") || (!env_from && *name == "refers");
                assert_eq!(!warnings.is_empty(), warned, "{about}: {warnings:?}");
            }
        }
    }
}

#[test]
fn a_limit_is_never_below_its_request() {
    for (annotations, request, limit) in [
        (json!({"deputy.dev/agent-memory-request": "16Mi"}), "16Mi", "64Mi"),
        (json!({"deputy.dev/agent-memory-request": "65Mi"}), "65Mi", "65Mi"),
        (json!({"deputy.dev/agent-memory-request": "1G"}), "1G", "1G"),
        (
            json!({"deputy.dev/agent-memory-request": "67108864"}),
            "67108864",
            "64Mi",
        ),
        (json!({"deputy.dev/agent-memory-limit": "8Mi"}), "8Mi", "8Mi"),
        (
            json!({"deputy.dev/agent-memory-limit": "128Mi", "deputy.dev/agent-memory-request": "128Mi"}),
            "128Mi",
            "128Mi",
        ),
    ] {
        let mut p = pod();
        p["metadata"]["annotations"] = annotations;
        let (out, _) = Case::enabled().applied(&p);
        let resources = &out["spec"]["initContainers"][0]["resources"];
        assert_eq!(resources["requests"]["memory"], request);
        assert_eq!(resources["limits"]["memory"], limit);
    }
}
