//! The Secret of an authority, and the ConfigMap by which clients came to trust it, in the API server.

use std::{future::Future, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, api::PostParams};

use super::{certificate::parse_bundle, config_map::BUNDLE_KEY, error::AuthorityError, pinned::Pinned};
use crate::watch::describe;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a write was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("another replica wrote the Secret first")]
    Conflict,
    #[error(transparent)]
    Other(AuthorityError),
}

/// The Secret with optimistic concurrency.
pub(super) trait SecretStore: Send + Sync + 'static {
    fn get(&self) -> impl Future<Output = Result<Secret, AuthorityError>> + Send;
    fn replace(&self, secret: &Secret) -> impl Future<Output = Result<(), WriteError>> + Send;
    /// What clients were told to trust.
    fn pinned(&self) -> impl Future<Output = Result<Pinned, AuthorityError>> + Send;
}

pub(super) struct ApiStore {
    pub(super) secrets: Api<Secret>,
    pub(super) name: String,
    pub(super) config_maps: Api<ConfigMap>,
    /// The ConfigMap with the bundle that clients keep. `None`: they are told of another one at once.
    pub(super) pinned_in: Option<String>,
}

impl SecretStore for ApiStore {
    async fn get(&self) -> Result<Secret, AuthorityError> {
        let secret = call("get the Secret", self.secrets.get_opt(&self.name)).await?;
        secret.ok_or(AuthorityError::NoSecret)
    }

    async fn replace(&self, secret: &Secret) -> Result<(), WriteError> {
        let action = "update the Secret";
        let parameters = PostParams::default();
        let write = self.secrets.replace(&self.name, &parameters, secret);
        match tokio::time::timeout(CALL_TIMEOUT, write).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() => Err(WriteError::Conflict),
            Ok(Err(error)) => Err(WriteError::Other(AuthorityError::Api {
                action,
                message: describe(&error),
            })),
            Err(_) => Err(WriteError::Other(no_answer(action))),
        }
    }

    async fn pinned(&self) -> Result<Pinned, AuthorityError> {
        let Some(name) = &self.pinned_in else {
            return Ok(Pinned::nothing());
        };
        let found = call(
            "get the ConfigMap with its bundle",
            self.config_maps.get_opt(name),
        )
        .await?;
        let Some(config_map) = found else {
            return Ok(Pinned::Unknown(format!(
                "the ConfigMap {name} does not exist; the chart creates it"
            )));
        };
        let bundle = config_map.data.and_then(|mut data| data.remove(BUNDLE_KEY));
        let bundle = bundle.unwrap_or_default();
        if bundle.trim().is_empty() {
            return Ok(Pinned::nothing());
        }
        Ok(match parse_bundle(bundle.as_bytes()) {
            Ok(roots) => Pinned::Known(roots),
            Err(error) => Pinned::Unknown(format!("the ConfigMap {name} holds no bundle: {error}")),
        })
    }
}

async fn call<T>(
    action: &'static str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, AuthorityError> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(AuthorityError::Api {
            action,
            message: describe(&error),
        }),
        Err(_) => Err(no_answer(action)),
    }
}

fn no_answer(action: &'static str) -> AuthorityError {
    AuthorityError::Api {
        action,
        message: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
    }
}
