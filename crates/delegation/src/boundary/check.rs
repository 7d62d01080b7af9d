//! What a limit may not contain.

use std::collections::BTreeSet;

use deputy_policy::{escalation, tag_variables};

use crate::{
    decision::{Reason, Violation},
    model::{BoundaryMode, Limit},
    names::wildcard_match,
    quota::MANAGED_POLICY,
};

/// What is wrong with a limit by itself: escalation without acknowledgement, tenant-settable variables, sizes, reserved tags.
/// Nothing may be granted under a limit for which this is not empty.
#[must_use]
pub fn check_limit(limit: &Limit) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut add = |reason, field: String, message: String| {
        violations.push(Violation {
            reason,
            field,
            limit: Some(limit.name.clone()),
            message,
        });
    };

    for found in escalation(&limit.ceiling) {
        if let Some(found) = found.unless(|action| is_acknowledged(&limit.acknowledge_escalation, action)) {
            add(
                Reason::Escalation,
                format!("spec.ceiling.{}", found.path),
                format!(
                    "{}; leave it out, or name it in spec.acknowledgeEscalation",
                    found.message()
                ),
            );
        }
    }
    for found in tag_variables(&limit.ceiling) {
        add(
            Reason::TenantVariable,
            format!("spec.ceiling.{}", found.path),
            found.to_string(),
        );
    }
    let size = limit.ceiling.size();
    if limit.boundary == BoundaryMode::Generated && size > MANAGED_POLICY {
        add(
            Reason::TooLarge,
            "spec.ceiling".to_owned(),
            format!("has {size} characters; AWS takes {MANAGED_POLICY} in a boundary policy"),
        );
    }
    violations
}

/// Whether a limit with these patterns in `acknowledgeEscalation` allows an action such as `iam:PassRole` knowingly. Case does
/// not matter.
#[must_use]
pub fn is_acknowledged(patterns: &BTreeSet<String>, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    patterns
        .iter()
        .any(|pattern| wildcard_match(&pattern.to_ascii_lowercase(), &action))
}
