//! *Dereference*: everything that is looked up about a boundary policy before anything is done. All of it is in the index: it is read 256
//! times when a limit over 256 accounts changes, and whatever changes later comes as a change.

use std::sync::Arc;

use deputy_delegation::{
    ClusterName, ClusterUid, boundary,
    model::{Account, Limit, LimitEntry},
};
use deputy_index::{BoundaryInAccount, BoundaryKey, Index};

use crate::{context::ControllerContext, error::ReconcileError};

/// Everything that was looked up about a boundary policy.
#[derive(Debug)]
pub struct BoundaryInputs {
    pub cluster: ClusterName,
    pub cluster_uid: ClusterUid,
    pub key: BoundaryKey,
    pub limit: Arc<Limit>,
    pub account: Arc<Account>,
    /// What asks for a look at its policies ([`deputy_index::Meta::requested`]): with another one AWS is looked at whatever was seen before.
    pub requested: u64,
    /// What the limit's status says that AWS has.
    pub known: Option<BoundaryInAccount>,
}

/// Looks up everything about a boundary policy. `None` when there is nothing to do: the limit is gone, being deleted, can't be in force,
/// or has no boundary there; or the account can't be used. What there is in AWS then stays, and is swept once no limit explains it.
///
/// # Errors
/// [`ReconcileError`]: a panic.
pub async fn dereference(
    ctx: &ControllerContext,
    key: &BoundaryKey,
) -> Result<Option<BoundaryInputs>, ReconcileError> {
    let (key, cluster_uid) = (key.clone(), ctx.cluster_uid.clone());
    ctx.decide(move |index| look_up(index, cluster_uid, key)).await
}

pub(super) fn look_up(index: &Index, cluster_uid: ClusterUid, key: BoundaryKey) -> Option<BoundaryInputs> {
    let (entry, meta, state) = index.limit(&key.limit)?;
    let LimitEntry::Valid(limit) = entry else {
        return None;
    };
    let covers = limit.carries_boundary() && limit.scope.accounts.contains(&key.account);
    if meta.terminating || !covers || !boundary::problems(&limit).is_empty() {
        return None;
    }
    let account = Arc::clone(index.account(&key.account).known()?);
    // Compiled here, where computing holds nobody up; the next step finds it.
    boundary::in_account(index.cluster(), &account, &limit)?;
    Some(BoundaryInputs {
        cluster: index.cluster().clone(),
        cluster_uid,
        requested: meta.requested,
        known: state.boundary(&key.account).cloned(),
        key,
        limit,
        account,
    })
}
