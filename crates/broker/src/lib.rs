//! The broker: verifies who a pod is, resolves its binding at request time, and hands out sessions made by STS.
//!
//! - [`token`]: a projected token becomes a pod, by TokenReview.
//! - [`resolve`]: a pod becomes a session request, or a refusal.
//! - [`issuer`]: a session request becomes a session: once, in its turn, kept, renewed.
//! - [`identity`]: whether this process is the issuer that the account names.
//! - [`asker`]: from where a pod asks, and which agents of nodes may ask for it.
//! - [`people`]: the API by which people get sessions, behind the API server.
//! - [`service`], [`http`]: one request, and the protocol that agents speak; [`problem`] its answers that are no
//!   credentials, [`audit`] the record of it.
//!
//! # Invariants
//!
//! - Only the token of a living pod is answered, and nothing but the token says who asks: `a_pods_token_names_its_pod`,
//!   `a_token_dies_within_five_seconds_of_its_pod`.
//! - The agent of a node gets nothing but for pods of its own node, and whoever is not one of those named at the start gets nothing:
//!   `an_agent_gets_credentials_for_pods_of_its_node_alone`, `whoever_is_no_agent_of_a_node_gets_nothing_for_any_pod`.
//! - Grants are decided for each request; on an index that is old nothing is decided:
//!   `on_an_index_that_is_old_what_is_kept_is_given_and_nothing_is_decided`.
//! - The default binding is the oldest one, and never another because that is refused:
//!   `the_default_is_the_oldest_binding_also_when_that_is_refused`.
//! - Any number of callers share one call to STS: `a_thousand_callers_share_one_call_and_one_audit_record`.
//! - An endpoint of STS that hangs slows no other account, and what is kept has a bound and a share for each namespace:
//!   `an_endpoint_that_hangs_slows_no_other_account`, `when_full_no_namespace_keeps_more_than_a_quarter_from_the_others`.
//! - No session is made while the audit log can't be written: `while_the_audit_log_is_not_written_what_is_kept_is_given_and_nothing_new`.
//! - Whatever is sent that is no request of the protocol makes no session: `whatever_else_is_sent_makes_no_session`.
//! - Every log line of a request names its pod and binding as soon as they are known, and none holds a secret:
//!   `every_log_line_of_a_request_names_pod_and_binding`.

mod asker;
mod audit;
mod clients;
#[cfg(test)]
mod fixtures;
mod http;
mod identity;
mod issuer;
mod metrics;
mod people;
mod problem;
mod process;
mod recent;
mod report;
mod resolve;
mod service;
mod single_flight;
pub mod token;
mod told;

pub use asker::{NodeAgents, NodeAgentsError};
pub use process::{BrokerConfig, BrokerError, PeopleConfig, run};
