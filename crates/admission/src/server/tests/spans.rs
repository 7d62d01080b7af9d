//! Which review a line of the log is about.

use deputy_log_testing::CapturedLog;

use super::*;

#[tokio::test]
async fn every_line_of_a_review_names_it() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());

    // The API server does not answer what injection goes by, and the uid is longer than any.
    let case = Case::new(Live::Error, true);
    let mut review = pod_review(&pod(None));
    review["request"]["uid"] = json!("u".repeat(10_000));
    let response = case.review("/mutate", &review).await;
    assert_eq!(response["allowed"], false, "{response}");

    let lines = log.lines();
    let own = |line: &&Value| line["fields"]["message"] == "failed to decide about a pod";
    let line = lines.iter().find(own).unwrap();
    // Nothing else is in the span: no name, label or value of the object.
    let uid = line["span"]["uid"].as_str().unwrap();
    assert!(uid.starts_with("uuu") && uid.chars().count() <= 65, "{uid}");
    let mut span = line["span"].clone();
    span["uid"] = json!("u");
    assert_eq!(
        span,
        json!({"name": "review", "uid": "u", "kind": "Pod", "operation": "CREATE"})
    );
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_reasons_and_without_what_is_in_the_object() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());

    let case = Case::new(Live::Label("enabled"), true);
    let mut pod = pod(Some("enabled"));
    pod["metadata"]["annotations"] = json!({"deputy.dev/nosuch": "canary"});
    let mut review = pod_review(&pod);
    review["request"]["name"] = json!("n".repeat(10_000));
    let response = case.review("/mutate", &review).await;
    assert_eq!(response["allowed"], false, "{response}");

    let lines = log.lines();
    let own = |line: &&Value| line["fields"]["message"] == "admission refused";
    let line = lines.iter().find(own).unwrap();
    assert_eq!(line["span"]["kind"], "Pod");
    let fields = &line["fields"];
    assert_eq!(
        (&fields["namespace"], &fields["outcome"], &fields["dry_run"]),
        (&json!("payments"), &json!("denied"), &json!(false))
    );
    assert_eq!(fields["name"].as_str().unwrap().chars().count(), 253);
    assert!(!log.text().contains("canary"), "{}", log.text());
}
