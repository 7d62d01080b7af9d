//! The agent that runs beside an application in its pod, or once on a node, and hands AWS credentials to pods.
//!
//! Towards the application it speaks the container credentials protocol of the AWS SDKs on a loopback address or, for a
//! whole node ([`node`]), on a link-local one ([`server`]); towards Deputy's broker it speaks the agent–broker protocol, version 1, over TLS ([`broker`]).
//! Between the two stands the [`keeper`]: it keeps what the broker gave, has it confirmed, and decides what a
//! caller gets while the broker is slow, away or refusing.
//!
//! The agent holds no rights of its own: all it can do is what the projected tokens of pods let it do.
//!
//! # Invariants
//!
//! - It stands alone: no Kubernetes client, no AWS SDK, no crate of Deputy but `deputy-token`: `the_agent_stands_alone`.
//! - An expired credential is never served, and after a refusal none: `an_expired_credential_is_never_served`,
//!   `a_refusal_drops_the_credential`.
//! - Two thirds of a session are held at any time, whatever the SDK does: `two_thirds_of_a_session_are_held_at_any_time`.
//! - Only the pod's own token, on loopback, gets an answer: `every_other_request_is_refused_without_asking_the_broker`,
//!   `an_endpoint_reachable_from_outside_the_pod_is_not_opened`.
//! - On a node, only the token of a pod of that node gets an answer, and what is made up never reaches the broker:
//!   `a_made_up_token_and_one_of_elsewhere_never_reach_the_broker`.
//! - Only who has proved to be the broker can tell of another authority of the broker:
//!   `an_agent_that_never_heard_of_an_authority_does_not_trust_it`.
//! - No log line holds a secret: `no_log_line_holds_a_secret`.

pub mod agent;
pub mod binding;
pub mod broker;
pub mod bundle;
pub mod config;
pub mod credential;
pub mod desk;
pub mod dial;
mod jitter;
pub mod keeper;
pub mod log;
pub mod node;
mod places;
mod pool;
pub mod problem;
pub mod process;
pub mod readiness;
pub mod ready;
pub mod revive;
pub mod serve;
pub mod server;
pub mod token;

pub use agent::{Agent, StartError};
pub use config::{Config, WaitFor};
