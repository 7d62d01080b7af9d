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
//!
//! # Invariants
//!
//! - AWS is written by the holder of the Lease alone, each call only while the Lease outlasts it:
//!   `every_write_to_aws_asks_the_lease_first`, `no_write_begins_without_the_lease`.
//! - Whichever call fails and whenever the process dies, the next one ends as it should:
//!   `whichever_call_fails_and_however_every_life_ends_as_it_should`, `whenever_the_process_dies_the_next_one_finishes`.
//! - A role that is not ours is neither changed nor deleted: `a_role_that_is_not_ours_is_neither_changed_nor_deleted`.
//! - Nothing is made under a boundary that is absent or says something else:
//!   `nothing_is_made_under_a_boundary_that_is_absent_or_says_something_else`.
//! - One object holds up no other, and a leader of whose work nothing ends is stuck:
//!   `a_reconciliation_that_holds_its_thread_holds_up_no_other`, `work_of_which_nothing_ends_is_stuck`.

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
