//! What the boundary of a role cuts off from its managed policies: looked at after everything that is written, and nothing waits for it.
//! AWS edits its policies as it likes; only a condition changes by that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_api::conditions::{ConditionReason, Status};
use deputy_aws::{CallPurpose, ManagedPolicies};
use deputy_delegation::{
    Decision, ManagedPolicyArn,
    boundary::{self, AccountBoundary},
    capped::{Capping, capping},
    names::AccountId,
};
use deputy_policy::{Document, PolicyKind};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::dereference::{RoleInputs, RoleStage};
use crate::{
    context::ControllerContext,
    error::ReconcileError,
    report::{ConditionValue, LOOK_AGAIN, reason_of},
    verified::DRIFT_INTERVAL,
};

/// How long a policy is taken to say what it said: a minute less than a role is taken to be as it was, so that whoever looks at a role
/// for drift reads its policies, too.
const KEPT: Duration = DRIFT_INTERVAL.saturating_sub(Duration::from_secs(60));
/// Policies that are kept at most; the roles of an account seldom have so many different ones.
const MOST_KEPT: usize = 2000;

/// What is known of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownPolicy {
    /// It says this.
    Says(Arc<str>),
    /// There is none.
    Absent,
    /// It can't be read.
    Unread(ConditionReason, String),
}

impl KnownPolicy {
    fn kept_for(&self) -> Duration {
        match self {
            Self::Says(_) => KEPT,
            Self::Absent | Self::Unread(..) => LOOK_AGAIN,
        }
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<(Instant, KnownPolicy)>>>;

/// What managed policies say, as read within the hour; what can't be read is asked again after ten minutes.
#[derive(Default)]
pub struct ManagedDocuments {
    kept: Mutex<HashMap<(AccountId, ManagedPolicyArn), Slot>>,
}

impl ManagedDocuments {
    /// What the policy says. It is read once for all who ask at the same time.
    pub async fn get(
        &self,
        policies: &dyn ManagedPolicies,
        account: &AccountId,
        arn: &ManagedPolicyArn,
    ) -> KnownPolicy {
        let slot = self.slot(account, arn);
        let mut slot = slot.lock().await;
        if let Some((at, known)) = slot.as_ref()
            && at.elapsed() < known.kept_for()
        {
            return known.clone();
        }
        let known = match policies.default_version(arn).await {
            Ok(Some(version)) => KnownPolicy::Says(version.document.into()),
            Ok(None) => KnownPolicy::Absent,
            Err(error) => {
                tracing::warn!(policy = %arn, %error, "failed to read a managed policy");
                let (reason, message) = reason_of(&error);
                KnownPolicy::Unread(reason, message)
            }
        };
        *slot = Some((Instant::now(), known.clone()));
        known
    }

    fn slot(&self, account: &AccountId, arn: &ManagedPolicyArn) -> Slot {
        let mut kept = self.kept.lock();
        let key = (account.clone(), arn.clone());
        if kept.len() >= MOST_KEPT && !kept.contains_key(&key) {
            // Rare, and what is wanted is read again.
            kept.clear();
        }
        Arc::clone(kept.entry(key).or_default())
    }
}

/// What is known of what the boundary of a role cuts off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CappedRole {
    /// It has no managed policies, or nothing is granted by them.
    NothingToCap,
    /// It was not looked at: what was said of it stays.
    NotLookedAt,
    /// This, of each of its managed policies.
    Found(Vec<(ManagedPolicyArn, Result<Capping, Unread>)>),
}

/// Why a policy could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub reason: ConditionReason,
    pub message: String,
}

/// Compares the managed policies of an accepted role with its boundary.
///
/// # Errors
/// [`ReconcileError::Panicked`]. What can't be read is none.
pub async fn look(
    ctx: &ControllerContext,
    documents: &ManagedDocuments,
    inputs: &RoleInputs,
) -> Result<CappedRole, ReconcileError> {
    let RoleStage::Present(present) = &inputs.stage else {
        return Ok(CappedRole::NotLookedAt);
    };
    let (Decision::Accepted(accepted), Some(role)) = (&present.decision, &present.role) else {
        return Ok(CappedRole::NothingToCap);
    };
    let Some(owned) = role.owned().filter(|owned| !owned.policies.managed().is_empty()) else {
        return Ok(CappedRole::NothingToCap);
    };
    let (Some(account), Some((limit, _))) = (inputs.account.usable.known(), &present.boundary) else {
        return Ok(CappedRole::NotLookedAt);
    };
    if accepted.boundary.as_ref() != Some(&limit.name) {
        return Ok(CappedRole::NotLookedAt);
    }
    let roles = ctx.aws.roles(account, CallPurpose::Look);
    let mut known = Vec::new();
    for arn in owned.policies.managed() {
        known.push((arn.clone(), documents.get(roles.as_ref(), &account.id, arn).await));
    }
    let boundary = boundary::in_account(&inputs.cluster, account, limit);
    let boundary = match boundary.as_deref() {
        Some(Ok(AccountBoundary::Generated(generated))) => generated.document.clone(),
        Some(Ok(AccountBoundary::Referenced(referenced))) => {
            let text = documents
                .get(roles.as_ref(), &account.id, &referenced.policy)
                .await;
            let KnownPolicy::Says(text) = text else {
                return Ok(CappedRole::NotLookedAt);
            };
            let Ok(document) = Document::parse(&text, PolicyKind::Boundary) else {
                return Ok(CappedRole::NotLookedAt);
            };
            document
        }
        // The role is suspended under such a limit.
        Some(Err(_)) | None => return Ok(CappedRole::NotLookedAt),
    };
    ctx.decide(move |_| CappedRole::compared(known, &boundary)).await
}

impl CappedRole {
    fn compared(known: Vec<(ManagedPolicyArn, KnownPolicy)>, boundary: &Document) -> Self {
        let compare = |known| match known {
            KnownPolicy::Says(text) => Ok(capping(boundary, &text)),
            KnownPolicy::Absent => Err(Unread {
                reason: ConditionReason::PolicyNotFound,
                message: "it does not exist".to_owned(),
            }),
            KnownPolicy::Unread(reason, message) => Err(Unread { reason, message }),
        };
        Self::Found(
            known
                .into_iter()
                .map(|(arn, known)| (arn, compare(known)))
                .collect(),
        )
    }

    /// How soon it is to be looked at again at the latest, if something could not be read.
    #[must_use]
    pub fn look_again(&self) -> Option<Duration> {
        match self {
            Self::Found(found) if found.iter().any(|(_, capping)| capping.is_err()) => Some(LOOK_AGAIN),
            Self::NothingToCap | Self::NotLookedAt | Self::Found(_) => None,
        }
    }
}

/// The condition `CappedByBoundary`: what is cut off says most, what is not known is said beside it.
#[must_use]
pub fn condition(found: &[(ManagedPolicyArn, Result<Capping, Unread>)]) -> ConditionValue {
    let (mut cut_off, mut unknown, mut reason) = (Vec::new(), Vec::new(), None);
    for (arn, capping) in found {
        match capping {
            Ok(Capping::Whole) => {}
            Ok(Capping::CutOff(witness)) => cut_off.push(format!("{arn} allows {witness}")),
            Ok(Capping::Undecided(why)) => {
                reason.get_or_insert(ConditionReason::ContainmentUnknown);
                unknown.push(format!("{arn}: {why}"));
            }
            Err(unread) => {
                reason.get_or_insert(unread.reason);
                unknown.push(format!("{arn}: {}", unread.message));
            }
        }
    }
    let unknown = match unknown.as_slice() {
        [] => String::new(),
        unknown => format!("not known of {}", unknown.join("; ")),
    };
    match (cut_off.as_slice(), reason) {
        ([], None) => ConditionValue::new(
            Status::False,
            ConditionReason::NotCapped,
            "the boundary allows all that the managed policies do",
        ),
        ([], Some(reason)) => ConditionValue::new(Status::Unknown, reason, unknown),
        (cut_off, reason) => {
            let more = reason.map_or(String::new(), |_| format!("; {unknown}"));
            let message = format!(
                "among what the boundary does not allow: {}{more}",
                cut_off.join("; ")
            );
            ConditionValue::new(Status::True, ConditionReason::Capped, message)
        }
    }
}
