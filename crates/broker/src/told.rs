//! Events on pods that have no credential: while a pod waits, nothing but this tells who deploys it why.
//!
//! A refusal is told at once; that something is not there yet, when a pod has heard it for a while: most pods that hear it have their
//! credential a moment later.

use std::time::Duration;

use axum::http::StatusCode;
use deputy_runtime::events::{Notice, NoticeQueue};
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::time::Instant;

use crate::{problem::BrokerProblem, token::PodIdentity};

/// How long a pod hears "not yet" before an event says so.
const PATIENCE: Duration = Duration::from_secs(5);
/// A pod that asked for nothing so long begins to wait anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Pods that wait at a time, as far as this is remembered.
const MOST_WAITING: u64 = 10_000;

/// Tells pods why they have no credential.
pub(crate) struct PodEvents {
    notices: NoticeQueue,
    /// Since when a pod hears "not yet", by its uid.
    waiting: moka::sync::Cache<String, Instant>,
}

impl PodEvents {
    /// Events go to `notices`.
    pub(crate) fn new(notices: NoticeQueue) -> Self {
        let waiting = moka::sync::Cache::builder()
            .max_capacity(MOST_WAITING)
            .time_to_idle(FORGOTTEN_AFTER)
            .build();
        Self { notices, waiting }
    }

    /// This is what `pod` heard.
    pub(crate) fn heard(&self, pod: &PodIdentity, problem: &BrokerProblem) {
        let reason = if problem.status == StatusCode::FORBIDDEN {
            "CredentialsRefused"
        } else {
            let uid = pod.subject.pod_uid.to_string();
            if self.waiting.get_with(uid, Instant::now).elapsed() < PATIENCE {
                return;
            }
            "CredentialsNotReady"
        };
        self.notices.publish(Notice {
            regarding: ObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                namespace: Some(pod.namespace.to_string()),
                name: Some(pod.subject.pod.to_string()),
                uid: Some(pod.subject.pod_uid.to_string()),
                ..ObjectReference::default()
            },
            component: "deputy-broker",
            action: "GetCredentials",
            reason,
            code: Some(problem.code),
            text: problem.words(),
        });
    }

    /// `pod` has credentials: what it hears next is news.
    pub(crate) fn served(&self, pod: &PodIdentity) {
        self.waiting.invalidate(pod.subject.pod_uid.as_str());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deputy_aws::{AwsError, ErrorClass};

    use super::*;
    use crate::fixtures::pod_of;

    fn problem(status: StatusCode) -> BrokerProblem {
        BrokerProblem::new(status, "Code", "because")
    }

    #[test]
    fn an_event_has_what_is_the_same_each_time_of_what_aws_says() {
        let said = "the call budget of this account (2.0 calls/s now) had no turn for it";
        let error = AwsError::new("sts:AssumeRole", ErrorClass::Throttled, said).with_code("CallBudget");
        let problem = BrokerProblem {
            aws: Some(Arc::new(error.clone())),
            ..BrokerProblem::retry("Throttled", format!("no session yet: {error}"))
        };
        let (notices, mut told) = NoticeQueue::channel();
        let (events, pod) = (PodEvents::new(notices), pod_of("uploader"));
        let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
        events.waiting.insert(pod.subject.pod_uid.to_string(), long_ago);
        events.heard(&pod, &problem);
        assert_eq!(
            told.try_recv().unwrap().text,
            format!("Throttled: no session yet: {}", error.sentence())
        );
    }

    #[tokio::test]
    async fn a_refusal_is_told_at_once_and_waiting_after_a_while() {
        let (notices, mut told) = NoticeQueue::channel();
        let (events, pod) = (PodEvents::new(notices), pod_of("uploader"));
        events.heard(&pod, &problem(StatusCode::FORBIDDEN));
        let notice = told.try_recv().unwrap();
        assert_eq!(
            (notice.reason, notice.text.as_str()),
            ("CredentialsRefused", "Code: because")
        );
        let about = notice.regarding;
        assert_eq!(
            (about.kind.as_deref(), about.name.as_deref(), about.uid.as_deref()),
            (Some("Pod"), Some("uploader-1"), Some("0af1"))
        );
        let not_yet = problem(StatusCode::SERVICE_UNAVAILABLE);
        events.heard(&pod, &not_yet);
        assert!(told.try_recv().is_err(), "it has waited for no time at all");
        let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
        events.waiting.insert(pod.subject.pod_uid.to_string(), long_ago);
        events.heard(&pod, &not_yet);
        assert_eq!(told.try_recv().unwrap().reason, "CredentialsNotReady");
        // Something else, which was not told yet.
        let other = BrokerProblem::new(StatusCode::SERVICE_UNAVAILABLE, "Other", "because");
        events.served(&pod);
        events.heard(&pod, &other);
        assert!(told.try_recv().is_err(), "it begins to wait anew");
        let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
        events.waiting.insert(pod.subject.pod_uid.to_string(), long_ago);
        events.heard(&pod, &other);
        assert!(told.try_recv().is_ok());
    }
}
