//! Admission: the review server, validation of Deputy's kinds, and pod injection.
//!
//! It writes nothing but its certificates and events about warnings, and calls no AWS (invariant 4): a review is answered
//! from the index and, on a miss or before a refusal for a limit, one live read.
//!
//! - [`run`]: the process `deputy webhook`.
//! - [`inject`]: whether a pod gets the sidecar, and the patch. Pure.
//! - [`answer`], [`pod_answer`]: verdicts on Deputy's kinds and on pods, which the command line asks, too. Pure.
//!
//! # Invariants
//!
//! - Nothing is written but events and the certificate; AWS can't be reached: `admission_writes_nothing_but_events`,
//!   `the_webhook_cannot_reach_aws`.
//! - A pod has all of Deputy's, once and as of today, or nothing of it:
//!   `with_any_webhooks_a_pod_has_all_of_ours_once_or_nothing`.
//! - A pod that can't be decided about is not let in without what it may need:
//!   `an_undecided_pod_is_never_let_in_without_what_it_may_need`.
//! - An answer names other people's objects only to a person who shows, by its uid, that they can read the stored object:
//!   `names_of_others_are_told_only_to_who_shows_the_object_as_it_is_stored`.
//! - Every line about a review names it, and nothing of its object: `every_line_of_a_review_names_it`.
//! - No review, pod or object makes it panic or takes memory without bound: `no_pod_however_odd_makes_injection_panic`,
//!   `a_body_of_commas_is_refused_before_anybody_parses_it`.

mod awaited;
mod body;
mod broker;
mod facts;
pub mod inject;
mod kind;
mod live;
mod metrics;
mod mutate;
mod nearest;
mod process;
mod review;
mod server;
mod unasked;
mod validate;

pub use body::MAX_BODY;
pub use kind::DeputyKind;
pub use nearest::nearest;
pub use process::{Error, WebhookConfig, run};
pub use review::ObjectWarning;
pub use unasked::{ObjectAnswer, ObjectOutcome, PodAnswer, UnaskedPod, answer, pod_answer};
pub use validate::{ACCEPT_SUSPENDING, is_awaiting};
