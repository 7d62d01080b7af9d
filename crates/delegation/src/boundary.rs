//! The permissions boundary that repeats a limit's ceiling in AWS. Skeleton: bodies follow.

use crate::{
    decide::Violation,
    model::{Account, Limit},
    names::ClusterName,
};
use deputy_policy::Document;

/// The ceiling plus a deny of IAM writes, PassRole and AssumeRole on Deputy's own roles, policies and identities.
///
/// # Errors
/// When it would be larger than the 6,144 characters that AWS takes; the violation says the numbers.
pub fn compile(_cluster: &ClusterName, _account: &Account, _limit: &Limit) -> Result<Document, Violation> {
    unimplemented!()
}

/// What is wrong with a limit by itself: escalation without acknowledgement, tenant-settable variables, sizes.
pub fn check_limit(_cluster: &ClusterName, _limit: &Limit) -> Vec<Violation> {
    unimplemented!()
}
