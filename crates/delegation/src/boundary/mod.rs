//! How a limit's ceiling is repeated in AWS, and what a limit may not contain.

mod check;
mod generated;
pub(crate) mod sealed;

pub use self::{
    check::{check_limit, is_acknowledged},
    generated::{compile, document_hash, generated},
    sealed::{GeneratedBoundary, Sealed},
};
