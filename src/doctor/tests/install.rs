//! A healthy install as it is seen, from the chart's render.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::doctor::{
    expected::definitions,
    snapshot::{
        DoctorSnapshot, MetadataAnswer, PEOPLE_ROLE, PEOPLE_SERVICE, SeenAgents, SeenName, ServerClock,
        TrialAnswer, looked_at,
    },
};

const NAMESPACE: &str = "deputy";
pub const IMAGE: &str = "registry.example.com/deputy:0.1.0";
/// Until 2036-11-27.
const CA: &str = include_str!("../fixtures/ca.pem");

fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

pub fn chart() -> &'static [Value] {
    static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let text = std::fs::read_to_string("tests/chart/golden/minimal.yaml").unwrap();
        let nodes = crate::yaml::read(&text).unwrap();
        nodes.iter().map(crate::yaml::YamlNode::to_value).collect()
    });
    &OBJECTS
}

/// The chart's own objects, with what an API server and Deputy make of them.
pub fn object((kind, name): &SeenName, chart: &[Value]) -> Option<Value> {
    if *kind == "CustomResourceDefinition" {
        let (_, definition) = definitions().iter().find(|(own, _)| own == name).unwrap();
        let mut value = definition.clone();
        let condition = |kind: &str| json!({"type": kind, "status": "True"});
        value["status"] = json!({"conditions": [condition("Established"), condition("NamesAccepted")]});
        return Some(value);
    }
    let found = chart
        .iter()
        .find(|one| one["kind"] == *kind && one["metadata"]["name"] == **name);
    let mut value = found?.clone();
    match *kind {
        "Deployment" => {
            value["metadata"]["generation"] = 3.into();
            value["status"] = json!({
                "observedGeneration": 3,
                "replicas": 2,
                "readyReplicas": 2,
                "updatedReplicas": 2,
                "availableReplicas": 2,
                "conditions": [
                    {"type": "Available", "status": "True"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                ],
            });
        }
        "ConfigMap" => value["data"] = json!({"clusterName": "demo", "ca.crt": CA}),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            for webhook in value["webhooks"].as_array_mut().unwrap() {
                webhook["clientConfig"]["caBundle"] = STANDARD.encode(CA).into();
            }
        }
        _ => {}
    }
    Some(value)
}

fn account() -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1});
    let kinds = [
        "Ready",
        "IssuerReady",
        "ProvisionerReady",
        "BoundaryWriterReady",
        "Listed",
        "Swept",
    ];
    json!({
        "metadata": {"name": "production", "generation": 1},
        "spec": {"region": "eu-west-1"},
        "status": {
            "conditions": kinds.map(condition),
            "quotas": {"roles": {"used": 100, "quota": 1000}, "policies": {"used": 10, "quota": 1500}},
        },
    })
}

fn slice(service: &str) -> Value {
    json!({
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"conditions": {"ready": true}}],
    })
}

pub fn healthy() -> DoctorSnapshot {
    let chart = chart();
    let names: Vec<String> = definitions().iter().map(|(name, _)| name.clone()).collect();
    let objects: BTreeMap<_, _> = looked_at(&names)
        .into_iter()
        .map(|name| {
            let object = object(&name, chart);
            (name, Ok(object))
        })
        .collect();
    let agent = "registry.example.com/deputy-agent:0.1.0".to_owned();
    DoctorSnapshot {
        namespace: NAMESPACE.to_owned(),
        now: now(),
        clock: Ok(ServerClock {
            said: now(),
            asked: now(),
            answered: now(),
        }),
        objects,
        accounts: Ok(vec![account()]),
        cluster_roles: Ok(Vec::new()),
        limits: Ok(Vec::new()),
        endpoint_slices: Ok(vec![slice("deputy-webhook"), slice("deputy-broker")]),
        agents: Ok(SeenAgents {
            images: BTreeMap::from([(agent, 3)]),
            is_whole: true,
        }),
        trial: Ok(TrialAnswer::Refused),
        metadata_service: BTreeMap::from([
            ("169.254.169.254", Ok(MetadataAnswer::Closed)),
            ("fd00:ec2::254", Ok(MetadataAnswer::Closed)),
        ]),
    }
}

/// With the API for people, as the chart and the broker make it.
pub fn with_people(snapshot: &mut DoctorSnapshot) {
    let service = json!({
        "metadata": {"name": PEOPLE_SERVICE},
        "spec": {"caBundle": STANDARD.encode(CA)},
    });
    let rule = |group: &str, resource: &str, name: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "resourceNames": name, "verbs": verbs});
    let role = json!({
        "rules": [rule("", "configmaps", &["extension-apiserver-authentication"], &["get", "watch"])],
    });
    let binding = json!({
        "roleRef": {"kind": "Role", "name": "deputy-broker"},
        "subjects": [{"kind": "ServiceAccount", "name": "deputy-broker", "namespace": NAMESPACE}],
    });
    for (kind, name, object) in [
        ("APIService", PEOPLE_SERVICE, service),
        ("Role", PEOPLE_ROLE, role),
        ("RoleBinding", PEOPLE_ROLE, binding),
    ] {
        snapshot.objects.insert((kind, name.to_owned()), Ok(Some(object)));
    }
    change(snapshot, "ClusterRole", "deputy-broker", |object| {
        object["rules"].as_array_mut().unwrap().extend([
            rule(
                "apiregistration.k8s.io",
                "apiservices",
                &[PEOPLE_SERVICE],
                &["get", "watch", "patch"],
            ),
            rule("authorization.k8s.io", "subjectaccessreviews", &[], &["create"]),
        ]);
    });
}

/// Changes an object that is there.
pub fn change(snapshot: &mut DoctorSnapshot, kind: &'static str, name: &str, how: impl FnOnce(&mut Value)) {
    let object = snapshot.objects.get_mut(&(kind, name.to_owned())).unwrap();
    how(object.as_mut().unwrap().as_mut().unwrap());
}
