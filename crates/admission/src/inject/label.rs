//! The label that asks for injection, or forbids it.

use std::collections::BTreeMap;

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
    let label = |labels: &BTreeMap<String, String>| labels.get(INJECT_LABEL).cloned();
    let (value, of) = match (
        own,
        label(&facts.service_account.labels),
        label(&facts.namespace_info.labels),
    ) {
        (Some(value), _, _) => (value.to_owned(), "the pod"),
        (None, Some(value), _) => (value, "the pod's ServiceAccount"),
        (None, None, Some(value)) => (value, "its namespace"),
        (None, None, None) => return Ok(Asked::Nothing),
    };
    match value.as_str() {
        "enabled" => Ok(Asked::Yes),
        "disabled" => Ok(Asked::No),
        other => Err(format!(
            "the label {INJECT_LABEL} of {of} is {:?}; it says enabled or disabled",
            cut(other)
        )),
    }
}
