//! The one decision: webhook, controllers, broker and the offline check all call [`decide`].
//!
//! Everything that is wrong is listed, in this order: sizes, account, limits, durations and tags,
//! containment in the order of the limits' names.

mod binding;
mod containment;
mod excess;
mod existing;
mod findings;
mod input;
mod known;
mod limits;
mod method;
mod nearest;
mod role;

use self::findings::Findings;
pub use self::input::{DecisionInput, GrantSpec};
use crate::{decision::Decision, model::RoleSource};

/// Decides whether a grant stays within every limit of its namespace and account.
///
/// A violation that is certain refuses also while other facts are missing.
pub fn decide(input: &DecisionInput<'_>) -> Decision {
    decided(input, Findings::new(true))
}

/// Whether [`decide`] accepts. What exceeds a limit is not looked for part by part, which takes most of the time of a refusal.
#[must_use]
pub fn accepts(input: &DecisionInput<'_>) -> bool {
    decided(input, Findings::new(false)).is_accepted()
}

fn decided(input: &DecisionInput<'_>, findings: Findings) -> Decision {
    match input.grant {
        GrantSpec::Role(role) => match &role.source {
            RoleSource::Owned(owned) => role::decide_owned(input, role, owned, findings),
            RoleSource::Existing(there) => existing::decide_role(input, role, there, findings),
        },
        GrantSpec::Binding { binding, role } => binding::decide(input, binding, role, findings),
    }
}
