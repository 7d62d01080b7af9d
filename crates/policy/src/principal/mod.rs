//! Who makes a request, and whether a Principal element means them.

pub(crate) mod account;
pub(crate) mod caller;
pub(crate) mod listed;
pub(crate) mod naming;

pub use account::AwsAccount;
pub use caller::Caller;
pub use naming::Named;
