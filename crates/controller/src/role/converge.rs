//! *Apply*: reads a role, plans and writes until there is nothing left to do. The one place that writes roles.

use deputy_aws::{AwsError, Roles};
use deputy_delegation::{
    RoleName,
    plan::{Conflict, IamCall, ObservedRole},
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
/// Every round begins with a read, so a write whose outcome is unknown is never repeated blindly: the call that failed
/// ends this attempt, and the next one reads first.
///
/// # Errors
/// [`Stopped`]; another attempt goes on from where this one ended.
pub async fn converge(
    roles: &dyn Roles,
    name: &RoleName,
    may_write: MayWrite<'_>,
    plan: impl Fn(Option<&ObservedRole>) -> Result<Vec<IamCall>, Conflict> + Send + Sync,
) -> Result<Converged, Stopped> {
    let mut changed = false;
    for _ in 0..LOOKS {
        let observed = roles.get_role(name).await.map_err(|error| {
            if changed {
                Stopped::Failed(error)
            } else {
                Stopped::Unread(error)
            }
        })?;
        let calls = plan(observed.as_ref()).map_err(Stopped::Conflict)?;
        if calls.is_empty() {
            let role_id = observed.map(|role| role.unique_id);
            return Ok(Converged { changed, role_id });
        }
        for call in &calls {
            if !may_write() {
                return Err(Stopped::NotLeader);
            }
            let outcome = roles.execute(call).await;
            let action = call.action();
            match &outcome {
                Ok(()) => tracing::info!(role = %name, action, "written"),
                Err(error) => tracing::info!(role = %name, action, %error, "not written"),
            }
            outcome.map_err(Stopped::Failed)?;
            changed = true;
        }
    }
    Err(Stopped::NotShown)
}

#[cfg(test)]
#[path = "converge_tests.rs"]
mod tests;
