//! What every Deputy process needs around its job: logs, metrics, health, shutdown in two phases, a Lease that
//! fences writes, a certificate authority in a Secret, and a TLS server that one silent client cannot block.
//!
//! Nothing in this crate knows what Deputy decides.

pub mod client;
pub mod contain;
pub mod health;
pub mod lease;
pub mod metrics;
pub mod process;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod watch;

#[doc(hidden)]
pub use jiff as __jiff;
#[doc(hidden)]
pub use tracing as __tracing;
