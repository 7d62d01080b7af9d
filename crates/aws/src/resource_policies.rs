//! Policies of buckets, queues and topics: what Deputy may do with them in AWS.

use async_trait::async_trait;
use deputy_delegation::names::{PolicyResource, PolicyResourceKind};

use crate::error::{AwsError, ErrorClass};

/// Policies of the buckets, queues and topics of one account. AWS has of each one text, which is read and written whole, and knows no
/// version to write against: whoever changes one statement reads the others just before. Reads are repeated by the client when AWS is in
/// trouble; a write is sent once, because whether it was applied may be unknown.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>,
/// <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>
#[async_trait]
pub trait ResourcePolicies: Send + Sync {
    /// The text of the policy, as AWS returned it. `None` when the resource has none. Costs one call.
    ///
    /// # Errors
    /// `NotFound` when there is no such resource; any other [`AwsError`].
    async fn resource_policy(&self, resource: &PolicyResource) -> Result<Option<String>, AwsError>;

    /// Puts `policy` in the place of what there is. Costs one call.
    ///
    /// # Errors
    /// As [`Self::resource_policy`].
    async fn put_resource_policy(&self, resource: &PolicyResource, policy: &str) -> Result<(), AwsError>;

    /// Takes the policy away whole. Costs one call.
    ///
    /// # Errors
    /// As [`Self::resource_policy`]; `InvalidInput` of a topic, which is never without a policy.
    async fn delete_resource_policy(&self, resource: &PolicyResource) -> Result<(), AwsError>;
}

/// The operation that reads a policy.
pub(crate) fn read_operation(kind: PolicyResourceKind) -> &'static str {
    match kind {
        PolicyResourceKind::Bucket => "s3:GetBucketPolicy",
        PolicyResourceKind::Queue => "sqs:GetQueueAttributes",
        PolicyResourceKind::Topic => "sns:GetTopicAttributes",
    }
}

/// The operation that writes one.
pub(crate) fn write_operation(kind: PolicyResourceKind) -> &'static str {
    match kind {
        PolicyResourceKind::Bucket => "s3:PutBucketPolicy",
        PolicyResourceKind::Queue => "sqs:SetQueueAttributes",
        PolicyResourceKind::Topic => "sns:SetTopicAttributes",
    }
}

/// The operation that takes one away.
pub(crate) fn delete_operation(kind: PolicyResourceKind) -> &'static str {
    match kind {
        PolicyResourceKind::Bucket => "s3:DeleteBucketPolicy",
        PolicyResourceKind::Queue | PolicyResourceKind::Topic => write_operation(kind),
    }
}

/// Nothing is sent then: SNS would refuse the empty text, in words that do not say what to do.
pub(crate) fn topic_keeps_a_policy(topic: &PolicyResource) -> AwsError {
    let message = format!(
        "a topic is never without a policy: {topic} needs another statement before this one, its last, can be taken out"
    );
    AwsError::new(write_operation(topic.kind()), ErrorClass::InvalidInput, &message)
}
