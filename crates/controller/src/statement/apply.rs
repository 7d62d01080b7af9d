//! *Apply*: the policy of the resource in AWS.

use std::{collections::HashMap, time::Duration};

use deputy_aws::{AwsError, ErrorClass, ResourcePolicies};
use deputy_delegation::{
    model::ObjectId,
    resource_policy::{PolicyEdit, PolicyEditError, StatementEdit},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    assess::StatementTarget,
    outcome::{AppliedStatement, StatementOutcome},
    turns::{CurrentPolicy, PolicyTurn},
};
use crate::{
    difference::cut,
    error::ReconcileError,
    verified::{Fingerprint, PROPAGATION, Verified},
};

/// So long AWS may not know a role that was just made. It names no bound and speaks of seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency>
const UNKNOWN: Duration = Duration::from_secs(120);

/// Since when AWS does not know a principal of a statement, by what the statement is to be.
#[derive(Debug, Default)]
pub struct UnknownPrincipals(Mutex<HashMap<ObjectId, (Fingerprint, Instant)>>);

impl UnknownPrincipals {
    /// AWS knows one not. Gives whether that has been so for too long to pass.
    fn are_unknown(&self, id: &ObjectId, wanted: Fingerprint) -> bool {
        let mut all = self.0.lock();
        let (known, since) = all.entry(id.clone()).or_insert_with(|| (wanted, Instant::now()));
        if *known != wanted {
            (*known, *since) = (wanted, Instant::now());
        }
        since.elapsed() >= UNKNOWN
    }

    /// AWS has taken what the statement is to be, or there is none.
    pub fn forget(&self, id: &ObjectId) {
        self.0.lock().remove(id);
    }
}

/// What is known of a statement without asking AWS.
#[derive(Clone, Copy)]
pub struct KnownStatements<'a> {
    pub verified: &'a Verified<ObjectId>,
    pub unknown_principals: &'a UnknownPrincipals,
    pub id: &'a ObjectId,
    /// Whether somebody asks for a look since AWS was last asked.
    pub is_asked_for: bool,
}

impl KnownStatements<'_> {
    fn fingerprint(&self, target: &StatementTarget) -> Fingerprint {
        let wanted = (
            &target.wanted,
            &target.unique_ids,
            &target.resource,
            &target.account.id,
        );
        self.verified.key().fingerprint(&wanted)
    }
}

/// What is true without a call, where AWS was seen to have it a short while ago.
#[must_use]
pub fn known(known: KnownStatements<'_>, target: &StatementTarget) -> Option<AppliedStatement> {
    if known.is_asked_for || !target.is_claimed {
        return None;
    }
    let fingerprint = known.fingerprint(target);
    let left = known.verified.verified_for(known.id, fingerprint)?;
    Some(AppliedStatement {
        verified_for: Some(left),
        ..AppliedStatement::now(reached(target))
    })
}

fn reached(target: &StatementTarget) -> StatementOutcome {
    match target.wanted {
        Some(_) => StatementOutcome::Present,
        None => StatementOutcome::Absent,
    }
}

/// The policy of the resource as it was found, and what it needs.
pub struct Look(Result<Found, AwsError>);

struct Found {
    there: CurrentPolicy,
    needs: Result<PolicyEdit, PolicyEditError>,
}

impl Look {
    /// Whether the policy is about to have something of the object's that it does not claim yet.
    #[must_use]
    pub fn claims(&self, target: &StatementTarget) -> bool {
        let is_fit = matches!(&self.0, Ok(found) if found.needs.is_ok());
        target.wanted.is_some() && !target.is_claimed && is_fit
    }
}

fn statement<'a>(target: &'a StatementTarget, is_own: &'a dyn Fn(&str) -> bool) -> StatementEdit<'a> {
    StatementEdit {
        resource: &target.resource,
        sid: &target.sid,
        wanted: target.wanted.as_ref(),
        is_owned: target.is_claimed,
        is_own,
    }
}

/// Reads the policy of the resource.
pub async fn look(policies: &dyn ResourcePolicies, turn: &PolicyTurn, target: &StatementTarget) -> Look {
    let shown = match policies.resource_policy(&target.resource).await {
        Ok(shown) => shown,
        // With the resource its policy is gone, too.
        Err(error) if error.class() == ErrorClass::NotFound && target.wanted.is_none() => None,
        Err(error) => return Look(Err(error)),
    };
    let there = turn.current(shown);
    let needs = statement(target, &|sid| target.is_own(sid)).of(there.policy.as_deref());
    Look(Ok(Found { there, needs }))
}

/// Writes what the policy was found to need.
///
/// # Errors
/// [`ReconcileError::NotLeader`].
pub async fn finish(
    policies: &dyn ResourcePolicies,
    turn: &PolicyTurn,
    known: KnownStatements<'_>,
    target: &StatementTarget,
    look: Look,
) -> Result<AppliedStatement, ReconcileError> {
    let fingerprint = known.fingerprint(target);
    let was_there = known.verified.was_verified(known.id, fingerprint);
    known.verified.forget(known.id);
    let Found { there, needs } = match look.0 {
        Ok(found) => found,
        Err(error) => return not_leading(of_error(known, target, error)),
    };
    let edit = match needs {
        Ok(edit) => edit,
        Err(why) => {
            return without_the_old(policies, turn, known, target, there, StatementOutcome::Unfit(why)).await;
        }
    };
    if let Err(error) = write(policies, turn, target, there.policy.clone(), &edit).await {
        return match of_error(known, target, error) {
            outcome @ StatementOutcome::Refused(_) if target.wanted.is_some() => {
                without_the_old(policies, turn, known, target, there, outcome).await
            }
            outcome => not_leading(outcome),
        };
    }
    known.unknown_principals.forget(known.id);
    let is_from_memory = edit == PolicyEdit::Nothing && !there.is_shown;
    if !is_from_memory {
        known.verified.record(known.id.clone(), fingerprint);
    }
    Ok(AppliedStatement {
        drift: difference(&edit, target, was_there),
        verified_for: is_from_memory.then_some(PROPAGATION),
        is_taken_out: target.wanted.is_none() && edit != PolicyEdit::Nothing,
        is_from_memory,
        ..AppliedStatement::now(reached(target))
    })
}

fn not_leading(outcome: StatementOutcome) -> Result<AppliedStatement, ReconcileError> {
    match outcome {
        StatementOutcome::Failed(error) if error.class() == ErrorClass::NotLeader => {
            Err(ReconcileError::NotLeader)
        }
        outcome => Ok(AppliedStatement::now(outcome)),
    }
}

/// What the statement was before is no more what the object says, and may be more than limits allow: where the new one can't be written, it
/// goes all the same.
async fn without_the_old(
    policies: &dyn ResourcePolicies,
    turn: &PolicyTurn,
    known: KnownStatements<'_>,
    target: &StatementTarget,
    there: CurrentPolicy,
    outcome: StatementOutcome,
) -> Result<AppliedStatement, ReconcileError> {
    let without = statement(target, &|sid| target.is_own(sid)).without(there.policy.as_deref());
    // A policy that can't be read is left as it is.
    let Ok(edit) = without else {
        return not_leading(outcome);
    };
    match write(policies, turn, target, there.policy, &edit).await {
        Ok(()) => Ok(AppliedStatement {
            is_taken_out: true,
            ..AppliedStatement::now(outcome)
        }),
        Err(error) => not_leading(of_error(known, target, error)),
    }
}

fn of_error(known: KnownStatements<'_>, target: &StatementTarget, error: AwsError) -> StatementOutcome {
    let is_passing = match error.class() {
        // While something is taken out, the one who is gone is in somebody else's statement.
        ErrorClass::InvalidPrincipal => {
            target.wanted.is_some()
                && !known
                    .unknown_principals
                    .are_unknown(known.id, known.fingerprint(target))
        }
        ErrorClass::NotLeader => true,
        _ => error.is_retryable(),
    };
    if is_passing {
        StatementOutcome::Failed(error)
    } else {
        StatementOutcome::Refused(error)
    }
}

async fn write(
    policies: &dyn ResourcePolicies,
    turn: &PolicyTurn,
    target: &StatementTarget,
    there: Option<String>,
    edit: &PolicyEdit,
) -> Result<(), AwsError> {
    let (resource, sid) = (&target.resource, target.sid.as_str());
    let after = match edit {
        PolicyEdit::Nothing => return Ok(()),
        PolicyEdit::Put { policy, .. } => {
            policies.put_resource_policy(resource, policy).await?;
            tracing::info!(%resource, sid, "resource policy written");
            Some(policy.clone())
        }
        PolicyEdit::Delete => {
            policies.delete_resource_policy(resource).await?;
            tracing::info!(%resource, sid, "resource policy deleted");
            None
        }
    };
    turn.wrote(there, after);
    Ok(())
}

/// What somebody changed of what was as it should be.
fn difference(edit: &PolicyEdit, target: &StatementTarget, was_there: bool) -> Option<String> {
    if !was_there || *edit == PolicyEdit::Nothing {
        return None;
    }
    let sid = &target.sid;
    Some(match (&target.wanted, edit) {
        (None, _) => format!("the policy had a statement {sid} again"),
        (
            Some(_),
            PolicyEdit::Put {
                found: Some(found), ..
            },
        ) => {
            format!("the policy had {}", cut(found.clone()))
        }
        (Some(_), _) => format!("the policy had no statement {sid}"),
    })
}
