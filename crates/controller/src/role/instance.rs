//! What a ClusterAWSRole is in a namespace and account: how it is looked up, and its entry in the status of that object.

use deputy_api::{
    AWSRoleBinding, AWSRoleStatus, ClusterAWSRole, ClusterAWSRoleStatus, InstanceFinding, RoleInstance,
    conditions::{self, ConditionReason, ConditionType, Status},
    convert,
};
use deputy_delegation::{Decision, ObjectName, Uid, model::RoleId, naming, quota::LEFT_OUT_OF_INSTANCE};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{DynamicObject, ListParams};

use super::{
    capped::CappedRole,
    dereference::{AccountInput, PresentRole, ProvisionedRole, RoleInputs, RoleStage, may_stay},
    object::RoleObject,
    outcome::AppliedRole,
    status,
};
use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Characters of the message of an entry: there may be a thousand in one object.
const MESSAGE_CHARS: usize = 256;

/// Looks up everything about what a ClusterAWSRole is in a namespace and account. `None` when there is nothing to do: nobody binds it
/// there, and nothing of it is in AWS.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer, or what it says makes no sense.
pub async fn dereference(
    ctx: &ControllerContext,
    provisioned: Option<ProvisionedRole>,
    id: &RoleId,
) -> Result<Option<RoleInputs>, ReconcileError> {
    let Some(account) = id.bound_account() else {
        return Ok(None);
    };
    let api = objects::cluster_wide::<ClusterAWSRole>(&ctx.client);
    let object = api.get_opt(id.name.as_str()).await?;
    let entry = object.as_ref().and_then(|object| entry_of(object, id));
    let (uid, stage) = match (&object, provisioned) {
        (None, None) => return Ok(None),
        (None, Some(provisioned)) => (
            provisioned.uid,
            RoleStage::Deleting {
                stays: provisioned.retain && may_stay(&ctx.index, id, Some(account)),
            },
        ),
        (Some(object), provisioned) => {
            let uid = Uid::new(object.metadata.uid.clone().unwrap_or_default())?;
            let is_there = object.metadata.deletion_timestamp.is_none();
            let stage = if is_there && ctx.index.may_be_bound(id) {
                RoleStage::Present(Box::new(present(ctx, object, id, account).await?))
            } else if entry.is_none() && provisioned.is_none() {
                return Ok(None);
            } else if is_there && is_named_now(ctx, id).await? {
                // The index does not show that binding yet, and tells of it when it does.
                return Ok(None);
            } else {
                let stays = objects::is_retained(object) && may_stay(&ctx.index, id, Some(account));
                RoleStage::Deleting { stays }
            };
            (uid, stage)
        }
    };
    Ok(Some(RoleInputs {
        takeover: None,
        shares: None,
        cluster: ctx.cluster.clone(),
        cluster_uid: ctx.cluster_uid.clone(),
        id: id.clone(),
        uid,
        object: object.map(RoleObject::from),
        entry,
        account: AccountInput::look_up(&ctx.index, Some(account.clone())),
        stage,
        now: ctx.now(),
    }))
}

/// Reads what the ClusterAWSRole is there, and decides about it.
async fn present(
    ctx: &ControllerContext,
    object: &DynamicObject,
    id: &RoleId,
    account: &ObjectName,
) -> Result<PresentRole, ReconcileError> {
    let template = objects::parse::<ClusterAWSRole, _>(object, convert::parse_cluster_role);
    match template.and_then(|template| template.instance(&id.namespace, account)) {
        Ok(role) => ctx.decide(move |index| PresentRole::look_up(index, role)).await,
        Err(violations) => Ok(PresentRole::unreadable(violations)),
    }
}

/// Whether a binding of the namespace names the ClusterAWSRole, in whatever account, as the API server says now. An IAM role that is
/// deleted and made again is another one to whoever names it, so a watch that is behind is not enough to delete it.
async fn is_named_now(ctx: &ControllerContext, id: &RoleId) -> Result<bool, ReconcileError> {
    let api = objects::namespaced::<AWSRoleBinding>(&ctx.client, &id.namespace);
    let params = ListParams::default().fields(&format!("spec.roleRef.name={}", id.name));
    let names_it = |binding: &DynamicObject| {
        // One that can't be read may name it.
        !matches!(
            convert::cluster_role_of(&id.namespace, &binding.data),
            Ok(named) if named.as_ref() != Some(id)
        )
    };
    Ok(api.list(&params).await?.items.iter().any(names_it))
}

/// The entry of an IAM role in the status of its ClusterAWSRole.
fn entry_of(object: &DynamicObject, id: &RoleId) -> Option<RoleInstance> {
    let status: ClusterAWSRoleStatus = objects::status_of(object);
    let account = id.bound_account()?;
    status
        .instances
        .into_iter()
        .find(|e| e.namespace == id.namespace.as_str() && e.account == account.as_str())
}

/// The entry from before the first call to AWS. `None` while the account is not known.
#[must_use]
pub fn begun(inputs: &RoleInputs, now: Timestamp) -> Option<RoleInstance> {
    let entry = RoleInstance {
        ready: false,
        reason: ConditionReason::Progressing.to_string(),
        message: "the IAM role is being made".to_owned(),
        ..entry(inputs, now)?
    };
    entry.role_arn.is_some().then_some(entry)
}

/// The entry of a role about which this is true now. `None` when there is none and none is needed: nothing of it is in AWS, and it says
/// nothing of use to whoever wrote the ClusterAWSRole. So nobody fills the list with namespaces that may not bind it, or with accounts
/// that there are not.
#[must_use]
pub fn updated(inputs: &RoleInputs, applied: &AppliedRole, now: Timestamp) -> Option<RoleInstance> {
    if inputs.entry.is_none() && !is_of_use(inputs) {
        return None;
    }
    let generation = inputs.object.as_ref()?.metadata.generation;
    let old = AWSRoleStatus {
        role_id: inputs.known_role_id(),
        trust_hash: inputs.entry.as_ref().and_then(|old| old.trust_hash.clone()),
        left_out_principals: inputs
            .entry
            .as_ref()
            .map_or_else(Vec::new, |old| old.left_out_principals.clone()),
        ..AWSRoleStatus::default()
    };
    let new = status::updated(&old, inputs, applied, generation, now);
    let ready = conditions::find(&new.conditions, ConditionType::Ready)?;
    // `Ready` says only that it is refused; why, says `Accepted`.
    let refused = conditions::find(&new.conditions, ConditionType::Accepted)
        .filter(|accepted| accepted.status == Status::False.as_str());
    let said = refused.unwrap_or(ready);
    let is_ready = ready.status == Status::True.as_str();
    let old = inputs.entry.as_ref();
    let mut entry = RoleInstance {
        untagged: untagged(&new.conditions, old),
        capped: capped(&new.conditions, &applied.capped, old),
        role_id: new.role_id,
        // Where not all are named that are left out, no binding may take it that its own are not among them.
        trust_hash: new
            .trust_hash
            .filter(|_| new.left_out_principals.len() <= LEFT_OUT_OF_INSTANCE),
        left_out_principals: new
            .left_out_principals
            .into_iter()
            .take(LEFT_OUT_OF_INSTANCE)
            .collect(),
        reason: said.reason.clone(),
        message: said.message.chars().take(MESSAGE_CHARS).collect(),
        ..entry(inputs, now)?
    };
    if !inputs.has_finalizer() {
        // That is what the ARN says.
        entry.role_arn = None;
    }
    if entry.ready != is_ready {
        entry.ready = is_ready;
        entry.last_transition_time = Time(now);
    }
    Some(entry)
}

/// What AWS refuses of its tags; what was said of them while they were not written.
fn untagged(conditions: &[Condition], old: Option<&RoleInstance>) -> Option<InstanceFinding> {
    match conditions::find(conditions, ConditionType::Tagged) {
        Some(tagged) if tagged.status == Status::True.as_str() => None,
        Some(tagged) => Some(finding(tagged)),
        None => old.and_then(|old| old.untagged.clone()),
    }
}

/// What the boundary cuts off; what was said of that while it was not looked at.
fn capped(
    conditions: &[Condition],
    looked: &CappedRole,
    old: Option<&RoleInstance>,
) -> Option<InstanceFinding> {
    match looked {
        CappedRole::NotLookedAt => old.and_then(|old| old.capped.clone()),
        CappedRole::NothingToCap => None,
        CappedRole::Found(_) => conditions::find(conditions, ConditionType::CappedByBoundary)
            .filter(|capped| capped.status != Status::False.as_str())
            .map(finding),
    }
}

fn finding(condition: &Condition) -> InstanceFinding {
    InstanceFinding {
        reason: condition.reason.clone(),
        message: Some(condition.message.chars().take(MESSAGE_CHARS).collect()),
    }
}

/// Whether an entry of a role that is not in AWS says something of use.
fn is_of_use(inputs: &RoleInputs) -> bool {
    let RoleStage::Present(present) = &inputs.stage else {
        return false;
    };
    let is_allowed = present.role.as_ref().is_some_and(|role| role.may_be_bound());
    let is_accepted = matches!(present.decision, Decision::Accepted(_));
    is_accepted || is_allowed && inputs.account.as_written.is_some()
}

/// The entry as it is, with what follows from the inputs alone.
fn entry(inputs: &RoleInputs, now: Timestamp) -> Option<RoleInstance> {
    let usable = inputs.account.usable.known();
    let arn = usable.map(|account| naming::role_arn(&inputs.cluster, account, &inputs.id).to_string());
    let old = inputs.entry.as_ref();
    Some(RoleInstance {
        namespace: inputs.id.namespace.as_str().to_owned(),
        account: inputs.id.bound_account()?.as_str().to_owned(),
        role_arn: arn.or_else(|| old.and_then(|old| old.role_arn.clone())),
        role_id: old.and_then(|old| old.role_id.clone()),
        trust_hash: old.and_then(|old| old.trust_hash.clone()),
        left_out_principals: old.map_or_else(Vec::new, |old| old.left_out_principals.clone()),
        sessions: old.and_then(|old| old.sessions.clone()),
        ready: old.is_some_and(|old| old.ready),
        reason: String::new(),
        message: String::new(),
        untagged: old.and_then(|old| old.untagged.clone()),
        capped: old.and_then(|old| old.capped.clone()),
        observed_generation: inputs.object.as_ref().and_then(|o| o.metadata.generation),
        last_transition_time: old.map_or(Time(now), |old| old.last_transition_time.clone()),
    })
}
