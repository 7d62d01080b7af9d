//! *Dereference*: everything that is looked up about an account. Reads the API server and the index.

use deputy_api::{AWSAccount, convert};
use deputy_delegation::{ObjectName, Violations, model::Account};
use kube::api::DynamicObject;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Everything that was looked up about an account.
#[derive(Debug)]
pub struct AccountInputs {
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// What it says, or why it can't be read.
    pub account: Result<Account, Violations>,
    /// The AWSAccount of the same AWS account that counts instead of this one: an older one.
    pub superseded_by: Option<ObjectName>,
}

/// Looks up everything about an account. `None` when it is gone.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    name: &ObjectName,
) -> Result<Option<AccountInputs>, ReconcileError> {
    let api = objects::cluster_wide::<AWSAccount>(&ctx.client);
    let Some(object) = api.get_opt(name.as_str()).await? else {
        return Ok(None);
    };
    let account = objects::parse::<AWSAccount, _>(&object, convert::parse_account);
    let owner = account.as_ref().ok().and_then(|a| ctx.index.account_of_id(&a.id));
    Ok(Some(AccountInputs {
        object,
        account,
        superseded_by: owner.filter(|owner| owner != name),
    }))
}
