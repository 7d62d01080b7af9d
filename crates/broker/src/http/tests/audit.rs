//! The lines of the audit log about pods.

use deputy_delegation::Uid;
use deputy_runtime::telemetry::{AuditPlace, AuditStalled};

use super::*;
use crate::{asker::AskedFrom, audit::AuditLog};

fn audit_of(log: &CapturedLog) -> Vec<serde_json::Value> {
    log.lines()
        .into_iter()
        .filter(|line| line["target"] == "audit")
        .collect()
}

fn from_address(last: u8) -> AskedFrom {
    AskedFrom {
        peer: IpAddr::from([10, 0, 0, last]),
        node: None,
    }
}

async fn ask_from(router: &Router, peer: &str) {
    let request = http::Request::builder()
        .uri("/v1/credentials")
        .header("authorization", "Bearer a.b.c");
    assert_eq!(from(router, request, peer).await.status(), 200);
}

#[tokio::test]
async fn a_line_says_by_which_limit_with_which_policy_and_to_which_address() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let narrow = json!({"policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/a"}]}});
    let index = index();
    index.reset(
        ResourceKind::Bindings,
        [binding_object("uploader", "uploader", &narrow)],
    );
    let router = broker(index, false, Arc::new(FixedSts::default()));
    ask_from(&router, "10.1.2.3:40000").await;
    let lines = audit_of(&log);
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["SessionIssued", "SessionDelivered"]);
    for line in &lines {
        assert_eq!(line["version"], 2);
        assert_eq!(
            (&line["cluster"], &line["limit"]),
            (&"demo".into(), &"payments".into()),
            "{line}"
        );
        assert_eq!(
            line["session_policy_sha256"].as_str().unwrap().len(),
            64,
            "{line}"
        );
    }
    assert_eq!(lines[0].get("peer"), None, "it is for whoever asks");
    assert_eq!(lines[1]["peer"], "10.1.2.3");
}

#[tokio::test]
async fn a_session_that_is_used_at_another_address_has_another_line() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = broker(index(), false, Arc::new(FixedSts::default()));
    for peer in [
        "10.1.2.3:1",
        "10.1.2.3:2",
        "10.9.9.9:1",
        "[::ffff:10.9.9.9]:2",
        "10.1.2.3:3",
    ] {
        ask_from(&router, peer).await;
    }
    let lines = audit_of(&log);
    let delivered = lines.iter().filter(|line| line["event"] == "SessionDelivered");
    let peers: Vec<_> = delivered.map(|line| line["peer"].as_str().unwrap()).collect();
    assert_eq!(peers, ["10.1.2.3", "10.9.9.9"]);
    assert!(
        lines
            .iter()
            .all(|line| line.get("session_policy_sha256").is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn each_delivery_has_one_line_however_many_pods_and_few_a_minute_of_one() {
    let index = index();
    let audit = AuditLog::new(index.cluster());
    let pod = crate::fixtures::pod_of("uploader");
    let grant = crate::resolve::resolve(&index, &pod, None).unwrap_or_else(|error| panic!("{error}"));
    let life = std::time::Duration::from_secs(3600);
    let session = FixedSts::default()
        .assume_role(&crate::fixtures::request_of(&grant))
        .await
        .unwrap();
    let issued = Issued::new(session, life, grant.renewal);
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let deliver = |peer: u8| audit.session_delivered((&pod, &from_address(peer)), &grant, &issued);
    for peer in (0..100).chain(0..100) {
        deliver(peer);
    }
    assert_eq!(audit_of(&log).len(), 64, "of one pod in a minute");
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    for peer in (0..100).chain(0..100) {
        deliver(peer);
    }
    assert_eq!(audit_of(&log).len(), 100);
}

#[tokio::test(start_paused = true)]
async fn revalidations_have_no_lines_however_many_pods_there_are() {
    let index = index();
    let audit = AuditLog::new(index.cluster());
    let mut pod = crate::fixtures::pod_of("uploader");
    let grant = crate::resolve::resolve(&index, &pod, None).unwrap_or_else(|error| panic!("{error}"));
    let session = FixedSts::default()
        .assume_role(&crate::fixtures::request_of(&grant))
        .await
        .unwrap();
    let issued = Issued::new(session, std::time::Duration::from_secs(3600), grant.renewal);
    let mut deliver_all = |log: &CapturedLog| {
        let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
        let _guard = tracing::subscriber::set_default(subscriber);
        for n in 0..51_000 {
            pod.subject.pod_uid = Uid::new(format!("pod-{n}")).unwrap();
            audit.session_delivered((&pod, &from_address(1)), &grant, &issued);
        }
    };
    deliver_all(&CapturedLog::default());
    let log = CapturedLog::default();
    deliver_all(&log);
    assert_eq!(log.text(), "");
}

#[tokio::test(start_paused = true)]
async fn tokens_of_nobody_have_a_line_for_each_address_within_bounds() {
    let audit = AuditLog::new(index().cluster());
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let refuse =
        |peer: u32, why| audit.untrusted(IpAddr::from(peer.to_be_bytes()), ("InvalidToken", why), "no");
    for _ in 0..3 {
        for (peer, why) in [(1, "expired"), (1, "signature"), (2, "expired")] {
            refuse(peer, why);
        }
    }
    assert_eq!(audit_of(&log).len(), 3, "one address hides no other");
    for peer in 0..5000 {
        refuse(peer, "expired");
    }
    assert_eq!(audit_of(&log).len(), 1025, "one for all further addresses");
}

#[tokio::test(start_paused = true)]
async fn while_the_audit_log_is_not_written_what_is_kept_is_given_and_nothing_new() {
    let is_written = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = is_written.clone();
    let check = Box::new(move || {
        let is_written = asked.load(std::sync::atomic::Ordering::SeqCst);
        is_written
            .then(AuditPlace::default)
            .ok_or_else(|| AuditStalled::new("for 61 s it blocks"))
    });
    let index = index();
    index.reset(
        ResourceKind::Bindings,
        ["uploader", "other"].map(|name| binding_object(name, "uploader", &json!({}))),
    );
    let broker = broker_of(index, false, Arc::new(FixedSts::default())).with_audit_check(check);
    let (_, bundle) = watch::channel(Bundle::from(PUBLIC));
    let router = router(Arc::new(broker), bundle);
    let kept = REQUEST.replace("credentials", "credentials/uploader");
    let new = REQUEST.replace("credentials", "credentials/other");
    assert!(exchange(&router, &kept).await.starts_with("200\n"));
    is_written.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(exchange(&router, &kept).await.starts_with("200\n"));
    let answer = exchange(&router, &new).await;
    assert!(
        answer.starts_with("503\n") && answer.contains("\"Unavailable\""),
        "{answer}"
    );
    assert!(
        answer.contains("can't be written: for 61 s it blocks"),
        "{answer}"
    );
    is_written.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(exchange(&router, &new).await.starts_with("200\n"));
}
