//! [`AccountSummaries`](crate::AccountSummaries) over the SDK.

use super::ApiCaller;
use crate::{
    error::AwsError,
    traits::{AccountSummary, QuotaUse},
};

/// The numbers of an account. One that AWS does not send, or that makes no sense, is not known.
pub(super) async fn account_summary(
    iam: &aws_sdk_iam::Client,
    caller: &ApiCaller,
) -> Result<AccountSummary, AwsError> {
    let output = caller
        .read("iam:GetAccountSummary", || iam.get_account_summary().send())
        .await?;
    let map = output.summary_map.unwrap_or_default();
    let number = |key: &str| {
        let found = map.iter().find(|(known, _)| known.as_str() == key);
        found.and_then(|(_, value)| u32::try_from(*value).ok())
    };
    let used = |used: &str, quota: &str| {
        Some(QuotaUse {
            used: number(used)?,
            quota: number(quota)?,
        })
    };
    Ok(AccountSummary {
        roles: used("Roles", "RolesQuota"),
        policies: used("Policies", "PoliciesQuota"),
        attached_policies_per_role: number("AttachedPoliciesPerRoleQuota"),
        trust_policy_size: number("AssumeRolePolicySizeQuota"),
    })
}
