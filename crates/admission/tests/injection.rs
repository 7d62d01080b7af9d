//! Injection, case by case: each file `injection/NAME.yaml` is a pod and what stands around it, `injection/NAME.json` what
//! becomes of it. `UPDATE_GOLDEN=1` writes the latter (`hack/generate`).
//!
//! Of the sidecar and the token's volume only what is not as in `plain` is shown there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside a #[test] function"
)]

use std::{collections::BTreeMap, fs, path::PathBuf};

use deputy_admission::inject::{
    AgentSettings, HostNetworkLeave, Injection, InjectionConfig, MeshDefaults, Patch, PodDelivery, PodFacts,
    Resources, inject,
};
use deputy_delegation::{Audience, NamespaceName, ObjectName, Region, RoleArn, web_identity::WebIdentity};
use deputy_index::{NamespaceInfo, ServiceAccountInfo};
use kube::api::ObjectMeta;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// What must be so, and why.
    says: String,
    #[serde(default)]
    namespace: Meta,
    #[serde(default)]
    service_account: Meta,
    /// The region of every binding; none: not known.
    region: Option<String>,
    /// Bindings by which pods call STS themselves; the default one is called `default`.
    #[serde(default)]
    web_identity: BTreeMap<String, Told>,
    /// What the limits of the namespace say of `hostNetwork`: `given`, or the limit that withholds it, or `unreadable NAME`. None: there is
    /// no limit.
    host_network: Option<String>,
    #[serde(default)]
    settings: Settings,
    pod: Value,
    /// What other webhooks do after the first call: then there is a second one.
    #[serde(default)]
    then: Option<json_patch::Patch>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Meta {
    name: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Meta {
    fn object(&self) -> ObjectMeta {
        ObjectMeta {
            labels: Some(self.labels.clone()),
            annotations: Some(self.annotations.clone()),
            ..ObjectMeta::default()
        }
    }
}

/// What a pod is told by a binding.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    role: String,
    audience: Option<String>,
}

/// What is not the chart's default.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    image: Option<String>,
    port: Option<u16>,
    cpu_limit: Option<String>,
    memory_limit: Option<String>,
    run_as: Option<String>,
    default_region: Option<String>,
    istio: Option<String>,
    delivery: Option<String>,
    /// Where the agents on nodes listen; `none`: there are none.
    node: Option<String>,
}

impl Case {
    fn config(&self) -> InjectionConfig {
        let s = &self.settings;
        let quantity = |text: &str| Some(text.parse().unwrap());
        let mut resources = Resources::default();
        resources.cpu.request = quantity("5m");
        resources.cpu.limit = s.cpu_limit.as_deref().and_then(quantity);
        resources.memory.request = quantity("16Mi");
        resources.memory.limit = quantity(s.memory_limit.as_deref().unwrap_or("64Mi"));
        InjectionConfig {
            agent: AgentSettings {
                image: s
                    .image
                    .clone()
                    .unwrap_or_else(|| "registry.example.com/deputy-agent:0.2.0".into()),
                port: s.port.unwrap_or(7419),
                resources,
                run_as: s.run_as.as_deref().unwrap_or("65532").parse().unwrap(),
                default_region: s.default_region.as_deref().map(|r| Region::new(r).unwrap()),
                mesh: MeshDefaults {
                    istio: s.istio.clone().unwrap_or_default(),
                    linkerd: "4567,4568".into(),
                },
                delivery: s
                    .delivery
                    .as_deref()
                    .map_or(PodDelivery::Sidecar, |d| d.parse().unwrap()),
                node: Some(s.node.as_deref().unwrap_or("169.254.170.23:7419"))
                    .filter(|node| *node != "none")
                    .map(|node| node.parse().unwrap()),
            },
            broker_url: "https://deputy-broker.deputy.svc:7418".into(),
            broker_address: Some("10.96.0.77:7418".into()),
            broker_ca: "the broker's authority".into(),
            own_namespace: NamespaceName::new("deputy").unwrap(),
        }
    }

    fn inject(&self, pod: &Value) -> Injection {
        let namespace = NamespaceName::new(self.namespace.name.as_deref().unwrap_or("payments")).unwrap();
        let region = |_: Option<&str>| self.region.as_deref().map(|r| Region::new(r).unwrap());
        let web_identity = |binding: Option<&str>| {
            let told = self.web_identity.get(binding.unwrap_or("default"))?;
            let arn = format!("arn:aws:iam::123456789012:role/deputy/demo/{}", told.role);
            Some(WebIdentity {
                role: RoleArn::parse(&arn).unwrap(),
                audience: Audience::new(told.audience.as_deref().unwrap_or("sts.amazonaws.com")).unwrap(),
                region: Region::new("eu-west-1").unwrap(),
            })
        };
        let facts = PodFacts {
            namespace: &namespace,
            namespace_info: &NamespaceInfo::from_meta(&self.namespace.object()),
            service_account: &ServiceAccountInfo::from_meta(&self.service_account.object()),
            region: &region,
            web_identity: &web_identity,
            host_network: &self.leave(),
        };
        let text = pod.to_string();
        inject(&serde_json::from_str(&text).unwrap(), &facts, &self.config())
    }

    fn leave(&self) -> HostNetworkLeave {
        let name = |name: &str| ObjectName::new(name).unwrap();
        match self.host_network.as_deref() {
            None => HostNetworkLeave::NoLimit,
            Some("given") => HostNetworkLeave::Given,
            Some(text) => match text.strip_prefix("unreadable ") {
                Some(limit) => HostNetworkLeave::Unreadable(name(limit)),
                None => HostNetworkLeave::Withheld(name(text)),
            },
        }
    }

    /// The pod after the answer, and the answer.
    fn once(&self, pod: &Value) -> (Value, Value) {
        let (answer, warnings, patch) = match self.inject(pod) {
            Injection::Refused { message } => return (Value::Null, json!({"refused": message})),
            Injection::Skipped {
                reason,
                warnings,
                patch,
            } => (format!("skipped: {}", reason.as_str()), warnings, patch),
            Injection::Injected { warnings, patch, .. } => ("injected".to_owned(), warnings, patch),
        };
        let out = apply(pod, patch);
        // What is as it is to be is left alone, also as the API server stores it.
        let mut stored = out.clone();
        as_stored(&mut stored);
        match self.inject(&stored) {
            Injection::Skipped { patch, .. } | Injection::Injected { patch, .. } => {
                assert!(patch.is_empty(), "a second call changes something: {patch:#?}");
            }
            Injection::Refused { message } => panic!("a second call refuses: {message}"),
        }
        (out, json!({"answer": answer, "warnings": warnings}))
    }

    fn run(&self) -> (Value, Value) {
        let (pod, answer) = self.once(&self.pod);
        let Some(then) = &self.then else {
            return (pod, answer);
        };
        let mut pod = pod;
        json_patch::patch(&mut pod, then).unwrap();
        self.once(&pod)
    }
}

fn apply(pod: &Value, patch: Patch) -> Value {
    let patch: json_patch::Patch = serde_json::from_slice(&patch.into_json()).unwrap();
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

/// What the API server makes of a pod on the way: empty strings go, defaults come, and a token for its own API.
fn as_stored(pod: &mut Value) {
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            for entry in container["env"].as_array_mut().into_iter().flatten() {
                entry.as_object_mut().unwrap().retain(|_, v| *v != "");
            }
            let fields = container.as_object_mut().unwrap();
            fields.retain(|key, v| key != "env" || !v.is_null());
            fields.insert("terminationMessagePath".into(), json!("/dev/termination-log"));
            fields.entry("imagePullPolicy").or_insert(json!("IfNotPresent"));
            fields.entry("resources").or_insert(json!({}));
            let mounts = fields.entry("volumeMounts").or_insert(json!([]));
            let mounts = mounts.as_array_mut().unwrap();
            let path = "/var/run/secrets/kubernetes.io/serviceaccount";
            if mounts.iter().all(|m| m["mountPath"] != path) {
                mounts.push(json!({"name": "kube-api-access-x", "mountPath": path, "readOnly": true}));
            }
        }
    }
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.retain(|_, v| !v.is_null());
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/injection")
}

fn read(name: &str) -> Case {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|e| Some(e.unwrap().file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    names
}

fn named<'a>(list: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    let found = list.as_array_mut()?.iter_mut().find(|v| v["name"] == name);
    found?.as_object_mut()
}

/// Leaves out what is as in the plain case.
fn shorten(pod: &mut Value, plain: &Value) {
    for (list, name) in [("initContainers", "deputy-agent"), ("volumes", "deputy-token")] {
        let mut usual = plain["spec"][list].clone();
        let usual = named(&mut usual, name).cloned().unwrap_or_default();
        let Some(found) = pod
            .get_mut("spec")
            .and_then(|s| s.get_mut(list))
            .and_then(|l| named(l, name))
        else {
            continue;
        };
        let lacks: Vec<String> = usual
            .keys()
            .filter(|k| !found.contains_key(*k))
            .cloned()
            .collect();
        found.retain(|key, value| key == "name" || usual.get(key) != Some(value));
        if !lacks.is_empty() {
            found.insert("(lacks)".to_owned(), json!(lacks));
        }
        if let (Some(env), Some(usual)) = (
            found.get_mut("env").and_then(Value::as_array_mut),
            usual.get("env"),
        ) {
            let usual = usual.as_array().unwrap();
            env.retain(|e| !usual.contains(e));
        }
    }
    if let Some(hash) = pod.pointer_mut("/metadata/annotations/deputy.dev~1injected-sidecar") {
        assert_eq!(hash.as_str().map(str::len), Some(16));
        *hash = json!("<hash>");
    }
}

#[test]
fn every_case_is_answered_as_its_golden_file_says() {
    let (plain, _) = read("plain").run();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for name in names() {
        let case = read(&name);
        assert!(case.says.len() > 10, "{name} says nothing");
        let (mut pod, mut answer) = case.run();
        if name != "plain" {
            shorten(&mut pod, &plain);
        }
        if !pod.is_null() {
            answer["pod"] = pod;
        }
        let text = serde_json::to_string_pretty(&answer).unwrap() + "\n";
        let path = folder().join(format!("{name}.json"));
        if update {
            fs::write(path, text).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(format!("{name}: {}\n{text}", case.says));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as in the golden files:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_golden_file_has_its_case() {
    let cases = names();
    assert!(cases.len() > 40);
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let case = file.trim_end_matches(".json").trim_end_matches(".yaml");
        assert!(cases.iter().any(|c| c == case), "{file} belongs to no case");
    }
}

/// The order of the variables, and that nothing of the author's is lost or moved, whatever the case.
#[test]
fn what_the_author_wrote_stays_in_its_order() {
    for name in names() {
        let case = read(&name);
        let (pod, _) = case.run();
        if pod.is_null() || case.then.is_some() || name.contains("stored-pod") {
            continue;
        }
        for list in ["containers", "initContainers"] {
            for before in case.pod["spec"][list].as_array().into_iter().flatten() {
                let mut after = pod["spec"][list].clone();
                let after = named(&mut after, before["name"].as_str().unwrap()).unwrap();
                let env = |of: Option<&Value>| of.and_then(Value::as_array).cloned().unwrap_or_default();
                let (was, is) = (env(before.get("env")), env(after.get("env")));
                assert!(is.ends_with(&was), "{name}: {is:?}");
            }
        }
    }
}
