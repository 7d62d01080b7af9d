//! *Apply*: the policy of the resource in AWS.

use deputy_aws::{AwsError, ErrorClass, ResourcePolicies};
use deputy_delegation::{
    model::ObjectId,
    resource_policy::{PolicyEdit, PolicyEditError, StatementEdit},
};

use super::{
    assess::StatementTarget,
    outcome::{AppliedStatement, StatementOutcome},
    turns::PolicyTurn,
};
use crate::{
    error::ReconcileError,
    orphans::{GiveUps, TriedFor},
    verified::{Fingerprint, Verified},
};

/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 240;

/// What is known of a statement without asking AWS.
#[derive(Clone, Copy)]
pub struct KnownStatements<'a> {
    pub verified: &'a Verified<ObjectId>,
    /// Since when AWS does not know a principal of a statement: one that was just made is not known everywhere.
    pub unknown_principals: &'a GiveUps<ObjectId>,
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
    there: Option<String>,
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
    let needs = statement(target, &|sid| target.is_own(sid)).of(there.as_deref());
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
    let outcome = match look.0 {
        Err(error) => of_error(known, target, error),
        Ok(Found { there, needs }) => match needs {
            Ok(edit) => match write(policies, turn, target, there.clone(), &edit).await {
                Ok(()) => {
                    known.verified.record(known.id.clone(), fingerprint);
                    known.unknown_principals.forget(known.id);
                    return Ok(AppliedStatement {
                        drift: difference(&edit, target, was_there),
                        ..AppliedStatement::now(reached(target))
                    });
                }
                Err(error) => match of_error(known, target, error) {
                    StatementOutcome::Refused(error) if is_about_the_statement(&error) => {
                        let outcome = StatementOutcome::Refused(error);
                        without_the_old(policies, turn, target, there, outcome).await
                    }
                    outcome => outcome,
                },
            },
            Err(why) => {
                let outcome = StatementOutcome::Unfit(why);
                without_the_old(policies, turn, target, there, outcome).await
            }
        },
    };
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
    target: &StatementTarget,
    there: Option<String>,
    outcome: StatementOutcome,
) -> StatementOutcome {
    let without = statement(target, &|sid| target.is_own(sid)).without(there.as_deref());
    match without {
        Ok(edit) => match write(policies, turn, target, there, &edit).await {
            Ok(()) => outcome,
            Err(error) => StatementOutcome::Failed(error),
        },
        // A policy that can't be read is left as it is.
        Err(_) => outcome,
    }
}

fn of_error(known: KnownStatements<'_>, target: &StatementTarget, error: AwsError) -> StatementOutcome {
    let is_passing = match error.class() {
        // While something is taken out, the one who is gone is in somebody else's statement.
        ErrorClass::InvalidPrincipal if target.wanted.is_none() => false,
        ErrorClass::InvalidPrincipal => !known.unknown_principals.tried(known.id, TriedFor::Good),
        ErrorClass::NotLeader => true,
        _ => error.is_retryable(),
    };
    if is_passing {
        StatementOutcome::Failed(error)
    } else {
        StatementOutcome::Refused(error)
    }
}

/// Whether AWS refused what the statement says, and not that anybody writes there.
fn is_about_the_statement(error: &AwsError) -> bool {
    matches!(
        error.class(),
        ErrorClass::MalformedPolicy
            | ErrorClass::InvalidInput
            | ErrorClass::InvalidPrincipal
            | ErrorClass::LimitExceeded
    )
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
