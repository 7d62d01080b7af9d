//! Federated users in the protocol: agents see no difference, and the audit log does.

use std::sync::Arc;

use deputy_aws::{AwsError, ErrorClass};
use deputy_log_testing::CapturedLog;
use serde_json::json;

use super::{broker, exchange, golden};
use crate::fixtures::{FixedSts, federated_index};

const BY_DEFAULT: &str = "GET /v1/credentials\nauthorization: Bearer a.b.c";
const BY_NAME: &str = "GET /v1/credentials/awsfederateduserbinding/manager\nauthorization: Bearer a.b.c";

#[tokio::test(start_paused = true)]
async fn a_session_of_a_federated_user_is_given_like_any_other() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = broker(federated_index(&json!({})), false, Arc::new(FixedSts::default()));
    let issued = exchange(&router, BY_DEFAULT).await;
    golden("issued-federated-v1.txt", &issued);
    assert_eq!(exchange(&router, BY_NAME).await, issued);
    let audit: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line["target"] == "audit")
        .collect();
    let events: Vec<_> = audit.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["SessionIssued", "SessionDelivered"]);
    for line in &audit {
        assert_eq!(
            line["federated_user_arn"],
            "arn:aws:sts::123456789012:federated-user/Manager"
        );
        assert_eq!(line["binding"], "payments/manager");
        assert_eq!(line["service_account"], "uploader");
        assert!(
            line.get("role").is_none() && line.get("role_arn").is_none(),
            "{line}"
        );
    }
    assert!(!log.text().contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_a_federated_user_is_not_yet_at_first() {
    let sts = FixedSts::default();
    let refusal = AwsError::new(
        "sts:GetFederationToken",
        ErrorClass::AccessDenied,
        "not authorized",
    );
    *sts.error.lock().unwrap() = Some(refusal.with_code("AccessDenied"));
    let router = broker(federated_index(&json!({})), false, Arc::new(sts));
    let answer = exchange(&router, BY_DEFAULT).await;
    assert!(answer.starts_with("503\n"), "{answer}");
    assert!(
        answer.contains(
            "arn:aws:sts::123456789012:federated-user/Manager, or its federation user is being changed"
        ),
        "{answer}"
    );
}
