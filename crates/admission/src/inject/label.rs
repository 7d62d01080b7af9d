//! The label that asks for injection, or forbids it.

use super::{
    ours::{INJECT_LABEL, cut},
    pod::PodFacts,
};

/// What the labels say.
pub(crate) enum Asked {
    /// There is none.
    Nothing,
    /// `disabled`
    No,
    /// `enabled`
    Yes,
}

/// What the label says that decides: the pod's own, else its ServiceAccount's, else its namespace's.
///
/// # Errors
/// It says neither `enabled` nor `disabled`: a typing mistake must neither turn credentials off nor on.
pub(crate) fn asked(own: Option<&str>, facts: &PodFacts<'_>) -> Result<Asked, String> {
    let of_account = facts.service_account.labels.get(INJECT_LABEL);
    let of_namespace = facts.namespace_info.labels.get(INJECT_LABEL);
    let (value, of) = match (own, of_account, of_namespace) {
        (Some(value), _, _) => (value, "the pod"),
        (None, Some(value), _) => (value.as_str(), "the pod's ServiceAccount"),
        (None, None, Some(value)) => (value.as_str(), "its namespace"),
        (None, None, None) => return Ok(Asked::Nothing),
    };
    match value {
        "enabled" => Ok(Asked::Yes),
        "disabled" => Ok(Asked::No),
        other => Err(format!(
            "the label {INJECT_LABEL} of {of} is {:?}; it says enabled or disabled",
            cut(other)
        )),
    }
}
