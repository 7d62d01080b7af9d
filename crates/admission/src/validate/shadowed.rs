//! ServiceAccounts that a binding names and whose default is another one.

use std::collections::BTreeSet;

use deputy_delegation::{
    ServiceAccountName,
    model::{BindingKind, BindingRef, NOT_STORED},
};

use super::object::ReviewedObject;
use crate::{facts::Facts, review::cut};

/// Longest name of another binding in a warning.
const NAME_SHOWN: usize = 88;

/// A warning for each ServiceAccount whose default is, and stays, another binding, or of which that is not known. `made`: when this one was.
pub(super) fn shadowed(
    reviewed: &ReviewedObject<'_>,
    facts: &Facts,
    binding: &BindingRef,
    made: i64,
    subjects: &BTreeSet<ServiceAccountName>,
) -> Vec<String> {
    let by_annotation = match binding.kind {
        BindingKind::Role => "deputy.dev/binding on them names this one".to_owned(),
        BindingKind::FederatedUser => format!(
            "deputy.dev/binding on them is {}",
            cut(&binding.selector().to_string(), NAME_SHOWN)
        ),
    };
    let warning = |subject: &ServiceAccountName| {
        let how = before(facts, binding, made, subject)?;
        let pods = format!("pods of {}", cut(subject.as_str(), 63));
        let name = |other: &BindingRef| match reviewed.tells_names {
            true => format!("binding {}", cut(&other.selector().to_string(), NAME_SHOWN)),
            false => {
                "another binding (kubectl get awsrolebindings,awsfederateduserbindings says which)".to_owned()
            }
        };
        Some(match how {
            Before::Is(other) => format!("Shadowed: {pods} get {} unless {by_annotation}", name(&other)),
            Before::MayBe(other) => format!(
                "Shadowed, or not: {pods} get {} if that is made before this one, unless {by_annotation}; which comes first is not known of \
                 objects that are not stored",
                name(&other)
            ),
        })
    };
    subjects.iter().filter_map(warning).collect()
}

/// A binding that comes before another one.
enum Before {
    Is(BindingRef),
    /// None of them is stored.
    MayBe(BindingRef),
}

fn before(facts: &Facts, binding: &BindingRef, made: i64, subject: &ServiceAccountName) -> Option<Before> {
    let namespace = &binding.id.namespace;
    let default = facts.default_binding(namespace, subject)?;
    if made == NOT_STORED && default.made == NOT_STORED {
        let mut possible = facts.possible_defaults(namespace, subject).into_iter();
        return possible.find(|other| other != binding).map(Before::MayBe);
    }
    let other = default.binding;
    let is_older = (default.made, &other.id.name, other.kind) < (made, &binding.id.name, binding.kind);
    (other != *binding && is_older).then_some(Before::Is(other))
}
