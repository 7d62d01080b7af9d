//! [`Roles`] in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deputy_delegation::{
    names::{IamPath, ManagedPolicyArn, RoleName, TagKey, TagValue},
    naming::INLINE_POLICY,
    plan::{DesiredRole, IamCall, ObservedRole},
};

use super::{
    InMemoryIam,
    refusals::{over_quota, size, well_formed, within},
    state::{ModelState, StoredRole},
};
use crate::{
    error::{AwsError, ErrorClass},
    traits::{ForeignRole, ListedRole, RoleDetails, RoleDetailsPage, Roles},
};

/// IAM's tag limit of a role.
const MAX_TAGS: usize = 50;

#[async_trait]
impl Roles for InMemoryIam {
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.call("iam:GetRole", name.to_string(), None, |state| {
            if let Some(stored) = state.roles.get_mut(name)
                && stored.hidden_reads > 0
            {
                stored.hidden_reads -= 1;
                return Ok(None);
            }
            Ok(state.shown(name))
        })
    }

    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        Ok(self.get_role(name).await?.map(|mut role| {
            role.inline.retain(|policy, _| policy == INLINE_POLICY);
            role.attached.clear();
            role
        }))
    }

    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        let found = self.get_role(name).await?;
        let created = self.created(name);
        Ok(found.zip(created).map(|(role, created)| ForeignRole {
            arn: role.arn,
            unique_id: role.unique_id,
            trust: role.trust,
            created,
            max_session_seconds: role.max_session_seconds,
        }))
    }

    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        self.call("iam:ListRoles", path.to_string(), None, |state| {
            Ok(state
                .roles
                .iter()
                .filter(|(_, stored)| stored.hidden_reads == 0)
                .filter(|(_, stored)| stored.role.arn.path().as_str().starts_with(path.as_str()))
                .map(|(name, stored)| ListedRole {
                    name: name.clone(),
                    arn: stored.role.arn.clone(),
                    unique_id: stored.role.unique_id.clone(),
                    created: stored.created,
                    max_session_seconds: stored.role.max_session_seconds,
                })
                .collect())
        })
    }

    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        self.call(
            "iam:GetAccountAuthorizationDetails",
            path.to_string(),
            None,
            |state| Ok(state.details(path, marker)),
        )
    }

    async fn execute(&self, call: &IamCall) -> Result<(), AwsError> {
        let name = call.role_name();
        self.call(call.action(), name.to_string(), Some(name), |state| {
            self.apply(state, call)
        })
    }
}

impl InMemoryIam {
    fn apply(&self, state: &mut ModelState, call: &IamCall) -> Result<(), AwsError> {
        let operation = call.action();
        match call {
            IamCall::CreateRole { role } => self.create(state, operation, role),
            IamCall::UpdateAssumeRolePolicy { role, document } => {
                state.existing(operation, role)?;
                let trust = self.storable_trust(state, operation, document)?;
                let lag = state.lag.trust_reads;
                let stored = state.existing(operation, role)?;
                let old = std::mem::replace(&mut stored.role.trust, trust);
                stored.stale_trust = (lag > 0).then_some((old, lag));
                Ok(())
            }
            IamCall::PutRolePolicy {
                role,
                policy,
                document,
            } => state.put_policy(operation, role, policy, document),
            IamCall::DeleteRolePolicy { role, policy } => {
                match state.existing(operation, role)?.role.inline.remove(policy) {
                    Some(_) => Ok(()),
                    None => Err(no_such(
                        operation,
                        &format!("The role policy with name {policy} cannot be found."),
                    )),
                }
            }
            IamCall::AttachRolePolicy { role, policy_arn } => state.attach(operation, role, policy_arn),
            IamCall::DetachRolePolicy { role, policy_arn } => {
                let attached = &mut state.existing(operation, role)?.role.attached;
                let before = attached.len();
                attached.retain(|arn| arn != policy_arn);
                if attached.len() < before {
                    Ok(())
                } else {
                    Err(no_such(operation, &format!("Policy {policy_arn} was not found.")))
                }
            }
            IamCall::PutRolePermissionsBoundary { role, boundary } => {
                state.existing(operation, role)?;
                attachable(state, operation, boundary)?;
                state.existing(operation, role)?.role.boundary = Some(boundary.to_string());
                Ok(())
            }
            IamCall::TagRole { role, tags } => state.tag(operation, role, tags),
            IamCall::UntagRole { role, keys } => {
                let tags = &mut state.existing(operation, role)?.role.tags;
                tags.retain(|k, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(k)));
                Ok(())
            }
            IamCall::UpdateRole {
                role,
                max_session_duration,
            } => {
                let seconds = role_duration(operation, max_session_duration.as_seconds())?;
                state.existing(operation, role)?.role.max_session_seconds = seconds;
                Ok(())
            }
            IamCall::DeleteRole { role } => state.delete(operation, role),
        }
    }

    fn create(
        &self,
        state: &mut ModelState,
        operation: &'static str,
        role: &DesiredRole,
    ) -> Result<(), AwsError> {
        let clash = |name: &RoleName| name.as_str().eq_ignore_ascii_case(role.name.as_str());
        if state.roles.keys().any(clash) {
            return Err(AwsError::new(
                operation,
                ErrorClass::AlreadyExists,
                &format!("Role with name {} already exists.", role.name),
            )
            .with_code("EntityAlreadyExists"));
        }
        let count = u32::try_from(state.roles.len()).unwrap_or(u32::MAX);
        within(
            operation,
            "RolesPerAccount",
            state.quotas.roles,
            count.saturating_add(1),
        )?;
        if role.tags.len() > MAX_TAGS {
            return Err(over_quota(operation, "TagsPerRole", 50));
        }
        if let Some(boundary) = &role.boundary {
            attachable(state, operation, boundary)?;
        }
        let max_session_seconds = role_duration(operation, role.max_session_duration.as_seconds())?;
        let trust = self.storable_trust(state, operation, &role.trust.to_json())?;
        let arn = self.role_arn(&role.path, &role.name);
        let unique_id = state.unique_id("AROA");
        let (created, lag) = (state.now(), state.lag);
        state
            .principals
            .add(&arn.to_string(), unique_id.clone(), lag.principal_saves);
        let observed = ObservedRole {
            arn,
            unique_id,
            trust,
            inline: BTreeMap::new(),
            attached: Vec::new(),
            boundary: role.boundary.as_ref().map(ToString::to_string),
            tags: role
                .tags
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
            max_session_seconds,
        };
        state.roles.insert(
            role.name.clone(),
            StoredRole {
                role: observed,
                created,
                hidden_reads: lag.role_reads,
                stale_trust: None,
            },
        );
        Ok(())
    }

    fn storable_trust(
        &self,
        state: &mut ModelState,
        operation: &'static str,
        document: &str,
    ) -> Result<String, AwsError> {
        well_formed(operation, document)?;
        within(
            operation,
            "ACLSizePerRole",
            state.quotas.trust_policy_size,
            size(document),
        )?;
        state
            .principals
            .stored(operation, self.partition.as_str(), document)
    }
}

impl ModelState {
    /// All roles are on the pages, and those at the path are told of.
    fn details(&self, path: &IamPath, marker: Option<&str>) -> RoleDetailsPage {
        let mut left = self
            .roles
            .iter()
            .filter(|(_, stored)| stored.hidden_reads == 0)
            .skip_while(|(name, _)| marker.is_some_and(|marker| name.as_str() <= marker));
        let page: Vec<_> = left.by_ref().take(self.page_size).collect();
        let last = page.last().map(|(name, _)| name.to_string());
        let at_path = page
            .into_iter()
            .filter(|(_, stored)| stored.role.arn.path().as_str().starts_with(path.as_str()));
        RoleDetailsPage {
            roles: at_path
                .filter_map(|(name, _)| {
                    let role = ObservedRole {
                        max_session_seconds: 3600,
                        ..self.shown(name)?
                    };
                    Some(RoleDetails::new(name.clone(), role))
                })
                .collect(),
            next: last.filter(|_| left.next().is_some()),
        }
    }

    fn put_policy(
        &mut self,
        operation: &'static str,
        role: &RoleName,
        policy: &str,
        document: &str,
    ) -> Result<(), AwsError> {
        well_formed(operation, document)?;
        let limit = self.quotas.role_policy_size;
        let inline = &mut self.existing(operation, role)?.role.inline;
        let others = inline
            .iter()
            .filter(|(name, _)| name.as_str() != policy)
            .map(|(_, d)| size(d))
            .sum::<u32>();
        within(
            operation,
            "RolePolicySize",
            limit,
            others.saturating_add(size(document)),
        )?;
        inline.insert(policy.to_owned(), document.to_owned());
        Ok(())
    }

    fn attach(
        &mut self,
        operation: &'static str,
        role: &RoleName,
        policy: &ManagedPolicyArn,
    ) -> Result<(), AwsError> {
        self.existing(operation, role)?;
        attachable(self, operation, policy)?;
        if policy.path().as_str().starts_with("/aws-service-role/") {
            let message = format!("Cannot attach a Service Role Policy to a Customer Role: {policy}");
            let refused = AwsError::new(operation, ErrorClass::InvalidInput, &message);
            return Err(refused.with_code("PolicyNotAttachable"));
        }
        let limit = self.quotas.policies_per_role;
        let attached = &mut self.existing(operation, role)?.role.attached;
        let arn = policy.to_string();
        if attached.contains(&arn) {
            return Ok(());
        }
        let count = u32::try_from(attached.len()).unwrap_or(u32::MAX);
        within(operation, "PoliciesPerRole", limit, count.saturating_add(1))?;
        attached.push(arn);
        Ok(())
    }

    fn tag(
        &mut self,
        operation: &'static str,
        role: &RoleName,
        tags: &BTreeMap<TagKey, TagValue>,
    ) -> Result<(), AwsError> {
        let have = &mut self.existing(operation, role)?.role.tags;
        let mut all = have.clone();
        for (key, value) in tags {
            // Keys are kept as they are written, and are the same ignoring case.
            all.retain(|k, _| !k.eq_ignore_ascii_case(key.as_str()));
            all.insert(key.to_string(), value.to_string());
        }
        if all.len() > MAX_TAGS {
            return Err(over_quota(operation, "TagsPerRole", 50));
        }
        *have = all;
        Ok(())
    }

    fn delete(&mut self, operation: &'static str, role: &RoleName) -> Result<(), AwsError> {
        let stored = &self.existing(operation, role)?.role;
        if !stored.inline.is_empty() || !stored.attached.is_empty() {
            return Err(AwsError::new(
                operation,
                ErrorClass::Conflict,
                "Cannot delete entity, must delete policies first.",
            )
            .with_code("DeleteConflict"));
        }
        let arn = stored.arn.to_string();
        self.roles.remove(role);
        self.principals.remove(&arn);
        Ok(())
    }
}

fn attachable(
    state: &ModelState,
    operation: &'static str,
    policy: &ManagedPolicyArn,
) -> Result<(), AwsError> {
    if state.policies.contains_key(policy) {
        Ok(())
    } else {
        Err(no_such(
            operation,
            &format!("Policy {policy} does not exist or is not attachable."),
        ))
    }
}

fn no_such(operation: &'static str, message: &str) -> AwsError {
    AwsError::new(operation, ErrorClass::NotFound, message).with_code("NoSuchEntity")
}

fn role_duration(operation: &'static str, seconds: u32) -> Result<u32, AwsError> {
    // MaxSessionDuration begins at an hour, a session at 15 minutes.
    if (3600..=43_200).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(AwsError::new(
            operation,
            ErrorClass::InvalidInput,
            "Member must have value greater than or equal to 3600 at 'maxSessionDuration'",
        )
        .with_code("ValidationError"))
    }
}
