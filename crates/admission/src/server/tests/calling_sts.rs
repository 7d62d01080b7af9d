//! Pods whose binding has the method AssumeRoleWithWebIdentity, as far as that depends on what was read when.

use std::time::Duration;

use super::{
    looks::{account, binding, limit, role},
    *,
};

const WEB: &str = "AssumeRoleWithWebIdentity";

/// The webhook whose index has `known`, of an API server that has `there` beside it; `None`: one that never answers.
struct Webhook {
    router: Router,
    lists: Arc<AtomicUsize>,
}

impl Webhook {
    fn new(known: &[Value], there: Option<Vec<Value>>) -> Self {
        let index = Arc::new(Index::new(ClusterName::new("prod-1").unwrap()));
        let plural = |o: &Value| format!("{}s", o["kind"].as_str().unwrap().to_lowercase());
        for kind in ResourceKind::ADMISSION {
            let of_kind = known.iter().filter(|o| plural(o) == kind.as_str());
            index.reset(kind, of_kind.map(|o| serde_json::from_value(o.clone()).unwrap()));
        }
        index.reset(
            ResourceKind::Namespaces,
            [meta("payments", None, Some("enabled"))],
        );
        index.reset(
            ResourceKind::ServiceAccounts,
            [meta("uploader", Some("payments"), None)],
        );
        let lists = Arc::new(AtomicUsize::new(0));
        let client = lists_of(there, Arc::clone(&lists));
        let metrics = AdmissionMetrics::register(&Metrics::new("webhook"));
        let facts = Facts::new(index);
        let router = server::router(Reviewer {
            facts: facts.clone(),
            live: crate::live::Live::new(client.clone(), metrics.clone()),
            mutator: Mutator {
                facts,
                client,
                injection: watch::channel(Some(Arc::new(injection_config()))).1,
                own_namespace: NamespaceName::new("deputy-system").unwrap(),
                events: NoticeQueue::channel().0,
                metrics: metrics.clone(),
            },
            metrics,
            memory: BodyMemory::default(),
        });
        Self { router, lists }
    }

    async fn create(&self, pod: &Value) -> Value {
        let request = Request::post("/mutate?timeout=5s")
            .header("content-type", "application/json")
            .body(Body::from(pod_review(pod).to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&bytes).unwrap()["response"].clone()
    }

    /// What the pod says of it, and how many lists that took.
    async fn injected(&self, pod: &Value) -> (String, usize) {
        let answer = self.create(pod).await;
        let pod = patched(pod, &answer);
        let says = pod["metadata"]["annotations"]["deputy.dev/injected"]
            .as_str()
            .unwrap();
        (says.to_owned(), self.lists.load(Ordering::SeqCst))
    }
}

fn lists_of(there: Option<Vec<Value>>, lists: Arc<AtomicUsize>) -> Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        lists.fetch_add(1, Ordering::SeqCst);
        let path = request.uri().path().to_owned();
        let there = there.clone();
        async move {
            let Some(there) = there else {
                return std::future::pending().await;
            };
            let plural = path.rsplit('/').next().unwrap_or_default();
            let items: Vec<_> = there
                .into_iter()
                .filter(|o| format!("{}s", o["kind"].as_str().unwrap().to_lowercase()) == plural)
                .collect();
            let list =
                json!({"apiVersion": "deputy.dev/v1alpha1", "kind": "List", "metadata": {}, "items": items});
            let body = http_body_util::Full::new(Bytes::from(list.to_string()));
            let response = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

fn with_provider() -> Value {
    let mut account = account();
    account["spec"]["oidc"] =
        json!({"providerARN": "arn:aws:iam::123456789012:oidc-provider/oidc.example.com"});
    account
}

fn with_methods(methods: &[&str]) -> Value {
    let mut limit = limit("s3:*");
    limit["spec"]["session"] = json!({"methods": methods});
    limit
}

/// The binding of the ServiceAccount `uploader`.
fn bound(method: Option<&str>) -> Value {
    let mut binding = binding();
    binding["metadata"]["uid"] = json!("u");
    binding["metadata"]["generation"] = json!(1);
    binding["spec"]["subjects"][0]["name"] = json!("uploader");
    if let Some(method) = method {
        binding["spec"]["method"] = json!(method);
    }
    binding
}

/// A binding of a federated user to the ServiceAccount `uploader`.
fn federated(made: &str) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding",
        "metadata": {"name": "manager", "namespace": "payments", "uid": "f", "generation": 1, "creationTimestamp": made},
        "spec": {
            "accountRef": {"name": "production"}, "userName": "Manager",
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}],
            "session": {"resourcePolicyOnly": true},
        },
    })
}

#[tokio::test]
async fn what_the_index_knows_is_not_looked_up() {
    let limit = with_methods(&["AssumeRole", WEB]);
    for (method, says) in [
        (Some(WEB), "web-identity"),
        (Some("AssumeRole"), "v1"),
        (None, "v1"),
    ] {
        let known = [
            with_provider(),
            limit.clone(),
            role("s3:GetObject"),
            bound(method),
        ];
        let webhook = Webhook::new(&known, None);
        assert_eq!(
            webhook.injected(&pod(None)).await,
            (says.to_owned(), 0),
            "{method:?}"
        );
    }
}

#[tokio::test]
async fn a_binding_that_no_watch_has_brought_is_looked_up_once() {
    let limit = with_methods(&["AssumeRole", WEB]);
    let known = [with_provider(), limit];
    let there = |method| Some(vec![role("s3:GetObject"), bound(method)]);
    // The bindings of the namespace, of either kind, and the role.
    let webhook = Webhook::new(&known, there(Some(WEB)));
    assert_eq!(webhook.injected(&pod(None)).await, ("web-identity".to_owned(), 3));
    let webhook = Webhook::new(&known, there(None));
    assert_eq!(webhook.injected(&pod(None)).await, ("v1".to_owned(), 3));
    let webhook = Webhook::new(&known, Some(vec![]));
    assert_eq!(webhook.injected(&pod(None)).await, ("v1".to_owned(), 2));
    // A federated user whose binding is older is the default, and the broker gives its sessions.
    let mut role_binding = bound(Some(WEB));
    role_binding["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut there = vec![
        role("s3:GetObject"),
        role_binding,
        federated("2020-01-01T00:00:00Z"),
    ];
    let webhook = Webhook::new(&known, Some(there.clone()));
    assert_eq!(webhook.injected(&pod(None)).await.0, "v1");
    there[2] = federated("2099-01-01T00:00:00Z");
    let webhook = Webhook::new(&known, Some(there));
    assert_eq!(webhook.injected(&pod(None)).await.0, "web-identity");
    let there = |method| Some(vec![role("s3:GetObject"), bound(method)]);
    // By its name, which the annotation has, and by no other.
    let mut named = pod(None);
    for (name, says) in [("reader", "web-identity"), ("writer", "web-identity")] {
        named["metadata"]["annotations"] = json!({"deputy.dev/binding": name});
        let webhook = Webhook::new(&known, there(Some(WEB)));
        let found = webhook.injected(&named).await.0;
        assert_eq!(found == says, name == "reader", "{name}: {found}");
    }
}

#[tokio::test]
async fn where_no_limit_allows_the_method_nothing_is_looked_up() {
    for methods in [&["AssumeRole"][..], &[]] {
        let known = [with_provider(), with_methods(methods)];
        let webhook = Webhook::new(&known, None);
        assert_eq!(webhook.injected(&pod(None)).await, ("v1".to_owned(), 0));
    }
}

#[tokio::test]
async fn what_can_not_be_looked_up_lets_no_pod_in_as_it_is() {
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let webhook = Webhook::new(&[with_provider(), with_methods(&[WEB])], None);
    let answer = webhook.create(&pod(None)).await;
    assert_eq!(
        (answer["allowed"].as_bool(), answer["status"]["code"].as_u64()),
        (Some(false), Some(500)),
        "{answer:#}"
    );
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("the bindings of namespace payments"),
        "{message}"
    );
    assert!(began.elapsed() < Duration::from_secs(2));
}
