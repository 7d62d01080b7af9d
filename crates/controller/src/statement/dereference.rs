//! *Dereference*: everything that is looked up about a statement. Reads the API server and the index.

use std::{collections::BTreeSet, sync::Arc};

use deputy_api::{
    AWSResourcePolicyStatement, AWSResourcePolicyStatementStatus, convert, reconcile_requested_at,
};
use deputy_delegation::{
    Decision, ObjectName, PolicyResource, StatementSid,
    model::{Account, ObjectId, OwnedStatement, RoleId, RoleKind, StatementPrincipal},
    naming,
    resource_policy::GranteeArn,
};
use deputy_index::{Entry, Index};
use kube::api::DynamicObject;
use serde_json::Value;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// The finalizer: a statement may be in AWS.
pub const FINALIZER: &str = "deputy.dev/aws";

/// Everything that was looked up about a statement.
#[derive(Debug)]
pub struct StatementInputs {
    /// Namespace and name.
    pub id: ObjectId,
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// Its status.
    pub old: AWSResourcePolicyStatementStatus,
    /// What its statement is known by in AWS.
    pub sid: StatementSid,
    /// Account and resource, also where the rest of the spec can't be read: they never change.
    pub place: Option<(ObjectName, PolicyResource)>,
    /// The account, whether it may be used for grants or not.
    pub account: Entry<Account>,
    /// What it says; `None` where it can't be read.
    pub statement: Option<OwnedStatement>,
    /// Whether it is within every limit.
    pub decision: Decision,
    /// Its principals, in order.
    pub principals: Vec<Grantee>,
    /// The Sids of other statements of this cluster in the policy of the resource.
    pub own_sids: BTreeSet<Box<str>>,
}

/// A principal of a statement.
#[derive(Debug, Clone)]
pub struct Grantee {
    /// Who.
    pub principal: StatementPrincipal,
    /// Who that is in AWS, or why it can't be named.
    pub arn: Result<GranteeArn, &'static str>,
    /// The unique id of a role that is named: AWS keeps it beside the ARN, so one that was made again has to be named again.
    pub unique_id: Option<Box<str>>,
}

impl StatementInputs {
    /// Whether it is being deleted.
    pub fn is_leaving(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    /// Whether a statement may be in AWS because of it.
    pub fn has_finalizer(&self) -> bool {
        let finalizers = self.object.metadata.finalizers.iter().flatten();
        finalizers.into_iter().any(|finalizer| finalizer == FINALIZER)
    }

    /// Whether what the policy has under its Sid is its own.
    pub fn is_claimed(&self) -> bool {
        // Raw: also where the rest of the status can't be read.
        let claimed = self.object.data.pointer("/status/sid").and_then(Value::as_str);
        claimed == Some(self.sid.as_str())
    }

    /// By what it was last asked for a look.
    pub fn requested(&self) -> Option<&str> {
        reconcile_requested_at(&self.object.metadata)
    }
}

/// Looks up everything about a statement, and decides about it. `None` when it is gone.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    id: &ObjectId,
) -> Result<Option<StatementInputs>, ReconcileError> {
    let api = objects::namespaced::<AWSResourcePolicyStatement>(&ctx.client, &id.namespace);
    let Some(object) = api.get_opt(id.name.as_str()).await? else {
        return Ok(None);
    };
    let parsed = objects::parse::<AWSResourcePolicyStatement, _>(&object, convert::parse_statement);
    let place = place(&object);
    let account = place
        .as_ref()
        .map_or(Entry::Missing, |(account, _)| ctx.index.account(account));
    let mut own_sids = place.as_ref().map_or_else(BTreeSet::new, |(_, resource)| {
        ctx.index.statement_sids_of(resource)
    });
    let (statement, decision, principals) = match parsed {
        Ok(statement) => {
            let look_up = move |index: &Index| {
                let decision = index.decide_statement_with(&statement);
                let principals = statement.principals.iter();
                let principals = principals.map(|one| grantee(index, &statement, one)).collect();
                (Some(statement), decision, principals)
            };
            ctx.decide(look_up).await?
        }
        Err(violations) => (None, Decision::Refused(violations), Vec::new()),
    };
    let sid = naming::statement_sid(&ctx.cluster, id);
    own_sids.remove(sid.as_str());
    Ok(Some(StatementInputs {
        id: id.clone(),
        old: objects::status_of(&object),
        sid,
        object,
        place,
        account,
        statement,
        decision,
        principals,
        own_sids,
    }))
}

fn place(object: &DynamicObject) -> Option<(ObjectName, PolicyResource)> {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str);
    let account = ObjectName::new(text("/spec/accountRef/name")?).ok()?;
    Some((account, PolicyResource::parse(text("/spec/resourceARN")?).ok()?))
}

fn grantee(index: &Index, statement: &OwnedStatement, principal: &StatementPrincipal) -> Grantee {
    let namespace = statement.id.namespace.clone();
    let (name, principal) = (principal.name().clone(), principal.clone());
    let kind = match &principal {
        StatementPrincipal::Role(_) => RoleKind::AWSRole,
        StatementPrincipal::ClusterRole(_) => RoleKind::ClusterAWSRole {
            account: statement.account.clone(),
        },
        StatementPrincipal::FederatedUser(_) => {
            return Grantee {
                principal,
                arn: user_arn(index, statement, &ObjectId { namespace, name }),
                unique_id: None,
            };
        }
    };
    let id = RoleId {
        namespace,
        name,
        kind,
    };
    match role_arn(index, statement, &id) {
        Ok((arn, unique_id)) => Grantee {
            principal,
            arn: Ok(arn),
            unique_id: Some(unique_id),
        },
        Err(why) => Grantee {
            principal,
            arn: Err(why),
            unique_id: None,
        },
    }
}

/// What somebody of another account may have, and for how long, the limits of that one say, and not those of the resource's.
const OF_ANOTHER_ACCOUNT: &str = "is of another AWSAccount than the resource, whose limits say nothing of it";

/// A role that is made once is named until it is refused or goes: while AWS is away, nobody loses anything.
fn role_arn(
    index: &Index,
    statement: &OwnedStatement,
    id: &RoleId,
) -> Result<(GranteeArn, Box<str>), &'static str> {
    let view = index.role(id).ok_or("does not exist")?;
    let (role, decision) = index
        .decide_role(id)
        .ok_or("can't be read, or is being deleted")?;
    if role.account != statement.account {
        return Err(OF_ANOTHER_ACCOUNT);
    }
    if role.owned().is_none() {
        return Err("is a role that exists already, which its owner grants what he likes");
    }
    if !decision.is_accepted() {
        return Err("is not accepted");
    }
    let unique_id = view.state.role_id.clone().ok_or("is not in AWS yet")?;
    let account = index.account(&role.account);
    let account: &Arc<Account> = account.known().ok_or("is of an account that is not there")?;
    let arn = naming::role_arn(index.cluster(), account, id);
    Ok((GranteeArn::Role(arn), unique_id))
}

fn user_arn(index: &Index, statement: &OwnedStatement, id: &ObjectId) -> Result<GranteeArn, &'static str> {
    let found = index
        .decide_federated(id)
        .ok_or("does not exist, can't be read, or is being deleted")?;
    if found.binding.account != statement.account {
        return Err(OF_ANOTHER_ACCOUNT);
    }
    if !found.decision.is_accepted() {
        return Err("is not accepted");
    }
    let account = found
        .account
        .known()
        .ok_or("is of an account that is not there")?;
    Ok(GranteeArn::FederatedUser(found.binding.arn(account)))
}
