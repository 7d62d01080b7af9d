//! Policies of topics: Amazon SNS.

use aws_sdk_sns::{Client, config::Builder};
use deputy_delegation::names::{PolicyResource, PolicyResourceKind, ResourceHome};

use super::{super::ApiCaller, text::policy_text};
use crate::{
    error::AwsError,
    resource_policies::{read_operation, write_operation},
};

const KIND: PolicyResourceKind = PolicyResourceKind::Topic;
/// The attribute that is the policy.
const POLICY: &str = "Policy";

pub(super) struct TopicPolicies {
    sns: Client,
    caller: ApiCaller,
}

impl TopicPolicies {
    pub(super) fn new(sns: Client, caller: ApiCaller) -> Self {
        Self { sns, caller }
    }

    pub(super) async fn get(
        &self,
        home: &ResourceHome,
        topic: &PolicyResource,
    ) -> Result<Option<String>, AwsError> {
        let operation = read_operation(KIND);
        let request = self.sns.get_topic_attributes().topic_arn(topic.to_string());
        let send = || {
            request
                .clone()
                .customize()
                .config_override(in_region(home))
                .send()
        };
        let output = self.caller.read(operation, send).await?;
        let policy = output.attributes.and_then(|mut all| all.remove(POLICY));
        policy_text(operation, KIND, policy)
    }

    pub(super) async fn set(
        &self,
        home: &ResourceHome,
        topic: &PolicyResource,
        policy: &str,
    ) -> Result<(), AwsError> {
        let request = self
            .sns
            .set_topic_attributes()
            .topic_arn(topic.to_string())
            .attribute_name(POLICY)
            .attribute_value(policy);
        let send = || {
            request
                .clone()
                .customize()
                .config_override(in_region(home))
                .send()
        };
        self.caller.write(write_operation(KIND), send).await.map(drop)
    }
}

fn in_region(home: &ResourceHome) -> Builder {
    Builder::new().region(aws_config::Region::new(home.region.as_str().to_owned()))
}
