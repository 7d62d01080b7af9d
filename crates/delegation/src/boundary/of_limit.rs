//! The boundary of a limit, by its mode.

use std::sync::Arc;

use super::{
    check::check_limit,
    generated::{compile, own_resources},
    reference::referenced,
    sealed::AccountBoundary,
};
use crate::{
    decision::Violation,
    model::{Account, BoundaryMode, Limit},
    names::{ClusterName, ManagedPolicyArn},
    naming,
};

/// The boundary of `limit` in `account`, or why there can't be one: made once for each value of a limit. `None` for a limit that is
/// only checked.
#[must_use]
pub fn in_account(
    cluster: &ClusterName,
    account: &Account,
    limit: &Limit,
) -> Option<Arc<Result<AccountBoundary, Violation>>> {
    let make = || match &limit.boundary {
        BoundaryMode::Generated => Some(compile(cluster, account, limit).map(AccountBoundary::Generated)),
        BoundaryMode::Reference(policy) => {
            Some(referenced(cluster, account, limit, policy).map(AccountBoundary::Referenced))
        }
        BoundaryMode::CheckOnly => None,
    };
    let key = (account.name.clone(), own_resources(cluster, account));
    limit.checked.in_account(key, make)
}

/// What is wrong with `limit` by itself, as [`check_limit`] says: looked for once for each value of a limit.
#[must_use]
pub fn problems(limit: &Limit) -> &[Violation] {
    limit.checked.alone(|| check_limit(limit))
}

/// Why `limit` can have no boundary in `account`.
#[must_use]
pub fn problem(cluster: &ClusterName, account: &Account, limit: &Limit) -> Option<Violation> {
    in_account(cluster, account, limit)?
        .as_ref()
        .as_ref()
        .err()
        .cloned()
}

/// The policy that roles under `limit` carry in `account`. `None` for a limit that is only checked.
#[must_use]
pub fn arn(cluster: &ClusterName, account: &Account, limit: &Limit) -> Option<ManagedPolicyArn> {
    match &limit.boundary {
        BoundaryMode::Generated => Some(naming::boundary_arn(cluster, account, &limit.name).into()),
        BoundaryMode::Reference(policy) => Some(policy.clone()),
        BoundaryMode::CheckOnly => None,
    }
}
