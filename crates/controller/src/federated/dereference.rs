//! *Dereference*: everything that is looked up about a binding of a federated user. Reads the API server and the index.

use deputy_api::{AWSFederatedUserBinding, conditions::Status, convert};
use deputy_delegation::{
    Decision, FederatedUserArn,
    model::{BindingRef, FederatedBinding, ObjectId},
};
use deputy_index::Index;
use kube::api::DynamicObject;

use crate::{
    context::ControllerContext,
    error::ReconcileError,
    objects,
    subjects::{is_default_of_any, told},
};

/// Everything that was looked up about a binding of a federated user.
#[derive(Debug)]
pub struct FederatedInputs {
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// Whether it is within every limit, and its name this namespace's.
    pub decision: Decision,
    /// What else was looked up.
    pub facts: FederatedFacts,
}

/// What says whether an accepted binding is served.
#[derive(Debug, Default)]
pub struct FederatedFacts {
    /// The federated user; `None` while the account is not known.
    pub arn: Option<FederatedUserArn>,
    /// The ServiceAccounts by name, for people.
    pub service_accounts: String,
    /// By which annotation a pod names the binding.
    pub annotation: String,
    /// Why the broker has no keys of the account's federation user, as the account says.
    pub no_keys: Option<String>,
    /// Whether another binding is the default of every ServiceAccount that it names.
    pub shadowed: bool,
}

impl FederatedFacts {
    fn look_up(index: &Index, binding: &FederatedBinding) -> Self {
        let reference = BindingRef::federated_user(binding.id.clone());
        let account = index.account(&binding.account);
        Self {
            arn: account.known().map(|account| binding.arn(account)),
            service_accounts: told(&binding.service_accounts),
            annotation: format!("deputy.dev/binding: {}", reference.selector()),
            no_keys: no_keys(index, binding),
            shadowed: !is_default_of_any(index, &reference, &binding.service_accounts),
        }
    }
}

/// Also while the broker has not said anything of the account yet: of what nobody said it is not claimed that it works.
fn no_keys(index: &Index, binding: &FederatedBinding) -> Option<String> {
    let said = index.account_view(&binding.account)?.state.federation.clone();
    match said {
        Some(said) if said.status == Status::True => None,
        Some(said) => Some(said.message.into()),
        None => Some(
            "deputy broker has not said yet that it has keys of the account's federation user".to_owned(),
        ),
    }
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
    let (decision, facts) = match parsed {
        Ok(binding) => {
            let look_up = move |index: &Index| {
                let decision = index.decide_federated_with(&binding);
                (decision, FederatedFacts::look_up(index, &binding))
            };
            ctx.decide(look_up).await?
        }
        Err(violations) => (Decision::Refused(violations), FederatedFacts::default()),
    };
    Ok(Some(FederatedInputs {
        object,
        decision,
        facts,
    }))
}
