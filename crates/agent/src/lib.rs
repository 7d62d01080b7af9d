//! The agent that runs beside an application in its pod and hands it AWS credentials.
//!
//! Towards the application it speaks the container credentials protocol of the AWS SDKs on a loopback address
//! ([`server`]); towards Deputy's broker it speaks the agent–broker protocol, version 1, over TLS ([`broker`]).
//! Between the two stands the [`keeper`]: it keeps what the broker gave, has it confirmed, and decides what a
//! caller gets while the broker is slow, away or refusing.
//!
//! The agent holds no rights of its own: all it can do is what the pod's projected token lets it do.

pub mod agent;
pub mod binding;
pub mod broker;
pub mod config;
pub mod credential;
pub mod dial;
pub mod keeper;
pub mod log;
mod pool;
pub mod problem;
pub mod readiness;
pub mod server;
pub mod token;

pub use agent::{Agent, StartError};
pub use config::{Config, WaitFor};
