//! [`Policies`] over the SDK.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_iam::types::{Policy, PolicyScopeType};
use deputy_delegation::names::{IamPath, ManagedPolicyArn, PolicyArn, TagKey, TagValue};
use deputy_policy::Document;

use super::{ApiCaller, decode, found, pages, senseless, summary};
use crate::{
    error::AwsError,
    traits::{
        AccountSummaries, AccountSummary, DefaultVersion, ListedPolicy, ManagedPolicies, NewPolicy,
        ObservedPolicy, Policies, PolicyVersion,
    },
};

pub(crate) struct SdkPolicies {
    iam: aws_sdk_iam::Client,
    caller: ApiCaller,
}

impl SdkPolicies {
    pub(crate) fn new(iam: aws_sdk_iam::Client, caller: ApiCaller) -> Self {
        Self { iam, caller }
    }

    async fn versions(&self, arn: &str) -> Result<Vec<PolicyVersion>, AwsError> {
        const LIST: &str = "iam:ListPolicyVersions";
        let mut versions = Vec::new();
        pages!(
            LIST,
            self.caller,
            |marker| self
                .iam
                .list_policy_versions()
                .policy_arn(arn)
                .set_marker(marker)
                .send(),
            |page| for version in page.versions.unwrap_or_default() {
                versions.push(PolicyVersion {
                    id: version
                        .version_id
                        .ok_or_else(|| senseless(LIST, "a version without an id"))?,
                    is_default: version.is_default_version,
                });
            }
        )?;
        Ok(versions)
    }
}

/// A policy, and the version of it that is in force.
pub(super) async fn default_version(
    iam: &aws_sdk_iam::Client,
    caller: &ApiCaller,
    arn: &str,
) -> Result<Option<(Policy, DefaultVersion)>, AwsError> {
    const GET: &str = "iam:GetPolicy";
    const VERSION: &str = "iam:GetPolicyVersion";
    let request = iam.get_policy().policy_arn(arn);
    let Some(output) = found(caller.read(GET, || request.clone().send()).await)? else {
        return Ok(None);
    };
    let policy = output.policy.ok_or_else(|| senseless(GET, "no policy"))?;
    let id = policy
        .default_version_id
        .clone()
        .ok_or_else(|| senseless(GET, "a policy without a default version"))?;
    let request = iam.get_policy_version().policy_arn(arn).version_id(&id);
    // Gone since the call before: deleted, or another version has become the default one.
    let Some(version) = found(caller.read(VERSION, || request.clone().send()).await)? else {
        return Ok(None);
    };
    let document = version
        .policy_version
        .and_then(|v| v.document)
        .ok_or_else(|| senseless(VERSION, "a version without a document"))?;
    let document = decode::document(VERSION, &document)?;
    Ok(Some((policy, DefaultVersion { id, document })))
}

#[async_trait]
impl AccountSummaries for SdkPolicies {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        summary::account_summary(&self.iam, &self.caller).await
    }
}

#[async_trait]
impl ManagedPolicies for SdkPolicies {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        let found = default_version(&self.iam, &self.caller, &arn.to_string()).await?;
        Ok(found.map(|(_, version)| version))
    }
}

#[async_trait]
impl Policies for SdkPolicies {
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError> {
        let text = arn.to_string();
        let Some((policy, in_force)) = default_version(&self.iam, &self.caller, &text).await? else {
            return Ok(None);
        };
        let Some(versions) = found(self.versions(&text).await)? else {
            return Ok(None);
        };
        Ok(Some(ObservedPolicy {
            arn: arn.clone(),
            default_version: in_force.id,
            document: in_force.document,
            versions,
            tags: decode::tags(policy.tags.as_deref()),
            attachment_count: decode::count(policy.attachment_count),
            boundary_usage_count: decode::count(policy.permissions_boundary_usage_count),
        }))
    }

    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError> {
        const CREATE: &str = "iam:CreatePolicy";
        let request = self
            .iam
            .create_policy()
            .policy_name(policy.name.as_str())
            .path(policy.path.as_str())
            .policy_document(policy.document.to_json())
            .set_tags(Some(decode::to_tags(CREATE, &policy.tags)?));
        let output = self.caller.write(CREATE, || request.clone().send()).await?;
        let arn = output.policy.and_then(|p| p.arn).unwrap_or_default();
        PolicyArn::parse(&arn).map_err(|e| senseless(CREATE, &e.to_string()).with_unknown_outcome())
    }

    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError> {
        const CREATE: &str = "iam:CreatePolicyVersion";
        let request = self
            .iam
            .create_policy_version()
            .policy_arn(arn.to_string())
            .policy_document(document.to_json())
            .set_as_default(true);
        let output = self.caller.write(CREATE, || request.clone().send()).await?;
        output
            .policy_version
            .and_then(|v| v.version_id)
            .ok_or_else(|| senseless(CREATE, "a version without an id").with_unknown_outcome())
    }

    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError> {
        let request = self
            .iam
            .delete_policy_version()
            .policy_arn(arn.to_string())
            .version_id(version);
        self.caller
            .write("iam:DeletePolicyVersion", || request.clone().send())
            .await
            .map(drop)
    }

    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError> {
        const TAG: &str = "iam:TagPolicy";
        let request = self
            .iam
            .tag_policy()
            .policy_arn(arn.to_string())
            .set_tags(Some(decode::to_tags(TAG, tags)?));
        self.caller.write(TAG, || request.clone().send()).await.map(drop)
    }

    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError> {
        let request = self
            .iam
            .untag_policy()
            .policy_arn(arn.to_string())
            .set_tag_keys(Some(keys.to_vec()));
        self.caller
            .write("iam:UntagPolicy", || request.clone().send())
            .await
            .map(drop)
    }

    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError> {
        let request = self.iam.delete_policy().policy_arn(arn.to_string());
        self.caller
            .write("iam:DeletePolicy", || request.clone().send())
            .await
            .map(drop)
    }

    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError> {
        const LIST: &str = "iam:ListPolicies";
        let mut policies = Vec::new();
        pages!(
            LIST,
            self.caller,
            |marker| self
                .iam
                .list_policies()
                .scope(PolicyScopeType::Local)
                .path_prefix(path.as_str())
                .max_items(super::PAGE_SIZE)
                .set_marker(marker)
                .send(),
            |page| for policy in page.policies.unwrap_or_default() {
                let arn = PolicyArn::parse(policy.arn.as_deref().unwrap_or_default())
                    .map_err(|e| senseless(LIST, &e.to_string()))?;
                // Not every server knows about prefixes.
                if arn.path().as_str().starts_with(path.as_str()) {
                    policies.push(ListedPolicy {
                        arn,
                        attachment_count: decode::count(policy.attachment_count),
                        boundary_usage_count: decode::count(policy.permissions_boundary_usage_count),
                    });
                }
            }
        )?;
        Ok(policies)
    }
}
