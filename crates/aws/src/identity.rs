//! Who Deputy is in AWS: the ambient identity of the process, and the roles that it assumes from there.

use std::{fmt, time::Duration};

use aws_config::{
    ecs::EcsCredentialsProvider, environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};
use deputy_delegation::model::AssumeRole;
use tracing::Instrument;

use crate::{
    error::{AwsError, ErrorClass},
    sdk,
};

/// `RoleSessionName` of Deputy's own sessions.
const SESSION_NAME: &str = "deputy";
const OPERATION: &str = "sts:AssumeRole";

/// The ambient identity, in the order of every AWS SDK: environment, profile, web identity, container. Instance
/// metadata only if `instance_metadata`: it is the node's identity, and whoever can run a pod there has it too. (A profile
/// that names it as its `credential_source` is somebody's explicit wish.)
pub(crate) fn ambient(config: &ProviderConfig, instance_metadata: bool) -> CredentialsProviderChain {
    let chain =
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else(
                "Profile",
                ProfileFileCredentialsProvider::builder()
                    .configure(config)
                    .build(),
            )
            .or_else(
                "WebIdentityToken",
                WebIdentityTokenCredentialsProvider::builder()
                    .configure(config)
                    .build(),
            )
            .or_else(
                "Container",
                EcsCredentialsProvider::builder().configure(config).build(),
            );
    if instance_metadata {
        chain.or_else(
            "InstanceMetadata",
            ImdsCredentialsProvider::builder().configure(config).build(),
        )
    } else {
        chain
    }
}

/// A role that Deputy assumes for itself, one hour at a time. What is refused comes back as an [`AwsError`] of
/// `sts:AssumeRole`.
pub(crate) struct AssumedIdentity {
    client: aws_sdk_sts::Client,
    role: AssumeRole,
}

impl AssumedIdentity {
    /// `client` calls as the identity that may assume `role`.
    pub(crate) fn new(client: aws_sdk_sts::Client, role: AssumeRole) -> Self {
        Self { client, role }
    }

    async fn load(&self) -> provider::Result {
        let output = self
            .client
            .assume_role()
            .role_arn(self.role.role.to_string())
            .role_session_name(SESSION_NAME)
            .set_external_id(self.role.external_id.as_ref().map(ToString::to_string))
            .send()
            .await
            .map_err(|e| {
                let error = AwsError::from_sdk(OPERATION, e);
                let message = format!("assuming {}: {}", self.role.role, error.message());
                CredentialsError::provider_error(error.with_message(&message))
            })?;
        let credentials = output.credentials.ok_or_else(|| {
            CredentialsError::provider_error(AwsError::new(
                OPERATION,
                ErrorClass::Other,
                "the answer holds no credentials",
            ))
        })?;
        let expiry = std::time::SystemTime::try_from(credentials.expiration).map_err(|_| {
            CredentialsError::provider_error(AwsError::new(
                OPERATION,
                ErrorClass::Other,
                "the expiration in the answer is out of range",
            ))
        })?;
        Ok(Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            Some(expiry),
            "deputy",
        ))
    }
}

impl fmt::Debug for AssumedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedIdentity")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl ProvideCredentials for AssumedIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let span = sdk::span(OPERATION, self.role.role.account());
        future::ProvideCredentials::new(self.load().instrument(span))
    }
}

/// Credentials are renewed when they have less time left than this.
pub(crate) const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clients::AmbientOptions, proxy};

    /// The identity of the node is anybody's who can run a pod there.
    #[test]
    fn instance_metadata_are_asked_only_by_who_is_told_to() {
        let config = ProviderConfig::without_region().with_http_client(proxy::http_client(None));
        let asks = |allowed: bool| format!("{:?}", ambient(&config, allowed)).contains("InstanceMetadata");
        assert!(asks(true));
        assert!(!asks(false));
        assert!(!asks(AmbientOptions::default().allow_instance_metadata));
    }
}
