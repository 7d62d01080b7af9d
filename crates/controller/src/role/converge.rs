//! Brings one role in AWS to where a plan has nothing left to do: reads, plans and writes, each write only while the Lease allows. The one
//! place that writes roles.

use std::{collections::BTreeSet, time::Duration};

use deputy_aws::{AwsError, ErrorClass, Roles};
use deputy_delegation::{
    ManagedPolicyArn, RoleName,
    plan::{Conflict, IamCall, Nature, ObservedRole, Step},
};
use tokio::time::Instant;

use crate::{context::MayWrite, orphans::TriedFor, queue::Superseded};

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;
/// How long a plan rests on what was read. A call that begins then may wait for its turn, and be repeated, for 30 s more.
const OBSERVED_FOR: Duration = Duration::from_secs(60);

/// A role about which nothing is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converged {
    /// Whether anything was written for that.
    pub changed: bool,
    /// Its unique id; `None` when there is no role.
    pub role_id: Option<String>,
    /// What AWS refused of tags: all else is as it should be.
    pub refused_tags: Vec<AwsError>,
    /// Managed policies that could not be attached because there are none of these names: all else is as it should be.
    pub absent: Vec<ManagedPolicyArn>,
}

/// Why a role could not be brought to its target. Another attempt goes on from where this one ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleApplyError {
    /// Somebody else's role has its name.
    #[error("the role is left alone")]
    Conflict(#[source] Conflict),
    /// AWS could not be read; nothing was written before that.
    #[error("AWS can't be read")]
    Read(#[source] AwsError),
    /// AWS refused a write, or a read after one.
    #[error("AWS refused a call")]
    Write(#[source] AwsError),
    /// AWS does not show what was written.
    #[error("AWS does not show the change yet")]
    NotShown,
    /// The Lease has too little time left for another write.
    #[error("the Lease has too little time left for a call to AWS")]
    NotLeader,
    /// Something more urgent is to be done about the role.
    #[error("something more urgent is to be done about the role")]
    Superseded,
}

impl RoleApplyError {
    /// Whether another try may succeed though nobody changes anything in AWS. What is Deputy's own trouble (no credentials, a clock
    /// that is wrong, an answer that makes no sense) is none of AWS's refusals.
    pub(super) fn ended(&self) -> TriedFor {
        let error = match self {
            Self::Read(error) | Self::Write(error) => error,
            Self::Conflict(_) => return TriedFor::Good,
            Self::NotShown | Self::NotLeader | Self::Superseded => return TriedFor::Passing,
        };
        match error.class() {
            // Something is in its way that is not Deputy's: an instance profile, for example.
            ErrorClass::Conflict if error.code() == Some("DeleteConflict") => TriedFor::Good,
            ErrorClass::AccessDenied
            | ErrorClass::AlreadyExists
            | ErrorClass::MalformedPolicy
            | ErrorClass::LimitExceeded
            | ErrorClass::PackedPolicyTooLarge
            | ErrorClass::InvalidInput => TriedFor::Good,
            ErrorClass::Throttled
            | ErrorClass::Unreachable
            | ErrorClass::Service
            | ErrorClass::NotFound
            | ErrorClass::Conflict
            | ErrorClass::InvalidPrincipal
            | ErrorClass::ExpiredCredentials
            | ErrorClass::InvalidCredentials
            | ErrorClass::NoCredentials
            | ErrorClass::NotLeader
            | ErrorClass::Other => TriedFor::Passing,
        }
    }
}

/// What of a role is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleReads {
    /// All of it.
    Whole,
    /// The role itself and Deputy's own policy: two calls. It is all that closing a role rests on, and where AWS grants few calls it is soon
    /// closed.
    ToClose,
}

/// The roles of an account, by what calls are made for.
#[derive(Clone, Copy)]
pub struct RoleCalls<'a> {
    /// For what the role is looked at, and for what is given.
    pub roles: &'a dyn Roles,
    /// For what is taken away.
    pub revoking: &'a dyn Roles,
    /// What the plan rests on.
    pub reads: RoleReads,
    /// Whether something else is to be done about the role than what is being done. No call that is under way is given up for that but
    /// a read: what becomes of a write has to be known.
    pub superseded: &'a Superseded,
}

impl<'a> RoleCalls<'a> {
    fn of(self, nature: Nature) -> &'a dyn Roles {
        match nature {
            Nature::Shrinks => self.revoking,
            Nature::Grows | Nature::Cosmetic => self.roles,
        }
    }

    /// A read, which is given up for what is more urgent. What it fails with, `failed` says.
    async fn read(
        self,
        name: &RoleName,
        failed: impl FnOnce(AwsError) -> RoleApplyError,
    ) -> Result<Option<ObservedRole>, RoleApplyError> {
        let read = match self.reads {
            RoleReads::Whole => self.roles.get_role(name),
            RoleReads::ToClose => self.roles.get_role_and_own_policy(name),
        };
        tokio::select! {
            biased;
            () = self.superseded.until_superseded() => Err(RoleApplyError::Superseded),
            observed = read => observed.map_err(failed),
        }
    }
}

/// Brings the role of this name to where `plan` has nothing left to do.
///
/// Every round begins with a read, so a write whose outcome is unknown is never repeated blindly: an attempt with a call that
/// failed is over with its round, and the next one reads first. Within the round nothing more is given, and what takes away is still
/// done: AWS may refuse the one call for ever. But where a call that gives may still work, nothing is taken away after it: what both the
/// old and the new permissions grant is never missing. A call that waits for its turn keeps the plan; what was observed longer than
/// [`OBSERVED_FOR`] ago is read again before the next call. What AWS refuses of tags is passed over, and so is a managed policy that does
/// not exist.
///
/// # Errors
/// [`RoleApplyError`]; another attempt goes on from where this one ended.
pub async fn converge(
    calls: RoleCalls<'_>,
    name: &RoleName,
    may_write: MayWrite<'_>,
    plan: impl Fn(Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> + Send + Sync,
) -> Result<Converged, RoleApplyError> {
    let mut attempt = Attempt::default();
    for _ in 0..LOOKS {
        let read = Instant::now();
        let observed = calls.read(name, |error| attempt.unreadable(error)).await?;
        attempt.sees(observed.as_ref())?;
        let steps = plan(observed.as_ref()).map_err(RoleApplyError::Conflict)?;
        let steps = attempt.left_of(steps);
        if steps.is_empty() {
            return Ok(attempt.converged(observed));
        }
        let mut failed = None;
        for step in steps {
            if failed.is_some() && step.nature == Nature::Grows {
                continue;
            }
            if calls.superseded.is_superseded() {
                return Err(RoleApplyError::Superseded);
            }
            if read.elapsed() > OBSERVED_FOR {
                // What is left is planned anew.
                break;
            }
            if !may_write() {
                return Err(RoleApplyError::NotLeader);
            }
            let outcome = calls.of(step.nature).execute(&step.call).await;
            if let Some(error) = attempt.done(name, step, outcome)? {
                failed.get_or_insert(error);
            }
        }
        if let Some(error) = failed {
            return Err(RoleApplyError::Write(error));
        }
    }
    Err(RoleApplyError::NotShown)
}

/// Makes the step of a plan that shuts out who is to be shut out ([`RoleTarget::shuts_out`](super::target::RoleTarget::shuts_out)), before all
/// of the role is read: two reads and the write, where looking at the whole first takes four. The rest of the plan is [`converge`]'s, which
/// reads anew, also where AWS refused this write.
///
/// # Errors
/// [`RoleApplyError`]; another attempt goes on from where this one ended.
pub async fn close_first(
    calls: RoleCalls<'_>,
    name: &RoleName,
    may_write: MayWrite<'_>,
    plan: impl Fn(Option<&ObservedRole>) -> Result<Option<Step>, Conflict> + Send + Sync,
) -> Result<(), RoleApplyError> {
    let to_close = RoleCalls {
        reads: RoleReads::ToClose,
        ..calls
    };
    let observed = to_close.read(name, RoleApplyError::Read).await?;
    let Some(step) = plan(observed.as_ref()).map_err(RoleApplyError::Conflict)? else {
        return Ok(());
    };
    if !may_write() {
        return Err(RoleApplyError::NotLeader);
    }
    let outcome = calls.revoking.execute(&step.call).await;
    Attempt::default().done(name, step, outcome).map(drop)
}

/// What is known of the role since an attempt began.
#[derive(Default)]
struct Attempt {
    changed: bool,
    is_there: bool,
    /// What AWS refused of tags.
    refused_tags: Vec<(IamCall, AwsError)>,
    /// Managed policies that AWS doesn't know.
    absent: BTreeSet<ManagedPolicyArn>,
}

impl Attempt {
    fn unreadable(&self, error: AwsError) -> RoleApplyError {
        if self.changed {
            RoleApplyError::Write(error)
        } else {
            RoleApplyError::Read(error)
        }
    }

    /// A role that was there a moment ago is not believed gone.
    fn sees(&mut self, observed: Option<&ObservedRole>) -> Result<(), RoleApplyError> {
        if self.is_there && observed.is_none() {
            return Err(RoleApplyError::NotShown);
        }
        self.is_there = observed.is_some();
        if observed.is_none() {
            // It was the role that did not exist.
            self.absent.clear();
        }
        Ok(())
    }

    /// The steps without those that AWS refused, and that are passed over.
    fn left_of(&self, mut steps: Vec<Step>) -> Vec<Step> {
        steps.retain(|step| {
            let is_absent = matches!(&step.call, IamCall::AttachRolePolicy { policy_arn, .. } if self.absent.contains(policy_arn));
            !is_absent && self.refused_tags.iter().all(|(call, _)| *call != step.call)
        });
        steps
    }

    /// A step was tried. Gives the error with which the attempt fails when its round is over.
    ///
    /// # Errors
    /// The attempt is over at once.
    fn done(
        &mut self,
        name: &RoleName,
        Step { call, nature }: Step,
        outcome: Result<(), AwsError>,
    ) -> Result<Option<AwsError>, RoleApplyError> {
        let action = call.action();
        let error = match outcome {
            Ok(()) => {
                tracing::info!(aws_role = %name, action, "applied a call to the role");
                self.changed = true;
                self.is_there = !matches!(call, IamCall::DeleteRole { .. });
                return Ok(None);
            }
            Err(error) if error.class() == ErrorClass::NotLeader => return Err(RoleApplyError::NotLeader),
            Err(error) => error,
        };
        tracing::info!(aws_role = %name, action, %error, "failed to apply a call to the role");
        match call {
            IamCall::AttachRolePolicy { policy_arn, .. } if error.class() == ErrorClass::NotFound => {
                self.absent.insert(policy_arn);
                Ok(None)
            }
            call if nature == Nature::Cosmetic => {
                self.refused_tags.push((call, error));
                Ok(None)
            }
            // What takes away after it would take what is given instead: both grant it, and it may still come.
            _ if nature == Nature::Grows && error.is_retryable() => Err(RoleApplyError::Write(error)),
            _ => Ok(Some(error)),
        }
    }

    fn converged(self, observed: Option<ObservedRole>) -> Converged {
        Converged {
            changed: self.changed,
            role_id: observed.map(|role| role.unique_id),
            refused_tags: self.refused_tags.into_iter().map(|(_, error)| error).collect(),
            absent: self.absent.into_iter().collect(),
        }
    }
}
