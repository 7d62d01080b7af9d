//! The controllers: `deputy controller` (accounts, roles, bindings, also of federated users, statements of resource policies) and `deputy limits` (limits, and accounts as its own identity).
//!
//! Each of `role`, `cluster_role`, `limit`, `boundary`, `account`, `binding`, `federated` and `statement` reconciles its kind in the same five steps: *dereference* (clients: look everything
//! up), *assess* (pure: make one plan of it), *finalizer* (client: mark the object before anything of it is in AWS), *apply* (client:
//! carry the plan out in AWS), *report* (client: write what is true then). `dereference`, `assess` and, where the kind writes to AWS,
//! `apply` have a file each; `status` is pure and makes the words that *report* writes. `work` calls all this for the keys of a
//! `queue`, `report` writes a status when it differs, `verified` knows when AWS need not be asked.
//!
//! # Invariants
//!
//! - AWS is written by the holder of the Lease alone, each call only while the Lease has more time left than the call can take:
//!   `every_write_to_aws_asks_the_lease_first`, `no_write_begins_without_the_lease`.
//! - Nothing is decided here: decisions come from `deputy_index`, on an index that is current:
//!   `webhook_controller_and_broker_decide_through_the_index`, `nothing_is_reconciled_on_an_index_that_is_old`.
//! - The pure steps hold no client, and a status is made of what was applied, not of a plan:
//!   `the_pure_steps_of_a_controller_hold_no_client`, `a_reconciliation_is_the_same_five_steps_in_every_controller`.
//! - Whichever call fails and whenever the process dies, the next attempt reads first and ends as it should:
//!   `whichever_call_fails_and_however_every_life_ends_as_it_should`, `whenever_the_process_dies_the_next_one_finishes`.
//! - An account that can't be reached holds up no boundary policy in another one:
//!   `eight_accounts_that_can_not_be_reached_hold_up_none_of_the_others`.
//! - What takes away is done though something else fails:
//!   `whichever_call_aws_refuses_for_good_all_else_that_takes_away_is_done`.
//! - What can't be read is not absent: it is suspended or kept, never taken for deleted:
//!   `a_role_that_can_not_be_read_is_suspended_as_what_it_was`, `a_deletion_waits_for_an_account_that_is_not_known`.
//! - A role that is not ours is neither changed nor deleted: `a_role_that_is_not_ours_is_neither_changed_nor_deleted`.
//! - Nothing is made under a boundary that is absent or says something else:
//!   `nothing_is_made_under_a_boundary_that_is_absent_or_says_something_else`.
//! - One object that fails, panics or hangs holds up no other, and a leader of whose work nothing ends is stuck:
//!   `a_reconciliation_that_holds_its_thread_holds_up_no_other`, `an_object_that_causes_a_panic_holds_up_no_other`,
//!   `work_of_which_nothing_ends_is_stuck`.

mod absence;
mod account;
mod backoff;
mod binding;
mod boundary;
mod census;
mod cluster_role;
mod context;
mod difference;
mod error;
mod events;
mod federated;
#[cfg(test)]
mod fixtures;
mod grant_queues;
mod instances;
mod kind_queue;
mod left_out;
mod limit;
mod limit_status;
mod metrics;
mod objects;
mod orphans;
mod process;
mod progress;
mod queue;
mod report;
mod role;
mod statement;
mod subjects;
#[cfg(test)]
mod tests;
mod triage;
mod verified;
mod work;

pub use context::PeopleApi;
pub use error::ReconcileError;
pub use instances::FINALIZER as ROLE_FINALIZER;
pub use process::{ControllerError, ProcessConfig, run_controller, run_limits};
