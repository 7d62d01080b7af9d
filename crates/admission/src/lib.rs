//! Admission: the review server, validation of Deputy's kinds, and pod injection.
//!
//! It writes nothing but its certificates and events about warnings, and calls no AWS (invariant 4): a review is answered
//! from the index and, on a miss or before a refusal for a limit, one live read.
//!
//! - [`run`]: the process `deputy webhook`.
//! - [`inject`]: whether a pod gets the sidecar, and the patch. Pure.
//! - `validate`: verdicts on Deputy's kinds. Pure.

mod body;
mod broker;
mod events;
mod facts;
pub mod inject;
mod live;
mod metrics;
mod mutate;
mod process;
mod review;
mod server;
mod validate;

pub use body::MAX_BODY;
pub use process::{Error, WebhookConfig, run};
