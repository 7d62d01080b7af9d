//! The census: every half an hour AWS is asked for all roles of a cluster in an account, which takes some twenty calls where looking at each
//! of them would take tens of thousands.
//!
//! A listing may confirm, and never justifies a write: what it shows to be as it should be is not looked at again, and whatever it shows
//! otherwise, or not at all, is read before anything is done about it. `observations` knows what may be taken from it, `rounds` asks AWS and
//! hands on what it says, and `told` is what the status of the AWSAccount says of it.

mod observations;
mod rounds;
#[cfg(test)]
mod tests;
mod told;

pub use self::{
    observations::Census,
    rounds::{TakeInHand, list_for_ever},
};
#[cfg(test)]
pub use self::{observations::Listing, rounds::Rounds};
