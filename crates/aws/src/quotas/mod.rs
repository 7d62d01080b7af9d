//! What an AWS account has of what it may have: asked before something is made, so that a quota that is used up is told with its numbers
//! and costs no write.
//!
//! AWS has the last word: what is not known here is sent.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use deputy_delegation::{
    names::{IamPath, ManagedPolicyArn, PolicyArn, RoleName, TagKey, TagValue},
    plan::{DesiredRole, IamCall, ObservedRole},
};
use deputy_policy::Document;
use tokio::time::Instant;

use crate::{
    error::{AwsError, ErrorClass},
    traits::{
        AccountSummaries, AccountSummary, DefaultVersion, ForeignRole, ListedPolicy, ListedRole,
        ManagedPolicies, NewPolicy, ObservedPolicy, Policies, QuotaUse, RoleDetailsPage, Roles,
    },
};

/// How long AWS's numbers are taken to be right. Meanwhile, what this process makes and deletes is counted.
const KEPT: Duration = Duration::from_secs(600);
/// How long they are when they stand in the way, and how long AWS is not asked again that did not say.
const KEPT_IN_DOUBT: Duration = Duration::from_secs(60);

/// The latest numbers of one account, for all who work there.
#[derive(Default)]
pub(crate) struct KnownQuotas {
    known: Mutex<Known>,
    /// One asks at a time; the others take what it learns.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    answer: Option<(Instant, Result<AccountSummary, AwsError>)>,
    /// Made by this process since, less what it deleted.
    roles_made: i64,
    policies_made: i64,
}

impl KnownQuotas {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Numbers: whatever is in it is valid.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What AWS said within this time.
    fn kept(&self, at_most: Duration) -> Option<Result<AccountSummary, AwsError>> {
        let known = self.lock();
        let (at, answer) = known.answer.as_ref()?;
        let at_most = if answer.is_ok() { at_most } else { KEPT_IN_DOUBT };
        (at.elapsed() < at_most).then(|| answer.clone())
    }

    /// What AWS said within this time; it is asked otherwise.
    async fn summary<S: AccountSummaries + ?Sized>(
        &self,
        source: &S,
        at_most: Duration,
    ) -> Result<AccountSummary, AwsError> {
        if let Some(answer) = self.kept(at_most) {
            return answer;
        }
        let _turn = self.asking.lock().await;
        if let Some(answer) = self.kept(at_most) {
            return answer;
        }
        let (roles, policies) = {
            let known = self.lock();
            (known.roles_made, known.policies_made)
        };
        let answer = source.account_summary().await;
        let mut known = self.lock();
        // What was made while AWS was asked may be in its answer or not: it counts twice, and not not at all.
        known.roles_made -= roles;
        known.policies_made -= policies;
        known.answer = Some((Instant::now(), answer.clone()));
        answer
    }

    fn roles(&self, summary: &AccountSummary) -> Option<QuotaUse> {
        Some(summary.roles?.with(self.lock().roles_made))
    }

    fn policies(&self, summary: &AccountSummary) -> Option<QuotaUse> {
        Some(summary.policies?.with(self.lock().policies_made))
    }

    /// Refuses what `excess` finds in the numbers, and looks once more before it does.
    async fn refuse<S: AccountSummaries + ?Sized>(
        &self,
        source: &S,
        operation: &'static str,
        excess: impl Fn(&AccountSummary) -> Option<(&'static str, String)> + Send + Sync,
    ) -> Result<(), AwsError> {
        for at_most in [KEPT, KEPT_IN_DOUBT] {
            let Ok(summary) = self.summary(source, at_most).await else {
                return Ok(());
            };
            let Some((quota, message)) = excess(&summary) else {
                return Ok(());
            };
            if at_most == KEPT_IN_DOUBT {
                let message = format!("{message}; nothing was sent");
                return Err(AwsError::new(operation, ErrorClass::LimitExceeded, &message).with_code(quota));
            }
        }
        Ok(())
    }

    /// The same error, with the numbers that it is about.
    async fn explained<S: AccountSummaries + ?Sized>(
        &self,
        source: &S,
        error: AwsError,
        numbers: impl Fn(&AccountSummary) -> Option<String> + Send + Sync,
    ) -> AwsError {
        if error.class() != ErrorClass::LimitExceeded {
            return error;
        }
        let known = self.summary(source, KEPT_IN_DOUBT).await.ok();
        match known.and_then(|summary| numbers(&summary)) {
            Some(numbers) => {
                let message = format!("{}; {numbers}", error.message().trim_end_matches('.'));
                error.with_message(&message)
            }
            None => error,
        }
    }
}

/// An account's roles or policies, within its quotas.
pub(crate) struct WithinQuotas<T> {
    inner: T,
    quotas: Arc<KnownQuotas>,
}

impl<T> WithinQuotas<T> {
    pub(crate) fn new(inner: T, quotas: Arc<KnownQuotas>) -> Self {
        Self { inner, quotas }
    }
}

/// What of a role that is to be made an account has no room for.
fn excess_of_role(
    role: &DesiredRole,
    roles: Option<QuotaUse>,
    summary: &AccountSummary,
) -> Option<(&'static str, String)> {
    if let Some(roles) = roles.filter(QuotaUse::is_used_up) {
        return Some(("RolesQuota", used_up(roles, "IAM roles")));
    }
    if let Some(quota) = summary.attached_policies_per_role
        && role.attached.len() > quota as usize
    {
        let message = format!(
            "the role has {} managed policies, and the AWS account's quota is {quota}",
            role.attached.len()
        );
        return Some(("AttachedPoliciesPerRoleQuota", message));
    }
    excess_of_trust(role.trust.size(), summary)
}

fn excess_of_trust(size: usize, summary: &AccountSummary) -> Option<(&'static str, String)> {
    let quota = summary.trust_policy_size?;
    (size > quota as usize).then(|| {
        let message =
            format!("the trust policy has {size} characters, and the AWS account's quota is {quota}");
        ("AssumeRolePolicySizeQuota", message)
    })
}

fn used_up(found: QuotaUse, what: &str) -> String {
    format!(
        "the AWS account has {} {what}, and its quota is {}: delete some, or ask AWS for more",
        found.used, found.quota
    )
}

#[async_trait]
impl<T: AccountSummaries> AccountSummaries for WithinQuotas<T> {
    /// As AWS said within ten minutes.
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.quotas.summary(&self.inner, KEPT).await
    }
}

#[async_trait]
impl<T: ManagedPolicies> ManagedPolicies for WithinQuotas<T> {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.inner.default_version(arn).await
    }
}

#[async_trait]
impl<T: Roles> Roles for WithinQuotas<T> {
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.inner.get_role(name).await
    }

    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.inner.get_role_and_own_policy(name).await
    }

    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        self.inner.get_existing_role(name).await
    }

    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        self.inner.list_roles(path).await
    }

    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        self.inner.role_details(path, marker).await
    }

    async fn execute(&self, call: &IamCall) -> Result<(), AwsError> {
        if let IamCall::CreateRole { role } = call {
            let excess = |summary: &AccountSummary| excess_of_role(role, self.quotas.roles(summary), summary);
            self.quotas.refuse(&self.inner, call.action(), excess).await?;
        }
        let done = self.inner.execute(call).await;
        match (call, done) {
            (IamCall::CreateRole { .. }, Ok(())) => self.quotas.lock().roles_made += 1,
            (IamCall::DeleteRole { .. }, Ok(())) => self.quotas.lock().roles_made -= 1,
            (_, Ok(())) => {}
            (
                IamCall::CreateRole { .. }
                | IamCall::AttachRolePolicy { .. }
                | IamCall::UpdateAssumeRolePolicy { .. },
                Err(error),
            ) => {
                let numbers = |summary: &AccountSummary| numbers_of(call, summary);
                return Err(self.quotas.explained(&self.inner, error, numbers).await);
            }
            // AWS tells no number of the account about it.
            (_, Err(error)) => return Err(error),
        }
        Ok(())
    }
}

/// The quota that a call about a role ran into, if AWS said that it was one.
fn numbers_of(call: &IamCall, summary: &AccountSummary) -> Option<String> {
    match call {
        IamCall::CreateRole { .. } => summary
            .roles
            .map(|roles| format!("it has {} of {} IAM roles", roles.used, roles.quota)),
        IamCall::AttachRolePolicy { .. } => summary
            .attached_policies_per_role
            .map(|quota| format!("its quota is {quota} managed policies of a role")),
        IamCall::UpdateAssumeRolePolicy { .. } => summary
            .trust_policy_size
            .map(|quota| format!("its quota is {quota} characters of a trust policy")),
        _ => None,
    }
}

#[async_trait]
impl<T: Policies> Policies for WithinQuotas<T> {
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError> {
        self.inner.get_policy(arn).await
    }

    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError> {
        let excess = |summary: &AccountSummary| {
            let policies = self.quotas.policies(summary).filter(QuotaUse::is_used_up);
            policies.map(|policies| ("PoliciesQuota", used_up(policies, "managed policies of its own")))
        };
        self.quotas
            .refuse(&self.inner, "iam:CreatePolicy", excess)
            .await?;
        match self.inner.create_policy(policy).await {
            Ok(arn) => {
                self.quotas.lock().policies_made += 1;
                Ok(arn)
            }
            Err(error) => {
                let numbers = |summary: &AccountSummary| {
                    let policies = summary.policies?;
                    Some(format!(
                        "it has {} of {} managed policies",
                        policies.used, policies.quota
                    ))
                };
                Err(self.quotas.explained(&self.inner, error, numbers).await)
            }
        }
    }

    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError> {
        self.inner.create_policy_version(arn, document).await
    }

    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError> {
        self.inner.delete_policy_version(arn, version).await
    }

    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError> {
        self.inner.tag_policy(arn, tags).await
    }

    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError> {
        self.inner.untag_policy(arn, keys).await
    }

    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError> {
        self.inner.delete_policy(arn).await?;
        self.quotas.lock().policies_made -= 1;
        Ok(())
    }

    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError> {
        self.inner.list_policies(path).await
    }
}
