//! Every way to a temporary credential: who may have the session, and what it may do.
//!
//! AWS has five (IAM User Guide, "Requesting temporary security credentials", "Permissions for temporary security
//! credentials"). Of each this says which of [`Situation`](crate::Situation)'s policies are whose: the caller's, or the
//! role's; and what the session is called, and which context keys it has whatever it asks for.

mod act;
mod begin;
mod known;
mod question;
mod refusal;
mod way;

pub use act::SessionAction;
pub use begin::SessionStart;
pub use question::{OwnPolicies, SessionCaller, SessionQuestion, SessionQuestionError, SessionRole};
pub use refusal::SessionRefusal;
pub use way::SessionWay;
