//! Before something is refused for a limit, the API server is asked once.

use std::time::Duration;

use deputy_delegation::NamespaceName;

use super::*;

pub(super) fn limit(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::app/*"});
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
        "metadata": {"name": "payments", "uid": "u", "generation": 1},
        "spec": {
            "namespaces": ["payments"], "accounts": ["production"],
            "ceiling": {"Version": "2012-10-17", "Statement": [statement]},
            "acknowledgeEscalation": ["s3:*"],
        },
    })
}

pub(super) fn account() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSAccount",
        "metadata": {"name": "production", "uid": "u", "generation": 1},
        "spec": {
            "accountID": "123456789012", "region": "eu-west-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"},
        },
    })
}

pub(super) fn role(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::app/*"});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
        "metadata": {"name": "reader", "namespace": "payments", "uid": "u", "generation": 1},
        "spec": {"accountRef": {"name": "production"}, "policies": [{"name": "p", "document": document}]},
    })
}

pub(super) fn binding() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleBinding",
        "metadata": {"name": "reader", "namespace": "payments"},
        "spec": {
            "roleRef": {"kind": "AWSRole", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "app"}],
        },
    })
}

fn review_of(object: &Value) -> Value {
    let kind = object["kind"].as_str().unwrap();
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "operation": "CREATE",
            "name": object["metadata"]["name"], "namespace": object["metadata"].get("namespace"),
            "kind": {"group": "deputy.dev", "version": "v1alpha1", "kind": kind},
            "resource": {"group": "deputy.dev", "version": "v1alpha1", "resource": format!("{}s", kind.to_lowercase())},
            "userInfo": {}, "object": object, "oldObject": null, "dryRun": true, "options": {},
        },
    })
}

/// The webhook whose index has `known`, of an API server that has `there`; `None`: one that never answers.
struct Looking {
    router: Router,
    looks: Arc<AtomicUsize>,
}

impl Looking {
    fn new(known: &[Value], there: Option<Vec<Value>>) -> Self {
        let index = Arc::new(Index::new(ClusterName::new("prod-1").unwrap()));
        for kind in ResourceKind::ADMISSION {
            let of_kind = known
                .iter()
                .filter(|o| format!("{}s", o["kind"].as_str().unwrap().to_lowercase()) == kind.as_str());
            index.reset(kind, of_kind.map(|o| serde_json::from_value(o.clone()).unwrap()));
        }
        let looks = Arc::new(AtomicUsize::new(0));
        let client = api_server(there, Arc::clone(&looks));
        let metrics = AdmissionMetrics::register(&Metrics::new("webhook"));
        let facts = Facts::new(index);
        let router = server::router(Reviewer {
            facts: facts.clone(),
            live: crate::live::Live::new(client.clone(), metrics.clone()),
            mutator: Mutator {
                facts,
                client,
                injection: watch::channel(None).1,
                own_namespace: NamespaceName::new("deputy-system").unwrap(),
                events: NoticeQueue::channel().0,
                metrics: metrics.clone(),
            },
            metrics,
            memory: BodyMemory::default(),
        });
        Self { router, looks }
    }

    async fn create(&self, object: &Value) -> Value {
        let request = Request::post("/validate?timeout=10s")
            .header("content-type", "application/json")
            .body(Body::from(review_of(object).to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&bytes).unwrap()["response"].clone()
    }

    /// Lists of limits.
    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

fn api_server(there: Option<Vec<Value>>, looks: Arc<AtomicUsize>) -> Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (path, query) = (
            request.uri().path().to_owned(),
            request.uri().query().unwrap_or_default().to_owned(),
        );
        let plural = path.rsplit('/').next().unwrap_or_default().to_owned();
        if plural == "delegationlimits" {
            looks.fetch_add(1, Ordering::SeqCst);
        }
        assert!(
            plural != "awsroles" || query.contains("metadata.name%3Dreader"),
            "{query}"
        );
        let there = there.clone();
        async move {
            let Some(there) = there else {
                return std::future::pending().await;
            };
            tokio::time::sleep(Duration::from_millis(20)).await;
            let items: Vec<_> = there
                .into_iter()
                .filter(|o| format!("{}s", o["kind"].as_str().unwrap().to_lowercase()) == plural)
                .collect();
            let list =
                json!({"apiVersion": "deputy.dev/v1alpha1", "kind": "List", "metadata": {}, "items": items});
            let body = http_body_util::Full::new(Bytes::from(list.to_string()));
            Ok::<_, Infallible>(
                Response::builder()
                    .header("content-type", "application/json")
                    .body(body)
                    .unwrap(),
            )
        }
    });
    Client::new(service, "default")
}

#[tokio::test]
async fn nothing_is_looked_up_for_what_the_index_accepts() {
    let looking = Looking::new(&[account(), limit("s3:GetObject")], None);
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(
        (answer["allowed"].as_bool(), looking.looks()),
        (Some(true), 0),
        "{answer:#}"
    );
}

#[tokio::test]
async fn a_limit_that_the_index_is_behind_with_refuses_nothing() {
    let there = vec![account(), limit("s3:*")];
    for known in [
        vec![account(), limit("s3:ListBucket")],
        vec![account()],
        vec![limit("s3:*")],
        vec![],
    ] {
        let looking = Looking::new(&known, Some(there.clone()));
        let answer = looking.create(&role("s3:GetObject")).await;
        assert_eq!(answer["allowed"], true, "{answer:#}");
        assert_eq!(answer["warnings"], Value::Null, "{answer:#}");
        assert_eq!(looking.looks(), 1);
    }
}

#[tokio::test]
async fn a_limit_that_is_gone_or_narrower_by_now_counts_as_it_is() {
    // The index would refuse the second statement in both cases; what is said is what is there.
    let looking = Looking::new(&[account(), limit("s3:ListBucket")], Some(vec![account()]));
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(answer["auditAnnotations"]["reasons"], "NoLimit", "{answer:#}");
    let looking = Looking::new(&[account()], Some(vec![account(), limit("s3:ListBucket")]));
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(
        (answer["allowed"].as_bool(), answer["status"]["code"].as_u64()),
        (Some(false), Some(403)),
        "{answer:#}"
    );
}

#[tokio::test]
async fn what_is_being_deleted_counts_as_it_does_in_the_index() {
    let mut leaving = account();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let looking = Looking::new(&[], Some(vec![leaving, limit("s3:*")]));
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(
        answer["auditAnnotations"]["missing"], "AccountNotFound",
        "{answer:#}"
    );
    let mut leaving = limit("s3:ListBucket");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let looking = Looking::new(&[], Some(vec![account(), leaving]));
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(answer["allowed"], false, "{answer:#}");
}

#[tokio::test]
async fn a_binding_is_asked_about_by_its_role_as_it_is() {
    let looking = Looking::new(
        &[account(), limit("s3:*")],
        Some(vec![account(), limit("s3:*"), role("s3:GetObject")]),
    );
    let answer = looking.create(&binding()).await;
    assert_eq!(answer["allowed"], true, "{answer:#}");
    // Nothing of a limit or a role.
    let warnings = answer["warnings"].as_array().unwrap();
    assert!(
        warnings.iter().all(|w| w
            .as_str()
            .unwrap()
            .contains("ServiceAccount app does not exist (yet)")),
        "{answer:#}"
    );
}

#[tokio::test]
async fn without_a_look_nothing_is_refused_for_a_limit_nor_let_in() {
    tokio::time::pause();
    let looking = Looking::new(&[account(), limit("s3:ListBucket")], None);
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(
        (answer["allowed"].as_bool(), answer["status"]["code"].as_u64()),
        (Some(false), Some(500)),
        "{answer:#}"
    );
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("3000 ms") && message.contains("try again"),
        "{message}"
    );
    // What grants nothing anyway is let in by what is known.
    let looking = Looking::new(&[account()], None);
    let answer = looking.create(&role("s3:GetObject")).await;
    assert_eq!(
        (
            answer["allowed"].as_bool(),
            &answer["auditAnnotations"]["reasons"]
        ),
        (Some(true), &json!("NoLimit"))
    );
}

#[tokio::test]
async fn what_is_wrong_in_itself_is_refused_without_a_look() {
    let mut wrong = role("s3:GetObject");
    wrong["spec"]["policies"] = json!([]);
    let looking = Looking::new(&[account(), limit("s3:*")], None);
    let answer = looking.create(&wrong).await;
    assert_eq!(
        (answer["allowed"].as_bool(), looking.looks()),
        (Some(false), 0),
        "{answer:#}"
    );
}

#[tokio::test]
async fn many_reviews_at_once_share_their_looks() {
    let looking = Arc::new(Looking::new(&[], Some(vec![account(), limit("s3:*")])));
    let role = role("s3:GetObject");
    let asks = (0..50).map(|_| looking.create(&role));
    let answers = futures::future::join_all(asks).await;
    assert!(answers.iter().all(|a| a["allowed"] == true));
    // The one under way, and those that asked meanwhile together; parsing may split them once more.
    assert!((1..=5).contains(&looking.looks()), "{}", looking.looks());
}
