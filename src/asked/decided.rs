//! Decisions in words.

use deputy_admission::is_awaiting;
use deputy_delegation::{Decision, ObjectName};
use deputy_index::BindingDecision;

/// A decision in words.
pub fn decision_words(decision: &Decision) -> String {
    match decision {
        Decision::Accepted(accepted) => {
            let limits: Vec<&str> = accepted.limits.iter().map(ObjectName::as_str).collect();
            let boundary = accepted.boundary.as_ref();
            let boundary = boundary.map_or_else(String::new, |name| {
                format!("; AWS holds it to the boundary of {name}")
            });
            format!("accepted, within the limits {}{boundary}", limits.join(", "))
        }
        // As `deputy check` calls it, and the API server, which stores such an object.
        Decision::Refused(violations) if is_awaiting(decision) => format!("undecided: {violations}"),
        Decision::Refused(violations) => format!("refused: {violations}"),
        Decision::Undecided(missing) => format!("undecided: {missing}"),
    }
}

/// That of a binding, else that of its role.
pub fn binding_words(decided: &BindingDecision) -> String {
    if !decided.decision.is_accepted() {
        return decision_words(&decided.decision);
    }
    match &decided.role_decision {
        Some(role) if role.is_accepted() => decision_words(&decided.decision),
        Some(role) => format!("accepted, but its role is not: {}", decision_words(role)),
        None => "accepted, but its role is not there, or can't be read".to_owned(),
    }
}
