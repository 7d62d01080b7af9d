//! ServiceAccounts that a binding names and whose default is another one.

use std::collections::BTreeSet;

use deputy_delegation::{
    ServiceAccountName,
    model::{BindingKind, BindingRef},
};

use super::object::ReviewedObject;
use crate::{facts::Facts, review::cut};

/// A warning for each ServiceAccount whose default is, and stays, another binding. `made`: when this one was, 0 if it is not stored yet.
pub(super) fn shadowed(
    reviewed: &ReviewedObject<'_>,
    facts: &Facts,
    binding: &BindingRef,
    made: i64,
    subjects: &BTreeSet<ServiceAccountName>,
) -> Vec<String> {
    // Not stored yet: younger than all that are.
    let made = if made == 0 { i64::MAX } else { made };
    let age = (made, &binding.id.name, binding.kind);
    let older = |subject| {
        let default = facts.default_binding(&binding.id.namespace, subject)?;
        let other = &default.binding;
        let is_older = (default.made, &other.id.name, other.kind) < age;
        (*other != *binding && is_older).then_some(default)
    };
    let by_annotation = match binding.kind {
        BindingKind::Role => "deputy.dev/binding on them names this one".to_owned(),
        BindingKind::FederatedUser => format!(
            "deputy.dev/binding on them is {}",
            cut(&binding.selector().to_string(), 88)
        ),
    };
    subjects
        .iter()
        .filter_map(|subject| Some((subject, older(subject)?)))
        .map(|(subject, default)| {
            let other = if reviewed.tells_names {
                format!("binding {}", cut(&default.binding.selector().to_string(), 88))
            } else {
                "another binding (kubectl get awsrolebindings,awsfederateduserbindings says which)".to_owned()
            };
            format!(
                "Shadowed: pods of {} get {other} unless {by_annotation}",
                cut(subject.as_str(), 63),
            )
        })
        .collect()
}
