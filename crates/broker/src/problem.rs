//! The answers of the protocol that are no credentials: status, code, message (docs/contracts.md).

use std::sync::Arc;

use axum::http::StatusCode;
use deputy_aws::AwsError;

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct BrokerProblem {
    /// Of the HTTP response: 401, 403, 404 or 503.
    pub status: StatusCode,
    /// For machines; a contract.
    pub code: &'static str,
    /// For people. Never a secret.
    pub message: String,
    /// Seconds, where another try is worth it.
    pub retry_after: Option<u32>,
    /// What AWS said, which is in the message.
    pub aws: Option<Arc<AwsError>>,
}

impl BrokerProblem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            aws: None,
        }
    }

    /// In words that are the same each time: without the id of one request to AWS.
    pub(crate) fn words(&self) -> String {
        let message = match &self.aws {
            Some(error) => self.message.replace(&error.to_string(), &error.sentence()),
            None => self.message.clone(),
        };
        format!("{}: {message}", self.code)
    }

    /// 503 `code`: another try in a second may bring one.
    pub(crate) fn retry(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "GET /v1/credentials, /v1/credentials/<binding> or /v1/credentials/awsfederateduserbinding/<binding>",
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
        Self::retry("Unavailable", message)
    }
}
