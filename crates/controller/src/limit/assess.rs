//! *Assess*: from everything that was looked up, the one plan for a limit: the boundary policy in each account, and the fingerprint
//! of that. Pure.

use std::sync::Arc;

use deputy_api::{BoundaryStatus, DelegationLimitStatus, SealedStatus, conditions::ConditionReason};
use deputy_aws::{NewPolicy, ObservedPolicy};
use deputy_delegation::{
    ClusterName, ObjectName, PolicyArn, TagKey, Violation, Violations,
    boundary::{self, AccountBoundary, ReferencedBoundary},
    model::{Account, Limit},
    naming,
};
use deputy_index::Entry;
use deputy_policy::Document;

use super::dereference::LimitInputs;
use crate::verified::{Fingerprint, FingerprintKey};

/// What is to be done about a limit. Made once, here; the steps after it only carry it out.
#[derive(Debug)]
pub enum LimitPlan {
    /// It can't be in force, and nothing is done in AWS: what is there stays.
    Refuse(LimitProblem),
    /// One boundary policy in each account; none for a limit that is only checked.
    Enforce(Vec<BoundaryPlan>),
}

/// What is done in one account.
#[derive(Debug)]
pub enum BoundaryPlan {
    /// Nothing: the account can't be used, or AWS can't hold the policy there.
    Blocked(LimitProblem),
    /// The policy is brought to where it should be.
    Ensure(Box<EnsureBoundary>),
    /// The policy is somebody else's: it is read, and compared with the limit.
    Prove(Box<ProveBoundary>),
}

/// A boundary policy of somebody else that is to be within the limit.
#[derive(Debug)]
pub struct ProveBoundary {
    /// By limit and account.
    pub key: (ObjectName, ObjectName),
    pub account: Arc<Account>,
    pub referenced: ReferencedBoundary,
    /// Of limit and account: it is read again when one of them changes.
    pub fingerprint: Fingerprint,
    /// What the limit's status says of it.
    pub known: Option<BoundaryStatus>,
}

/// A boundary policy that is to be as it should be.
#[derive(Debug)]
pub struct EnsureBoundary {
    /// By limit and account.
    pub key: (ObjectName, ObjectName),
    pub account: Arc<Account>,
    pub desired: DesiredBoundary,
    /// Of its document: how the limit's status says what is in AWS.
    pub document_hash: String,
    /// How far it denies explicitly what lies outside the ceiling.
    pub sealed: SealedStatus,
    /// Of the policy and of where it is.
    pub fingerprint: Fingerprint,
    /// What the limit's status says of it.
    pub known: Option<BoundaryStatus>,
}

/// A boundary policy as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBoundary {
    pub arn: PolicyArn,
    /// All of it.
    pub policy: NewPolicy,
}

impl DesiredBoundary {
    /// The boundary of `limit` in `account`, with `document` compiled for it.
    #[must_use]
    pub fn new(cluster: &ClusterName, account: &Account, limit: &Limit, document: Document) -> Self {
        let tags = naming::limit_tags(cluster, account, &limit.name, limit.uid.as_ref());
        Self {
            arn: naming::boundary_arn(cluster, account, &limit.name),
            policy: NewPolicy {
                name: naming::limit_policy_name(cluster, &limit.name),
                path: naming::limit_path(cluster),
                tags,
                document,
            },
        }
    }

    /// Whether `observed` is ours: by every tag of ownership but the uid, which a limit that is made again has anew.
    #[must_use]
    pub fn owns(&self, observed: &ObservedPolicy) -> bool {
        let says_whose = |key: &TagKey| {
            key.is_reserved() && key.as_str() != naming::TAG_UID && key.as_str() != naming::TAG_TAGS
        };
        self.policy
            .tags
            .iter()
            .filter(|(key, _)| says_whose(key))
            .all(|(key, value)| {
                observed
                    .tags
                    .get(key.as_str())
                    .is_some_and(|v| v == value.as_str())
            })
    }
}

/// Why a limit is not in force everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitProblem {
    pub reason: ConditionReason,
    pub message: String,
    /// Whether trying again may help although no object changes.
    pub is_transient: bool,
}

impl LimitProblem {
    /// Over when an object changes, or a policy of somebody else.
    #[must_use]
    pub fn until_changed(reason: ConditionReason, message: String) -> Self {
        Self {
            reason,
            message,
            is_transient: false,
        }
    }

    /// May be over without a change of any object.
    #[must_use]
    pub fn transient(reason: ConditionReason, message: String) -> Self {
        Self {
            reason,
            message,
            is_transient: true,
        }
    }

    fn invalid(violations: &Violations) -> Self {
        Self::until_changed(violations.into(), format!("{violations:#}"))
    }
}

/// The plan for a limit whose status is `old`.
#[must_use]
pub fn assess(inputs: &LimitInputs, old: &DelegationLimitStatus, key: &FingerprintKey) -> LimitPlan {
    let readable = match &inputs.limit {
        Ok(readable) => readable,
        Err(violations) => return LimitPlan::Refuse(LimitProblem::invalid(violations)),
    };
    if let Err(violations) = &readable.validity {
        return LimitPlan::Refuse(LimitProblem::invalid(violations));
    }
    let plans = readable.accounts.iter().map(|(name, account)| {
        let problem = match account {
            Entry::Known(account) => {
                let known = old.boundaries.iter().find(|b| b.account == name.as_str());
                return of_account(&inputs.cluster, &readable.limit, account, known, key);
            }
            Entry::Unreadable(why) => {
                let message = format!("the AWSAccount {name} can't be used: {why}");
                LimitProblem::until_changed(ConditionReason::Invalid, message)
            }
            Entry::Missing => {
                let message = format!("the AWSAccount {name} does not exist");
                LimitProblem::until_changed(ConditionReason::AccountNotFound, message)
            }
        };
        BoundaryPlan::Blocked(problem)
    });
    LimitPlan::Enforce(plans.collect())
}

fn of_account(
    cluster: &ClusterName,
    limit: &Limit,
    account: &Arc<Account>,
    known: Option<&BoundaryStatus>,
    key: &FingerprintKey,
) -> BoundaryPlan {
    let blocked =
        |violation: &Violation| BoundaryPlan::Blocked(LimitProblem::invalid(&violation.clone().into()));
    let plan_key = (limit.name.clone(), account.name.clone());
    match boundary::in_account(cluster, account, limit).as_deref() {
        // Only a limit that is checked alone has none, and that names no account here.
        None => {
            let message = "the limit has no boundary".to_owned();
            BoundaryPlan::Blocked(LimitProblem::until_changed(ConditionReason::Invalid, message))
        }
        Some(Err(violation)) => blocked(violation),
        Some(Ok(AccountBoundary::Generated(generated))) => {
            let desired = DesiredBoundary::new(cluster, account, limit, generated.document.clone());
            BoundaryPlan::Ensure(Box::new(EnsureBoundary {
                key: plan_key,
                account: Arc::clone(account),
                fingerprint: key.fingerprint(&(&desired, &account.endpoints)),
                desired,
                document_hash: generated.hash.clone(),
                sealed: (&generated.sealed).into(),
                known: known.cloned(),
            }))
        }
        Some(Ok(AccountBoundary::Referenced(referenced))) => BoundaryPlan::Prove(Box::new(ProveBoundary {
            key: plan_key,
            account: Arc::clone(account),
            fingerprint: key.fingerprint(&(limit, account)),
            referenced: referenced.clone(),
            known: known
                .filter(|known| known.policy_arn == referenced.policy.to_string())
                .cloned(),
        })),
    }
}
