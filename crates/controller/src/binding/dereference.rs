//! *Dereference*: everything that is looked up about a binding. Reads the API server and the index.

use deputy_api::{
    AWSRoleBinding,
    conditions::{ConditionReason, Status},
    convert,
};
use deputy_delegation::{
    Accepted, ClusterName, Decision,
    model::{Binding, ObjectId, RoleId, SessionMethod},
    naming, quota, session,
};
use deputy_index::Index;
use kube::api::DynamicObject;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Everything that was looked up about a binding.
#[derive(Debug)]
pub struct BindingInputs {
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// Whether it is within every limit, and its role.
    pub decision: Decision,
    /// What else it depends on.
    pub facts: BindingFacts,
}

/// What a binding depends on beside its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingFacts {
    /// Whether the role is ready as it is now.
    pub role_ready: bool,
    /// Why the role of a ClusterAWSRole is not ready. Of an AWSRole its own conditions say it; a ClusterAWSRole may not be for the
    /// namespace to read.
    pub role_not_ready: Option<String>,
    /// Whether another binding comes first for each of its ServiceAccounts.
    pub shadowed: bool,
    /// Whether pods call STS themselves: nothing of the broker matters then.
    pub without_broker: bool,
    /// Why the broker can make no session of the account at all.
    pub no_issuer: Option<String>,
    /// Why no session of a role that exists can be made yet, or at all.
    pub no_session: Option<(ConditionReason, String)>,
    /// The role in AWS; `None` while role or account are not known.
    pub role_arn: Option<String>,
}

/// Looks up everything about a binding, and decides about it. `None` when it is gone or being deleted.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    id: &ObjectId,
) -> Result<Option<BindingInputs>, ReconcileError> {
    let api = objects::namespaced::<AWSRoleBinding>(&ctx.client, &id.namespace);
    let object = api.get_opt(id.name.as_str()).await?;
    let Some(object) = object.filter(|o| o.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let (decision, facts) = match objects::parse::<AWSRoleBinding, _>(&object, convert::parse_binding) {
        Ok(binding) => {
            let cluster = ctx.cluster.clone();
            let look_up = move |index: &Index| {
                let decision = index.decide_binding_with(&binding);
                (decision, BindingFacts::look_up(index, &cluster, &binding))
            };
            ctx.decide(look_up).await?
        }
        Err(violations) => (Decision::Refused(violations), BindingFacts::default()),
    };
    Ok(Some(BindingInputs {
        object,
        decision,
        facts,
    }))
}

impl BindingFacts {
    fn look_up(index: &Index, cluster: &ClusterName, binding: &Binding) -> Self {
        let role = binding.role.clone();
        let is_default = |subject| {
            let namespace = &binding.id.namespace;
            let default = index.default_binding(namespace, subject);
            default.is_none_or(|d| d.binding.id == binding.id)
                && index.unreadable_default(namespace, subject).is_none()
        };
        let role_ready = index
            .role(&role)
            .is_some_and(|r| r.state.ready && r.state.observed_generation == r.meta.generation);
        Self {
            role_ready,
            role_not_ready: why_not_ready(index, &role).filter(|_| !role_ready),
            shadowed: !binding.subjects.service_accounts().iter().any(is_default),
            without_broker: without_broker(index, binding),
            no_issuer: no_issuer(index, &role),
            no_session: no_session(index, binding),
            role_arn: role_arn(index, cluster, &role),
        }
    }
}

/// Whether the method of the binding is one for which no broker is asked.
fn without_broker(index: &Index, binding: &Binding) -> bool {
    let account = || {
        let role = index.role(&binding.role)?.parsed.ok()?;
        index.account(&role.account).known().cloned()
    };
    account().is_some_and(|a| binding.method_in(&a) == SessionMethod::AssumeRoleWithWebIdentity)
}

/// Why what a ClusterAWSRole is in this namespace is not ready.
fn why_not_ready(index: &Index, role: &RoleId) -> Option<String> {
    role.bound_account()?;
    let title = role.title();
    let (_, decision) = index.decide_role(role)?;
    if let Decision::Refused(violations) = decision.as_ref() {
        return Some(format!("{title} is refused: {violations}"));
    }
    let template = index.cluster_role(&role.name)?;
    let most = quota::INSTANCES_OF_CLUSTER_ROLE;
    match template.state.instance(role) {
        None if template.state.instances.len() >= most => Some(format!(
            "{title} is not made: the ClusterAWSRole is {most} IAM roles already, the most there may be"
        )),
        Some(state) => Some(format!("{title}: {}", state.reason.as_deref()?)),
        None => None,
    }
}

/// What the broker says of its identity in the account of a role, if it is not the issuer.
fn no_issuer(index: &Index, role: &RoleId) -> Option<String> {
    let role = index.role(role)?.parsed.ok()?;
    let issuer = index.account_view(&role.account)?.state.issuer.clone()?;
    (issuer.status == Status::False).then(|| issuer.message.into())
}

/// What keeps AWS from giving sessions of a role that exists: its boundary, or how long they are to be.
fn no_session(index: &Index, binding: &Binding) -> Option<(ConditionReason, String)> {
    let view = index.role(&binding.role)?;
    let role = view.granting().known()?.clone();
    let account = index.account(&role.account).known()?.clone();
    if let Some(longest) = view.state.longest_session {
        let duration = session::duration(&account, binding);
        if duration.exceeds(longest) {
            let message = session::longer_than_the_role(duration, &role, longest);
            return Some((ConditionReason::Duration, message));
        }
    }
    if !session::needs_boundary(&role, binding) {
        return None;
    }
    let Decision::Accepted(Accepted {
        boundary: Some(limit),
        ..
    }) = index.decide_binding_with(binding)
    else {
        return None;
    };
    let why = index.boundary_in_force(&limit, &account).err()?;
    Some((ConditionReason::BoundaryNotReady, why))
}

fn role_arn(index: &Index, cluster: &ClusterName, role: &RoleId) -> Option<String> {
    let role = index.role(role)?.granting().known()?.clone();
    let account = index.account(&role.account).known()?.clone();
    Some(naming::arn_of(cluster, &account, &role).to_string())
}
