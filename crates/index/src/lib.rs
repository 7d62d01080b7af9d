//! What Deputy's processes know of the cluster: parsed objects and the indexes that decisions need, kept current by watches.
//!
//! - [`World`]: the state. `apply`, `delete` and `reset` are plain functions, so that everything here is tested without
//!   a cluster.
//! - [`decisions`](World::decide_role): [`deputy_delegation::decide`] on what the world holds, and on what it would hold.
//! - [`watch`]: feeds a world from an API server.
//!
//! An object that can't be read is not an absent one: it is kept as [`Entry::Unreadable`], and a limit that can't be
//! read still limits. An object that is being deleted grants nothing.

mod change;
mod decisions;
mod entry;
mod state;
pub mod watch;
mod world;

#[cfg(test)]
mod tests;

pub use change::Change;
pub use decisions::{BoundRole, Impact};
pub use entry::Entry;
pub use world::{Kind, RoleStanding, World};
