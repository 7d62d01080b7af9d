use super::*;
use axum::{body::Body, http::Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

async fn get(readiness: &Readiness, path: &str) -> (StatusCode, String) {
    let health = Health {
        readiness: readiness.clone(),
        liveness: Liveness::new(),
    };
    ask(router(health, Metrics::new("webhook")), path).await
}

async fn ask(router: Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_lists_what_is_not_ready() {
    let readiness = Readiness::new();
    let stores = readiness.register("stores");
    let bundle = readiness.register("webhook-ca-bundle");
    bundle.not_ready("the caBundle of validate.deputy.dev does not verify");
    stores.ready();
    let (status, body) = get(&readiness, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "ready": false,
            "notReady": {"webhook-ca-bundle": "the caBundle of validate.deputy.dev does not verify"},
        })
    );
    bundle.ready();
    let (status, body) = get(&readiness, "/readyz").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"ready": true, "notReady": {}})
    );
}

#[tokio::test]
async fn a_check_is_asked_each_time() {
    let readiness = Readiness::new();
    let (said, says) = tokio::sync::watch::channel(Ok(()));
    readiness.check("index", move || says.borrow().clone());
    assert!(readiness.is_ready());
    said.send(Err("nothing heard for 31 s".to_owned())).unwrap();
    assert_eq!(readiness.unmet()["index"], "nothing heard for 31 s");
    said.send(Ok(())).unwrap();
    assert!(readiness.is_ready());
}

#[tokio::test]
async fn what_was_registered_and_never_met_is_not_ready() {
    let readiness = Readiness::new();
    let _handle = readiness.register("stores");
    assert_eq!(
        get(&readiness, "/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_draining_process_is_alive_but_not_ready() {
    let shutdown = Shutdown::manual();
    let readiness = Readiness::with_shutdown(shutdown.clone());
    readiness.register("stores").ready();
    assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::OK);
    shutdown.drain();
    let (status, body) = get(&readiness, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("shutting down"), "{body}");
    assert_eq!(get(&readiness, "/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_served_as_open_metrics() {
    let (status, body) = get(&Readiness::new(), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("deputy_build_info{") && body.ends_with("# EOF\n"),
        "{body}"
    );
}

#[tokio::test]
async fn a_process_that_is_stuck_says_where() {
    let health = Health {
        readiness: Readiness::new(),
        liveness: Liveness::new(),
    };
    let liveness = &health.liveness;
    liveness.register("runtime", || Ok(()));
    assert_eq!(ask(probes(health.clone()), "/healthz").await.0, StatusCode::OK);
    liveness.register("reconcile", || Err("nothing ended for 300 s".to_owned()));
    let (status, body) = ask(probes(health.clone()), "/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"ok": false, "stuck": {"reconcile": "nothing ended for 300 s"}})
    );
    assert_eq!(
        ask(probes(health), "/metrics").await.0,
        StatusCode::NOT_FOUND,
        "probes get no metrics"
    );
}

/// Everything else of the process may be held: its one thread is here.
#[tokio::test]
async fn probes_are_answered_while_the_runtime_of_the_process_does_nothing_else() {
    use std::io::{Read as _, Write as _};
    let shutdown = Shutdown::manual();
    let health = Health {
        readiness: Readiness::with_shutdown(shutdown.clone()),
        liveness: Liveness::new(),
    };
    // A port that was free a moment ago.
    let addr = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    serve_probes(addr, health, Metrics::new("webhook"), shutdown.clone()).unwrap();
    let idle: Vec<_> = (0..200)
        .map(|_| std::net::TcpStream::connect(addr).unwrap())
        .collect();
    for path in ["/healthz", "/readyz"] {
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(10)))
            .unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    drop(idle);
    shutdown.stop();
}
