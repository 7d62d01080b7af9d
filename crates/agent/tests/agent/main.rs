//! The agent in front of a broker, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod authorities;
mod flood;
mod hostile;
mod node;
mod outage;
mod revived;
mod start;
mod support;
