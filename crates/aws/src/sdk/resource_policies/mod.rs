//! [`ResourcePolicies`] over the SDK: one client for each of the three services.

mod buckets;
mod queues;
mod text;
mod topics;

use async_trait::async_trait;
use aws_config::SdkConfig;
use deputy_delegation::{
    model::Account,
    names::{AccountId, Partition, PolicyResource, PolicyResourceKind, ResourceHome},
};

use self::{buckets::BucketPolicies, queues::QueuePolicies, topics::TopicPolicies};
use super::ApiCaller;
use crate::{
    error::{AwsError, ErrorClass},
    resource_policies::{
        ResourcePolicies, delete_operation, read_operation, topic_keeps_a_policy, write_operation,
    },
};

pub(crate) struct SdkResourcePolicies {
    account: AccountId,
    partition: Partition,
    buckets: BucketPolicies,
    queues: QueuePolicies,
    topics: TopicPolicies,
}

impl SdkResourcePolicies {
    /// `config` has credentials, timeouts and the account's region, and no endpoint: each service has another one. `caller` gives the way
    /// of calls to one service.
    pub(crate) fn new(
        account: &Account,
        config: &SdkConfig,
        caller: impl Fn(PolicyResourceKind) -> ApiCaller,
    ) -> Self {
        let Account {
            id,
            partition,
            endpoints,
            ..
        } = account;
        let at = |endpoint: &Option<String>| {
            let mut builder = config.clone().into_builder();
            builder.set_endpoint_url(endpoint.clone());
            builder.build()
        };
        Self {
            account: id.clone(),
            partition: partition.clone(),
            buckets: BucketPolicies::new(
                account,
                &at(&endpoints.s3),
                endpoints.s3.is_some(),
                caller(PolicyResourceKind::Bucket),
            ),
            queues: QueuePolicies::new(
                aws_sdk_sqs::Client::new(&at(&endpoints.sqs)),
                endpoints.sqs.clone(),
                caller(PolicyResourceKind::Queue),
            ),
            topics: TopicPolicies::new(
                aws_sdk_sns::Client::new(&at(&endpoints.sns)),
                caller(PolicyResourceKind::Topic),
            ),
        }
    }

    /// Where a call about `resource` goes.
    ///
    /// # Errors
    /// Of another account or partition: these are not this client's, whatever it may there. Of a bucket only AWS knows the account, and is
    /// told with each call whose it has to be.
    fn target<'a>(
        &self,
        operation: &'static str,
        resource: &'a PolicyResource,
    ) -> Result<Target<'a>, AwsError> {
        let elsewhere = || {
            let message = format!(
                "{resource} is not in account {} of partition {}",
                self.account, self.partition
            );
            AwsError::new(operation, ErrorClass::InvalidInput, &message)
        };
        if *resource.partition() != self.partition {
            return Err(elsewhere());
        }
        match (resource.kind(), resource.home()) {
            (PolicyResourceKind::Bucket, _) => Ok(Target::Bucket),
            (_, Some(home)) if home.account != self.account => Err(elsewhere()),
            (PolicyResourceKind::Queue, Some(home)) => Ok(Target::Queue(home)),
            (PolicyResourceKind::Topic, Some(home)) => Ok(Target::Topic(home)),
            (_, None) => Err(elsewhere()),
        }
    }
}

enum Target<'a> {
    Bucket,
    Queue(&'a ResourceHome),
    Topic(&'a ResourceHome),
}

#[async_trait]
impl ResourcePolicies for SdkResourcePolicies {
    async fn resource_policy(&self, resource: &PolicyResource) -> Result<Option<String>, AwsError> {
        match self.target(read_operation(resource.kind()), resource)? {
            Target::Bucket => self.buckets.get(resource.name()).await,
            Target::Queue(home) => self.queues.get(home, resource).await,
            Target::Topic(home) => self.topics.get(home, resource).await,
        }
    }

    async fn put_resource_policy(&self, resource: &PolicyResource, policy: &str) -> Result<(), AwsError> {
        match self.target(write_operation(resource.kind()), resource)? {
            Target::Bucket => self.buckets.put(resource.name(), policy).await,
            Target::Queue(home) => self.queues.set(home, resource, policy).await,
            Target::Topic(home) => self.topics.set(home, resource, policy).await,
        }
    }

    async fn delete_resource_policy(&self, resource: &PolicyResource) -> Result<(), AwsError> {
        match self.target(delete_operation(resource.kind()), resource)? {
            Target::Bucket => self.buckets.delete(resource.name()).await,
            // SQS: an empty value of an attribute takes it away.
            Target::Queue(home) => self.queues.set(home, resource, "").await,
            Target::Topic(_) => Err(topic_keeps_a_policy(resource)),
        }
    }
}
