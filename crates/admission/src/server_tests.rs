//! The server, from the first byte of a request to the last of the answer.

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
use deputy_index::{Watched, World};
use deputy_runtime::metrics::Metrics;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::{
    body::{Budget, MAX_BODY},
    facts::Facts,
    inject::InjectionConfig,
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
    world: Arc<World>,
    reads: Arc<AtomicUsize>,
    metrics: Metrics,
    router: Router,
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

impl Case {
    fn new(live: Live, known: bool) -> Self {
        let world = Arc::new(World::new(ClusterName::new("prod-1").unwrap()));
        for kind in Watched::ALL {
            world.reset(kind, []);
        }
        let reads = Arc::new(AtomicUsize::new(0));
        let config = known.then(|| {
            Arc::new(InjectionConfig {
                agent_image: "example.com/deputy@sha256:0000".into(),
                broker_url: "https://deputy-broker.deputy-system.svc:8443".into(),
                broker_address: None,
                broker_ca: "PEM".into(),
                own_namespace: NamespaceName::new("deputy-system").unwrap(),
            })
        });
        let metrics = Metrics::new("webhook");
        let own = AdmissionMetrics::register(&metrics);
        let facts = Facts::new(Arc::clone(&world));
        let router = server::router(Reviewer {
            facts: facts.clone(),
            mutator: Mutator {
                facts,
                client: client(live, Arc::clone(&reads)),
                injection: watch::channel(config).1,
                own_namespace: NamespaceName::new("deputy-system").unwrap(),
                metrics: own.clone(),
            },
            metrics: own,
            budget: Budget::default(),
        });
        Self {
            world,
            reads,
            metrics,
            router,
        }
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

#[tokio::test]
async fn a_pod_that_asks_gets_the_patch_in_base64_without_any_read() {
    let case = Case::new(Live::Error, true);
    let pod = pod(Some("enabled"));
    let response = case.review("/mutate?timeout=5s", &pod_review(&pod)).await;
    assert!(is_injected(&patched(&pod, &response)));
    assert_eq!(response["auditAnnotations"]["injection"], "injected");
    assert_eq!(case.reads(), 0);
}

#[tokio::test]
async fn labels_come_from_the_index_and_the_service_account_wins_over_the_namespace() {
    for (of_account, of_namespace, injected) in [
        (Some("enabled"), Some("disabled"), true),
        (Some("disabled"), Some("enabled"), false),
        (None, Some("enabled"), true),
        (None, None, false),
    ] {
        let case = Case::new(Live::Error, true);
        case.world
            .reset(Watched::Namespaces, [meta("payments", None, of_namespace)]);
        case.world.reset(
            Watched::ServiceAccounts,
            [meta("uploader", Some("payments"), of_account)],
        );
        let pod = pod(None);
        let response = case.review("/mutate", &pod_review(&pod)).await;
        assert_eq!(is_injected(&patched(&pod, &response)), injected);
        assert_eq!(case.reads(), 0);
    }
}

#[tokio::test]
async fn on_a_miss_one_live_read_is_final() {
    let pod = pod(None);
    let case = Case::new(Live::Label("enabled"), true);
    case.world
        .reset(Watched::Namespaces, [meta("payments", None, None)]);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(is_injected(&patched(&pod, &response)));
    assert_eq!(case.reads(), 1);

    let case = Case::new(Live::Nothing, true);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(!is_injected(&patched(&pod, &response)));
    assert_eq!(response["auditAnnotations"]["injection"], "skipped: not-labelled");
    assert_eq!(case.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_can_not_be_decided_about_is_never_let_in_without_what_it_may_need() {
    for live in [Live::Error, Live::Silence] {
        let case = Case::new(live, true);
        let response = case.review("/mutate", &pod_review(&pod(None))).await;
        assert_eq!(
            (&response["allowed"], &response["status"]["code"]),
            (&json!(false), &json!(500))
        );
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message.contains("ServiceAccount uploader could not be read"),
            "{message}"
        );
        // Its own label decides without anybody else's.
        let disabled = pod(Some("disabled"));
        let response = case.review("/mutate", &pod_review(&disabled)).await;
        assert_eq!(patched(&disabled, &response), disabled);
    }
}

#[tokio::test]
async fn a_pod_without_service_account_has_the_default_one() {
    let case = Case::new(Live::Error, true);
    case.world
        .reset(Watched::Namespaces, [meta("payments", None, None)]);
    case.world.reset(
        Watched::ServiceAccounts,
        [meta("default", Some("payments"), Some("enabled"))],
    );
    for account in [Value::Null, json!("")] {
        let mut pod = pod(None);
        pod["spec"]["serviceAccountName"] = account;
        let response = case.review("/mutate", &pod_review(&pod)).await;
        assert!(is_injected(&patched(&pod, &response)));
    }
}

#[tokio::test]
async fn before_the_broker_is_known_only_pods_that_ask_have_to_wait() {
    let case = Case::new(Live::Nothing, false);
    let response = case.review("/mutate", &pod_review(&pod(Some("enabled")))).await;
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(500))
    );
    let response = case.review("/mutate", &pod_review(&pod(None))).await;
    assert_eq!(response["allowed"], true);
}

#[tokio::test]
async fn a_pod_that_can_not_be_injected_is_let_in_and_says_why() {
    let case = Case::new(Live::Nothing, true);
    let mut pod = pod(Some("enabled"));
    pod["spec"]["hostNetwork"] = json!(true);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    let annotation = &patched(&pod, &response)["metadata"]["annotations"]["deputy.dev/injected"];
    assert_eq!(annotation, "skipped: host-network");
    assert!(response["warnings"][0].as_str().unwrap().contains("hostNetwork"));
}

#[tokio::test]
async fn nonsense_in_a_pods_annotations_is_refused() {
    let case = Case::new(Live::Nothing, true);
    let mut pod = pod(Some("enabled"));
    pod["metadata"]["annotations"] = json!({"deputy.dev/binding": "../x"});
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(403))
    );
}

#[tokio::test]
async fn the_region_of_the_binding_is_told_when_it_is_known() {
    let case = Case::new(Live::Nothing, true);
    let document = |resource: &str| {
        json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}]})
    };
    let object = |value: Value| serde_json::from_value::<kube::api::DynamicObject>(value).unwrap();
    let api = "deputy.dev/v1alpha1";
    case.world.reset(
        Watched::Accounts,
        [object(json!({"apiVersion": api, "kind": "AWSAccount",
        "metadata": {"name": "production"},
        "spec": {"accountID": "123456789012", "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"}}}))],
    );
    case.world.reset(Watched::Limits, [object(json!({"apiVersion": api, "kind": "DelegationLimit",
        "metadata": {"name": "payments"},
        "spec": {"namespaces": ["payments"], "accounts": ["production"], "ceiling": document("arn:aws:s3:::b/*")}}))]);
    case.world.reset(
        Watched::Roles,
        [object(json!({"apiVersion": api, "kind": "AWSRole",
        "metadata": {"name": "r", "namespace": "payments"},
        "spec": {"accountRef": {"name": "production"},
            "policies": [{"name": "p", "document": document("arn:aws:s3:::b/x")}]}}))],
    );
    case.world.reset(
        Watched::Bindings,
        [object(json!({"apiVersion": api, "kind": "AWSRoleBinding",
        "metadata": {"name": "b", "namespace": "payments", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"roleRef": {"kind": "AWSRole", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}]}}))],
    );
    for (annotation, account, region) in [
        (None, "uploader", Some("ap-northeast-1")),
        (Some("b"), "uploader", Some("ap-northeast-1")),
        (Some("other"), "uploader", None),
        // The binding of somebody else is none.
        (Some("b"), "somebody", None),
        (None, "somebody", None),
    ] {
        let mut pod = pod(Some("enabled"));
        pod["spec"]["serviceAccountName"] = json!(account);
        if let Some(name) = annotation {
            pod["metadata"]["annotations"] = json!({"deputy.dev/binding": name});
        }
        let response = case.review("/mutate", &pod_review(&pod)).await;
        let pod = patched(&pod, &response);
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        let found = env
            .iter()
            .find(|e| e["name"] == "AWS_REGION")
            .map(|e| e["value"].as_str().unwrap());
        assert_eq!(found, region, "{annotation:?} {account}");
    }
}

#[tokio::test]
async fn crafted_reviews_at_mutate_are_denied() {
    let case = Case::new(Live::Nothing, true);
    for (pointer, value) in [
        ("/request/kind/kind", json!("Deployment")),
        ("/request/kind/group", json!("apps")),
        ("/request/resource/resource", json!("secrets")),
        ("/request/resource/version", json!("v2")),
        ("/request/namespace", Value::Null),
        ("/request/namespace", json!("../x")),
        ("/request/object", Value::Null),
    ] {
        let mut body = pod_review(&pod(Some("enabled")));
        *body.pointer_mut(pointer).unwrap() = value;
        let response = case.review("/mutate", &body).await;
        assert_eq!(
            (&response["allowed"], &response["status"]["code"]),
            (&json!(false), &json!(400)),
            "{pointer}"
        );
    }
}

#[tokio::test]
async fn an_unknown_kind_at_validate_is_denied() {
    let case = Case::new(Live::Nothing, true);
    let response = case.review("/validate", &pod_review(&pod(None))).await;
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(400))
    );
}

#[tokio::test]
async fn what_is_no_review_is_answered_400_with_the_place() {
    let case = Case::new(Live::Nothing, true);
    let good = pod_review(&pod(Some("enabled"))).to_string();
    let truncated = &good[..good.len() / 2];
    let deep = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"payments","operation":"CREATE","object":{{"metadata":{{"labels":{{"deputy.dev/inject":"enabled"}}}},"spec":{}{}}}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for path in ["/validate", "/mutate"] {
        for body in [
            "",
            "{",
            "null",
            "[]",
            "\u{0}",
            "{\"apiVersion\":1}",
            truncated,
            r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            r#"{"apiVersion":"v1","kind":"Pod","request":null}"#,
        ] {
            let (status, answer) = case.send(path, "application/json", body.to_owned().into()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
            assert!(!answer["error"].as_str().unwrap().is_empty());
        }
    }
    let (status, _) = case.send("/mutate", "application/json", deep.into()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, answer) = case
        .send("/mutate", "application/json", truncated.to_owned().into())
        .await;
    assert!(
        answer["error"].as_str().unwrap().contains("line 1 column"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_deep_bomb_is_refused_wherever_it_is() {
    let case = Case::new(Live::Nothing, true);
    let bomb = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for path in ["/validate", "/mutate"] {
        let (status, _) = case.send(path, "application/json", bomb.clone().into()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let in_field = pod_review(&json!("BOMB")).to_string().replace("\"BOMB\"", &bomb);
        let (status, answer) = case.send(path, "application/json", in_field.into()).await;
        assert!(
            status == StatusCode::BAD_REQUEST || answer["response"]["allowed"] == false,
            "{status}"
        );
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_or_no_json_are_turned_away() {
    let case = Case::new(Live::Nothing, true);
    let chunk = Bytes::from(vec![b' '; 65536]);
    for path in ["/validate", "/mutate"] {
        let chunk = chunk.clone();
        let endless = futures::stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
        let (status, _) = case
            .send(path, "application/json", Body::from_stream(endless))
            .await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let whole = vec![b' '; MAX_BODY + 1];
        let (status, _) = case.send(path, "application/json", whole.into()).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let (status, _) = case.send(path, "text/plain", "{}".into()).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let announced = Request::post("/mutate")
        .header("content-type", "application/json")
        .header("content-length", "268435456")
        .body(Body::from_stream(futures::stream::pending::<
            Result<Bytes, Infallible>,
        >()))
        .unwrap();
    let response = case.router.clone().oneshot(announced).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_posts_to_the_two_paths_are_served() {
    let case = Case::new(Live::Nothing, true);
    let (status, _) = case.send("/", "application/json", "{}".into()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let get = Request::get("/mutate").body(Body::empty()).unwrap();
    let response = case.router.clone().oneshot(get).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn reviews_are_counted_with_bounded_labels() {
    let case = Case::new(Live::Nothing, true);
    let mut odd = pod_review(&pod(None));
    odd["request"]["kind"]["kind"] = json!("Whatever");
    case.review("/validate", &odd).await;
    case.review("/mutate", &pod_review(&pod(None))).await;
    case.send("/mutate", "application/json", "x".into()).await;
    let text = case.metrics.render().unwrap();
    for line in [
        r#"deputy_admission_reviews_total{endpoint="validate",kind="other",operation="CREATE",outcome="denied"} 1"#,
        r#"deputy_admission_reviews_total{endpoint="mutate",kind="Pod",operation="CREATE",outcome="allowed"} 1"#,
        r#"deputy_admission_unreadable_total{endpoint="mutate",reason="json"} 1"#,
        r#"deputy_admission_injections_total{outcome="skipped",reason="not-labelled"} 1"#,
        r#"deputy_admission_live_reads_total{kind="Namespace",outcome="not-found"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
