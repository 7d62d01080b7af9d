//! The broker: verifies who a pod is, resolves its binding at request time, and hands out sessions made by STS.
//!
//! - [`token`]: a projected token becomes a pod, by TokenReview.
//! - [`resolve`]: a pod becomes a session request, or a refusal.
//! - [`issuer`]: a session request becomes a session: once, kept, renewed.
//! - [`identity`]: whether this process is the issuer that the account names.
//! - [`service`], [`http`]: one request, and the protocol that agents speak.

#[cfg(test)]
mod fixtures;
mod http;
mod identity;
mod issuer;
mod metrics;
mod process;
mod report;
mod resolve;
mod service;
mod single_flight;
pub mod token;

pub use process::{BrokerConfig, ProcessError, run};
