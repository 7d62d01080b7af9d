//! *Apply*: the policy of the resource in AWS.

use deputy_aws::{ErrorClass, ResourcePolicies};
use deputy_delegation::{
    model::ObjectId,
    resource_policy::{PolicyEdit, edit},
};

use super::{
    assess::StatementTarget,
    outcome::{AppliedStatement, StatementOutcome},
};
use crate::{
    error::ReconcileError,
    verified::{Fingerprint, Verified},
};

/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 240;

/// What is known of a statement without asking AWS.
#[derive(Clone, Copy)]
pub struct KnownStatements<'a> {
    pub verified: &'a Verified<ObjectId>,
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
    if known.is_asked_for || target.wanted.is_some() != target.is_claimed {
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

/// What the policy of the resource was found to need.
pub struct Look(Result<PolicyEdit, StatementOutcome>, bool);

impl Look {
    /// Whether something is about to be written that the object does not claim yet.
    #[must_use]
    pub fn claims(&self) -> bool {
        self.1
    }
}

/// Reads the policy of the resource.
pub async fn look(policies: &dyn ResourcePolicies, target: &StatementTarget) -> Look {
    let found = needed(policies, target).await;
    let is_there = matches!(found, Ok(PolicyEdit::Put { .. } | PolicyEdit::Nothing));
    let claims = target.wanted.is_some() && !target.is_claimed && is_there;
    Look(found, claims)
}

async fn needed(
    policies: &dyn ResourcePolicies,
    target: &StatementTarget,
) -> Result<PolicyEdit, StatementOutcome> {
    let there = match policies.resource_policy(&target.resource).await {
        Ok(there) => there,
        // With the resource its policy is gone, too.
        Err(error) if error.class() == ErrorClass::NotFound && target.wanted.is_none() => None,
        Err(error) => return Err(StatementOutcome::Failed(error)),
    };
    let edit = edit(
        there.as_deref(),
        &target.resource,
        &target.sid,
        target.wanted.as_ref(),
        target.is_claimed,
    );
    edit.map_err(StatementOutcome::Unfit)
}

/// Writes what the policy was found to need.
///
/// # Errors
/// [`ReconcileError::NotLeader`].
pub async fn finish(
    policies: &dyn ResourcePolicies,
    known: KnownStatements<'_>,
    target: &StatementTarget,
    look: Look,
) -> Result<AppliedStatement, ReconcileError> {
    let fingerprint = known.fingerprint(target);
    let was_there = known.verified.was_verified(known.id, fingerprint);
    known.verified.forget(known.id);
    // A claim is a call to the API server, in whose time somebody may have written.
    let found = if look.claims() {
        needed(policies, target).await
    } else {
        look.0
    };
    let (outcome, drift) = match found {
        Ok(edit) => {
            let drift = difference(&edit, target, was_there);
            (written(policies, target, &edit).await, drift)
        }
        Err(outcome) => (Err(outcome), None),
    };
    match outcome {
        Ok(()) => {
            known.verified.record(known.id.clone(), fingerprint);
            Ok(AppliedStatement {
                drift,
                ..AppliedStatement::now(reached(target))
            })
        }
        Err(StatementOutcome::Failed(error)) if error.class() == ErrorClass::NotLeader => {
            Err(ReconcileError::NotLeader)
        }
        Err(outcome) => Ok(AppliedStatement::now(outcome)),
    }
}

async fn written(
    policies: &dyn ResourcePolicies,
    target: &StatementTarget,
    edit: &PolicyEdit,
) -> Result<(), StatementOutcome> {
    let resource = &target.resource;
    let written = match edit {
        PolicyEdit::Nothing => Ok(()),
        PolicyEdit::Put { policy, .. } => policies.put_resource_policy(resource, policy).await,
        PolicyEdit::Delete => policies.delete_resource_policy(resource).await,
    };
    written.map_err(StatementOutcome::Failed)?;
    match edit {
        PolicyEdit::Nothing => {}
        PolicyEdit::Put { .. } => {
            tracing::info!(%resource, sid = target.sid.as_str(), "resource policy written")
        }
        PolicyEdit::Delete => tracing::info!(%resource, sid = target.sid.as_str(), "resource policy deleted"),
    }
    Ok(())
}

/// What somebody changed: of what was there as it should be, and of what was claimed and is another one.
fn difference(edit: &PolicyEdit, target: &StatementTarget, was_there: bool) -> Option<String> {
    target.wanted.as_ref()?;
    match edit {
        PolicyEdit::Put { found: None, .. } if was_there => {
            Some(format!("the policy had no statement {}", target.sid))
        }
        PolicyEdit::Put {
            found: Some(found), ..
        } if was_there => {
            let mut text: String = found.chars().take(STATEMENT_CHARS).collect();
            if text.len() < found.len() {
                text.push('…');
            }
            Some(format!("the policy had {text}"))
        }
        PolicyEdit::Put { .. } | PolicyEdit::Nothing | PolicyEdit::Delete => None,
    }
}
