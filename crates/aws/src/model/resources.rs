//! [`ResourcePolicies`] in memory: buckets, queues and topics, and what AWS takes as their policies.

use async_trait::async_trait;
use deputy_delegation::names::{AccountId, PolicyResource, PolicyResourceKind};

use super::{
    InMemoryIam, principals::principals_of, refusals::well_formed, state::ModelState,
    stored_policy::StoredResourcePolicy,
};
use crate::{
    error::{AwsError, ErrorClass},
    resource_policies::{
        ResourcePolicies, delete_operation, read_operation, topic_keeps_a_policy, write_operation,
    },
};

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
                .map(|text| state.acceptable(&self.account, resource.kind(), text))
                .transpose()
                .map_err(|refusal| refusal.error(operation, resource.kind()))?;
            state.resources.insert(resource.clone(), stored);
            Ok(())
        })
    }
}

/// Why a call about a policy is refused.
enum PolicyRefusal {
    NoResource,
    NoPolicy,
    TooLong,
    Principal,
}

impl PolicyRefusal {
    /// In the words of each service, which are what its class comes of.
    fn error(&self, operation: &'static str, kind: PolicyResourceKind) -> AwsError {
        use PolicyResourceKind::{Bucket, Queue, Topic};
        let (code, message) = match (self, kind) {
            (Self::NoResource, Bucket) => ("NoSuchBucket", "The specified bucket does not exist"),
            (Self::NoResource, Queue) => (
                "AWS.SimpleQueueService.NonExistentQueue",
                "The specified queue does not exist.",
            ),
            (Self::NoResource, Topic) => ("NotFound", "Topic does not exist"),
            (Self::NoPolicy, Bucket) => (
                "MalformedPolicy",
                "Policies must be valid JSON and the first byte must be '{'",
            ),
            (Self::TooLong, Bucket) => (
                "PolicyTooLarge",
                "Policy exceeds the maximum allowed document size.",
            ),
            (Self::TooLong, Queue) => ("OverLimit", "Submitted policy is over max allowed size."),
            (Self::Principal, Bucket) => ("MalformedPolicy", "Invalid principal in policy"),
            // Of a topic that is too long no other words are known.
            (Self::NoPolicy | Self::TooLong, Topic) => {
                ("InvalidParameter", "Invalid parameter: Policy Error: null")
            }
            (Self::Principal, Topic) => (
                "InvalidParameter",
                "Invalid parameter: Policy Error: PrincipalNotFound",
            ),
            (Self::NoPolicy | Self::Principal, Queue) => {
                ("InvalidAttributeValue", "Invalid value for the parameter Policy.")
            }
        };
        let class = ErrorClass::of(Some(code), Some(400), message);
        AwsError::new(operation, class, message).with_code(code)
    }
}

impl ModelState {
    fn has_resource(&self, operation: &'static str, resource: &PolicyResource) -> Result<(), AwsError> {
        if self.resources.contains_key(resource) {
            return Ok(());
        }
        Err(PolicyRefusal::NoResource.error(operation, resource.kind()))
    }

    /// The policy as it is stored, if the service takes it.
    fn acceptable(
        &mut self,
        account: &AccountId,
        kind: PolicyResourceKind,
        text: &str,
    ) -> Result<StoredResourcePolicy, PolicyRefusal> {
        well_formed("", text).map_err(|_| PolicyRefusal::NoPolicy)?;
        if text.len() > kind.policy_size() {
            return Err(PolicyRefusal::TooLong);
        }
        let of_account = format!(":iam::{account}:");
        for principal in principals_of(text) {
            let is_entity = principal.contains(&of_account)
                && (principal.contains(":role/") || principal.contains(":user/"));
            let is_id = principal.starts_with("AROA") || principal.starts_with("AIDA");
            let is_known = if is_entity {
                self.principals.may_be_named(&principal)
            } else {
                !is_id || self.principals.has_id(&principal)
            };
            if !is_known {
                return Err(PolicyRefusal::Principal);
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

#[cfg(test)]
mod tests {
    use deputy_delegation::names::Partition;

    use super::*;
    use crate::model::{Fault, Lag};

    const ROLE: &str = "arn:aws:iam::123456789012:role/deputy/demo/one";
    const BUCKET: &str = "arn:aws:s3:::letters";
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:jobs";
    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:news";

    fn with_all() -> (InMemoryIam, [PolicyResource; 3]) {
        let account = AccountId::new("123456789012").unwrap();
        let iam = InMemoryIam::new(Partition::new("aws").unwrap(), account);
        let all = [BUCKET, QUEUE, TOPIC].map(|arn| PolicyResource::parse(arn).unwrap());
        all.iter().for_each(|resource| iam.add_resource(resource));
        iam.add_principal(ROLE);
        (iam, all)
    }

    /// With a space that no serializer writes.
    fn naming(principal: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17", "Statement":[{{"Principal":{{"AWS":["{principal}"]}},"Effect":"Allow"}}]}}"#
        )
    }

    #[tokio::test]
    async fn a_role_that_is_gone_is_shown_as_its_unique_id() {
        let (iam, all) = with_all();
        for resource in &all {
            iam.put_resource_policy(resource, &naming(ROLE)).await.unwrap();
            assert_eq!(iam.resource_policy_of(resource).unwrap(), naming(ROLE));
        }
        iam.remove_principal(ROLE);
        let id = |resource: &PolicyResource| {
            let text = iam.resource_policy_of(resource).unwrap();
            let [id] = principals_of(&text).try_into().unwrap();
            id
        };
        let gone = all.each_ref().map(id);
        assert!(gone.iter().all(|id| id.starts_with("AROA")), "{gone:?}");
        iam.add_principal(ROLE);
        assert_eq!(all.each_ref().map(id), gone, "it is another role");
        // As AWS: whoever writes the others back is refused for them.
        for (resource, id) in all.iter().zip(gone) {
            let refused = iam.put_resource_policy(resource, &naming(&id)).await;
            assert_eq!(refused.unwrap_err().class(), ErrorClass::InvalidPrincipal);
            iam.put_resource_policy(resource, &naming(ROLE)).await.unwrap();
            assert_eq!(iam.resource_policy_of(resource).unwrap(), naming(ROLE));
            assert_eq!(iam.resource_policy_writes(resource), 2);
        }
    }

    #[tokio::test]
    async fn only_roles_and_users_of_the_account_have_to_be_there() {
        let (iam, [bucket, ..]) = with_all();
        for (principal, is_taken) in [
            ("arn:aws:iam::123456789012:role/nobody", false),
            ("arn:aws:iam::123456789012:user/nobody", false),
            ("arn:aws:iam::210987654321:role/somebody", true),
            ("arn:aws:sts::123456789012:federated-user/Manager", true),
            ("arn:aws:iam::123456789012:root", true),
            ("*", true),
        ] {
            let written = iam.put_resource_policy(&bucket, &naming(principal)).await;
            assert_eq!(written.is_ok(), is_taken, "{principal}");
        }
        iam.set_lag(Lag {
            principal_saves: 1,
            ..Lag::default()
        });
        let new = "arn:aws:iam::123456789012:role/new";
        iam.add_principal(new);
        for is_taken in [false, true] {
            let written = iam.put_resource_policy(&bucket, &naming(new)).await;
            assert_eq!(written.is_ok(), is_taken);
        }
    }

    #[tokio::test]
    async fn a_policy_has_the_size_that_the_service_takes() {
        let (iam, all) = with_all();
        for resource in &all {
            let longest = resource.kind().policy_size();
            let policy = naming("*");
            let fits = format!("{policy}{}", " ".repeat(longest - policy.len()));
            iam.put_resource_policy(resource, &fits).await.unwrap();
            let refused = iam.put_resource_policy(resource, &format!("{fits} ")).await;
            assert!(refused.is_err(), "{resource}");
            assert_eq!(iam.resource_policy_of(resource), Some(fits));
        }
    }

    #[tokio::test]
    async fn calls_about_policies_fail_on_order() {
        let (iam, [bucket, queue, _]) = with_all();
        iam.fail(Fault::after(ErrorClass::Unreachable).of("s3:PutBucketPolicy"));
        let lost = iam.put_resource_policy(&bucket, &naming(ROLE)).await.unwrap_err();
        assert!(lost.outcome_unknown());
        assert_eq!(iam.resource_policy_of(&bucket), Some(naming(ROLE)));
        iam.fail(Fault::before(ErrorClass::Throttled).of("sqs:SetQueueAttributes"));
        let refused = iam.put_resource_policy(&queue, &naming(ROLE)).await;
        assert_eq!(refused.unwrap_err().class(), ErrorClass::Throttled);
        assert_eq!(iam.resource_policy_of(&queue), None);
        assert_eq!([&bucket, &queue].map(|r| iam.resource_policy_writes(r)), [1, 0]);
        iam.resource_policy(&bucket).await.unwrap();
        assert_eq!(iam.writes(), ["s3:PutBucketPolicy"]);
        iam.set_resource_policy(&bucket, None);
        iam.remove_resource(&queue);
        let seen = iam.resource_policy(&queue).await.unwrap_err();
        assert_eq!(
            (seen.class(), iam.resource_policy_of(&bucket)),
            (ErrorClass::NotFound, None)
        );
    }
}
