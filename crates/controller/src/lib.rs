//! The controllers: `deputy controller` (accounts, roles, bindings) and `deputy limits` (limits).
//!
//! A reconciliation is *dereference* (clients) → *assess* and *plan* (pure) → *apply* (client) → *status* (client). Only the
//! holder of the Lease writes, and begins a call to AWS only while the Lease has more time left than the call can take.

mod account;
mod binding;
mod context;
mod error;
#[cfg(test)]
mod fixtures;
mod identity;
mod limit;
mod metrics;
mod objects;
mod process;
mod progress;
mod queue;
mod role;
mod verified;
mod work;

pub use error::Error;
pub use process::{ProcessConfig, ProcessError, run_controller, run_limits};
