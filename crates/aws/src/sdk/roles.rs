//! [`Roles`] over the SDK.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_iam::types::{EntityType, Role, RoleDetail};
use deputy_delegation::{
    names::{IamPath, ManagedPolicyArn, RoleArn, RoleName},
    naming::INLINE_POLICY,
    plan::{IamCall, ObservedRole},
};

use super::{ApiCaller, decode, found, pages, policies, senseless, summary};
use crate::{
    error::AwsError,
    traits::{
        AccountSummaries, AccountSummary, DefaultVersion, ForeignRole, ListedRole, ManagedPolicies,
        RoleDetails, RoleDetailsPage, Roles,
    },
};

const GET: &str = "iam:GetRole";

pub(crate) struct SdkRoles {
    iam: aws_sdk_iam::Client,
    caller: ApiCaller,
}

impl SdkRoles {
    pub(crate) fn new(iam: aws_sdk_iam::Client, caller: ApiCaller) -> Self {
        Self { iam, caller }
    }

    async fn inline_policies(&self, name: &RoleName) -> Result<BTreeMap<String, String>, AwsError> {
        const LIST: &str = "iam:ListRolePolicies";
        let iam = &self.iam;
        let mut names = Vec::new();
        pages!(
            LIST,
            self.caller,
            |marker| iam
                .list_role_policies()
                .role_name(name.as_str())
                .max_items(super::PAGE_SIZE)
                .set_marker(marker)
                .send(),
            |page| names.extend(page.policy_names)
        )?;
        let mut policies = BTreeMap::new();
        for policy in names {
            // Removed since it was listed: it is not there, which is all that counts.
            if let Some(document) = self.inline_policy(name, &policy).await? {
                policies.insert(policy, document);
            }
        }
        Ok(policies)
    }

    async fn inline_policy(&self, name: &RoleName, policy: &str) -> Result<Option<String>, AwsError> {
        const GET: &str = "iam:GetRolePolicy";
        let request = self
            .iam
            .get_role_policy()
            .role_name(name.as_str())
            .policy_name(policy);
        let output = found(self.caller.read(GET, || request.clone().send()).await)?;
        output
            .map(|output| decode::document(GET, &output.policy_document))
            .transpose()
    }

    /// A role as if it had no policies.
    async fn role_alone(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        let role = self.decoded(name).await?;
        role.map(|role| observed(GET, role, BTreeMap::new(), Vec::new()))
            .transpose()
    }

    async fn decoded(&self, name: &RoleName) -> Result<Option<Role>, AwsError> {
        let request = self.iam.get_role().role_name(name.as_str());
        let Some(output) = found(self.caller.read(GET, || request.clone().send()).await)? else {
            return Ok(None);
        };
        output.role.map(Some).ok_or_else(|| senseless(GET, "no role"))
    }

    async fn attached_policies(&self, name: &RoleName) -> Result<Vec<String>, AwsError> {
        const LIST: &str = "iam:ListAttachedRolePolicies";
        let mut arns = Vec::new();
        pages!(
            LIST,
            self.caller,
            |marker| self
                .iam
                .list_attached_role_policies()
                .role_name(name.as_str())
                .max_items(super::PAGE_SIZE)
                .set_marker(marker)
                .send(),
            |page| arns.extend(
                page.attached_policies
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|p| p.policy_arn)
            )
        )?;
        Ok(arns)
    }
}

#[async_trait]
impl AccountSummaries for SdkRoles {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        summary::account_summary(&self.iam, &self.caller).await
    }
}

#[async_trait]
impl ManagedPolicies for SdkRoles {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        let found = policies::default_version(&self.iam, &self.caller, &arn.to_string()).await?;
        Ok(found.map(|(_, version)| version))
    }
}

#[async_trait]
impl Roles for SdkRoles {
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        let request = self.iam.get_role().role_name(name.as_str());
        let Some(output) = found(self.caller.read(GET, || request.clone().send()).await)? else {
            return Ok(None);
        };
        let role = output.role.ok_or_else(|| senseless(GET, "no role"))?;
        // Deleted between these calls: it is not there.
        let Some(inline) = found(self.inline_policies(name).await)? else {
            return Ok(None);
        };
        let Some(attached) = found(self.attached_policies(name).await)? else {
            return Ok(None);
        };
        observed(GET, role, inline, attached).map(Some)
    }

    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        let Some(mut role) = self.role_alone(name).await? else {
            return Ok(None);
        };
        // The role may have gone since: then the next read says so.
        if let Some(document) = self.inline_policy(name, INLINE_POLICY).await? {
            role.inline.insert(INLINE_POLICY.to_owned(), document);
        }
        Ok(Some(role))
    }

    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        let Some(role) = self.decoded(name).await? else {
            return Ok(None);
        };
        let created = decode::timestamp(GET, &role.create_date)?;
        let role = observed(GET, role, BTreeMap::new(), Vec::new())?;
        Ok(Some(ForeignRole {
            arn: role.arn,
            unique_id: role.unique_id,
            trust: role.trust,
            created,
            max_session_seconds: role.max_session_seconds,
        }))
    }

    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        const LIST: &str = "iam:ListRoles";
        let mut roles = Vec::new();
        pages!(
            LIST,
            self.caller,
            |marker| self
                .iam
                .list_roles()
                .path_prefix(path.as_str())
                .max_items(super::PAGE_SIZE)
                .set_marker(marker)
                .send(),
            |page| for role in page.roles {
                // Not every server knows about prefixes.
                if role.path.starts_with(path.as_str()) {
                    roles.push(listed(LIST, &role)?);
                }
            }
        )?;
        Ok(roles)
    }

    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        const GET: &str = "iam:GetAccountAuthorizationDetails";
        let request = self
            .iam
            .get_account_authorization_details()
            .filter(EntityType::Role)
            .max_items(super::DETAILS_PAGE_SIZE)
            .set_marker(marker.map(ToOwned::to_owned));
        let page = self.caller.read(GET, || request.clone().send()).await?;
        let previous = marker.map(ToOwned::to_owned);
        let next = super::next_page(GET, page.is_truncated, page.marker, previous.as_ref())?;
        // It knows no path: the account's other roles come with ours.
        let is_asked_for =
            |role: &RoleDetail| role.path.as_deref().is_some_and(|p| p.starts_with(path.as_str()));
        let found = page.role_detail_list.unwrap_or_default().into_iter();
        let roles = found.filter(is_asked_for).filter_map(|role| {
            let name = role.role_name.clone().unwrap_or_default();
            detailed(GET, role)
                .inspect_err(
                    |error| tracing::info!(aws_role = name, %error, "a role in a listing makes no sense"),
                )
                .ok()
        });
        Ok(RoleDetailsPage {
            roles: roles.collect(),
            next,
        })
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one short arm for each call that changes a role"
    )]
    async fn execute(&self, call: &IamCall) -> Result<(), AwsError> {
        let (iam, caller, operation) = (&self.iam, &self.caller, call.action());
        match call {
            IamCall::CreateRole { role } => {
                let request = iam
                    .create_role()
                    .role_name(role.name.as_str())
                    .path(role.path.as_str())
                    .assume_role_policy_document(role.trust.to_json())
                    .set_permissions_boundary(role.boundary.as_ref().map(ToString::to_string))
                    .set_tags(Some(decode::to_tags(operation, &role.tags)?))
                    .max_session_duration(signed(operation, role.max_session_duration.as_seconds())?);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::UpdateAssumeRolePolicy { role, document } => {
                let request = iam
                    .update_assume_role_policy()
                    .role_name(role.as_str())
                    .policy_document(document);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::PutRolePolicy {
                role,
                policy,
                document,
            } => {
                let request = iam
                    .put_role_policy()
                    .role_name(role.as_str())
                    .policy_name(policy)
                    .policy_document(document);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::DeleteRolePolicy { role, policy } => {
                let request = iam
                    .delete_role_policy()
                    .role_name(role.as_str())
                    .policy_name(policy);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::AttachRolePolicy { role, policy_arn } => {
                let request = iam
                    .attach_role_policy()
                    .role_name(role.as_str())
                    .policy_arn(policy_arn.to_string());
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::DetachRolePolicy { role, policy_arn } => {
                let request = iam
                    .detach_role_policy()
                    .role_name(role.as_str())
                    .policy_arn(policy_arn);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::PutRolePermissionsBoundary { role, boundary } => {
                let request = iam
                    .put_role_permissions_boundary()
                    .role_name(role.as_str())
                    .permissions_boundary(boundary.to_string());
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::TagRole { role, tags } => {
                let request = iam
                    .tag_role()
                    .role_name(role.as_str())
                    .set_tags(Some(decode::to_tags(operation, tags)?));
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::UntagRole { role, keys } => {
                let request = iam
                    .untag_role()
                    .role_name(role.as_str())
                    .set_tag_keys(Some(keys.clone()));
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::UpdateRole {
                role,
                max_session_duration,
            } => {
                let request = iam
                    .update_role()
                    .role_name(role.as_str())
                    .max_session_duration(signed(operation, max_session_duration.as_seconds())?);
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
            IamCall::DeleteRole { role } => {
                let request = iam.delete_role().role_name(role.as_str());
                caller.write(operation, || request.clone().send()).await.map(drop)
            }
        }
    }
}

fn signed(operation: &'static str, number: u32) -> Result<i32, AwsError> {
    i32::try_from(number).map_err(|_| senseless(operation, "a duration out of range"))
}

fn observed(
    operation: &'static str,
    role: Role,
    inline: BTreeMap<String, String>,
    attached: Vec<String>,
) -> Result<ObservedRole, AwsError> {
    let trust = role.assume_role_policy_document.as_deref().unwrap_or_default();
    Ok(ObservedRole {
        arn: RoleArn::parse(&role.arn).map_err(|e| senseless(operation, &e.to_string()))?,
        trust: decode::document(operation, trust)?,
        inline,
        attached,
        boundary: role.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        tags: decode::tags(role.tags.as_deref()),
        max_session_seconds: longest(role.max_session_duration),
        unique_id: role.role_id,
    })
}

fn listed(operation: &'static str, role: &Role) -> Result<ListedRole, AwsError> {
    Ok(ListedRole {
        name: RoleName::new(&role.role_name).map_err(|e| senseless(operation, &e.to_string()))?,
        arn: RoleArn::parse(&role.arn).map_err(|e| senseless(operation, &e.to_string()))?,
        unique_id: role.role_id.clone(),
        created: decode::timestamp(operation, &role.create_date)?,
        max_session_seconds: longest(role.max_session_duration),
    })
}

/// MaxSessionDuration; IAM's default, which it leaves out in some answers.
fn longest(seconds: Option<i32>) -> u32 {
    seconds.and_then(|s| u32::try_from(s).ok()).unwrap_or(3600)
}

fn detailed(operation: &'static str, role: RoleDetail) -> Result<RoleDetails, AwsError> {
    let missing = |what: &str| senseless(operation, what);
    let mut inline = BTreeMap::new();
    for policy in role.role_policy_list.unwrap_or_default() {
        let name = policy
            .policy_name
            .ok_or_else(|| missing("a policy without a name"))?;
        let text = policy
            .policy_document
            .ok_or_else(|| missing("a policy without a document"))?;
        inline.insert(name, decode::document(operation, &text)?);
    }
    let attached = role.attached_managed_policies.unwrap_or_default();
    let trust = role.assume_role_policy_document.unwrap_or_default();
    let observed = ObservedRole {
        arn: RoleArn::parse(&role.arn.unwrap_or_default()).map_err(|e| missing(&e.to_string()))?,
        unique_id: role.role_id.ok_or_else(|| missing("a role without an id"))?,
        trust: decode::document(operation, &trust)?,
        inline,
        attached: attached.into_iter().filter_map(|p| p.policy_arn).collect(),
        boundary: role.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        tags: decode::tags(role.tags.as_deref()),
        max_session_seconds: longest(None),
    };
    let name = RoleName::new(role.role_name.unwrap_or_default()).map_err(|e| missing(&e.to_string()))?;
    Ok(RoleDetails::new(name, observed))
}
