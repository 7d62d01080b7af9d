//! *Dereference*: everything that is looked up about a binding. Reads the API server and the index.

use std::sync::Arc;

use deputy_api::{
    AWSRoleBinding, LeftOutPrincipalStatus,
    conditions::{ConditionReason, Status},
    convert,
};
use deputy_delegation::{
    Accepted, ClusterName, Decision, PrincipalId,
    model::{Account, Binding, BindingRef, ObjectId, RoleId, SessionMethod, Subjects},
    naming, quota, session, trust,
};
use deputy_index::Index;
use kube::api::DynamicObject;

use crate::{
    context::{ControllerContext, PeopleApi},
    error::ReconcileError,
    objects,
    subjects::{is_default_of_any, told},
};

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
    /// Its ServiceAccounts, as they are told.
    pub service_accounts: String,
    /// How its subjects get sessions.
    pub delivery: Delivery,
    /// What the role's trust policy says of it.
    pub trust: BindingTrust,
    /// Principals among its subjects that the role's trust policy leaves out.
    pub left_out: Vec<LeftOutPrincipalStatus>,
    /// For the other side of AWS principals: what lets them become the role.
    pub caller_policy: Option<String>,
    /// Why the broker can make no session of the account at all.
    pub no_issuer: Option<String>,
    /// Why no session of a role that exists can be made yet, or at all.
    pub no_session: Option<(ConditionReason, String)>,
    /// The role in AWS; `None` while role or account are not known.
    pub role_arn: Option<String>,
}

/// How the subjects of a binding get sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Pods, from the broker.
    #[default]
    Broker,
    /// Pods, which call STS themselves: nothing of the broker matters then.
    WebIdentity,
    /// Those outside the cluster, who call STS themselves.
    Outside,
    /// People, from the broker, where their API is served.
    People(PeopleApi),
}

/// What the trust policy of a role says of a binding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BindingTrust {
    /// AWS does not have it as it should be.
    #[default]
    Pending,
    /// AWS has it as it should be.
    Written,
    /// It has no room for the binding: with it, it would have so many characters.
    LeftOut(usize),
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
    let (decision, facts) = look_up(ctx, id, &object).await?;
    Ok(Some(BindingInputs {
        object,
        decision,
        facts,
    }))
}

/// Decides about a binding that was read: by what the index holds and remembers of it, where that is the same.
async fn look_up(
    ctx: &ControllerContext,
    id: &ObjectId,
    object: &DynamicObject,
) -> Result<(Decision, BindingFacts), ReconcileError> {
    let (stored, meta, cluster) = (id.clone(), object.metadata.clone(), ctx.cluster.clone());
    let people = ctx.people;
    let known = ctx.decide(move |index| {
        let (binding, decision) = index.decide_binding_as_read(&stored, &meta)?;
        let facts = BindingFacts::look_up(index, &cluster, people, &binding, &decision);
        Some((decision.as_ref().clone(), facts))
    });
    if let Some(known) = known.await? {
        return Ok(known);
    }
    match objects::parse::<AWSRoleBinding, _>(object, convert::parse_binding) {
        Ok(binding) => {
            let cluster = ctx.cluster.clone();
            let look_up = move |index: &Index| {
                let decision = index.decide_binding_with(&binding);
                let facts = BindingFacts::look_up(index, &cluster, people, &binding, &decision);
                (decision, facts)
            };
            ctx.decide(look_up).await
        }
        Err(violations) => Ok((Decision::Refused(violations), BindingFacts::default())),
    }
}

impl BindingFacts {
    /// Of a binding about which this is decided.
    pub(super) fn look_up(
        index: &Index,
        cluster: &ClusterName,
        people: PeopleApi,
        binding: &Binding,
        decision: &Decision,
    ) -> Self {
        let role = binding.role.clone();
        let service_accounts = binding.subjects.service_accounts();
        let reference = BindingRef::role(binding.id.clone());
        let role_ready = index
            .role(&role)
            .is_some_and(|r| r.state.ready && r.state.observed_generation == r.meta.generation);
        Self {
            role_ready,
            role_not_ready: why_not_ready(index, &role).filter(|_| !role_ready),
            shadowed: is_of_pods(binding) && !is_default_of_any(index, &reference, service_accounts),
            service_accounts: told(service_accounts),
            delivery: delivery(index, people, binding),
            trust: trust_of(index, cluster, binding),
            left_out: left_out(index, cluster, binding),
            caller_policy: caller_policy(index, cluster, binding),
            no_issuer: no_issuer(index, &role),
            no_session: no_session(index, binding, decision),
            role_arn: role_arn(index, cluster, &role),
        }
    }
}

fn is_of_pods(binding: &Binding) -> bool {
    matches!(binding.subjects, Subjects::ServiceAccounts(_))
}

fn account_of(index: &Index, role: &RoleId) -> Option<Arc<Account>> {
    let role = index.role(role)?.parsed().ok()?;
    index.account(&role.account).known().cloned()
}

fn delivery(index: &Index, people: PeopleApi, binding: &Binding) -> Delivery {
    match &binding.subjects {
        Subjects::People(_) => Delivery::People(people),
        Subjects::AwsPrincipals(_) | Subjects::SamlPrincipals(_) | Subjects::OidcPrincipals(_) => {
            Delivery::Outside
        }
        Subjects::ServiceAccounts(_) => match account_of(index, &binding.role) {
            Some(account) if binding.method_in(&account) == SessionMethod::AssumeRoleWithWebIdentity => {
                Delivery::WebIdentity
            }
            _ => Delivery::Broker,
        },
    }
}

/// What the trust policy says of the binding, and whether AWS has it: by the hash in the status of the role.
fn trust_of(index: &Index, cluster: &ClusterName, binding: &Binding) -> BindingTrust {
    let Some(account) = account_of(index, &binding.role) else {
        return BindingTrust::Pending;
    };
    let bindings = index.accepted_bindings_of_role(&binding.role);
    let compiled = trust::compile(cluster, &account, &binding.role, &bindings);
    if let Some(left_out) = compiled.left_out.iter().find(|l| l.binding == binding.id) {
        return BindingTrust::LeftOut(left_out.size);
    }
    let wanted = compiled.hash();
    let written = index
        .role(&binding.role)
        .and_then(|role| role.state.trust_hash.clone());
    if written.as_deref() == Some(wanted.as_str()) {
        BindingTrust::Written
    } else {
        BindingTrust::Pending
    }
}

/// Whom of its subjects the trust policy leaves out, as the status of the role says. One that it says to be replaced knowingly is not left out
/// for that: another binding's subject of the same ARN may be.
fn left_out(index: &Index, cluster: &ClusterName, binding: &Binding) -> Vec<LeftOutPrincipalStatus> {
    let view = index.role(&binding.role);
    let Some(view) = view.filter(|view| !view.state.left_out_principals.is_empty()) else {
        return Vec::new();
    };
    let Some(account) = account_of(index, &binding.role) else {
        return Vec::new();
    };
    let own = trust::compile(cluster, &account, &binding.role, &[Arc::new(binding.clone())]);
    let knows = |principal: &LeftOutPrincipalStatus| match &binding.subjects {
        Subjects::AwsPrincipals(list) => list.iter().any(|subject| {
            let replaces = subject.replaces().map(PrincipalId::as_str);
            subject.arn().to_string() == principal.arn
                && replaces.is_some()
                && (principal.id.is_none() || replaces == principal.id.as_deref())
        }),
        _ => false,
    };
    let left_out = view.state.left_out_principals.iter();
    left_out
        .filter(|principal| own.principals().any(|arn| arn == principal.arn))
        .filter(|principal| {
            principal.reason != ConditionReason::PrincipalReplaced.as_str() || !knows(principal)
        })
        .cloned()
        .collect()
}

fn caller_policy(index: &Index, cluster: &ClusterName, binding: &Binding) -> Option<String> {
    let Subjects::AwsPrincipals(principals) = &binding.subjects else {
        return None;
    };
    let account = account_of(index, &binding.role)?;
    let role = naming::role_arn(cluster, &account, &binding.role);
    Some(trust::caller_policy(&role, principals).to_json())
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
    let role = index.role(role)?.parsed().ok()?;
    let issuer = index.account_view(&role.account)?.state.issuer.clone()?;
    (issuer.status == Status::False).then(|| issuer.message.into())
}

/// What keeps AWS from giving sessions of a role that exists: its boundary, or how long they are to be.
fn no_session(index: &Index, binding: &Binding, decision: &Decision) -> Option<(ConditionReason, String)> {
    let view = index.role(&binding.role)?;
    let role = view.granting().known()?.clone();
    let account = index.account(&role.account).known()?.clone();
    if let Some(longest) = view.state.longest_session {
        let duration = binding.duration_in(&account);
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
    }) = decision
    else {
        return None;
    };
    let why = index.boundary_in_force(limit, &account).err()?;
    Some((ConditionReason::BoundaryNotReady, why))
}

fn role_arn(index: &Index, cluster: &ClusterName, role: &RoleId) -> Option<String> {
    let role = index.role(role)?.granting().known()?.clone();
    let account = index.account(&role.account).known()?.clone();
    Some(naming::arn_of(cluster, &account, &role).to_string())
}
