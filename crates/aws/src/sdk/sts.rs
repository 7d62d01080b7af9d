//! [`Sts`] over the SDK.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use deputy_delegation::{
    federation::FederationRequest,
    names::{AccountId, TagKey, TagValue},
    session::SessionRequest,
};
use jiff::Timestamp;

use super::{ApiCaller, decode, senseless};
use crate::{
    error::AwsError,
    traits::{CallerIdentity, Credentials, Session, Sts},
};

pub(crate) struct SdkSts {
    client: aws_sdk_sts::Client,
    caller: ApiCaller,
}

impl SdkSts {
    pub(crate) fn new(client: aws_sdk_sts::Client, caller: ApiCaller) -> Self {
        Self { client, caller }
    }
}

/// The credentials of an answer, whole ones only, and when they end.
pub(crate) fn issued(
    operation: &'static str,
    credentials: Option<aws_sdk_sts::types::Credentials>,
) -> Result<(Credentials, Timestamp), AwsError> {
    let credentials = credentials.ok_or_else(|| senseless(operation, "no credentials"))?;
    // An empty field would make whoever gets it fall back to another identity or fail far from the cause.
    if credentials.access_key_id.is_empty()
        || credentials.secret_access_key.is_empty()
        || credentials.session_token.is_empty()
    {
        return Err(senseless(operation, "empty credentials"));
    }
    let expiration = decode::timestamp(operation, &credentials.expiration)?;
    let credentials = Credentials {
        access_key_id: credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.into(),
        session_token: credentials.session_token.into(),
    };
    Ok((credentials, expiration))
}

fn session_tags(
    operation: &'static str,
    tags: &BTreeMap<TagKey, TagValue>,
) -> Result<Option<Vec<Tag>>, AwsError> {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key.as_str()).value(value.as_str()).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| senseless(operation, &e.to_string()))?;
    Ok((!tags.is_empty()).then_some(tags))
}

#[async_trait]
impl Sts for SdkSts {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        const ASSUME: &str = "sts:AssumeRole";
        let tags = session_tags(ASSUME, &request.tags)?;
        let policies: Vec<_> = request
            .policy_arns
            .iter()
            .map(|arn| PolicyDescriptorType::builder().arn(arn.to_string()).build())
            .collect();
        let duration = i32::try_from(request.duration.as_seconds())
            .map_err(|_| senseless(ASSUME, "a duration out of range"))?;
        let call = self
            .client
            .assume_role()
            .role_arn(request.role.to_string())
            .role_session_name(request.session_name.as_str())
            .external_id(request.external_id.as_str())
            .set_source_identity(
                request
                    .source_identity
                    .as_ref()
                    .map(|name| name.as_str().to_owned()),
            )
            .duration_seconds(duration)
            .set_tags(tags)
            .set_policy(request.policy.clone())
            .set_policy_arns((!policies.is_empty()).then_some(policies))
            .send();
        let output = self.caller.call(ASSUME, call).await?;
        let (credentials, expiration) = issued(ASSUME, output.credentials)?;
        let user = output
            .assumed_role_user
            .ok_or_else(|| senseless(ASSUME, "no assumed role"))?;
        Ok(Session {
            expiration,
            credentials,
            arn: user.arn,
            unique_id: user.assumed_role_id,
            packed_policy_size: output
                .session_token_utilization
                .and_then(|p| u32::try_from(p).ok()),
        })
    }

    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        const GET: &str = "sts:GetFederationToken";
        let duration = i32::try_from(request.duration.as_seconds())
            .map_err(|_| senseless(GET, "a duration out of range"))?;
        let call = self
            .client
            .get_federation_token()
            .name(request.user.user().as_str())
            .duration_seconds(duration)
            .set_tags(session_tags(GET, &request.tags)?)
            .set_policy(request.policy.clone())
            .send();
        let output = self.caller.call(GET, call).await?;
        let (credentials, expiration) = issued(GET, output.credentials)?;
        let user = output
            .federated_user
            .ok_or_else(|| senseless(GET, "no federated user"))?;
        // Keys of another account make users of that account, whom nobody allowed anything.
        if user.arn != request.user.to_string() {
            let message = format!("a session of {}, and {} was asked for", user.arn, request.user);
            return Err(senseless(GET, &message));
        }
        Ok(Session {
            expiration,
            credentials,
            arn: user.arn,
            unique_id: user.federated_user_id,
            packed_policy_size: output
                .session_token_utilization
                .and_then(|p| u32::try_from(p).ok()),
        })
    }

    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        const GET: &str = "sts:GetCallerIdentity";
        let call = self.client.get_caller_identity().send();
        let output = self.caller.call(GET, call).await?;
        let account = output.account.unwrap_or_default();
        Ok(CallerIdentity {
            account: AccountId::new(account).map_err(|e| senseless(GET, &e.to_string()))?,
            arn: output.arn.ok_or_else(|| senseless(GET, "no ARN"))?,
            user_id: output.user_id.unwrap_or_default(),
        })
    }
}
