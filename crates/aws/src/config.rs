//! What every client of the SDK is built from here, whoever it is for.

use std::time::Duration;

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, provider_config::ProviderConfig, timeout::TimeoutConfig,
};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::sdk_config::Builder;

/// A client's: in this region, at AWS's own endpoint unless another one is named.
pub(crate) fn client_config(http: &SharedHttpClient, region: String, endpoint: Option<String>) -> Builder {
    let mut builder = SdkConfig::builder()
        .region(Region::new(region))
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.clone())
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new());
    builder.set_endpoint_url(endpoint);
    builder.set_app_name(AppName::new("deputy").ok());
    builder
}

/// That of what finds an identity by calls of its own.
pub(crate) fn identity_config(
    http: &SharedHttpClient,
    region: String,
    timeouts: TimeoutConfig,
) -> ProviderConfig {
    ProviderConfig::without_region()
        .with_http_client(http.clone())
        .with_sleep_impl(TokioSleep::new())
        .with_time_source(SystemTimeSource::new())
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_timeout_config(timeouts)
        .with_region(Some(Region::new(region)))
}

/// How long a connection, one attempt, and a call with all its attempts may take.
pub(crate) fn timeouts(connect: Duration, attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(connect)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// One attempt of a call to IAM.
    pub iam_attempt: Duration,
    /// One attempt of a call to STS.
    pub sts_attempt: Duration,
    /// A call to STS with all its attempts.
    pub sts: Duration,
}

impl Timeouts {
    /// The longest that one write to IAM can take, from the fence to knowing: what a Lease must have left before it.
    #[must_use]
    pub fn longest_write(&self) -> Duration {
        self.iam_attempt
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            iam_attempt: Duration::from_secs(5),
            sts_attempt: Duration::from_secs(5),
            sts: Duration::from_secs(10),
        }
    }
}
