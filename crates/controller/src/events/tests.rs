//! What the recorder asks of the API server, and what it remembers.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::Value;

use super::*;

fn object(name: &str) -> ObjectReference {
    ObjectReference {
        kind: Some("AWSRole".into()),
        namespace: Some("payments".into()),
        name: Some(name.into()),
        uid: Some(format!("uid of {name}")),
        ..ObjectReference::default()
    }
}

fn told<'a>(about: &'a ObjectReference, reason: &'a str) -> ObjectEvent<'a> {
    ObjectEvent {
        about,
        is_warning: false,
        reason,
        note: "words",
    }
}

type Calls = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A recorder, and what it asks the API server for, which has forgotten every event.
fn recorder(knows_events: bool) -> (EventRecorder, Calls) {
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let answer = move |request: http::Request<Body>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let call = (
                head.method.to_string(),
                head.uri.path().to_owned(),
                serde_json::from_slice(&bytes).unwrap(),
            );
            let is_patch = call.0 == "PATCH";
            seen.lock().push(call);
            let (status, text) = if is_patch && !knows_events {
                let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}"#;
                (404, status.into())
            } else if is_patch {
                (200, r#"{"eventTime":null}"#.into())
            } else {
                (200, bytes)
            };
            let response = http::Response::builder()
                .status(status)
                .body(Full::new(text))
                .unwrap();
            Ok::<_, Infallible>(response)
        }
    };
    let client = Client::new(tower::service_fn(answer), "default");
    (
        EventRecorder::new(client, "deputy-controller", "deputy-controller-0"),
        calls,
    )
}

#[tokio::test(start_paused = true)]
async fn what_is_told_again_is_counted_in_the_event_that_is_there() {
    let (recorder, calls) = recorder(true);
    let (one, other) = (object("one"), object("other"));
    for told in [
        told(&one, "Ready"),
        told(&one, "Ready"),
        told(&other, "Ready"),
        told(&one, "Suspended"),
        told(&one, "Ready"),
    ] {
        recorder.publish(told).await.unwrap();
    }
    tokio::time::advance(SERIES).await;
    recorder.publish(told(&one, "Ready")).await.unwrap();
    let calls = calls.lock();
    let methods: Vec<&str> = calls.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST", "POST", "PATCH", "POST"]);
    let first = calls[0].2["metadata"]["name"].as_str().unwrap();
    for (call, count) in [(1, 2), (4, 3)] {
        assert!(
            calls[call]
                .1
                .ends_with(&format!("/namespaces/payments/events/{first}")),
            "{}",
            calls[call].1
        );
        assert_eq!(calls[call].2["series"]["count"], count);
        assert!(calls[call].2["series"]["lastObservedTime"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_gone_is_written_anew() {
    let (recorder, calls) = recorder(false);
    let one = object("one");
    for _ in 0..2 {
        recorder.publish(told(&one, "Ready")).await.unwrap();
    }
    let methods: Vec<String> = calls.lock().iter().map(|(method, ..)| method.clone()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded_and_the_oldest_goes() {
    let mut recent = Recent::default();
    for n in 0..3 * REMEMBERED {
        tokio::time::advance(Duration::from_millis(1)).await;
        recent.remember(
            &told(&object(&n.to_string()), "Ready"),
            format!("event-{n}"),
            Instant::now(),
        );
    }
    assert_eq!(recent.events.len(), REMEMBERED);
    let now = Instant::now();
    assert_eq!(recent.again(&told(&object("0"), "Ready"), now), None);
    let last = object(&(3 * REMEMBERED - 1).to_string());
    assert_eq!(recent.again(&told(&last, "Ready"), now).unwrap().1, 2);
}

#[test]
fn an_event_is_about_its_object_and_has_a_valid_name() {
    let (recorder, _) = {
        let _runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _within = _runtime.enter();
        recorder(true)
    };
    let about = object(&format!("{}.{}", "x".repeat(MAX_NAME - 1), "y".repeat(30)));
    let long = "é".repeat(2000);
    let event = recorder.event(
        &ObjectEvent {
            is_warning: true,
            note: &long,
            ..told(&about, "Ready")
        },
        Timestamp::UNIX_EPOCH,
    );
    let name = event.metadata.name.unwrap();
    assert_eq!(name, format!("{}.0", "x".repeat(MAX_NAME - 1)));
    assert!(name.len() + "ffffffffffffffff".len() <= 253);
    // The API takes 1,024 bytes.
    assert!((999..=1024).contains(&event.note.unwrap().len()));
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.regarding.as_ref(), Some(&about));
    let cluster_wide = ObjectReference {
        namespace: None,
        ..about
    };
    let event = recorder.event(&told(&cluster_wide, "Ready"), Timestamp::UNIX_EPOCH);
    assert_eq!(event.metadata.namespace.as_deref(), Some(DEFAULT_NAMESPACE));
}
