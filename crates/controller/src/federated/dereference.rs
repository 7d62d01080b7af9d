//! *Dereference*: everything that is looked up about a binding of a federated user. Reads the API server and the index.

use deputy_api::{AWSFederatedUserBinding, convert};
use deputy_delegation::{Decision, FederatedUserArn, model::ObjectId};
use deputy_index::Index;
use kube::api::DynamicObject;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Everything that was looked up about a binding of a federated user.
#[derive(Debug)]
pub struct FederatedInputs {
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// Whether it is within every limit, and its name this namespace's.
    pub decision: Decision,
    /// The federated user; `None` while the account is not known.
    pub arn: Option<FederatedUserArn>,
}

/// Looks up everything about a binding, and decides about it. `None` when it is gone or being deleted.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    id: &ObjectId,
) -> Result<Option<FederatedInputs>, ReconcileError> {
    let api = objects::namespaced::<AWSFederatedUserBinding>(&ctx.client, &id.namespace);
    let object = api.get_opt(id.name.as_str()).await?;
    let Some(object) = object.filter(|o| o.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let parsed = objects::parse::<AWSFederatedUserBinding, _>(&object, convert::parse_federated_binding);
    let (decision, arn) = match parsed {
        Ok(binding) => {
            let look_up = move |index: &Index| {
                let account = index.account(&binding.account);
                let arn = account.known().map(|account| binding.arn(account));
                (index.decide_federated_with(&binding), arn)
            };
            ctx.decide(look_up).await?
        }
        Err(violations) => (Decision::Refused(violations), None),
    };
    Ok(Some(FederatedInputs {
        object,
        decision,
        arn,
    }))
}
