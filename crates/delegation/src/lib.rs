//! What Deputy decides, as pure functions: no Kubernetes, no AWS SDK, no I/O, no clock (invariant 1).
//!
//! - [`names`]: the typed names and ARNs everything else speaks in; made once at the edge.
//! - [`model`]: accounts, limits, roles and bindings as the decision sees them.
//! - [`decision`]: the words of an answer: accepted, refused with every violation, undecided.
//! - [`decide`]: the one function behind webhook, controllers and broker.
//! - [`naming`]: what an object is called in AWS, computable offline.
//! - [`trust`], [`boundary`], [`session`]: the documents and requests that an accepted grant becomes.
//! - [`plan`]: the IAM calls that lead from what AWS has to what is wanted.
//! - [`bootstrap`]: the AWS policies that Deputy's own processes need.

pub mod bootstrap;
pub mod boundary;
mod checked;
pub mod decide;
pub mod decision;
pub mod model;
pub mod names;
pub mod naming;
mod partition;
pub mod plan;
pub mod session;
pub mod tags;
pub mod trust;

pub use decide::{DecisionInput, GrantSpec, accepts, decide};
pub use decision::{Accepted, Decision, Fact, MissingFact, MissingFacts, Reason, Violation, Violations};
pub use names::*;
