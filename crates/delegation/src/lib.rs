//! What Deputy decides, as pure functions: no Kubernetes, no AWS SDK, no I/O, no clock (invariant 1).
//!
//! - [`names`]: the typed names and ARNs everything else speaks in; made once at the edge.
//! - [`model`]: accounts, limits, roles and bindings as the decision sees them.
//! - [`decision`]: the words of an answer: accepted, refused with every violation, undecided.
//! - [`decide`]: the one function behind webhook, controllers and broker.
//! - [`quota`]: every number that a grant may run into.
//! - [`naming`]: what an object is called in AWS, computable offline.
//! - [`ownership`]: whether something in AWS is of this cluster or of another one of its name.
//! - [`trust`], [`boundary`], [`session`]: the documents and requests that an accepted grant becomes.
//! - [`people`]: people whom the API server knows, and what a limit asks of them.
//! - [`share`]: how much of its role a session gets, and whether another one gets less.
//! - [`web_identity`]: the grant of pods that call STS themselves.
//! - [`capped`]: what a boundary cuts off from a managed policy, for people.
//! - [`foreign_trust`]: whether the trust policy of a role that exists lets the broker in, and what its owner has to add.
//! - [`cut_sessions`]: the statement that ends the sessions of some ServiceAccounts, and of nobody else.
//! - [`plan`]: the IAM calls that lead from what AWS has to what is wanted.
//! - [`resource_policy`]: somebody's policy of a bucket, queue or topic, with one statement of Deputy's in it.
//! - [`bootstrap`]: the AWS policies that Deputy's own processes need.
//!
//! # Invariants
//!
//! - Nothing here knows a network, a file, a clock or Kubernetes: `the_pure_crates_ask_no_clock_file_or_socket`.
//! - What is accepted can do nothing that a limit does not allow:
//!   `what_is_accepted_can_do_nothing_that_a_limit_does_not_allow`.
//! - Another limit never widens, and one that can't be read refuses what it covers: `another_limit_never_widens`,
//!   `a_limit_that_cannot_be_read_refuses_what_it_covers`.
//! - Sizes are measured on what is sent to AWS: `sizes_are_measured_on_what_is_sent`.
//! - A plan that stops after any call leaves no more than before or after, and the next one goes on to the same end:
//!   `at_no_moment_is_there_more_than_before_or_after_nor_less_than_both`,
//!   `stopped_after_any_call_the_next_plan_goes_on_to_the_end`.
//! - What another cluster owns is neither written nor deleted, unless its account says that it is taken over; deleted it is by its owner
//!   alone: `what_another_cluster_owns_is_left_alone_until_the_account_says_otherwise`.
//! - Names in AWS follow from cluster, kind, namespace and name alone; the longest ones fit into the quota:
//!   `the_longest_names_fit_into_the_quota`.

pub mod bootstrap;
pub mod boundary;
pub mod capped;
mod checked;
pub mod cut_sessions;
pub mod decide;
pub mod decision;
pub mod federation;
pub mod foreign_trust;
pub mod model;
pub mod names;
pub mod naming;
pub mod ownership;
mod partition;
pub mod people;
pub mod plan;
pub mod quota;
pub mod resource_policy;
pub mod session;
pub mod share;
pub mod tags;
pub mod trust;
pub mod web_identity;

pub use decide::{DecisionInput, GrantSpec, accepts, decide};
pub use decision::{
    Accepted, CeilingUse, Decision, Fact, MissingFact, MissingFacts, Reason, Violation, Violations,
};
pub use names::*;
