//! The one decision: webhook, controllers, broker and the offline check all call [`decide`].
//!
//! Everything that is wrong is listed, in this order: sizes, account, limits, durations and tags,
//! containment in the order of the limits' names.

mod binding;
mod containment;
mod excess;
mod existing;
mod federated;
mod findings;
mod input;
mod known;
mod limits;
mod managed;
mod method;
mod nearest;
mod own;
mod role;
mod session;
mod statement;
mod subjects;

use self::findings::Findings;
pub use self::{
    input::{DecisionInput, GrantSpec},
    known::KnownTags,
    role::may_be_retained,
};
use crate::{
    decision::{Decision, Fact, Reason, Violation},
    model::{Enforcement, RoleSource},
};

/// Decides whether a grant stays within every limit of its namespace and account.
///
/// A violation that is certain refuses also while other facts are missing. What is accepted is then asked about once more, under
/// the limits of enforcement [`Enforcement::DryRun`] as if they were enforced: what they would refuse is said, and refuses nothing. What exceeds them comes before a boundary that would be one
/// too many.
pub fn decide(input: &DecisionInput<'_>) -> Decision {
    match decided(input, Findings::new(true, Enforcement::Enforce)) {
        Decision::Accepted(mut accepted) if has_dry_run(input) => {
            if let Decision::Refused(violations) = decided(input, Findings::new(true, Enforcement::DryRun)) {
                accepted.would_refuse = violations.into_iter().collect();
                // Every grant would have it, and what one exceeds is what has to be mended first.
                let is_overlap = |violation: &Violation| violation.reason == Reason::BoundaryOverlap;
                accepted.would_refuse.sort_by_key(is_overlap);
            }
            Decision::Accepted(accepted)
        }
        decision => decision,
    }
}

/// Whether a dry run applies to the grant.
fn has_dry_run(input: &DecisionInput<'_>) -> bool {
    let (namespace, account) = match input.grant {
        GrantSpec::Role(role)
        | GrantSpec::Binding {
            role: Fact::Known(role),
            ..
        } => (&role.id.namespace, &role.account),
        GrantSpec::Binding { .. } => return false,
        GrantSpec::Federated { binding, .. } => (&binding.id.namespace, &binding.account),
        GrantSpec::Statement(statement) => (&statement.id.namespace, &statement.account),
    };
    input
        .limits
        .iter()
        .any(|limit| limit.enforcement() == Enforcement::DryRun && limit.applies(namespace, account))
}

/// Whether [`decide`] accepts. What exceeds a limit is not looked for part by part, which takes most of the time of a refusal.
#[must_use]
pub fn accepts(input: &DecisionInput<'_>) -> bool {
    decided(input, Findings::new(false, Enforcement::Enforce)).is_accepted()
}

fn decided(input: &DecisionInput<'_>, findings: Findings) -> Decision {
    match input.grant {
        GrantSpec::Role(role) => match &role.source {
            RoleSource::Owned(owned) => role::decide_owned(input, role, owned, findings),
            RoleSource::Existing(there) => existing::decide_role(input, role, there, findings),
        },
        GrantSpec::Binding { binding, role } => binding::decide(input, binding, role, findings),
        GrantSpec::Federated { binding, held_by } => federated::decide(input, binding, held_by, findings),
        GrantSpec::Statement(owned) => statement::decide(input, owned, findings),
    }
}
