//! *Dereference*: everything that is looked up about a ClusterAWSRole. Reads the API server and the index.

use deputy_api::{ClusterAWSRole, convert};
use deputy_delegation::{ObjectName, Violations};
use kube::api::DynamicObject;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Everything that was looked up about a ClusterAWSRole.
#[derive(Debug)]
pub struct ClusterRoleInputs {
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// Why it can't be read, if it can't.
    pub readable: Result<(), Violations>,
    /// How many namespaces and accounts bind it that have no entry in its status.
    pub without_entry: usize,
}

/// Looks up everything about a ClusterAWSRole. `None` when it is gone.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    name: &ObjectName,
) -> Result<Option<ClusterRoleInputs>, ReconcileError> {
    let api = objects::cluster_wide::<ClusterAWSRole>(&ctx.client);
    let Some(object) = api.get_opt(name.as_str()).await? else {
        return Ok(None);
    };
    let parsed = objects::parse::<ClusterAWSRole, _>(&object, convert::parse_cluster_role);
    Ok(Some(ClusterRoleInputs {
        object,
        readable: parsed.map(|_| ()),
        without_entry: ctx.index.bound_without_entry(name),
    }))
}
