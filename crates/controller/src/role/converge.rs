//! *Apply*: reads a role, plans and writes until there is nothing left to do. The one place that writes roles.

use deputy_aws::{AwsError, Roles};
use deputy_delegation::{
    RoleName,
    plan::{Conflict, IamCall, Nature, ObservedRole, Step},
};

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;

/// Whether a write may begin now.
pub type MayWrite<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// AWS has the role as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converged {
    /// Whether anything was written for that.
    pub changed: bool,
    /// Its unique id; `None` when there is no role.
    pub role_id: Option<String>,
    /// What AWS refused of tags: all else is as it should be.
    pub passed_over: Vec<AwsError>,
}

/// Why a role is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody else's role has its name.
    Conflict(Conflict),
    /// AWS could not be read; nothing was written before that.
    Unread(AwsError),
    /// AWS refused a write, or something after one.
    Failed(AwsError),
    /// AWS does not show what was written.
    NotShown,
    /// The Lease has too little time left for another write.
    NotLeader,
}

/// Brings the role of this name to where `plan` has nothing left to do.
///
/// Every round begins with a read, so a write whose outcome is unknown is never repeated blindly: an attempt with a call that
/// failed is over with its round, and the next one reads first. Within the round nothing more is given, and what takes away is still
/// done: AWS may refuse the one call for ever. What AWS refuses of tags is passed over.
///
/// # Errors
/// [`Stopped`]; another attempt goes on from where this one ended.
pub async fn converge(
    roles: &dyn Roles,
    name: &RoleName,
    may_write: MayWrite<'_>,
    plan: impl Fn(Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> + Send + Sync,
) -> Result<Converged, Stopped> {
    let mut changed = false;
    let mut passed_over: Vec<(IamCall, AwsError)> = Vec::new();
    for _ in 0..LOOKS {
        let observed = roles.get_role(name).await.map_err(|error| {
            if changed {
                Stopped::Failed(error)
            } else {
                Stopped::Unread(error)
            }
        })?;
        let mut steps = plan(observed.as_ref()).map_err(Stopped::Conflict)?;
        steps.retain(|step| passed_over.iter().all(|(call, _)| *call != step.call));
        if steps.is_empty() {
            return Ok(Converged {
                changed,
                role_id: observed.map(|role| role.unique_id),
                passed_over: passed_over.into_iter().map(|(_, error)| error).collect(),
            });
        }
        let mut failed = None;
        for Step { call, nature } in steps {
            if failed.is_some() && nature == Nature::Grows {
                continue;
            }
            if !may_write() {
                return Err(Stopped::NotLeader);
            }
            let outcome = roles.execute(&call).await;
            let action = call.action();
            match outcome {
                Ok(()) => {
                    tracing::info!(role = %name, action, "written");
                    changed = true;
                }
                Err(error) => {
                    tracing::info!(role = %name, action, %error, "not written");
                    if nature == Nature::Cosmetic {
                        passed_over.push((call, error));
                    } else {
                        failed.get_or_insert(error);
                    }
                }
            }
        }
        if let Some(error) = failed {
            return Err(Stopped::Failed(error));
        }
    }
    Err(Stopped::NotShown)
}

#[cfg(test)]
#[path = "converge_tests.rs"]
mod tests;
