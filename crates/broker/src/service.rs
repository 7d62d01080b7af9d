//! One request from beginning to end: who asks, what they get, and the record of it.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use deputy_aws::{Clients, ErrorClass};
use deputy_delegation::{AccountId, ObjectName};
use deputy_index::World;
use deputy_runtime::audit;

use crate::{
    identity::{IdentityError, IssuerCheck},
    issuer::{IssueError, Issued, Issuer},
    metrics::BrokerMetrics,
    resolve::{Denials, Grant, Resolution, resolve},
    token::{PodIdentity, TokenError, Verifier},
};

/// How long a caller waits at most, all together: the SDKs give up after a second.
const ANSWER_WITHIN: Duration = Duration::from_millis(950);

/// What a request comes to.
pub enum Answer {
    /// Credentials, of this account.
    Credentials(Arc<Issued>, AccountId),
    /// None.
    Problem(Problem),
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of the answer.
    pub status: StatusCode,
    /// For machines; a contract.
    pub code: &'static str,
    /// For people. Never a secret.
    pub message: String,
    /// Seconds, where another try is worth it.
    pub retry_after: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }
    fn again(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
        }
    }
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "GET /v1/credentials or /v1/credentials/<binding>",
        )
    }
    pub(crate) fn no_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "InvalidToken",
            "one header Authorization: Bearer <token> is expected",
        )
    }
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::again("Unavailable", message)
    }
}

/// The broker.
pub struct Broker {
    pub(crate) world: Arc<World>,
    pub(crate) verifier: Verifier,
    pub(crate) issuer: Issuer,
    pub(crate) aws: Clients,
    pub(crate) issuers: IssuerCheck,
    pub(crate) denials: Denials,
    /// (access key id, pod uid) of sessions that a pod was given already.
    pub(crate) delivered: moka::sync::Cache<(String, String), ()>,
    pub(crate) metrics: BrokerMetrics,
}

impl Broker {
    pub(crate) fn metrics(&self) -> &BrokerMetrics {
        &self.metrics
    }

    /// Credentials for the holder of `token`, by the binding of this name or by its default one.
    pub async fn credentials(&self, token: &str, binding: Option<&ObjectName>) -> Answer {
        match tokio::time::timeout(ANSWER_WITHIN, self.in_time(token, binding)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Problem(Problem::again(
                "NotReady",
                "no answer in time; the next request may have it",
            )),
        }
    }

    async fn in_time(&self, token: &str, binding: Option<&ObjectName>) -> Answer {
        let identity = match self.verifier.verify(token).await {
            Ok(identity) => identity,
            Err(error) => return Answer::Problem(of_token(&error)),
        };
        let grant = match resolve(&self.world, &identity, binding) {
            Resolution::Session(grant) => grant,
            other => return Answer::Problem(refuse(&identity, &other)),
        };
        let sts = self.aws.sts(&grant.account);
        if let Err(error) = self.issuers.check(&grant.account, &sts).await {
            return Answer::Problem(match error {
                IdentityError::Mismatch(message) => Problem::again("NotReady", message),
                IdentityError::Aws(error) => Problem::again("Unavailable", error.to_string()),
            });
        }
        match self.issuer.session(&grant.key, grant.renewal, &sts).await {
            Ok(issued) => {
                self.denials.forget(&grant.role.id);
                self.note_delivery(&identity, &grant, &issued);
                Answer::Credentials(issued, grant.account.id.clone())
            }
            Err(IssueError::Slow) => Answer::Problem(Problem::again(
                "NotReady",
                "STS has not answered yet; the call goes on",
            )),
            Err(IssueError::Aws(error)) => {
                let text = error.to_string();
                Answer::Problem(match error.class() {
                    ErrorClass::Throttled => Problem::again("Throttled", text),
                    ErrorClass::AccessDenied | ErrorClass::NotFound => {
                        refuse(&identity, &self.denials.judge(&grant, &text))
                    }
                    ErrorClass::PackedPolicyTooLarge
                    | ErrorClass::MalformedPolicy
                    | ErrorClass::InvalidInput => Problem::new(StatusCode::FORBIDDEN, "AccessDenied", text),
                    _ => Problem::again("Unavailable", text),
                })
            }
        }
    }

    /// The first time that a pod is given a session. Later times are revalidations of the same one.
    fn note_delivery(&self, identity: &PodIdentity, grant: &Grant, issued: &Issued) {
        let key = (
            issued.session.credentials.access_key_id.clone(),
            identity.subject.pod_uid.to_string(),
        );
        if self.delivered.contains_key(&key) {
            return;
        }
        self.delivered.insert(key, ());
        audit!(
            event = "SessionDelivered",
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = %identity.subject.pod_uid,
            binding = %grant.binding.id,
            role = %grant.role.id,
            role_arn = %grant.key.request.role,
            session_name = %grant.key.request.session_name,
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            decision = "Accepted",
        );
    }
}

/// The audit line of a session that STS made.
pub(crate) fn note_issued(key: &crate::issuer::SessionKey, issued: &Issued) {
    let tag = |name: &str| {
        let tags = &key.request.tags;
        tags.iter()
            .find(|(k, _)| k.as_str() == name)
            .map(|(_, v)| v.as_str())
            .unwrap_or_default()
    };
    audit!(
        event = "SessionIssued",
        namespace = tag("deputy-namespace"),
        service_account = tag("deputy-service-account"),
        pod_uid = tag("deputy-pod-uid"),
        role_arn = %key.request.role,
        session_name = %key.request.session_name,
        access_key_id = issued.session.credentials.access_key_id,
        expiration = %issued.session.expiration,
        decision = "Accepted",
    );
}

/// The problem that a resolution other than a session is, with its audit line.
fn refuse(identity: &PodIdentity, resolution: &Resolution) -> Problem {
    match resolution {
        Resolution::Refused {
            code,
            message,
            binding,
        } => {
            audit!(
                event = "Refused",
                namespace = %identity.namespace,
                service_account = %identity.subject.service_account,
                pod = %identity.subject.pod,
                pod_uid = %identity.subject.pod_uid,
                binding = binding.as_ref().map(ToString::to_string).unwrap_or_default(),
                decision = code.as_str(),
                reason = message,
            );
            Problem::new(StatusCode::FORBIDDEN, code.as_str(), message.clone())
        }
        Resolution::NotReady { message } => Problem::again("NotReady", message.clone()),
        Resolution::Session(_) => Problem::unavailable("a session was expected"),
    }
}

fn of_token(error: &TokenError) -> Problem {
    match error {
        TokenError::Unavailable(_) => Problem::again("Unavailable", error.to_string()),
        _ => Problem::new(StatusCode::UNAUTHORIZED, "InvalidToken", error.to_string()),
    }
}
