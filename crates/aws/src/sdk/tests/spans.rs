//! Which call to AWS a line of the log is about.

use std::sync::Arc;

use deputy_log_testing::CapturedLog;
use serde_json::{Value, json};

use crate::CallPurpose;

use super::{
    at, clients, delete, error,
    fake_server::Server,
    ok, role_name,
    sts::{assumed, session_request, with_provisioner},
};

fn aws(operation: &str) -> Value {
    json!({"name": "aws", "operation": operation, "account": "123456789012"})
}

#[tokio::test]
async fn every_line_of_a_call_names_its_operation_and_account() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());

    // A read, repeated once; a write that is refused; a session; and a write with another identity.
    let server = Server::start([
        error(500, "ServiceFailure", ""),
        error(403, "AccessDenied", "no"),
        error(409, "DeleteConflict", "no"),
        assumed("ASIA1"),
        error(403, "AccessDenied", "no"),
        assumed("ASIA2"),
        ok("DeleteRole", ""),
    ])
    .await;
    let (account, clients) = (at(&server), clients(Arc::default()));
    clients
        .roles(&account, CallPurpose::Provision)
        .get_role(&role_name())
        .await
        .unwrap_err();
    clients
        .roles(&account, CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap_err();
    let sts = clients.sts(&account);
    sts.assume_role(&session_request()).await.unwrap();
    let refused = sts.assume_role(&session_request()).await;
    assert!(refused.is_err());
    let provisioned = with_provisioner(account);
    clients
        .roles(&provisioned, CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap();
    assert_eq!(server.requests().len(), 7);

    let lines = log.lines();
    let failed: Vec<&Value> = lines
        .iter()
        .filter(|line| line["fields"]["message"] == "AWS call failed")
        .collect();
    let spans: Vec<&Value> = failed.iter().map(|line| &line["span"]).collect();
    assert_eq!(
        spans,
        [
            &aws("iam:GetRole"),
            &aws("iam:GetRole"),
            &aws("iam:DeleteRole"),
            &aws("sts:AssumeRole")
        ]
    );
    for line in failed {
        assert_eq!(line["fields"].as_object().unwrap().len(), 2, "{line}");
    }
    // What the SDK says of its attempts stands within the span, too.
    let attempts = |operation: &str, message: &str| {
        lines
            .iter()
            .filter(|line| line["spans"].as_array().unwrap().contains(&aws(operation)))
            .filter(|line| {
                line["fields"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(message)
            })
            .count()
    };
    assert!(attempts("iam:GetRole", "AWS call failed") == 2, "{lines:#?}");
    for line in &lines {
        let target = line["target"].as_str().unwrap();
        if target.starts_with("aws_smithy_runtime::client::") {
            let spans = line["spans"].as_array().unwrap();
            assert!(spans.iter().any(|span| span["name"] == "aws"), "{line}");
        }
        // Only names are in a span of ours: no key, token or document.
        let spans = line["spans"].as_array().into_iter().flatten();
        for span in spans.filter(|span| span["name"] == "aws") {
            assert_eq!(span.as_object().unwrap().len(), 3, "{line}");
        }
    }
}
