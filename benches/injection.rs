//! Injection of pods: from the bytes of the object to the bytes of the patch.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark ends where one of these does"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deputy_admission::inject::{
    AgentSettings, Amounts, HostNetworkLeave, Injection, InjectionConfig, MeshDefaults, PodDelivery,
    PodFacts, PodJson, Resources, RunAs, inject,
};
use deputy_delegation::{NamespaceName, Region};
use deputy_index::{NamespaceInfo, ServiceAccountInfo};
use serde_json::json;

fn pod(bytes: usize) -> Vec<u8> {
    let container = |n: usize| {
        json!({
            "name": format!("c{n}"), "image": "registry.example.com/app:1", "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            "env": (0..12).map(|e| json!({"name": format!("SETTING_{e}"), "value": "a value of ordinary length"})).collect::<Vec<_>>(),
            "volumeMounts": [{"name": "app", "mountPath": "/app", "readOnly": true}],
        })
    };
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "uploader-1", "namespace": "payments", "labels": {"app": "uploader", "deputy.dev/inject": "enabled"}},
        "spec": {"serviceAccountName": "uploader", "containers": [{"name": "app", "image": "registry.example.com/app:1"}], "volumes": [{"name": "app", "configMap": {"name": "app"}}]},
    });
    let mut n = 0;
    while pod.to_string().len() + container(n).to_string().len() < bytes {
        pod["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .push(container(n));
        n += 1;
    }
    let missing = bytes.saturating_sub(pod.to_string().len() + r#","annotations":{"note":""}"#.len());
    pod["metadata"]["annotations"] = json!({"note": "x".repeat(missing)});
    pod.to_string().into_bytes()
}

fn injection(criterion: &mut Criterion) {
    let namespace = NamespaceName::new("payments").unwrap();
    let region = Region::new("ap-northeast-1").unwrap();
    let of_region = |_: Option<&str>| Some(region.clone());
    let facts = PodFacts {
        namespace: &namespace,
        namespace_info: &NamespaceInfo::default(),
        service_account: &ServiceAccountInfo::default(),
        region: &of_region,
        web_identity: &|_| None,
        host_network: &HostNetworkLeave::NoLimit,
    };
    let config = InjectionConfig {
        agent: AgentSettings {
            image: "registry.example.com/deputy@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into(),
            port: 7419,
            resources: Resources {
                cpu: Amounts { request: "5m".parse().ok(), limit: None },
                memory: Amounts { request: "16Mi".parse().ok(), limit: "64Mi".parse().ok() },
            },
            run_as: RunAs::Uid(65_532),
            default_region: None,
            mesh: MeshDefaults::default(),
            delivery: PodDelivery::Sidecar,
            node: None,
        },
        broker_url: "https://deputy-broker.deputy.svc:7418".into(),
        broker_address: Some("10.96.7.7:7418".into()),
        broker_ca: "-----BEGIN CERTIFICATE-----\n".to_owned() + &"A".repeat(700) + "\n-----END CERTIFICATE-----\n",
        own_namespace: NamespaceName::new("deputy").unwrap(),
    };
    let mut group = criterion.benchmark_group("injection");
    for kilobytes in [1, 20] {
        let bytes = pod(kilobytes * 1024);
        let value: PodJson<'_> = serde_json::from_slice(&bytes).unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{kilobytes} KB, from bytes to patch"), |b| {
            b.iter(|| {
                let pod: PodJson<'_> = serde_json::from_slice(black_box(&bytes)).unwrap();
                patch_bytes(inject(&pod, &facts, &config))
            });
        });
        group.bench_function(format!("{kilobytes} KB, decision and patch alone"), |b| {
            b.iter(|| inject(black_box(&value), &facts, &config));
        });
    }
    group.finish();
}

fn patch_bytes(injection: Injection) -> Vec<u8> {
    let Injection::Injected { patch, .. } = injection else {
        panic!("not injected")
    };
    patch.into_json()
}

criterion_group!(benches, injection);
criterion_main!(benches);
