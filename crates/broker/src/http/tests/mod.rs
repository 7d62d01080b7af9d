//! The protocol as agents see it: the exchanges of `tests/golden`, which released agents rely on, and what must not work.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

mod audit;
mod bundle;
mod ended;
mod federated;
mod nodes;

use std::{fs, path::PathBuf};

use async_trait::async_trait;
use deputy_aws::{AwsError, ErrorClass, Session, Sts, model::InMemoryIam};
use deputy_delegation::{federation::FederationRequest, session::SessionRequest};
use deputy_index::{Index, ResourceKind};
use deputy_log_testing::CapturedLog;
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use axum::body::Body;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    fixtures::{FixedSts, account, binding_object, broker_of, index, limit_object, role_object},
    issuer::Issued,
};

/// What agents are to trust.
const PUBLIC: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

fn broker(index: Arc<Index>, api_is_away: bool, sts: Arc<dyn Sts>) -> Router {
    let broker = broker_of(index, api_is_away, sts);
    let (_, bundle) = watch::channel(Bundle::from(PUBLIC));
    router(Arc::new(broker), bundle)
}

/// Sends a request written as text; gives the response written as text, headers in order.
async fn exchange(router: &Router, request: &str) -> String {
    let response = send(router, request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut headers: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!(
        "{}\n{}\n\n{}\n",
        head.status.as_u16(),
        headers.join("\n"),
        String::from_utf8(body.to_vec()).unwrap()
    )
}

async fn send(router: &Router, request: &str) -> Response {
    let (head, _) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut builder = http::Request::builder()
        .method(first.next().unwrap())
        .uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        builder = builder.header(name, value);
    }
    from(router, builder, "[::ffff:10.1.2.3]:40000").await
}

/// Sends a request from this address.
async fn from(router: &Router, request: http::request::Builder, peer: &str) -> Response {
    let peer: SocketAddr = peer.parse().unwrap();
    let builder = request.extension(ConnectInfo(peer));
    router
        .clone()
        .oneshot(builder.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

fn golden(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(kept, found, "{}", path.display());
}

#[tokio::test]
async fn a_pod_that_is_being_deleted_hears_so() {
    let index = index();
    let asked = broker(Arc::clone(&index), false, Arc::new(FixedSts::default()));
    let pod = |deleted: Option<&str>| {
        let meta = json!({"name": "uploader-1", "namespace": "payments", "uid": "0af1", "deletionTimestamp": deleted});
        index.apply_metadata(ResourceKind::Pods, &serde_json::from_value(meta).unwrap());
    };
    pod(None);
    assert!(!exchange(&asked, REQUEST).await.contains("deputy-pod"));
    pod(Some("2026-01-01T00:00:00Z"));
    let answer = exchange(&asked, REQUEST).await;
    // What runs in it may need credentials to its end.
    assert!(
        answer.starts_with("200\n") && answer.contains("\ndeputy-pod: terminating\n"),
        "{answer}"
    );
    index.reset(ResourceKind::Bindings, []);
    let answer = exchange(&asked, REQUEST).await;
    assert!(
        answer.starts_with("403\n") && answer.contains("\ndeputy-pod: terminating\n"),
        "{answer}"
    );
}

/// What became of the index.
type Change = fn(&Arc<Index>);

const REQUEST: &str = "GET /v1/credentials\nauthorization: Bearer a.b.c";

#[tokio::test(start_paused = true)]
async fn the_exchanges_of_version_1() {
    let fixed = || Arc::new(FixedSts::default());
    let good = broker(index(), false, fixed());
    let issued = exchange(&good, REQUEST).await;
    golden("issued-v1.txt", &issued);
    let etag = issued.lines().find_map(|l| l.strip_prefix("etag: ")).unwrap();
    golden(
        "not-modified-v1.txt",
        &exchange(&good, &format!("{REQUEST}\nif-none-match: {etag}")).await,
    );
    let token = |token: &str| format!("GET /v1/credentials\nauthorization: Bearer {token}");
    golden("no-token-v1.txt", &exchange(&good, "GET /v1/credentials").await);
    golden("bundle-v1.txt", &exchange(&good, "GET /v1/bundle").await);
    golden("bad-token-v1.txt", &exchange(&good, &token("q.q.q")).await);
    golden("no-pod-v1.txt", &exchange(&good, &token("x.y.z")).await);
    golden(
        "unknown-path-v1.txt",
        &exchange(&good, "GET /v2/credentials").await,
    );
    golden(
        "api-server-away-v1.txt",
        &exchange(&broker(index(), true, fixed()), REQUEST).await,
    );

    let changed = |change: Change| {
        let index = index();
        change(&index);
        broker(index, false, fixed())
    };
    let refusals: [(&str, Change); 4] = [
        ("no-binding-v1.txt", |w| w.reset(ResourceKind::Bindings, [])),
        ("not-accepted-v1.txt", |w| w.reset(ResourceKind::Roles, [])),
        ("suspended-v1.txt", |w| {
            w.reset(ResourceKind::Limits, [limit_object("s3:ListBucket")]);
        }),
        ("not-made-v1.txt", |w| {
            w.reset(
                ResourceKind::Roles,
                [role_object("uploader", "s3:GetObject", None)],
            );
        }),
    ];
    for (name, change) in refusals {
        golden(name, &exchange(&changed(change), REQUEST).await);
    }

    for (name, class) in [
        ("throttled-v1.txt", ErrorClass::Throttled),
        ("denied-at-first-v1.txt", ErrorClass::AccessDenied),
        ("packed-too-large-v1.txt", ErrorClass::PackedPolicyTooLarge),
        ("sts-away-v1.txt", ErrorClass::Unreachable),
    ] {
        let sts = fixed();
        *sts.error.lock().unwrap() = Some(AwsError::new("sts:AssumeRole", class, "as AWS says"));
        golden(name, &exchange(&broker(index(), false, sts), REQUEST).await);
    }
}

#[test]
fn a_refusal_says_who_has_to_do_something() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let answer = fs::read_to_string(&path).unwrap();
        if answer.starts_with("403\n") {
            assert!(
                answer.contains("hoever may write"),
                "{}: {answer}",
                path.display()
            );
        }
    }
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_no_role_that_is_still_being_made() {
    let sts = Arc::new(FixedSts::default());
    let disabled = AwsError::new("sts:AssumeRole", ErrorClass::AccessDenied, "as AWS says");
    *sts.error.lock().unwrap() = Some(disabled.with_code("RegionDisabledException"));
    let answer = exchange(&broker(index(), false, sts), REQUEST).await;
    // What the pod holds is good still.
    assert!(
        answer.starts_with("503\n") && answer.contains("AccessDenied"),
        "{answer}"
    );
    assert!(
        answer.contains("region ap-northeast-1 of AWSAccount production is not enabled"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_request_of_released_agents_is_taken() {
    let agents = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../agent/tests/golden/request-v1.txt");
    let request = fs::read_to_string(agents)
        .unwrap()
        .replace("canary-pod-token", "a.b.c");
    assert!(request.starts_with("GET /v1/credentials/archive\n"), "{request}");
    let index = index();
    index.reset(
        ResourceKind::Bindings,
        [binding_object("archive", "uploader", &json!({}))],
    );
    let answer = exchange(
        &broker(index, false, Arc::new(FixedSts::default())),
        request.trim_end(),
    )
    .await;
    assert!(answer.starts_with("200\n"), "{answer}");
}

#[tokio::test]
async fn whatever_else_is_sent_makes_no_session() {
    let iam = Arc::new(InMemoryIam::new(account().partition, account().id));
    let router = broker(index(), false, iam.clone());
    let authorized = "authorization: Bearer a.b.c";
    for (request, status) in [
        (format!("HEAD /v1/credentials\n{authorized}"), "404"),
        (format!("POST /v1/credentials\n{authorized}"), "404"),
        (format!("DELETE /v1/credentials/uploader\n{authorized}"), "404"),
        (format!("GET /v1/credentials/\n{authorized}"), "404"),
        (format!("GET /v1/credentials/a/b\n{authorized}"), "404"),
        (format!("GET /v1/credentials/%75ploader\n{authorized}"), "404"),
        (format!("GET /v1/credentials/%ff\n{authorized}"), "404"),
        (format!("GET /v1/credentials/..\n{authorized}"), "404"),
        (format!("GET /v1/credentialsx\n{authorized}"), "404"),
        (format!("GET //v1/credentials\n{authorized}"), "404"),
        ("GET /v1/credentials\nauthorization: a.b.c".into(), "401"),
        ("GET /v1/credentials\nauthorization: Basic YTpi".into(), "401"),
        ("GET /v1/credentials\nauthorization: Bearer ".into(), "401"),
        (format!("GET /v1/credentials\n{authorized}\n{authorized}"), "401"),
        (
            "GET /v1/credentials\nauthorization: Bearer a.b.c a.b.c".into(),
            "401",
        ),
        (
            format!("GET /v1/credentials\nauthorization: Bearer {}", "a".repeat(9000)),
            "401",
        ),
        (
            "GET /v1/credentials\nx-forwarded-authorization: Bearer a.b.c".into(),
            "401",
        ),
    ] {
        let answer = exchange(&router, &request).await;
        assert!(answer.starts_with(&format!("{status}\n")), "{request}: {answer}");
        assert!(answer.contains("deputy-protocol: 1\n"), "{request}: {answer}");
        assert!(
            answer.contains("cache-control: no-store\n"),
            "{request}: {answer}"
        );
        assert!(!answer.contains("a.b.c"), "{request}: {answer}");
    }
    assert!(iam.log().is_empty(), "{:?}", iam.log());
}

#[tokio::test]
async fn an_etag_that_is_not_the_sessions_brings_the_session() {
    let router = broker(index(), false, Arc::new(FixedSts::default()));
    for tag in ["\"7\"", "*", "W/\"7\"", "garbage"] {
        let answer = exchange(&router, &format!("{REQUEST}\nif-none-match: {tag}")).await;
        assert!(answer.starts_with("200\n"), "{tag}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_identity_does_not_end_kept_sessions() {
    let sts = Arc::new(FixedSts::default());
    let router = broker(index(), false, sts.clone());
    let first = exchange(&router, REQUEST).await;
    assert!(first.starts_with("200\n"), "{first}");
    let session = |answer: &str| {
        let same = answer
            .lines()
            .filter(|line| !line.starts_with("deputy-refresh-after"));
        same.map(str::to_owned).collect::<Vec<_>>()
    };
    *sts.error.lock().unwrap() = Some(AwsError::new("sts", ErrorClass::Unreachable, "away"));
    for _ in 0..50 {
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        assert_eq!(session(&exchange(&router, REQUEST).await), session(&first));
    }
}

/// Says so when it is called.
struct LoggingSts(FixedSts);

#[async_trait]
impl Sts for LoggingSts {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        tokio::task::yield_now().await;
        tracing::info!("calling STS");
        self.0.assume_role(request).await
    }
    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        self.0.federation_token(request).await
    }
    async fn caller_identity(&self) -> Result<deputy_aws::CallerIdentity, AwsError> {
        tracing::info!("asking who the broker is");
        self.0.caller_identity().await
    }
}

#[tokio::test]
async fn every_log_line_of_a_request_names_pod_and_binding() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("debug", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let sts = FixedSts::default();
    let refusal = AwsError::new("sts:AssumeRole", ErrorClass::PackedPolicyTooLarge, "as AWS says");
    *sts.error.lock().unwrap() = Some(refusal);
    let router = broker(index(), false, Arc::new(LoggingSts(sts)));
    let answer = exchange(&router, REQUEST).await;
    assert!(answer.starts_with("403\n"), "{answer}");
    let text = log.text();
    let (audit, lines): (Vec<_>, Vec<_>) = log.lines().into_iter().partition(|l| l["target"] == "audit");
    // The last two are of tasks of their own.
    for message in [
        "failed to issue session",
        "asking who the broker is",
        "calling STS",
    ] {
        assert!(lines.iter().any(|l| l["message"] == message), "{message}: {text}");
    }
    let span =
        json!({"name": "credentials", "peer": "10.1.2.3", "pod_uid": "0af1", "binding": "payments/uploader"});
    for line in &lines {
        assert_eq!(line["spans"], json!([span]), "{line}");
    }
    assert_eq!(audit.len(), 1, "{text}");
    assert!(audit[0].get("spans").is_none(), "{text}");
    assert!(!text.contains("a.b.c") && !text.contains("canary"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn only_who_proved_who_asks_may_keep_the_connection() {
    let fixed = || Arc::new(FixedSts::default());
    let good = broker(index(), false, fixed());
    let empty = index();
    empty.reset(ResourceKind::Bindings, []);
    let refusing = broker(empty, false, fixed());
    let away = broker(index(), true, fixed());
    let token = |token: &str| format!("GET /v1/credentials\nauthorization: Bearer {token}");
    for (router, request, status, accepted) in [
        (&good, token("a.b.c"), 200, true),
        (&refusing, token("a.b.c"), 403, true),
        (&good, token("q.q.q"), 401, false),
        (&good, token("x.y.z"), 401, false),
        (&good, token("rubbish"), 401, false),
        (&good, "GET /v1/credentials".to_owned(), 401, false),
        (&good, "GET /\nauthorization: Bearer a.b.c".to_owned(), 404, false),
        (&away, token("a.b.c"), 503, false),
    ] {
        let response = send(router, &request).await;
        let kept = response.extensions().get::<AcceptedConnection>().is_some();
        assert_eq!(
            (response.status().as_u16(), kept),
            (status, accepted),
            "{request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn on_an_index_that_is_old_what_is_kept_is_given_and_nothing_is_decided() {
    let iam = Arc::new(FixedSts::default());
    let (kept, fresh) = (index(), index());
    let warm = broker(kept.clone(), false, iam.clone());
    let cold = broker(fresh, false, iam);
    let refusing = index();
    refusing.reset(ResourceKind::Bindings, []);
    let refusing = broker(refusing, false, Arc::new(FixedSts::default()));
    assert!(exchange(&warm, REQUEST).await.starts_with("200\n"));
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    assert!(
        exchange(&warm, REQUEST).await.starts_with("200\n"),
        "it was granted when the index was current"
    );
    for (router, what) in [(&cold, "a new session"), (&refusing, "a refusal")] {
        let answer = exchange(router, REQUEST).await;
        assert!(answer.starts_with("503\n"), "{what}: {answer}");
        assert!(
            answer.contains("nothing new is decided after 30 s"),
            "{what}: {answer}"
        );
    }
    // Another binding of the same pod would be a new session too.
    let other = exchange(&warm, &REQUEST.replace("credentials", "credentials/archive")).await;
    assert!(other.starts_with("503\n"), "{other}");
    for kind in ResourceKind::BROKER {
        drop(kept.begin_reset(kind));
    }
    assert!(exchange(&cold, REQUEST).await.starts_with("503\n"));
}
