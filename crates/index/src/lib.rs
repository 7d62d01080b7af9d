//! What the cluster holds, parsed once and indexed by the questions that are asked of it.
//!
//! - [`Index`] is the state: accounts, limits, roles, ClusterAWSRoles, bindings (also of federated users), namespaces and
//!   ServiceAccounts. It is fed object by object and knows no client, so every test of it is pure.
//! - [`watch()`] feeds an index from an API server.
//! - [`look()`] sees limits and accounts once, for who is about to refuse.
//! - [`Subscription`] tells controllers what has to be decided again.
//!
//! Webhook, controllers and broker all ask the same index, so they all decide alike. Two rules hold throughout: an
//! object that can't be read is *unreadable*, never absent and never an error of the watch (an unreadable limit still
//! limits); and an account, role or binding that is being deleted grants nothing.
//!
//! # Invariants
//!
//! - Nothing is decided before every kind has been read whole:
//!   `nothing_is_decided_before_every_kind_has_been_read_whole`.
//! - Nothing is decided on what the API server has not confirmed for 30 s:
//!   `a_frozen_connection_is_noticed_within_thirty_seconds`.
//! - An object that can't be read is unreadable, never absent:
//!   `a_limit_that_can_not_be_read_still_limits_where_it_applies`.
//! - An answer from memory is never older than its facts: `an_answer_from_memory_is_never_older_than_its_facts`.

mod boundaries;
mod claims;
mod cluster_roles;
mod current;
mod decided;
mod decisions;
mod defaults;
mod dependents;
mod dirty;
mod entry;
mod federated;
mod freshness;
mod holders;
mod index;
mod kept;
mod limits;
mod look;
mod namers;
mod parse;
mod pods;
mod questions;
mod received;
mod sorted;
mod state;
mod statements;
mod stored_statements;
mod suspension;
mod tap;
mod telling;
mod under_limit;
mod uses;
mod watch;
mod why_suspended;

pub use boundaries::boundary_state;
pub use decisions::{BindingDecision, GrantRef};
pub use defaults::{ChosenBinding, DefaultBinding};
pub use dirty::{BoundaryKey, Dirty, Subscription};
pub use entry::{
    AccountState, BindingState, BoundaryInAccount, ClusterRoleState, Entry, FederatedState, IssuerState,
    LimitState, Meta, NamespaceInfo, ResourceKind, RoleState, ServiceAccountInfo, StatementState, View,
};
pub use federated::FederatedDecision;
pub use freshness::{STALE_AFTER, Stale};
pub use index::{Index, Reset};
pub use kept::{BindingHead, Headed, RoleHead};
pub use look::{
    LookError, Seen, look, look_for_bindings, look_for_federated_bindings, look_for_role, role_at,
};
pub use namers::{Namers, NamingObjects};
pub use pods::PodLife;
pub use questions::Counts;
pub use suspension::{ProposedChange, Suspension};
pub use under_limit::{LimitGrants, LimitTally, WouldBeRefused};
pub use uses::AccountUse;
pub use watch::{PODS_NOT_ENDED, WatchError, watch};
pub use why_suspended::WhySuspended;

#[cfg(test)]
mod tests;
