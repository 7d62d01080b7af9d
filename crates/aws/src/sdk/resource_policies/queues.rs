//! Policies of queues: Amazon SQS.

use aws_sdk_sqs::{Client, config::Builder, types::QueueAttributeName};
use deputy_delegation::names::{Partition, PolicyResource, PolicyResourceKind, ResourceHome};

use super::{super::ApiCaller, text::policy_text};
use crate::{
    error::{AwsError, ErrorClass},
    resource_policies::{read_operation, write_operation},
};

const KIND: PolicyResourceKind = PolicyResourceKind::Queue;

pub(super) struct QueuePolicies {
    sqs: Client,
    /// AWS's own when there is none.
    endpoint: Option<String>,
    caller: ApiCaller,
}

impl QueuePolicies {
    pub(super) fn new(sqs: Client, endpoint: Option<String>, caller: ApiCaller) -> Self {
        Self {
            sqs,
            endpoint,
            caller,
        }
    }

    pub(super) async fn get(
        &self,
        home: &ResourceHome,
        queue: &PolicyResource,
    ) -> Result<Option<String>, AwsError> {
        let operation = read_operation(KIND);
        let request = self
            .sqs
            .get_queue_attributes()
            .queue_url(self.url(operation, home, queue)?)
            .attribute_names(QueueAttributeName::Policy);
        let send = || {
            request
                .clone()
                .customize()
                .config_override(in_region(home))
                .send()
        };
        let output = self.caller.read(operation, send).await?;
        let policy = output
            .attributes
            .and_then(|mut all| all.remove(&QueueAttributeName::Policy));
        policy_text(operation, KIND, policy)
    }

    /// An empty `policy` takes it away.
    pub(super) async fn set(
        &self,
        home: &ResourceHome,
        queue: &PolicyResource,
        policy: &str,
    ) -> Result<(), AwsError> {
        let operation = write_operation(KIND);
        let request = self
            .sqs
            .set_queue_attributes()
            .queue_url(self.url(operation, home, queue)?)
            .attributes(QueueAttributeName::Policy, policy);
        let send = || {
            request
                .clone()
                .customize()
                .config_override(in_region(home))
                .send()
        };
        self.caller.write(operation, send).await.map(drop)
    }

    /// The URL of a queue, which is made of what its ARN says: to ask for it would need another right.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
    fn url(
        &self,
        operation: &'static str,
        home: &ResourceHome,
        queue: &PolicyResource,
    ) -> Result<String, AwsError> {
        let ResourceHome { region, account } = home;
        let server = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => {
                let suffix = dns_suffix(queue.partition()).ok_or_else(|| {
                    let message = format!("partition {} needs an endpoint of SQS", queue.partition());
                    AwsError::new(operation, ErrorClass::InvalidInput, &message)
                })?;
                format!("https://sqs.{region}.{suffix}")
            }
        };
        Ok(format!("{server}/{account}/{}", queue.name()))
    }
}

fn in_region(home: &ResourceHome) -> Builder {
    Builder::new().region(aws_config::Region::new(home.region.as_str().to_owned()))
}

/// What names of AWS's servers end with: `dnsSuffix` of the SDKs' `partitions.json`.
fn dns_suffix(partition: &Partition) -> Option<&'static str> {
    Some(match partition.as_str() {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => return None,
    })
}
