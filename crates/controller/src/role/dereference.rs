//! *Dereference*: everything that is looked up about a role before anything is done. Reads the API server and the index.

use std::{collections::BTreeMap, sync::Arc};

use deputy_api::{
    AWSRole, RoleInstance, RoleSessionsStatus,
    conditions::{self, ConditionReason, ConditionType},
    convert,
};
use deputy_delegation::{
    ClusterName, ClusterUid, Decision, MaxSessionDuration, NamespaceName, ObjectName, PrincipalId, Uid,
    Violations,
    decide::may_be_retained,
    model::{Account, Binding, Limit, LimitEntry, Role, RoleId, RoleKind},
    trust::NamedPrincipals,
};
use deputy_index::{Entry, Index, LimitState};
use jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, ObjectMeta},
};

use super::{object::RoleObject, shares::SessionShares, takeover::Takeover};
use crate::{context::ControllerContext, error::ReconcileError, objects};

pub use crate::instances::FINALIZER;

/// What it takes to find a role in AWS whose object is gone.
#[derive(Debug, Clone)]
pub struct ProvisionedRole {
    pub uid: Uid,
    pub account: ObjectName,
    /// Whether its object said that it is to stay.
    pub retain: bool,
}

/// Everything that was looked up about a role.
#[derive(Debug)]
pub struct RoleInputs {
    pub cluster: ClusterName,
    pub cluster_uid: ClusterUid,
    pub id: RoleId,
    /// Of the object that the role in AWS is made for.
    pub uid: Uid,
    /// The AWSRole or ClusterAWSRole as it was just read, not as a watch once showed it; `None` when it is gone and its role in AWS may
    /// not be.
    pub object: Option<RoleObject>,
    /// Of a ClusterAWSRole: the entry of this IAM role in its status.
    pub entry: Option<RoleInstance>,
    pub account: AccountInput,
    /// Of a role in AWS that a former object of its name had, and that is to be taken over: whose it was.
    pub takeover: Option<Takeover>,
    /// How much of the role sessions got when its status was last written, if this process did that.
    pub shares: Option<SessionShares>,
    /// Whether it is to be there.
    pub stage: RoleStage,
    /// When all that was looked up.
    pub now: Timestamp,
}

/// What the status of a role says that AWS has.
#[derive(Debug)]
pub struct KnownWell {
    /// It is as it should be, and trusts all whom its bindings name.
    pub is_usable: bool,
    /// It is suspended.
    pub is_suspended: bool,
    pub trust_hash: Option<String>,
    /// `None`: the status does not say.
    pub boundary_arn: Option<Option<String>>,
}

/// The AWSAccount that a role names.
#[derive(Debug)]
pub struct AccountInput {
    /// Known also when the rest of the role can't be read.
    pub name: Option<ObjectName>,
    /// As it may be used.
    pub usable: Entry<Account>,
    /// As it is written, also when it may not be used. By such an account things are only taken away.
    pub as_written: Option<Arc<Account>>,
}

/// Where a role is in its life.
#[derive(Debug)]
pub enum RoleStage {
    /// It is there.
    Present(Box<PresentRole>),
    /// It is being deleted and has our finalizer, or it is gone.
    Deleting {
        /// Whether it stays in AWS, closed: its object says so, and every limit allows it.
        stays: bool,
    },
}

/// A role that is there, and what is decided about it.
#[derive(Debug)]
pub struct PresentRole {
    /// `None` when it can't be read; the decision says why.
    pub role: Option<Arc<Role>>,
    /// Whether it is within every limit.
    pub decision: Decision,
    /// The accepted bindings that name it, oldest first: who may become it. Nobody without one.
    pub bindings: Vec<Arc<Binding>>,
    /// The users and roles of AWS that its bindings name, accepted or not.
    pub named: NamedPrincipals,
    pub limits: Vec<Arc<Limit>>,
    /// The limit whose boundary it carries, and what AWS has of it. `None` when no limit asks for one.
    pub boundary: Option<(Arc<Limit>, Arc<LimitState>)>,
}

impl RoleInputs {
    /// Whether the object has our finalizer; of a ClusterAWSRole whether its status has an entry of this role with its ARN. Without it
    /// nothing of the role was ever in AWS.
    #[must_use]
    pub fn has_finalizer(&self) -> bool {
        match self.id.kind {
            RoleKind::AWSRole => self.object.as_ref().is_some_and(|object| has_finalizer(object)),
            RoleKind::ClusterAWSRole { .. } => self.entry.as_ref().is_some_and(|e| e.role_arn.is_some()),
        }
    }

    /// The longest session that the status has, of a role that exists.
    #[must_use]
    pub fn known_max_session(&self) -> Option<MaxSessionDuration> {
        let status = self.object.as_ref()?.status();
        MaxSessionDuration::parse(status.max_session_duration.as_ref()?).ok()
    }

    /// The unique id that the status has.
    #[must_use]
    pub fn known_role_id(&self) -> Option<String> {
        match self.id.kind {
            RoleKind::AWSRole => self.object.as_ref()?.status().role_id.clone(),
            RoleKind::ClusterAWSRole { .. } => self.entry.as_ref()?.role_id.clone(),
        }
    }

    /// Whose sessions may run and whose are cut, as the status has it.
    #[must_use]
    pub fn recorded_sessions(&self) -> Option<RoleSessionsStatus> {
        match self.id.kind {
            RoleKind::AWSRole => self.object.as_ref()?.status().sessions.clone(),
            RoleKind::ClusterAWSRole { .. } => self.entry.as_ref()?.sessions.clone(),
        }
    }

    /// What the status says of the role as it is there. `None` when that is of another spec, or says no unique id.
    #[must_use]
    pub fn known_well(&self) -> Option<KnownWell> {
        let object = self.object.as_ref()?;
        let generation = object.metadata.generation;
        let is_now = |observed: Option<i64>| observed.is_some() && observed == generation;
        match self.id.kind {
            RoleKind::AWSRole => {
                let status = object.status();
                status.role_id.as_ref()?;
                let ready = conditions::find(&status.conditions, ConditionType::Ready);
                let ready = ready.filter(|ready| is_now(ready.observed_generation))?;
                Some(KnownWell {
                    is_usable: ready.status == "True" && status.left_out_principals.is_empty(),
                    is_suspended: ready.reason == ConditionReason::Suspended.as_str(),
                    trust_hash: status.trust_hash.clone(),
                    boundary_arn: Some(status.boundary_arn.clone()),
                })
            }
            RoleKind::ClusterAWSRole { .. } => {
                let entry = self.entry.as_ref()?;
                entry.role_id.as_ref()?;
                is_now(entry.observed_generation).then(|| KnownWell {
                    is_usable: entry.ready && entry.left_out_principals.is_empty(),
                    is_suspended: entry.reason == ConditionReason::Suspended.as_str(),
                    trust_hash: entry.trust_hash.clone(),
                    boundary_arn: None,
                })
            }
        }
    }

    /// Whether the status of an AWSRole says, of this spec, that it is refused and that nothing of it is in AWS. The entry of a
    /// ClusterAWSRole's says why it is refused, whatever is in AWS.
    #[must_use]
    pub fn is_said_not_made(&self) -> bool {
        let object = self.object.as_ref().filter(|_| self.id.kind == RoleKind::AWSRole);
        let Some(object) = object else {
            return false;
        };
        let status = object.status();
        let ready = conditions::find(&status.conditions, ConditionType::Ready);
        let refusals = [
            ConditionReason::NotAccepted,
            ConditionReason::NoLimit,
            ConditionReason::NoBoundary,
        ];
        let is_said = ready.is_some_and(|ready| {
            ready.observed_generation == object.metadata.generation
                && refusals.iter().any(|refusal| refusal.as_str() == ready.reason)
        });
        is_said && status.role_id.is_none()
    }

    /// Who was replaced, as the status has it, by ARN.
    #[must_use]
    pub fn remembered(&self) -> BTreeMap<String, PrincipalId> {
        let left_out = match self.id.kind {
            RoleKind::AWSRole => {
                let object = self.object.as_ref();
                object.map(|object| &object.status().left_out_principals)
            }
            RoleKind::ClusterAWSRole { .. } => self.entry.as_ref().map(|e| &e.left_out_principals),
        };
        let replaced = left_out
            .into_iter()
            .flatten()
            .filter(|p| p.reason == ConditionReason::PrincipalReplaced.as_str());
        replaced
            .filter_map(|p| Some((p.arn.clone(), PrincipalId::new(p.id.as_deref()?).ok()?)))
            .collect()
    }

    /// Whether the object holds up the deletion of its namespace. A ClusterAWSRole holds up none.
    #[must_use]
    pub fn holds_up_namespace(&self) -> bool {
        self.object.is_some() && self.id.kind == RoleKind::AWSRole
    }
}

/// The objects of a namespace.
pub fn api(ctx: &ControllerContext, namespace: &NamespaceName) -> Api<DynamicObject> {
    objects::namespaced::<AWSRole>(&ctx.client, namespace)
}

/// Looks up everything about a role. `None` when there is nothing to do: it is gone and `provisioned` has nothing of it, or it is
/// being deleted and was never in AWS.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer, or what it says makes no sense.
pub async fn dereference(
    ctx: &ControllerContext,
    provisioned: Option<ProvisionedRole>,
    id: &RoleId,
) -> Result<Option<RoleInputs>, ReconcileError> {
    let object = api(ctx, &id.namespace).get_opt(id.name.as_str()).await?;
    let (uid, account, stage) = match (&object, provisioned) {
        (None, None) => return Ok(None),
        (None, Some(ProvisionedRole { uid, account, retain })) => {
            let stage = RoleStage::Deleting {
                stays: retain && may_stay(&ctx.index, id, Some(&account)),
            };
            (uid, Some(account), stage)
        }
        (Some(object), _) => {
            let uid = Uid::new(object.metadata.uid.clone().unwrap_or_default())?;
            let stage = if object.metadata.deletion_timestamp.is_none() {
                RoleStage::Present(Box::new(present(ctx, id, object).await?))
            } else if has_finalizer(object) {
                let stays =
                    objects::is_retained(object) && may_stay(&ctx.index, id, account_name(object).as_ref());
                RoleStage::Deleting { stays }
            } else {
                return Ok(None);
            };
            (uid, account_name(object), stage)
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
        entry: None,
        account: AccountInput::look_up(&ctx.index, account),
        stage,
        now: ctx.now(),
    }))
}

impl AccountInput {
    pub fn look_up(index: &Index, name: Option<ObjectName>) -> Self {
        Self {
            usable: name.as_ref().map_or(Entry::Missing, |name| index.account(name)),
            as_written: name.as_ref().and_then(|name| index.account_as_written(name)),
            name,
        }
    }
}

/// Reads a role and decides about it; by what the index holds and remembers of it, where that is the same.
async fn present(
    ctx: &ControllerContext,
    id: &RoleId,
    object: &DynamicObject,
) -> Result<PresentRole, ReconcileError> {
    let (stored, meta) = (id.clone(), object.metadata.clone());
    let known = ctx.decide(move |index| PresentRole::stored(index, &stored, &meta));
    if let Some(known) = known.await? {
        return Ok(known);
    }
    match objects::parse::<AWSRole, _>(object, convert::parse_role) {
        Ok(role) => ctx.decide(move |index| PresentRole::look_up(index, role)).await,
        Err(violations) => Ok(PresentRole::unreadable(violations)),
    }
}

impl PresentRole {
    /// One that can't be read, which is why it is refused.
    #[must_use]
    pub fn unreadable(violations: Violations) -> Self {
        Self {
            role: None,
            decision: Decision::Refused(violations),
            bindings: Vec::new(),
            named: NamedPrincipals::of(&[], false),
            limits: Vec::new(),
            boundary: None,
        }
    }

    /// The one that the index holds, if that is the one with this metadata, with the same spec.
    pub fn stored(index: &Index, id: &RoleId, meta: &ObjectMeta) -> Option<Self> {
        let (role, decision) = index.decide_role_as_read(id, meta)?;
        Some(Self::decided(index, role, decision.as_ref().clone()))
    }

    pub fn look_up(index: &Index, role: Role) -> Self {
        let decision = index.decide_role_with(&role);
        Self::decided(index, Arc::new(role), decision)
    }

    /// One about which this is decided.
    fn decided(index: &Index, role: Arc<Role>, decision: Decision) -> Self {
        Self {
            bindings: index.accepted_bindings_of_role(&role.id),
            named: index.principals_named_for(&role.id),
            limits: limits_of(index, &role),
            boundary: boundary_of(index, &decision),
            role: Some(role),
            decision,
        }
    }
}

/// The limits that decide about a role. One that can't be read is left out: under such a limit nothing was accepted.
fn limits_of(index: &Index, role: &Role) -> Vec<Arc<Limit>> {
    let entries = index.limits_of(&role.id.namespace, &role.account);
    let valid = entries.into_iter().filter_map(|entry| match entry {
        LimitEntry::Valid(limit) => Some(limit),
        LimitEntry::Invalid { .. } => None,
    });
    valid.collect()
}

/// The limit whose boundary the role carries, with what its status says is in AWS.
fn boundary_of(index: &Index, decision: &Decision) -> Option<(Arc<Limit>, Arc<LimitState>)> {
    let Decision::Accepted(accepted) = decision else {
        return None;
    };
    let (entry, _, state) = index.limit(accepted.boundary.as_ref()?)?;
    let LimitEntry::Valid(limit) = entry else {
        return None;
    };
    Some((limit, state))
}

pub fn has_finalizer(object: &DynamicObject) -> bool {
    let mut finalizers = object.metadata.finalizers.iter().flatten();
    finalizers.any(|f| f == FINALIZER)
}

/// Whether every limit that applies allows that a role stays.
pub(super) fn may_stay(index: &Index, id: &RoleId, account: Option<&ObjectName>) -> bool {
    account.is_some_and(|account| {
        may_be_retained(&index.limits_of(&id.namespace, account), &id.namespace, account)
    })
}

fn account_name(object: &DynamicObject) -> Option<ObjectName> {
    let name = object.data.pointer("/spec/accountRef/name")?.as_str()?;
    ObjectName::new(name).ok()
}
