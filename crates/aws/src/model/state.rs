//! What the account holds, and how much of it is shown yet.

use std::{collections::BTreeMap, time::Duration};

use deputy_delegation::{
    federation::FederationRequest,
    names::{ManagedPolicyArn, PolicyArn, PolicyOwner, PolicyResource, RoleName},
    plan::ObservedRole,
    session::SessionRequest,
};
use jiff::Timestamp;

use super::{
    faults::Faults, principals::KnownPrincipals, refusals::no_such_role, stored_policy::StoredResourcePolicy,
};
use crate::{
    error::{AwsError, ErrorClass},
    traits::{AccountSummary, QuotaUse},
};

/// How far reads lag behind writes, counted in calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// How many reads of a new role say that it is not there; AssumeRole on it is refused as long.
    pub role_reads: u32,
    /// How many trust policies with a new principal are refused as invalid.
    pub principal_saves: u32,
    /// How many AssumeRole calls still see the trust policy of before.
    pub trust_reads: u32,
}

/// Limits of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Characters of a trust policy, white space not counted.
    pub trust_policy_size: u32,
    /// Characters of all inline policies of a role, white space not counted.
    pub role_policy_size: u32,
    /// Managed policies that are attached to a role.
    pub policies_per_role: u32,
    /// Characters of a managed policy, white space not counted.
    pub managed_policy_size: u32,
    /// Versions of a managed policy.
    pub versions_per_policy: u32,
    /// Roles there may be.
    pub roles: u32,
    /// Customer-managed policies there may be.
    pub policies: u32,
}

impl Default for Quotas {
    /// What an account has that asked for no more.
    fn default() -> Self {
        Self {
            trust_policy_size: 2048,
            role_policy_size: 10_240,
            policies_per_role: 10,
            managed_policy_size: 6144,
            versions_per_policy: 5,
            roles: 1000,
            policies: 1500,
        }
    }
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// Such as `iam:CreateRole`.
    pub operation: &'static str,
    /// ARN or name of what it was about.
    pub target: String,
    /// Whether it changed something: also when its answer was lost.
    pub applied: bool,
    /// `ok`, or the category of the error that the caller saw.
    pub outcome: &'static str,
    /// The role after a change of it; `None` after its deletion.
    pub role_after: Option<ObservedRole>,
}

/// A session that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedSession {
    /// What was asked for.
    pub request: SessionRequest,
    /// Which credentials it has.
    pub access_key_id: String,
    /// When it ends.
    pub expiration: Timestamp,
}

/// A session of a federated user that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedFederation {
    /// What was asked for.
    pub request: FederationRequest,
    /// Which credentials it has.
    pub access_key_id: String,
    /// When it ends.
    pub expiration: Timestamp,
}

#[derive(Clone)]
pub(super) struct ModelState {
    pub(super) roles: BTreeMap<RoleName, StoredRole>,
    /// The account's, and those of AWS.
    pub(super) policies: BTreeMap<ManagedPolicyArn, StoredPolicy>,
    /// Buckets, queues and topics, and the policies of those that have one.
    pub(super) resources: BTreeMap<PolicyResource, Option<StoredResourcePolicy>>,
    pub(super) principals: KnownPrincipals,
    pub(super) sessions: Vec<IssuedSession>,
    pub(super) federated: Vec<IssuedFederation>,
    pub(super) log: Vec<LoggedCall>,
    pub(super) faults: Faults,
    pub(super) lag: Lag,
    pub(super) quotas: Quotas,
    pub(super) caller: String,
    /// Roles of a page.
    pub(super) page_size: usize,
    pub(super) sts_delay: Duration,
    pub(super) now: Option<Timestamp>,
    pub(super) serial: u64,
}

#[derive(Clone)]
pub(super) struct StoredRole {
    /// With the trust policy as stored: principals as unique ids.
    pub(super) role: ObservedRole,
    pub(super) created: Timestamp,
    pub(super) hidden_reads: u32,
    /// The trust policy before the last change, and how many AssumeRole calls still see it.
    pub(super) stale_trust: Option<(String, u32)>,
}

#[derive(Clone)]
pub(super) struct StoredPolicy {
    pub(super) tags: BTreeMap<String, String>,
    /// By number: `v1`, `v2`, …; numbers are not used again.
    pub(super) versions: BTreeMap<u32, String>,
    pub(super) default: u32,
    pub(super) latest: u32,
}

impl ModelState {
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn unique_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{:017}", self.serial())
    }

    /// The role with its trust policy as IAM shows it.
    pub(super) fn shown(&self, name: &RoleName) -> Option<ObservedRole> {
        let stored = self.roles.get(name)?;
        Some(ObservedRole {
            trust: self.principals.shown(&stored.role.trust),
            ..stored.role.clone()
        })
    }

    pub(super) fn existing(
        &mut self,
        operation: &'static str,
        name: &RoleName,
    ) -> Result<&mut StoredRole, AwsError> {
        self.roles
            .get_mut(name)
            .ok_or_else(|| no_such_role(operation, name))
    }
}

impl StoredPolicy {
    pub(super) fn empty() -> Self {
        Self {
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            default: 0,
            latest: 0,
        }
    }

    /// Another version, which is in force from now on.
    pub(super) fn put(&mut self, document: String) {
        self.latest += 1;
        self.default = self.latest;
        self.versions.insert(self.latest, document);
    }

    pub(super) fn default_document(&self) -> &str {
        self.versions.get(&self.default).map_or("", String::as_str)
    }
}

impl ModelState {
    pub(super) fn policy(
        &mut self,
        operation: &'static str,
        arn: &PolicyArn,
    ) -> Result<&mut StoredPolicy, AwsError> {
        self.policies.get_mut(&arn.clone().into()).ok_or_else(|| {
            AwsError::new(
                operation,
                ErrorClass::NotFound,
                &format!("Policy {arn} was not found."),
            )
            .with_code("NoSuchEntity")
        })
    }

    /// What the account has of what it may have.
    pub(super) fn summary(&self) -> AccountSummary {
        let own = self
            .policies
            .keys()
            .filter(|arn| *arn.owner() != PolicyOwner::Aws);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        AccountSummary {
            roles: Some(QuotaUse {
                used: number(self.roles.len()),
                quota: self.quotas.roles,
            }),
            policies: Some(QuotaUse {
                used: number(own.count()),
                quota: self.quotas.policies,
            }),
            attached_policies_per_role: Some(self.quotas.policies_per_role),
            trust_policy_size: Some(self.quotas.trust_policy_size),
        }
    }

    /// How many roles it is attached to, and how many have it as boundary.
    pub(super) fn uses(&self, arn: &PolicyArn) -> (u32, u32) {
        let arn = arn.to_string();
        let count = |used: &dyn Fn(&ObservedRole) -> bool| {
            u32::try_from(self.roles.values().filter(|stored| used(&stored.role)).count()).unwrap_or(u32::MAX)
        };
        (
            count(&|role| role.attached.contains(&arn)),
            count(&|role| role.boundary.as_ref() == Some(&arn)),
        )
    }
}
