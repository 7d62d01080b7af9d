//! The server, from the first byte of a request to the last of the answer.

mod calling_sts;
mod hostile;
mod looks;
mod pods;
mod spans;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use deputy_delegation::{ClusterName, NamespaceName};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::{
    events::{Notice, NoticeQueue},
    metrics::Metrics,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt as _;

use crate::{
    body::{BodyMemory, MAX_BODY},
    facts::Facts,
    inject::{AgentSettings, InjectionConfig, MeshDefaults, PodDelivery, Resources, RunAs},
    metrics::AdmissionMetrics,
    mutate::Mutator,
    server::{self, Reviewer},
};

/// What the API server answers to a live read.
#[derive(Clone, Copy)]
enum Live {
    /// A namespace or ServiceAccount with this label.
    Label(&'static str),
    Nothing,
    Error,
    Silence,
}

struct Case {
    index: Arc<Index>,
    reads: Arc<AtomicUsize>,
    metrics: Metrics,
    router: Router,
    told: mpsc::Receiver<Notice>,
}

fn meta(name: &str, namespace: Option<&str>, label: Option<&str>) -> kube::api::DynamicObject {
    let mut object = json!({"metadata": {"name": name}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if let Some(label) = label {
        object["metadata"]["labels"] = json!({"deputy.dev/inject": label});
    }
    serde_json::from_value(object).unwrap()
}

fn injection_config() -> InjectionConfig {
    InjectionConfig {
        agent: AgentSettings {
            image: "example.com/deputy@sha256:0000".into(),
            port: 7419,
            resources: Resources::default(),
            run_as: RunAs::Image,
            default_region: None,
            mesh: MeshDefaults::default(),
            delivery: PodDelivery::Sidecar,
            node: Some("169.254.170.23:7419".parse().unwrap()),
        },
        broker_url: "https://deputy-broker.deputy-system.svc:7418".into(),
        broker_address: None,
        broker_ca: "PEM".into(),
        own_namespace: NamespaceName::new("deputy-system").unwrap(),
    }
}

impl Case {
    fn new(live: Live, known: bool) -> Self {
        let index = Arc::new(Index::new(ClusterName::new("prod-1").unwrap()));
        for kind in ResourceKind::ADMISSION {
            index.reset(kind, []);
        }
        let reads = Arc::new(AtomicUsize::new(0));
        let config = known.then(|| Arc::new(injection_config()));
        let (events, told) = NoticeQueue::channel();
        let metrics = Metrics::new("webhook");
        let own = AdmissionMetrics::register(&metrics);
        let facts = Facts::new(Arc::clone(&index));
        let router = server::router(Reviewer {
            facts: facts.clone(),
            live: crate::live::Live::new(client(live, Arc::clone(&reads)), own.clone()),
            mutator: Mutator {
                facts,
                client: client(live, Arc::clone(&reads)),
                injection: watch::channel(config).1,
                own_namespace: NamespaceName::new("deputy-system").unwrap(),
                metrics: own.clone(),
                events,
            },
            metrics: own,
            memory: BodyMemory::default(),
        });
        Self {
            index,
            reads,
            metrics,
            router,
            told,
        }
    }

    /// The namespace `payments` and its ServiceAccount `uploader`, with these labels.
    fn known(&self, of_account: Option<&str>, of_namespace: Option<&str>) {
        self.index
            .reset(ResourceKind::Namespaces, [meta("payments", None, of_namespace)]);
        let account = meta("uploader", Some("payments"), of_account);
        self.index.reset(ResourceKind::ServiceAccounts, [account]);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    async fn send(&self, path: &str, content_type: &str, body: Body) -> (StatusCode, Value) {
        let request = Request::post(path)
            .header("content-type", content_type)
            .body(body)
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(path, "application/json", serde_json::to_vec(body).unwrap().into())
            .await
    }

    /// The response to a review.
    async fn review(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["response"]["uid"], body["request"]["uid"]);
        answer["response"].clone()
    }
}

/// A client whose API server knows nothing but `live`.
fn client(live: Live, reads: Arc<AtomicUsize>) -> Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        reads.fetch_add(1, Ordering::SeqCst);
        async move {
            let namespaced = request.uri().path().contains("/serviceaccounts/");
            let kind = if namespaced { "ServiceAccount" } else { "Namespace" };
            let (status, body) = match live {
                Live::Label(label) => (
                    200,
                    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                        "metadata": {"name": kind.to_lowercase(), "labels": {"deputy.dev/inject": label}}}),
                ),
                Live::Nothing => (404, status("NotFound", 404)),
                Live::Error => (500, status("InternalError", 500)),
                Live::Silence => std::future::pending().await,
            };
            let body = http_body_util::Full::new(Bytes::from(body.to_string()));
            let response = Response::builder()
                .status(status)
                .header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

fn status(reason: &str, code: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason})
}

fn pod(label: Option<&str>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "uploader-"},
        "spec": {"serviceAccountName": "uploader", "containers": [{"name": "app", "image": "app:1"}]},
    });
    if let Some(label) = label {
        pod["metadata"]["labels"] = json!({"deputy.dev/inject": label});
    }
    pod
}

fn pod_review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "operation": "CREATE", "namespace": "payments", "name": "",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "userInfo": {"username": "u"}, "object": pod, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions"},
        },
    })
}

fn patched(pod: &Value, response: &Value) -> Value {
    assert_eq!(response["allowed"], true, "{response:#}");
    let mut pod = pod.clone();
    if let Some(patch) = response["patch"].as_str() {
        assert_eq!(response["patchType"], "JSONPatch");
        let patch: json_patch::Patch =
            serde_json::from_slice(&BASE64_STANDARD.decode(patch).unwrap()).unwrap();
        json_patch::patch(&mut pod, &patch).unwrap();
    }
    pod
}

fn is_injected(pod: &Value) -> bool {
    pod["spec"]["initContainers"][0]["name"] == "deputy-agent"
}
