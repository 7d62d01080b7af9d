//! Whether the cluster's own rules let somebody ask: SubjectAccessReview. The API server asks before it hands a request on, and this process
//! does not rest on that alone.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use deputy_delegation::model::ObjectId;
use deputy_runtime::front_proxy::RequestUser;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

use super::discovery::{GROUP, RESOURCE, SUBRESOURCE, VERSION};

/// What the API server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why it is not known whether somebody may ask.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the API server could not be asked who may have sessions: {0}")]
pub struct AccessError(String);

#[cfg(test)]
impl AccessError {
    pub(super) fn away() -> Self {
        Self("connection failed".to_owned())
    }
}

/// What is asked of the API server.
#[async_trait]
pub trait AccessApi: Send + Sync {
    /// Whether `user` may create credentials of `binding`: `None` if so, else what the API server says to it.
    ///
    /// # Errors
    /// [`AccessError`]: it does not answer.
    async fn refusal(&self, user: &RequestUser, binding: &ObjectId) -> Result<Option<String>, AccessError>;
}

#[async_trait]
impl AccessApi for Client {
    async fn refusal(&self, user: &RequestUser, binding: &ObjectId) -> Result<Option<String>, AccessError> {
        let api: Api<SubjectAccessReview> = Api::all(self.clone());
        let (parameters, review) = (PostParams::default(), review(user, binding));
        let call = api.create(&parameters, &review);
        let answer = match tokio::time::timeout(TIMEOUT, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(AccessError(error.to_string())),
            Err(_) => return Err(AccessError(format!("no answer within {} s", TIMEOUT.as_secs()))),
        };
        let status = answer.status.unwrap_or_default();
        // No answer is a no.
        Ok((!status.allowed || status.denied == Some(true)).then(|| status.reason.unwrap_or_default()))
    }
}

fn review(user: &RequestUser, binding: &ObjectId) -> SubjectAccessReview {
    let extra: BTreeMap<String, Vec<String>> = user.extra.clone();
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            groups: Some(user.groups.clone()),
            extra: Some(extra),
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                version: Some(VERSION.to_owned()),
                resource: Some(RESOURCE.to_owned()),
                subresource: Some(SUBRESOURCE.to_owned()),
                namespace: Some(binding.namespace.to_string()),
                name: Some(binding.name.to_string()),
                verb: Some("create".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}
