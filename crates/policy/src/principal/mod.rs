//! Who makes a request, and whether a Principal element means them.

mod caller;
mod listed;
mod naming;

pub use caller::{Account, Caller};
pub(crate) use listed::{IdKind, Listed};
pub use naming::Named;
pub(crate) use naming::{Id, Match, Principals, Who};
