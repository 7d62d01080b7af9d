//! *Dereference*: everything that is looked up about a limit before it is summed up. Reads the API server and the index.

use std::sync::Arc;

use deputy_api::{DelegationLimit, convert};
use deputy_delegation::{
    ClusterName, ObjectName, Violations, boundary,
    model::{Account, Enforcement, Limit, LimitEntry},
};
use deputy_index::{Entry, Index};
use kube::api::DynamicObject;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// Everything that was looked up about a limit.
#[derive(Debug)]
pub struct LimitInputs {
    pub cluster: ClusterName,
    /// The object as it was just read, not as a watch once showed it.
    pub object: DynamicObject,
    /// What it says, or why it can't be read.
    pub limit: Result<ReadableLimit, Violations>,
}

/// A limit that can be read.
#[derive(Debug)]
pub struct ReadableLimit {
    pub limit: Arc<Limit>,
    /// Whether it can be in force.
    pub validity: Result<(), Violations>,
    /// The accounts in which it has a boundary policy, in the order of their names.
    pub accounts: Vec<(ObjectName, Entry<Account>)>,
}

/// Looks up everything about a limit. `None` when it is gone or being deleted: it has no finalizer, and its policies are swept.
///
/// # Errors
/// [`ReconcileError`]: the API server does not answer.
pub async fn dereference(
    ctx: &ControllerContext,
    name: &ObjectName,
) -> Result<Option<LimitInputs>, ReconcileError> {
    let api = objects::cluster_wide::<DelegationLimit>(&ctx.client);
    let object = api.get_opt(name.as_str()).await?;
    let Some(object) = object.filter(|o| o.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let limit = match objects::parse::<DelegationLimit, _>(&object, convert::parse_limit) {
        Ok(limit) => {
            let (uid, generation) = (object.metadata.uid.clone(), object.metadata.generation);
            Ok(ctx
                .decide(move |index| {
                    ReadableLimit::look_up(index, known(index, limit, uid.as_deref(), generation))
                })
                .await?)
        }
        Err(violations) => Err(violations),
    };
    Ok(Some(LimitInputs {
        cluster: ctx.cluster.clone(),
        object,
        limit,
    }))
}

/// The limit as the index has it, if that is the same one: its boundaries are compiled there already.
fn known(index: &Index, limit: Limit, uid: Option<&str>, generation: Option<i64>) -> Arc<Limit> {
    match index.limit(&limit.name) {
        Some((LimitEntry::Valid(known), meta, _))
            if meta.uid.as_deref() == uid && Some(meta.generation) == generation =>
        {
            known
        }
        _ => Arc::new(limit),
    }
}

impl ReadableLimit {
    /// Whether nothing is refused by it.
    pub fn is_dry_run(&self) -> bool {
        self.limit.enforcement == Enforcement::DryRun
    }

    pub(super) fn look_up(index: &Index, limit: Arc<Limit>) -> Self {
        let names: Vec<ObjectName> = if limit.carries_boundary() {
            limit.scope.accounts.iter().cloned().collect()
        } else {
            Vec::new()
        };
        let accounts: Vec<_> = names
            .into_iter()
            .map(|name| (name.clone(), index.account(&name)))
            .collect();
        let validity = Violations::none_of(boundary::problems(&limit).to_vec());
        if validity.is_ok() {
            // Compiled here, where computing holds nobody up; the next step finds it.
            for account in accounts.iter().filter_map(|(_, account)| account.known()) {
                drop(boundary::in_account(index.cluster(), account, &limit));
            }
        }
        Self {
            validity,
            accounts,
            limit,
        }
    }
}
