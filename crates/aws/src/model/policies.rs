//! [`Policies`] in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deputy_delegation::names::{IamPath, ManagedPolicyArn, PolicyArn, PolicyOwner, TagKey, TagValue};
use deputy_policy::Document;

use super::{
    InMemoryIam,
    refusals::{over_quota, size, within},
    state::StoredPolicy,
};
use crate::{
    error::{AwsError, ErrorClass},
    traits::{
        AccountSummaries, AccountSummary, DefaultVersion, ListedPolicy, ManagedPolicies, NewPolicy,
        ObservedPolicy, Policies, PolicyVersion,
    },
};

fn conflict(operation: &'static str, message: &str) -> AwsError {
    AwsError::new(operation, ErrorClass::Conflict, message).with_code("DeleteConflict")
}

#[async_trait]
impl AccountSummaries for InMemoryIam {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.call("iam:GetAccountSummary", String::new(), None, |state| {
            Ok(state.summary())
        })
    }
}

#[async_trait]
impl ManagedPolicies for InMemoryIam {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.call("iam:GetPolicyVersion", arn.to_string(), None, |state| {
            Ok(state.policies.get(arn).map(|policy| DefaultVersion {
                id: format!("v{}", policy.default),
                document: policy.default_document().to_owned(),
            }))
        })
    }
}

#[async_trait]
impl Policies for InMemoryIam {
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError> {
        self.call("iam:GetPolicy", arn.to_string(), None, |state| {
            let (attachment_count, boundary_usage_count) = state.uses(arn);
            let policy = state.policies.get(&arn.clone().into());
            Ok(policy.map(|policy| ObservedPolicy {
                arn: arn.clone(),
                default_version: format!("v{}", policy.default),
                document: policy.default_document().to_owned(),
                versions: policy
                    .versions
                    .keys()
                    .map(|number| PolicyVersion {
                        id: format!("v{number}"),
                        is_default: *number == policy.default,
                    })
                    .collect(),
                tags: policy.tags.clone(),
                attachment_count,
                boundary_usage_count,
            }))
        })
    }

    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError> {
        const CREATE: &str = "iam:CreatePolicy";
        let arn = PolicyArn::of(&self.partition, &self.account, &policy.path, &policy.name);
        self.call(CREATE, arn.to_string(), None, |state| {
            let clash = |known: &ManagedPolicyArn| {
                *known.owner() != PolicyOwner::Aws && known.name().eq_ignore_ascii_case(policy.name.as_str())
            };
            if state.policies.keys().any(clash) {
                return Err(AwsError::new(
                    CREATE,
                    ErrorClass::AlreadyExists,
                    &format!(
                        "A policy called {} already exists. Duplicate names are not allowed.",
                        policy.name
                    ),
                )
                .with_code("EntityAlreadyExists"));
            }
            let document = policy.document.to_json();
            within(
                CREATE,
                "PolicySize",
                state.quotas.managed_policy_size,
                size(&document),
            )?;
            let own = state
                .policies
                .keys()
                .filter(|arn| *arn.owner() != PolicyOwner::Aws);
            let count = u32::try_from(own.count()).unwrap_or(u32::MAX);
            within(
                CREATE,
                "PoliciesPerAccount",
                state.quotas.policies,
                count.saturating_add(1),
            )?;
            let mut stored = StoredPolicy::empty();
            stored.put(document);
            let tags = policy.tags.iter();
            stored.tags = tags.map(|(k, v)| (k.to_string(), v.to_string())).collect();
            state.policies.insert(arn.clone().into(), stored);
            Ok(arn.clone())
        })
    }

    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError> {
        const CREATE: &str = "iam:CreatePolicyVersion";
        self.call(CREATE, arn.to_string(), None, |state| {
            let quotas = state.quotas;
            let policy = state.policy(CREATE, arn)?;
            let document = document.to_json();
            within(CREATE, "PolicySize", quotas.managed_policy_size, size(&document))?;
            let limit = quotas.versions_per_policy;
            if u32::try_from(policy.versions.len()).unwrap_or(u32::MAX) >= limit {
                return Err(over_quota(CREATE, "VersionsPerPolicy", limit));
            }
            policy.put(document);
            Ok(format!("v{}", policy.latest))
        })
    }

    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError> {
        const DELETE: &str = "iam:DeletePolicyVersion";
        self.call(DELETE, arn.to_string(), None, |state| {
            let policy = state.policy(DELETE, arn)?;
            let number = version.strip_prefix('v').and_then(|n| n.parse::<u32>().ok());
            match number {
                Some(number) if number == policy.default => {
                    Err(conflict(DELETE, "Cannot delete the default version of a policy."))
                }
                Some(number) if policy.versions.remove(&number).is_some() => Ok(()),
                _ => Err(AwsError::new(
                    DELETE,
                    ErrorClass::NotFound,
                    &format!("Policy {arn} version {version} does not exist."),
                )
                .with_code("NoSuchEntity")),
            }
        })
    }

    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError> {
        const TAG: &str = "iam:TagPolicy";
        self.call(TAG, arn.to_string(), None, |state| {
            let have = &mut state.policy(TAG, arn)?.tags;
            for (key, value) in tags {
                have.retain(|k, _| !k.eq_ignore_ascii_case(key.as_str()));
                have.insert(key.to_string(), value.to_string());
            }
            Ok(())
        })
    }

    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError> {
        const UNTAG: &str = "iam:UntagPolicy";
        self.call(UNTAG, arn.to_string(), None, |state| {
            state
                .policy(UNTAG, arn)?
                .tags
                .retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError> {
        const DELETE: &str = "iam:DeletePolicy";
        self.call(DELETE, arn.to_string(), None, |state| {
            let versions = state.policy(DELETE, arn)?.versions.len();
            if state.uses(arn) != (0, 0) {
                return Err(conflict(DELETE, "Cannot delete a policy attached to entities."));
            }
            if versions > 1 {
                return Err(conflict(
                    DELETE,
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.",
                ));
            }
            state.policies.remove(&arn.clone().into());
            Ok(())
        })
    }

    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError> {
        self.call("iam:ListPolicies", path.to_string(), None, |state| {
            Ok(state
                .policies
                .keys()
                .filter(|arn| arn.path().as_str().starts_with(path.as_str()))
                // Only the account's own are listed (scope Local); those of AWS are no such ARN.
                .filter_map(|arn| PolicyArn::parse(&arn.to_string()).ok())
                .map(|arn| {
                    let (attachment_count, boundary_usage_count) = state.uses(&arn);
                    ListedPolicy {
                        arn,
                        attachment_count,
                        boundary_usage_count,
                    }
                })
                .collect())
        })
    }
}
