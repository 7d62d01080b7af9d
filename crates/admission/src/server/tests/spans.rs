//! Which review a line of the log is about.

use std::{io, sync::Mutex};

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_line_of_a_review_names_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone());
    // With one subscriber alone, a line that another thread reaches first counts as switched off for this one, too.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    // The API server does not answer what injection goes by, and the uid is longer than any.
    let case = Case::new(Live::Error, true);
    let mut review = pod_review(&pod(None));
    review["request"]["uid"] = json!("u".repeat(10_000));
    let response = case.review("/mutate", &review).await;
    assert_eq!(response["allowed"], false, "{response}");

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
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
