//! What the provisioner needs for statements of resource policies.
//!
//! Whoever may write a resource's policy may let anybody in. So these are the calls that Deputy makes, on the resources that limits name, and
//! nothing where they name none.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::{Condition, Statement, Test};

use crate::{
    model::{Account, Enforcement, Limit},
    names::{AccountId, PolicyResourceKind},
};

use super::policies::allow;

/// The resources of an account whose policies may have statements, as IAM writes such patterns.
pub(super) struct ResourcePolicyScope {
    account: AccountId,
    resources: BTreeMap<PolicyResourceKind, BTreeSet<String>>,
}

impl ResourcePolicyScope {
    /// Those that `limits`, which are of the account, name there.
    pub(super) fn new<'a>(account: &Account, limits: impl Iterator<Item = &'a Limit>) -> Self {
        let mut resources: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        // A dry run grants nothing.
        let patterns = limits
            .filter(|limit| limit.enforcement == Enforcement::Enforce)
            .flat_map(|limit| &limit.resource_policies)
            .filter_map(|pattern| pattern.in_account(&account.partition, &account.id));
        for (kind, pattern) in patterns {
            resources.entry(kind).or_default().insert(pattern);
        }
        Self {
            account: account.id.clone(),
            resources,
        }
    }

    /// One statement for each kind of resource that there is.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let statement = |(kind, resources): (&PolicyResourceKind, &BTreeSet<String>)| {
            let resources: Vec<String> = resources.iter().cloned().collect();
            let (sid, actions): (_, &[&str]) = match kind {
                PolicyResourceKind::Bucket => (
                    "BucketPolicies",
                    &[
                        "s3:DeleteBucketPolicy",
                        "s3:GetBucketPolicy",
                        "s3:PutBucketPolicy",
                    ],
                ),
                PolicyResourceKind::Queue => (
                    "QueuePolicies",
                    &["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"],
                ),
                PolicyResourceKind::Topic => (
                    "TopicPolicies",
                    &["sns:GetTopicAttributes", "sns:SetTopicAttributes"],
                ),
            };
            let conditions = match kind {
                // Its ARN says no account.
                PolicyResourceKind::Bucket => vec![Condition::new(
                    Test::StringEquals,
                    "aws:ResourceAccount",
                    [self.account.to_string()],
                )],
                PolicyResourceKind::Queue | PolicyResourceKind::Topic => Vec::new(),
            };
            allow(sid, actions, &resources, conditions)
        };
        self.resources.iter().map(statement).collect()
    }
}
