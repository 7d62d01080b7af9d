//! Calls to the API server that bring a bundle to where clients read it: their deadline, their errors, and the pauses
//! between them.

use std::{future::Future, time::Duration};

use super::certificate::CertificateError;
use crate::watch::describe;

/// How often what is published is looked at although nothing is known to have changed.
pub(super) const TICK: Duration = Duration::from_secs(60);
/// How long the API server may take to answer one call.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after so many failures in a row: from 1 s to 32 s.
pub(super) fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(5))
}

/// Why the bundle is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The object does not exist. The chart makes it; this process may not.
    #[error("{object} does not exist; the chart creates it")]
    Missing {
        /// Kind and name.
        object: String,
    },
    /// Another replica wrote first. Trying again settles it.
    #[error("{object} was changed meanwhile")]
    Conflict {
        /// Kind and name.
        object: String,
    },
    /// Nothing was published yet.
    #[error("{object} holds no bundle yet; the broker publishes it")]
    Empty {
        /// Kind and name.
        object: String,
    },
    /// What is published is no bundle.
    #[error("{object} holds no usable bundle")]
    Unusable {
        /// Kind and name.
        object: String,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// The API server did not do what was asked.
    #[error("failed to {action} {object}: {message}")]
    Api {
        /// What was asked.
        action: &'static str,
        /// Kind and name.
        object: String,
        /// What it said.
        message: String,
    },
}

impl PublishError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Conflict { .. } => "conflict",
            Self::Empty { .. } => "empty",
            Self::Unusable { .. } => "unusable",
            Self::Api { .. } => "api",
        }
    }
}

/// `request`, with its deadline. `action` and `object` are for the error.
pub(super) async fn call<T>(
    action: &'static str,
    object: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, PublishError> {
    let api = |message| PublishError::Api {
        action,
        object: object.to_owned(),
        message,
    };
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() => Err(PublishError::Conflict {
            object: object.to_owned(),
        }),
        Ok(Err(error)) => Err(api(describe(&error))),
        Err(_) => Err(api(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))),
    }
}
