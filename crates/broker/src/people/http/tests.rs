//! The API as the API server and people see it.

use std::sync::Mutex;

use async_trait::async_trait;
use axum::http::Request as HttpRequest;
use deputy_delegation::people;
use deputy_index::{Index, ResourceKind};
use deputy_log_testing::CapturedLog;
use deputy_runtime::front_proxy::{FrontProxy, FrontProxyKeeper};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    fixtures::{FixedSts, account, binding_id, broker_of, people_index, people_object, role_object},
    people::access::AccessError,
};

const PATH: &str =
    "/apis/credentials.deputy.dev/v1alpha1/namespaces/payments/awsrolebindings/reader/credentials";
const ALICE: &str = "alice@example.com";

/// What RBAC says, to whoever asks.
#[derive(Default)]
struct Access {
    refusal: Mutex<Option<String>>,
    is_away: bool,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl AccessApi for Access {
    async fn refusal(&self, user: &RequestUser, binding: &ObjectId) -> Result<Option<String>, AccessError> {
        let groups = user.groups.join(",");
        let asked = format!("{} [{groups}] {binding}", user.name);
        self.asked.lock().unwrap().push(asked);
        if self.is_away {
            return Err(AccessError::away());
        }
        Ok(self.refusal.lock().unwrap().clone())
    }
}

/// The front proxy of a cluster, for tests that begin behind it.
fn front_proxy() -> FrontProxyKeeper {
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = rcgen::CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .pem();
    let data = [
        ("requestheader-client-ca-file", pem.as_str()),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let keeper = FrontProxyKeeper::default();
    keeper.learn(FrontProxy::parse(&data.into())).unwrap();
    keeper
}

struct Stage {
    router: Router,
    access: Arc<Access>,
}

fn stage_with(index: Arc<Index>, access: Access) -> Stage {
    let broker = Arc::new(broker_of(index, true, Arc::new(FixedSts::default())));
    let access = Arc::new(access);
    let router = router(PeopleServer {
        broker,
        front_proxy: front_proxy(),
        access: access.clone(),
        questions: Semaphore::new(QUESTIONS),
    });
    Stage { router, access }
}

fn stage(index: Arc<Index>) -> Stage {
    stage_with(index, Access::default())
}

fn request(method: &str, path: &str, user: &str, groups: &[&str], body: String) -> HttpRequest<Body> {
    let mut request = HttpRequest::builder()
        .method(method)
        .uri(path)
        .header("x-remote-user", user)
        .header("content-type", "application/json");
    for group in groups {
        request = request.header("x-remote-group", *group);
    }
    request.body(Body::from(body)).unwrap()
}

fn wanted(spec: &Value) -> String {
    json!({"apiVersion": "credentials.deputy.dev/v1alpha1", "kind": "CredentialRequest", "spec": spec})
        .to_string()
}

/// Status, and the answer.
async fn sent(stage: &Stage, request: HttpRequest<Body>) -> (u16, Value) {
    let response = stage.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn asked(stage: &Stage, user: &str, groups: &[&str], spec: &Value) -> (u16, String, String) {
    let (status, answer) = sent(stage, request("POST", PATH, user, groups, wanted(spec))).await;
    let cause = answer["details"]["causes"][0]["reason"].as_str().unwrap_or("OK");
    let message = answer["message"].as_str().unwrap_or_default();
    (status, cause.to_owned(), message.to_owned())
}

fn users() -> Value {
    json!([{"kind": "User", "name": ALICE}, {"kind": "Group", "name": "sre"}])
}

fn everybody() -> Value {
    json!({"users": ["*"], "groups": ["*"]})
}

#[tokio::test]
async fn a_person_gets_a_session_as_published() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let stage = stage(people_index(&users(), &everybody()));
    let ask = || {
        request(
            "POST",
            PATH,
            ALICE,
            &["dev", "system:authenticated"],
            wanted(&json!({})),
        )
    };
    let (status, answer) = sent(&stage, ask()).await;
    assert_eq!(status, 201, "{answer}");
    insta::assert_json_snapshot!(answer);
    assert_eq!(sent(&stage, ask()).await.1, answer);
    let (_, shorter) = sent(
        &stage,
        request(
            "POST",
            PATH,
            ALICE,
            &[],
            wanted(&json!({"durationSeconds": 2699})),
        ),
    )
    .await;
    assert_eq!(shorter["spec"]["durationSeconds"], 1800);
    // RBAC is asked about the user and all groups as they came.
    assert_eq!(
        stage.access.asked.lock().unwrap()[0],
        format!("{ALICE} [dev,system:authenticated] payments/reader")
    );
    let audit: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line["target"] == "audit")
        .map(|line| {
            format!(
                "{} {} {}",
                line["event"].as_str().unwrap(),
                line["user"].as_str().unwrap(),
                line["session_name"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "SessionIssued",
        "SessionDelivered",
        "SessionIssued",
        "SessionDelivered",
    ]
    .map(|event| format!("{event} {ALICE} {ALICE}"));
    assert_eq!(audit, expected);
    for secret in ["canary-secret", "canary-token"] {
        assert!(!log.text().contains(secret));
    }
}

#[tokio::test]
async fn a_person_gets_a_session_by_rbac_binding_and_limits_alone() {
    let mfa = json!({"users": ["*"], "groups": ["*"], "mfaGroups": ["mfa"]});
    let open = || people_index(&users(), &everybody());
    let pods = json!([{"kind": "ServiceAccount", "name": "uploader"}]);
    for (index, user, groups, spec, expected) in [
        (open(), ALICE, &[][..], json!({}), (201, "OK", "")),
        (open(), "bob", &["sre"], json!({}), (201, "OK", "")),
        (
            open(),
            "bob",
            &["dev"],
            json!({}),
            (403, "NotASubject", "names neither user \"bob\""),
        ),
        (
            open(),
            "uploader",
            &[],
            json!({}),
            (403, "NotASubject", "payments/reader"),
        ),
        (
            people_index(&pods, &everybody()),
            "uploader",
            &["uploader"],
            json!({}),
            (403, "NotASubject", "not for people"),
        ),
        (
            people_index(&users(), &json!({})),
            ALICE,
            &[],
            json!({}),
            (403, "NotAccepted", "limit \"payments\""),
        ),
        (
            people_index(&users(), &mfa),
            ALICE,
            &["sre"],
            json!({}),
            (403, "MFAGroup", "mfaGroups: mfa"),
        ),
        (
            people_index(&users(), &mfa),
            ALICE,
            &["mfa"],
            json!({}),
            (201, "OK", ""),
        ),
        (
            open(),
            ALICE,
            &[],
            json!({"durationSeconds": 7200}),
            (422, "Duration", "longer than 1h"),
        ),
        (
            open(),
            ALICE,
            &[],
            json!({"durationSeconds": 60}),
            (422, "Duration", "30m to 12h"),
        ),
    ] {
        let (status, cause, message) = asked(&stage(index), user, groups, &spec).await;
        let (wanted, reason, part) = expected;
        assert_eq!(
            (status, cause.as_str()),
            (wanted, reason),
            "{user} {groups:?}: {message}"
        );
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_by_rbac_makes_no_session() {
    let open = || people_index(&users(), &everybody());
    let unbound = open();
    unbound.reset(ResourceKind::Bindings, []);
    assert_eq!(
        asked(&stage(unbound), ALICE, &[], &json!({})).await.1,
        "NoBinding"
    );
    let refused = Access {
        refusal: Mutex::new(Some("no RBAC policy matched".into())),
        ..Access::default()
    };
    let (status, cause, message) = asked(&stage_with(open(), refused), ALICE, &[], &json!({})).await;
    assert_eq!((status, cause.as_str()), (403, "RBAC"));
    assert!(message.contains("no RBAC policy matched"), "{message}");
    let away = Access {
        is_away: true,
        ..Access::default()
    };
    let (status, cause, _) = asked(&stage_with(open(), away), ALICE, &[], &json!({})).await;
    assert_eq!((status, cause.as_str()), (503, "Unavailable"));
}

#[tokio::test]
async fn a_refused_role_and_one_that_is_not_in_aws_give_no_person_a_session() {
    let index = people_index(&users(), &everybody());
    index.reset(
        ResourceKind::Roles,
        [role_object("uploader", "s3:PutObject", Some("AROA1"))],
    );
    assert_eq!(asked(&stage(index), ALICE, &[], &json!({})).await.1, "Suspended");
    let index = people_index(&users(), &everybody());
    index.reset(
        ResourceKind::Roles,
        [role_object("uploader", "s3:GetObject", None)],
    );
    let (status, cause, _) = asked(&stage(index), ALICE, &[], &json!({})).await;
    assert_eq!((status, cause.as_str()), (503, "NotReady"));
}

#[tokio::test]
async fn a_person_gets_no_session_that_could_not_be_taken_back() {
    let marks = |index: &Arc<Index>, people: &Value| {
        let mut role = role_object("uploader", "s3:GetObject", Some("AROA1"));
        role.data["status"]["sessions"] = json!({"people": people});
        index.reset(ResourceKind::Roles, [role]);
    };
    let index = people_index(&users(), &everybody());
    marks(&index, &json!(["somebodyelse"]));
    let (status, cause, message) = asked(&stage(index.clone()), ALICE, &[], &json!({})).await;
    assert_eq!((status, cause.as_str()), (503, "NotReady"));
    assert!(message.contains("does not name user"), "{message}");
    // Of one digest over all of them it is known whom it is over.
    marks(&index, &json!(["0".repeat(64)]));
    let stage = stage(index.clone());
    assert_eq!(asked(&stage, ALICE, &[], &json!({})).await.1, "NotReady");
    let (binding, account) = (
        index.binding(&binding_id("reader")).unwrap().parsed().unwrap(),
        account(),
    );
    let all = people::marks(&account, &binding);
    marks(&index, &json!([people::digest_of(&all)]));
    assert_eq!(asked(&stage, ALICE, &[], &json!({})).await.0, 201);
}

#[tokio::test]
async fn nobody_gets_a_session_that_is_denied_with_all_others() {
    let role = |before: &str, all: bool| {
        let mut role = role_object("uploader", "s3:GetObject", Some("AROA1"));
        let account = account();
        let index = people_index(&users(), &everybody());
        let binding = index.binding(&binding_id("reader")).unwrap().parsed().unwrap();
        let cut = json!({"before": before, "until": "2099-01-01T00:00:00Z", "all": all});
        role.data["status"]["sessions"] =
            json!({"people": people::marks(&account, &binding), "cutPeople": cut});
        role
    };
    let index = people_index(&users(), &everybody());
    let stage = stage(index.clone());
    let mut given = Vec::new();
    for (role, expected) in [
        (role("2098-01-01T00:00:00Z", true), 503),
        (role("2098-01-01T00:00:00Z", false), 201),
        (role("2001-01-01T00:00:00Z", true), 201),
    ] {
        index.reset(ResourceKind::Roles, [role]);
        let (status, answer) = sent(&stage, request("POST", PATH, ALICE, &[], wanted(&json!({})))).await;
        assert_eq!(status, expected, "{answer}");
        given.push(answer);
    }
    assert!(
        given[0]["message"].as_str().unwrap().contains("2098-01-01"),
        "{}",
        given[0]
    );
}

#[tokio::test]
async fn only_so_many_ask_about_rbac_at_a_time() {
    let index = people_index(&users(), &everybody());
    let broker = Arc::new(broker_of(index, true, Arc::new(FixedSts::default())));
    let access = Arc::new(Access::default());
    let router = router(PeopleServer {
        broker,
        front_proxy: front_proxy(),
        access: access.clone(),
        questions: Semaphore::new(0),
    });
    let (status, cause, _) = asked(&Stage { router, access }, ALICE, &[], &json!({})).await;
    assert_eq!((status, cause.as_str()), (503, "Throttled"));
}

#[tokio::test]
async fn a_binding_of_another_name_or_namespace_is_another_one() {
    let index = people_index(&users(), &everybody());
    index.reset(
        ResourceKind::Bindings,
        [
            people_object("reader", &users()),
            people_object("other", &json!([{"kind": "User", "name": "bob"}])),
        ],
    );
    let stage = stage(index);
    for (path, expected) in [
        (PATH.to_owned(), 201),
        (PATH.replace("reader", "other"), 403),
        (PATH.replace("payments", "ledger"), 404),
    ] {
        let (status, answer) = sent(&stage, request("POST", &path, ALICE, &[], wanted(&json!({})))).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
}

#[tokio::test]
async fn whatever_else_is_sent_makes_no_session_of_a_person() {
    let stage = stage(people_index(&users(), &everybody()));
    let good = wanted(&json!({}));
    let post = |path: &str, body: &str| request("POST", path, ALICE, &[], body.to_owned());
    let mut odd = vec![
        (404, post(&PATH.replace("v1alpha1", "v1"), &good)),
        (
            404,
            post(
                &PATH
                    .replace("/credentials", "/status")
                    .replace("apis/status", "apis/credentials"),
                &good,
            ),
        ),
        (404, post(&PATH.replace("reader", "Reader"), &good)),
        (404, post(&PATH.replace("reader", "%72eader"), &good)),
        (404, post(&format!("{PATH}/"), &good)),
        (404, post(&format!("/{PATH}"), &good)),
        (400, post(PATH, "")),
        (400, post(PATH, "not json")),
        (400, post(PATH, "{}")),
        (
            400,
            post(PATH, &good.replace("CredentialRequest", "TokenRequest")),
        ),
        (400, post(PATH, &good.replace("v1alpha1", "v1"))),
        (
            400,
            post(
                PATH,
                &wanted(&json!({"roleARN": "arn:aws:iam::123456789012:role/admin"})),
            ),
        ),
        (400, post(PATH, &wanted(&json!({"durationSeconds": "3600"})))),
        (422, post(PATH, &wanted(&json!({"durationSeconds": u64::MAX})))),
        (413, post(PATH, &" ".repeat(17 * 1024))),
        (400, post(&format!("{PATH}?dryRun=All"), &good)),
        (400, post(&format!("{PATH}?pretty=true&dryRun"), &good)),
        (404, request("GET", PATH, ALICE, &[], String::new())),
        (401, request("POST", PATH, "", &[], good.clone())),
    ];
    for method in ["PUT", "PATCH", "DELETE", "HEAD"] {
        odd.push((405, request(method, PATH, ALICE, &[], good.clone())));
    }
    let mut two = post(PATH, &good);
    two.headers_mut()
        .append("x-remote-user", HeaderValue::from_static("bob"));
    odd.push((401, two));
    let mut yaml = post(PATH, &good);
    yaml.headers_mut()
        .insert("content-type", HeaderValue::from_static("application/yaml"));
    odd.push((415, yaml));
    for (expected, request) in odd {
        let shown = format!("{} {}", request.method(), request.uri());
        let (status, answer) = sent(&stage, request).await;
        assert_eq!(status, expected, "{shown}: {answer}");
        assert!(answer.pointer("/status/accessKeyID").is_none());
    }
    // Nothing of it was so much as asked about.
    assert!(stage.access.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_api_says_what_it_is() {
    let stage = stage(people_index(&users(), &everybody()));
    let mut documents = serde_json::Map::new();
    for path in [
        "/apis",
        "/apis/credentials.deputy.dev",
        "/apis/credentials.deputy.dev/v1alpha1",
    ] {
        let (status, document) = sent(
            &stage,
            request("GET", path, "system:anonymous", &[], String::new()),
        )
        .await;
        assert_eq!(status, 200);
        documents.insert(path.to_owned(), document);
    }
    insta::assert_json_snapshot!(documents);
    for path in ["/openapi/v2", "/openapi/v3/apis/credentials.deputy.dev/v1alpha1"] {
        let (_, document) = sent(&stage, request("GET", path, ALICE, &[], String::new())).await;
        let operations = document["paths"].as_object().unwrap();
        assert_eq!(operations.len(), 1, "{path}");
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{path}: {pointer}");
        }
    }
}
