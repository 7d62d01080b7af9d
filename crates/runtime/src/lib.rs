//! What every Deputy process needs around its job: logs, metrics, health, shutdown in two phases, a Lease that
//! fences writes, a certificate authority in a Secret, and a TLS server that one silent client cannot block.
//!
//! Nothing in this crate knows what Deputy decides.
//!
//! # Invariants
//!
//! - Nothing here knows what Deputy decides: `the_crates_are_in_layers`.
//! - Every wait of a connection has a deadline, and a full listener lets a newcomer in:
//!   `no_client_keeps_a_connection_beyond_its_limit`,
//!   `a_listener_that_is_full_of_silent_clients_answers_a_new_one_at_once`.
//! - Of candidates with any clocks never two hold the Lease:
//!   `of_candidates_with_any_clocks_and_any_delays_never_two_hold_the_lease`.
//! - An authority that clients have pinned is never replaced silently:
//!   `a_replica_that_begins_makes_no_authority_while_clients_trust_another`.
//! - Whom an aggregated API believes shows a certificate of the front proxy, by what the cluster says now:
//!   `nobody_is_let_in_without_a_certificate_of_the_front_proxy`, `an_authority_that_is_replaced_counts_no_more`.
//! - No filter of logs silences the audit log, or takes the spans from a line: `no_filter_silences_the_audit`,
//!   `a_line_names_its_spans_whatever_the_filter_says`.
//! - A panic ends one request, or the process; its message is not logged: `a_panic_in_one_request_ends_that_request`,
//!   `a_panic_outside_of_a_request_ends_the_process_and_no_message_is_logged`.

pub mod client;
pub mod contain;
pub mod error;
pub mod events;
pub mod front_proxy;
pub mod health;
pub mod lease;
pub mod metrics;
pub mod process;
pub mod serve;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod watch;

#[doc(hidden)]
pub use jiff as __jiff;
#[doc(hidden)]
pub use tracing as __tracing;
