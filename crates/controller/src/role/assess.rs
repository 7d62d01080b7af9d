//! *Assess*: from everything that was looked up, the one plan for a role: its finalizer, what it is to be in AWS, and the
//! fingerprint of that. Pure.

use std::sync::Arc;

use deputy_api::{RoleInstance, RoleSessionsStatus, conditions::ConditionReason, reconcile_requested_at};
use deputy_delegation::{
    Decision, ObjectName, Uid,
    model::{Account, OwnedRole, RoleSource},
    trust,
};
use deputy_index::Entry;
use deputy_policy::Document;
use jiff::Timestamp;

use super::{
    dereference::{FINALIZER, PresentRole, RoleInputs, RoleStage},
    look::RoleLook,
    narrowed,
    outcome::RoleOutcome,
    sessions::{self, Bearers, FormerSessions},
    shares::SessionShares,
    takeover::Takeover,
    target::{self, Ownership, RoleTarget},
    trust::RoleTrust,
    untagged,
};
use crate::{
    orphans::TriedFor,
    verified::{Fingerprint, FingerprintKey},
};

/// What is to be done about a role. Made once, here; the steps after it only carry it out.
#[derive(Debug)]
pub struct RolePlan {
    /// Whose sessions may run and whose are cut; `None` where that stays as it is.
    pub sessions: Option<SessionsPlan>,
    /// What is done before the first call to AWS.
    pub finalizer: Finalizer,
    /// What is done in AWS.
    pub work: RoleWork,
}

/// What becomes of the record of whose sessions may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsPlan {
    pub record: RoleSessionsStatus,
    /// Whether it is written before anything is done in AWS; else with what is said afterwards.
    pub comes_first: bool,
    /// What its hashes stand for.
    pub shares: SessionShares,
}

/// What becomes of the finalizer before the first call to AWS. It comes off only when the role in AWS is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finalizer {
    /// It stays as it is.
    Keep,
    /// It is added, unless it is there.
    Add {
        /// Where the role will be: what it takes to find it when the object is gone.
        account: ObjectName,
    },
}

/// What is done in AWS.
#[derive(Debug)]
pub enum RoleWork {
    /// Nothing, and AWS is not asked: this is true already.
    Nothing(RoleOutcome),
    /// The role is brought to its target.
    Converge(Box<Convergence>),
    /// The role is somebody else's, and looked at.
    Look(Box<RoleLook>),
}

/// A role that is to be brought to its target.
#[derive(Debug)]
pub struct Convergence {
    pub account: Arc<Account>,
    /// Which role, and how it is known as ours.
    pub ownership: Ownership,
    pub target: RoleTarget,
    /// What its trust policy is made of; `None` when it is to deny everybody.
    pub trust: Option<RoleTrust>,
    /// Of the target and of where it is: the same whether the boundary is there or not, so that a role that is as it should be
    /// is not touched by that.
    pub fingerprint: Fingerprint,
    /// Whether somebody may become it.
    pub bound: bool,
    /// The unique id that its status has.
    pub known_role_id: Option<String>,
    /// Whether its status says that it is as it should be now.
    pub is_reported_well: bool,
    /// Whether no status says whose sessions of it may run: a role that is there all the same was a former object's.
    pub is_first: bool,
    /// Whose it was, if it is known to be taken over.
    pub takeover: Option<Takeover>,
    pub uid: Uid,
    /// Whether it is to be suspended, and its status says that it is and that there is nothing of it.
    pub is_said_not_made: bool,
}

/// The plan for a role.
#[must_use]
pub fn assess(inputs: &RoleInputs, key: &FingerprintKey) -> RolePlan {
    match &inputs.stage {
        RoleStage::Present(role) => assess_present(inputs, role, key),
        RoleStage::Deleting { stays } => assess_deletion(inputs, *stays, key),
    }
}

fn assess_present(inputs: &RoleInputs, present: &PresentRole, key: &FingerprintKey) -> RolePlan {
    let decision = &present.decision;
    // By an account that may not be used things are only taken away.
    let as_written = inputs.account.as_written.as_ref();
    let to_suspend = as_written.filter(|_| matches!(decision, Decision::Refused(_)));
    let Some(account) = inputs.account.usable.known().or(to_suspend) else {
        // Without its account nothing can be done about it, and nothing is.
        return RolePlan::nothing(without_account(decision, &inputs.account.usable));
    };
    let ownership = ownership(inputs, account);
    let (mut trust_of, mut sessions_plan) = (None, None);
    let target = match (decision, &present.role) {
        (Decision::Undecided(missing), _) => {
            return RolePlan::nothing(RoleOutcome::waiting(
                ConditionReason::Progressing,
                missing.to_string(),
            ));
        }
        (Decision::Accepted(accepted), Some(role)) => match &role.source {
            RoleSource::Owned(owned) => {
                let cluster = &inputs.cluster;
                let compiled = trust::compile(cluster, account, &role.id, &present.bindings);
                let document = compiled.document.clone();
                trust_of = Some(RoleTrust {
                    compiled,
                    named: present.named.clone(),
                    remembered: inputs.remembered(),
                });
                let (inline, plan) = sessions_of(inputs, account, present, owned);
                sessions_plan = Some(plan);
                let documents = (document, inline);
                target::provision(cluster, account, &ownership, owned, present, accepted, documents)
            }
            RoleSource::Existing(existing) => {
                let role = (role.as_ref(), &existing.arn);
                let look = RoleLook::new(inputs, account, role, present, accepted, key);
                return RolePlan {
                    sessions: None,
                    finalizer: Finalizer::Keep,
                    work: RoleWork::Look(Box::new(look)),
                };
            }
        },
        // What it was before it could not be read any more must still be made unusable.
        (Decision::Accepted(_), None) | (Decision::Refused(_), _) => RoleTarget::Suspend,
    };
    match &target {
        // Nothing of it was ever in AWS.
        RoleTarget::Suspend if !inputs.has_finalizer() => {
            RolePlan::nothing(RoleOutcome::Suspended { role_id: None })
        }
        RoleTarget::Hold { until, .. } if !inputs.has_finalizer() => {
            RolePlan::nothing(RoleOutcome::waiting(ConditionReason::BoundaryNotReady, until))
        }
        _ => {
            // What holds its sessions when it is suspended is that: the record stays for when it is not any more.
            let sessions = sessions_plan.filter(|_| target.desired().is_some());
            let bound = !present.bindings.is_empty();
            let plan = RolePlan::converge(inputs, account, ownership, (target, trust_of), bound, key);
            RolePlan { sessions, ..plan }
        }
    }
}

/// Whose sessions may run and whose are cut, and the inline policy that says so.
pub(super) fn sessions_of(
    inputs: &RoleInputs,
    account: &Account,
    present: &PresentRole,
    owned: &OwnedRole,
) -> (Option<Document>, SessionsPlan) {
    let recorded = inputs.recorded_sessions();
    // Whoever had sessions before a takeover is in no record that could be believed.
    let former = if inputs.takeover.is_some() {
        FormerSessions::Unknown
    } else {
        FormerSessions::of(inputs, recorded.as_ref())
    };
    let bearers = Bearers::of(account, present.bindings.iter().map(Arc::as_ref));
    let most = sessions::most_recorded(&inputs.id.kind);
    let mut record = sessions::step(former, &bearers, inputs.now, most);
    record.everybody = sessions::everybodys(recorded.as_ref(), inputs.takeover, inputs.now);
    let untagged_before = recorded.as_ref().and_then(|recorded| recorded.untagged.as_ref());
    let is_known = former != FormerSessions::Unknown;
    untagged::step(
        untagged_before,
        is_known,
        &mut record,
        owned.revocation,
        inputs.now,
    );
    let how = (
        owned.revocation,
        inputs.now,
        narrowed::most_recorded(&inputs.id.kind),
    );
    narrowed::step(former, &bearers, inputs.shares.as_ref(), &mut record, how);
    let inline = sessions::with_cut(&mut record, &bearers, owned.policies.inline());
    let plan = SessionsPlan {
        comes_first: sessions::comes_first(former, &record),
        record,
        shares: bearers.shares,
    };
    (inline, plan)
}

/// How the role is known as ours in AWS.
fn ownership(inputs: &RoleInputs, account: &Account) -> Ownership {
    Ownership::of(
        &inputs.cluster,
        &inputs.cluster_uid,
        account,
        &inputs.id,
        &inputs.uid,
    )
}

fn assess_deletion(inputs: &RoleInputs, stays: bool, key: &FingerprintKey) -> RolePlan {
    if inputs.object.is_some() && !inputs.has_finalizer() {
        // Nothing of it was ever in AWS.
        return RolePlan::nothing(RoleOutcome::Deleted);
    }
    let Some(name) = &inputs.account.name else {
        // The schema forbids that; no role was ever made of it.
        return RolePlan::nothing(RoleOutcome::Deleted);
    };
    let account = match (&inputs.account.as_written, &inputs.account.usable) {
        // Also by one that may not be used: what it made goes.
        (Some(account), _) | (None, Entry::Known(account)) => account,
        (None, Entry::Unreadable(why)) => {
            let message = format!("the AWSAccount {name} can't be read: {why}");
            let ended = TriedFor::Passing;
            return RolePlan::nothing(RoleOutcome::Deleting { message, ended });
        }
        (None, Entry::Missing) => {
            let message = format!(
                "the AWSAccount {name} does not exist, so the IAM role can't be deleted; make the account again, or delete \
                 the IAM role yourself and remove the finalizer {FINALIZER}"
            );
            let ended = TriedFor::Good;
            return RolePlan::nothing(RoleOutcome::Deleting { message, ended });
        }
    };
    let ownership = ownership(inputs, account);
    let target = if stays {
        RoleTarget::Retain
    } else {
        RoleTarget::Delete
    };
    RolePlan::converge(inputs, account, ownership, (target, None), false, key)
}

impl RolePlan {
    /// The entry of a ClusterAWSRole's with what is recorded of its sessions.
    #[must_use]
    pub fn with_sessions(&self, mut entry: RoleInstance) -> RoleInstance {
        if let Some(sessions) = &self.sessions {
            entry.sessions = Some(sessions.record.clone());
        }
        entry
    }

    /// It was carried out, and AWS brought to `outcome`.
    pub fn reached(&mut self, outcome: &RoleOutcome, now: Timestamp) {
        if let Some(sessions) = &mut self.sessions {
            untagged::reached(&mut sessions.record, outcome, now);
        }
    }

    fn nothing(outcome: RoleOutcome) -> Self {
        Self {
            sessions: None,
            finalizer: Finalizer::Keep,
            work: RoleWork::Nothing(outcome),
        }
    }

    fn converge(
        inputs: &RoleInputs,
        account: &Arc<Account>,
        ownership: Ownership,
        (target, trust): (RoleTarget, Option<RoleTrust>),
        bound: bool,
        key: &FingerprintKey,
    ) -> Self {
        let finalizer = match target {
            RoleTarget::Provision(_) => Finalizer::Add {
                account: account.name.clone(),
            },
            RoleTarget::Hold { .. }
            | RoleTarget::Suspend
            | RoleTarget::Retain
            | RoleTarget::Shut
            | RoleTarget::Delete => Finalizer::Keep,
        };
        let trust = trust.filter(|_| target.desired().is_some());
        let wanted = (
            target.desired(),
            &trust,
            &ownership,
            &account.id,
            &account.endpoints,
            // Another one has AWS looked at again.
            inputs
                .object
                .as_ref()
                .and_then(|object| reconcile_requested_at(&object.metadata)),
        );
        let convergence = Convergence {
            is_reported_well: inputs.has_finalizer() && reports(inputs, &target, trust.as_ref()),
            is_said_not_made: target == RoleTarget::Suspend && inputs.is_said_not_made(),
            fingerprint: key.fingerprint(&wanted),
            account: Arc::clone(account),
            ownership,
            target,
            trust,
            bound,
            known_role_id: inputs.known_role_id(),
            is_first: inputs.recorded_sessions().is_none() && !inputs.has_finalizer(),
            takeover: inputs.takeover,
            uid: inputs.uid.clone(),
        };
        Self {
            sessions: None,
            finalizer,
            work: RoleWork::Converge(Box::new(convergence)),
        }
    }
}

/// Whether the status says that AWS has what is wanted, as far as it can tell: of this spec, with this boundary, trusting just these.
fn reports(inputs: &RoleInputs, target: &RoleTarget, trust: Option<&RoleTrust>) -> bool {
    let Some(well) = inputs.known_well() else {
        return false;
    };
    match target {
        RoleTarget::Provision(desired) => {
            let boundary = desired.boundary.as_ref().map(ToString::to_string);
            let trust_hash = trust.map(|trust| trust.compiled.hash());
            well.is_usable
                && well.trust_hash == trust_hash
                && well.boundary_arn.is_none_or(|known| known == boundary)
        }
        RoleTarget::Suspend => well.is_suspended,
        RoleTarget::Hold { .. } | RoleTarget::Retain | RoleTarget::Shut | RoleTarget::Delete => false,
    }
}

fn without_account(decision: &Decision, account: &Entry<Account>) -> RoleOutcome {
    match (decision, account) {
        (_, Entry::Unreadable(why)) => RoleOutcome::waiting(
            ConditionReason::AccountInvalid,
            format!("the AWSAccount can't be used: {why}"),
        ),
        (Decision::Undecided(missing), _) => {
            RoleOutcome::waiting(ConditionReason::AccountNotFound, missing.to_string())
        }
        _ => RoleOutcome::waiting(ConditionReason::AccountNotFound, "the AWSAccount does not exist"),
    }
}
