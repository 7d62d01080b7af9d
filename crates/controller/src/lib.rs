//! The controllers: `deputy controller` (accounts, roles, bindings) and `deputy limits` (limits, and accounts as its own identity).
//!
//! Each of `role`, `limit`, `account` and `binding` reconciles its kind in the same steps, a file each: `dereference` (clients: look
//! everything up), `assess` (pure: make one plan of it), `apply` (client: carry the plan out in AWS), `status` (pure: say what is true
//! then). `work` calls them for the keys of a `queue`, `report` writes what they say, `verified` knows when AWS need not be asked.
//!
//! What must stay true here:
//! - Only the holder of the Lease writes, and it begins a call to AWS only while the Lease has more time left than the call can take.
//! - Nothing is decided here: decisions come from `deputy_index`, on an index that is current.
//! - The pure steps hold no client; a status is made of what was applied, not of a plan.
//! - Whatever call fails, the next attempt reads first and goes on from there; what takes away is done though something else fails.
//! - What can't be read is not absent: it is suspended or kept, never taken for deleted.
//! - One object that fails, panics or hangs holds up no other.

mod account;
mod binding;
mod context;
mod error;
#[cfg(test)]
mod fixtures;
mod limit;
mod metrics;
mod objects;
mod process;
mod progress;
mod queue;
mod report;
mod role;
mod verified;
mod work;

pub use error::ReconcileError;
pub use process::{ControllerError, ProcessConfig, run_controller, run_limits};
