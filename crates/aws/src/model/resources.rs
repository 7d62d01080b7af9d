//! [`ResourcePolicies`] in memory: buckets, queues and topics, and what AWS takes as their policies.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deputy_delegation::names::{AccountId, PolicyResource, PolicyResourceKind};

use super::{
    InMemoryIam,
    principals::{KnownPrincipals, principals_of, with_principals},
    refusals::well_formed,
    state::ModelState,
};
use crate::{
    error::{AwsError, ErrorClass},
    resource_policies::{
        ResourcePolicies, delete_operation, read_operation, topic_keeps_a_policy, write_operation,
    },
};

/// A policy as it was written, to the letter, and whom its ARNs meant then.
#[derive(Clone)]
pub(super) struct StoredResourcePolicy {
    text: String,
    /// The unique ids of the principals in it that are users or roles of this account, by ARN.
    ids: BTreeMap<String, String>,
}

impl StoredResourcePolicy {
    fn new(text: &str, principals: &KnownPrincipals) -> Self {
        let ids = principals_of(text)
            .into_iter()
            .filter_map(|arn| Some((principals.id(&arn)?, arn)))
            .map(|(id, arn)| (arn, id))
            .collect();
        Self {
            text: text.to_owned(),
            ids,
        }
    }

    /// As AWS shows it: who is gone, by its unique id, also when somebody else has its name by now.
    fn shown(&self, principals: &KnownPrincipals) -> String {
        let gone = |arn: &str| {
            let id = self.ids.get(arn)?;
            (principals.id(arn).as_ref() != Some(id)).then(|| id.clone())
        };
        with_principals(&self.text, gone).unwrap_or_else(|| self.text.clone())
    }
}

impl InMemoryIam {
    /// There is such a bucket, queue or topic from now on. A topic comes with AWS's policy for new ones; the others have none.
    pub fn add_resource(&self, resource: &PolicyResource) {
        let policy = (resource.kind() == PolicyResourceKind::Topic).then(|| self.new_topic(resource));
        let mut state = self.lock();
        let policy = policy.map(|text| StoredResourcePolicy::new(&text, &state.principals));
        state.resources.entry(resource.clone()).or_insert(policy);
    }

    /// Somebody deletes a bucket, queue or topic.
    pub fn remove_resource(&self, resource: &PolicyResource) {
        self.lock().resources.remove(resource);
    }

    /// The policy of a resource as AWS would show it, without fault or log.
    #[must_use]
    pub fn resource_policy_of(&self, resource: &PolicyResource) -> Option<String> {
        let state = self.lock();
        let stored = state.resources.get(resource)?.as_ref()?;
        Some(stored.shown(&state.principals))
    }

    /// Somebody writes the policy of a resource by hand, or takes it away. The resource is there from then on.
    pub fn set_resource_policy(&self, resource: &PolicyResource, policy: Option<&str>) {
        let mut state = self.lock();
        let stored = policy.map(|text| StoredResourcePolicy::new(text, &state.principals));
        state.resources.insert(resource.clone(), stored);
    }

    /// How often the policy of a resource was written or taken away by a call.
    #[must_use]
    pub fn resource_policy_writes(&self, resource: &PolicyResource) -> usize {
        let arn = resource.to_string();
        let state = self.lock();
        let writes = state.log.iter().filter(|call| call.applied && call.target == arn);
        writes.count()
    }

    /// What SNS gives to a new topic: its account may do everything with it.
    fn new_topic(&self, topic: &PolicyResource) -> String {
        let (id, account) = ("__default_policy_ID", &self.account);
        format!(
            r#"{{"Version":"2008-10-17","Id":"{id}","Statement":[{{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{{"AWS":"*"}},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"{topic}","Condition":{{"StringEquals":{{"AWS:SourceOwner":"{account}"}}}}}}]}}"#
        )
    }

    fn set(
        &self,
        operation: &'static str,
        resource: &PolicyResource,
        policy: Option<&str>,
    ) -> Result<(), AwsError> {
        self.call(operation, resource.to_string(), None, |state| {
            state.has_resource(operation, resource)?;
            let stored = policy
                .map(|text| state.acceptable(operation, &self.account, resource.kind(), text))
                .transpose()?;
            state.resources.insert(resource.clone(), stored);
            Ok(())
        })
    }
}

impl ModelState {
    fn has_resource(&self, operation: &'static str, resource: &PolicyResource) -> Result<(), AwsError> {
        if self.resources.contains_key(resource) {
            return Ok(());
        }
        let (code, message) = match resource.kind() {
            PolicyResourceKind::Bucket => ("NoSuchBucket", "The specified bucket does not exist"),
            PolicyResourceKind::Queue => (
                "AWS.SimpleQueueService.NonExistentQueue",
                "The specified queue does not exist.",
            ),
            PolicyResourceKind::Topic => ("NotFound", "Topic does not exist"),
        };
        Err(AwsError::new(operation, ErrorClass::NotFound, message).with_code(code))
    }

    /// The policy as it is stored, if the service takes it.
    fn acceptable(
        &mut self,
        operation: &'static str,
        account: &AccountId,
        kind: PolicyResourceKind,
        text: &str,
    ) -> Result<StoredResourcePolicy, AwsError> {
        let malformed = match kind {
            PolicyResourceKind::Bucket => "MalformedPolicy",
            PolicyResourceKind::Queue => "InvalidAttributeValue",
            PolicyResourceKind::Topic => "InvalidParameter",
        };
        well_formed(operation, text).map_err(|error| error.with_code(malformed))?;
        if text.len() > kind.policy_size() {
            let message = format!("a policy of more than {} bytes", kind.policy_size());
            return Err(AwsError::new(operation, ErrorClass::LimitExceeded, &message).with_code(malformed));
        }
        let of_account = format!(":iam::{account}:");
        for principal in principals_of(text) {
            let is_entity = principal.contains(&of_account)
                && (principal.contains(":role/") || principal.contains(":user/"));
            let is_id = principal.starts_with("AROA") || principal.starts_with("AIDA");
            let refused = if is_entity {
                !self.principals.may_be_named(&principal)
            } else {
                is_id && !self.principals.has_id(&principal)
            };
            if refused {
                let message = match kind {
                    PolicyResourceKind::Bucket => "Invalid principal in policy",
                    PolicyResourceKind::Queue => "Invalid value for the parameter Policy.",
                    PolicyResourceKind::Topic => "Invalid parameter: Policy Error: PrincipalNotFound",
                };
                let error = AwsError::new(operation, ErrorClass::InvalidPrincipal, message);
                return Err(error.with_code(malformed));
            }
        }
        Ok(StoredResourcePolicy::new(text, &self.principals))
    }
}

#[async_trait]
impl ResourcePolicies for InMemoryIam {
    async fn resource_policy(&self, resource: &PolicyResource) -> Result<Option<String>, AwsError> {
        let operation = read_operation(resource.kind());
        self.call(operation, resource.to_string(), None, |state| {
            state.has_resource(operation, resource)?;
            let stored = state.resources.get(resource).and_then(Option::as_ref);
            Ok(stored.map(|stored| stored.shown(&state.principals)))
        })
    }

    async fn put_resource_policy(&self, resource: &PolicyResource, policy: &str) -> Result<(), AwsError> {
        self.set(write_operation(resource.kind()), resource, Some(policy))
    }

    async fn delete_resource_policy(&self, resource: &PolicyResource) -> Result<(), AwsError> {
        if resource.kind() == PolicyResourceKind::Topic {
            return Err(topic_keeps_a_policy(resource));
        }
        self.set(delete_operation(resource.kind()), resource, None)
    }
}
