//! Requests that no API server would send.

use super::*;

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
    let truncated = good.get(..good.len() / 2).unwrap();
    let deep = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"payments","operation":"CREATE","object":{{"metadata":{{"labels":{{"deputy.dev/inject":"enabled"}}}},"spec":{}{}}}}}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
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
    let bomb = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
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
