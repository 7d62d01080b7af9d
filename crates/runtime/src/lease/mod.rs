//! Leadership by a `Lease`, with what a leader needs to fence its writes.
//!
//! The rules of client-go's leader election, and three of our own. Every write carries the resource version that was
//! read, so of two candidates that see the same state one loses. A holder counts its time from before it sent the
//! renewal that succeeded, candidates count theirs from when they saw it; no clock is compared with another
//! machine's. A holder asks [`Leadership::may_write`] before each call to the outside, and a process that cannot
//! renew ends. A Lease that is missing may have been deleted while somebody holds it: who makes it anew does so in
//! nobody's name, and waits like everybody else until it has run out.

mod election;
mod runner;

pub use election::{ElectionVerdict, evaluate};
#[cfg(feature = "test-support")]
pub use runner::LeaseInHand;
pub use runner::{Leadership, LeaseError, LeaseTask, campaign, default_identity};

use std::time::Duration;

/// Which Lease to hold, as whom, and for how long at a time.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease. It is created when it does not exist.
    pub name: String,
    /// Who holds it: unique among the processes that run at the same time, at most 253 characters.
    pub identity: String,
    /// How long a holder holds it after it sent a renewal. Whole seconds.
    pub duration: Duration,
    /// How long a holder may fail to renew before the process must end. Less than `duration`.
    pub renew_deadline: Duration,
    /// The pause between renewals.
    pub retry_period: Duration,
    /// The longest pause between the looks of a candidate: it takes over that much later, at most, than the Lease has run out.
    pub look_period: Duration,
}

impl LeaseConfig {
    /// The Lease `name` with a duration of 15 s, renewed each 5 s, given up after 10 s without a renewal, looked at by candidates each second.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(5),
            look_period: Duration::from_secs(1),
        }
    }
}
