//! The client against a server of canned answers. `tests/rig/anywhere.py` is one that verifies what is signed.

use std::{fs, sync::Arc, time::Duration};

use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use deputy_log_testing::CapturedLog;
use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::{
    at,
    files::{KeyKind, issued},
};
use crate::{
    AwsError, ErrorClass, Timeouts,
    anywhere::RolesAnywhereIdentity,
    sdk::tests::{CannedAnswer, Server},
};

const SECRET: &str = "the-secret-of-the-session";

/// What AWS answers: a session of so many seconds.
fn session(id: &str, seconds: i64) -> CannedAnswer {
    let expiration = Timestamp::now().checked_add(seconds.seconds()).unwrap();
    let expiration = expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let credentials = json!({
        "accessKeyId": id, "secretAccessKey": SECRET, "sessionToken": format!("token-of-{SECRET}"), "expiration": expiration,
    });
    let role = "arn:aws:iam::123456789012:role/platform/deputy-broker+1";
    let set = json!([{"roleArn": role, "packedPolicySize": 0, "credentials": credentials}]);
    CannedAnswer::Body(201, json!({"credentialSet": set, "subjectArn": "x"}).to_string())
}

fn refused(status: u16, code: &str, message: &str) -> CannedAnswer {
    CannedAnswer::Body(status, json!({"__type": code, "message": message}).to_string())
}

fn identity(folder: &tempfile::TempDir, server: &Server, timeouts: Timeouts) -> RolesAnywhereIdentity {
    RolesAnywhereIdentity::new(at(folder.path(), &server.url()), None, &timeouts)
}

async fn ask(identity: &RolesAnywhereIdentity) -> Result<Credentials, AwsError> {
    identity.provide_credentials().await.map_err(|error| {
        let cause = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<AwsError>());
        cause.expect("an error of this crate").clone()
    })
}

#[tokio::test]
async fn many_callers_cost_one_call_and_the_key_is_in_no_log() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let folder = issued(KeyKind::P256Pkcs8);
    let server = Server::start([session("ASIA1", 3600)]).await;
    let identity = identity(&folder, &server, Timeouts::default());
    let asked = futures::future::join_all((0..20).map(|_| ask(&identity))).await;
    for credentials in asked {
        let credentials = credentials.unwrap();
        assert_eq!(credentials.access_key_id(), "ASIA1");
        assert_eq!(
            credentials.session_token(),
            Some(format!("token-of-{SECRET}").as_str())
        );
        // Asked again in a few minutes, though it lasts for an hour.
        let left = credentials
            .expiry()
            .unwrap()
            .duration_since(std::time::SystemTime::now())
            .unwrap();
        assert!(
            left > Duration::from_secs(350) && left <= Duration::from_secs(360),
            "{left:?}"
        );
    }
    let [request] = server.requests().try_into().unwrap();
    assert!(
        request.starts_with("POST /sessions?profileArn=arn%3Aaws"),
        "{request}"
    );
    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line["fields"]["message"] == "got a session from IAM Roles Anywhere");
    assert_eq!(line.unwrap()["span"]["operation"], "rolesanywhere:CreateSession");
    let key = fs::read_to_string(folder.path().join("tls.key")).unwrap();
    let written = serde_json::to_string(&lines).unwrap();
    for secret in [SECRET, key.lines().nth(1).unwrap()] {
        assert!(!written.contains(secret), "{written}");
    }
    assert!(!format!("{identity:?}").contains("key"));
}

#[tokio::test]
async fn a_failed_renewal_costs_nothing_while_the_session_lasts() {
    let folder = issued(KeyKind::P256Pkcs8);
    let server = Server::start([
        session("ASIA1", 200),
        refused(403, "AccessDeniedException", "Untrusted certificate"),
    ])
    .await;
    let identity = identity(&folder, &server, Timeouts::default());
    ask(&identity).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(110)).await;
    tokio::time::resume();
    for _ in 0..3 {
        assert_eq!(ask(&identity).await.unwrap().access_key_id(), "ASIA1");
    }
    // And the failure is not asked for again at once.
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let (folder, renewed) = (issued(KeyKind::P256Pkcs8), issued(KeyKind::RsaPkcs1));
    let server = Server::start([session("ASIA1", 200), session("ASIA2", 200)]).await;
    let identity = identity(&folder, &server, Timeouts::default());
    ask(&identity).await.unwrap();
    for name in ["tls.crt", "tls.key"] {
        fs::copy(renewed.path().join(name), folder.path().join(name)).unwrap();
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(101)).await;
    tokio::time::resume();
    assert_eq!(ask(&identity).await.unwrap().access_key_id(), "ASIA2");
    let [first, second] = server.requests().try_into().unwrap();
    assert!(first.contains("AWS4-X509-ECDSA-SHA256 Credential="), "{first}");
    assert!(second.contains("AWS4-X509-RSA-SHA256 Credential="), "{second}");
}

#[tokio::test]
async fn what_aws_refuses_is_told_as_it_says_it() {
    let folder = issued(KeyKind::P256Pkcs8);
    let large = CannedAnswer::Body(201, " ".repeat(70_000));
    let other = json!({"credentialSet": [{"roleArn": "arn:aws:iam::123456789012:role/other"}]}).to_string();
    for (answer, class, message) in [
        (
            refused(
                403,
                "AccessDeniedException",
                "Untrusted certificate. Insufficient certificate",
            ),
            ErrorClass::AccessDenied,
            "Untrusted certificate. Insufficient certificate",
        ),
        (
            refused(400, "ValidationException", "no such role"),
            ErrorClass::InvalidInput,
            "no such role",
        ),
        (
            CannedAnswer::Body(404, "<html>".into()),
            ErrorClass::Other,
            "HTTP 404, without a reason",
        ),
        (
            CannedAnswer::Body(201, "{}".into()),
            ErrorClass::Other,
            "the answer makes no sense: no credentialSet",
        ),
        (
            CannedAnswer::Body(201, other),
            ErrorClass::Other,
            "the answer makes no sense: a session of another role",
        ),
        (
            session("ASIA1", 30),
            ErrorClass::Other,
            "the answer makes no sense: the session ends within a minute; is the clock here right?",
        ),
        (
            session("", 3600),
            ErrorClass::Other,
            "the answer makes no sense: accessKeyId",
        ),
    ] {
        let server = Server::start([answer]).await;
        let error = ask(&identity(&folder, &server, Timeouts::default()))
            .await
            .unwrap_err();
        assert_eq!((error.class(), error.message()), (class, message));
        assert_eq!(server.requests().len(), 1, "{error}");
    }
    // What may pass is asked once more.
    let throttled = refused(429, "ThrottlingException", "slow down");
    for (answer, class) in [
        (throttled, ErrorClass::Throttled),
        (refused(500, "InternalServerException", ""), ErrorClass::Service),
        (CannedAnswer::Hangup, ErrorClass::Unreachable),
        (CannedAnswer::Body(201, "no json".into()), ErrorClass::Unreachable),
        (large, ErrorClass::Unreachable),
    ] {
        let server = Server::start([answer.clone(), answer.clone()]).await;
        let error = ask(&identity(&folder, &server, Timeouts::default()))
            .await
            .unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(server.requests().len(), 2, "{error}");
        let server = Server::start([answer, session("ASIA1", 3600)]).await;
        assert!(
            ask(&identity(&folder, &server, Timeouts::default()))
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
    let folder = issued(KeyKind::P256Pkcs8);
    let server = Server::start([CannedAnswer::Silence, CannedAnswer::Silence]).await;
    let timeouts = Timeouts {
        sts_attempt: Duration::from_millis(300),
        sts: Duration::from_millis(500),
        ..Timeouts::default()
    };
    let identity = Arc::new(identity(&folder, &server, timeouts));
    let begun = std::time::Instant::now();
    let error = ask(&identity).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unreachable);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_missing_certificate_is_no_identity_and_calls_nobody() {
    let folder = issued(KeyKind::P256Pkcs8);
    fs::remove_file(folder.path().join("tls.key")).unwrap();
    let server = Server::start([]).await;
    let error = ask(&identity(&folder, &server, Timeouts::default()))
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::NoCredentials);
    assert!(error.message().contains("tls.key can't be read"), "{error}");
    assert_eq!(server.requests().len(), 0);
}
