//! IAM of one account, which can be out of reach.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use deputy_aws::{
    AccountSummaries, AccountSummary, AwsError, DefaultVersion, ErrorClass, ListedPolicy, ManagedPolicies,
    NewPolicy, ObservedPolicy, Policies, model::InMemoryIam,
};
use deputy_delegation::{IamPath, ManagedPolicyArn, PolicyArn, TagKey, TagValue};
use deputy_policy::Document;

/// As long as the SDK waits for a read, with all its attempts.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// IAM of one account, which can be out of reach: then each call takes its whole time.
pub(super) struct Cloud {
    pub(super) iam: InMemoryIam,
    pub(super) is_reachable: AtomicBool,
    pub(super) calls: AtomicUsize,
}

impl Cloud {
    async fn reach(&self, operation: &'static str) -> Result<(), AwsError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_reachable.load(Ordering::SeqCst) {
            return Ok(());
        }
        tokio::time::sleep(DEADLINE).await;
        Err(AwsError::new(operation, ErrorClass::Unreachable, "no answer"))
    }
}

#[async_trait]
impl AccountSummaries for Cloud {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.reach("iam:GetAccountSummary").await?;
        self.iam.account_summary().await
    }
}

#[async_trait]
impl ManagedPolicies for Cloud {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.reach("iam:GetPolicyVersion").await?;
        self.iam.default_version(arn).await
    }
}

#[async_trait]
impl Policies for Cloud {
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError> {
        self.reach("iam:GetPolicy").await?;
        self.iam.get_policy(arn).await
    }
    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError> {
        self.reach("iam:CreatePolicy").await?;
        self.iam.create_policy(policy).await
    }
    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError> {
        self.reach("iam:CreatePolicyVersion").await?;
        self.iam.create_policy_version(arn, document).await
    }
    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError> {
        self.reach("iam:DeletePolicyVersion").await?;
        self.iam.delete_policy_version(arn, version).await
    }
    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError> {
        self.reach("iam:TagPolicy").await?;
        self.iam.tag_policy(arn, tags).await
    }
    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError> {
        self.reach("iam:UntagPolicy").await?;
        self.iam.untag_policy(arn, keys).await
    }
    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError> {
        self.reach("iam:DeletePolicy").await?;
        self.iam.delete_policy(arn).await
    }
    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError> {
        self.reach("iam:ListPolicies").await?;
        self.iam.list_policies(path).await
    }
}
