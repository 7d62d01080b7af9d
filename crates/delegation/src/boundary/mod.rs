//! How a limit's ceiling is repeated in AWS, and what a limit may not contain.

mod check;
mod generated;
mod of_limit;
mod reference;
pub(crate) mod sealed;

pub use self::{
    check::{check_limit, is_acknowledged},
    generated::{compile, document_hash},
    of_limit::{arn, in_account, problem, problems},
    reference::{ReferenceError, hash_of},
    sealed::{AccountBoundary, GeneratedBoundary, ReferencedBoundary, Sealed},
};
