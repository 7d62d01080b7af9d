//! What pods of a ServiceAccount get that name no binding.

use deputy_admission::is_awaiting;
use deputy_delegation::{Decision, NamespaceName, ServiceAccountName, model::BindingRef};
use deputy_index::ChosenBinding;

use crate::objects::AskedWorld;

/// Which binding that is.
pub enum DefaultOf {
    /// No binding names the ServiceAccount.
    Nothing,
    Is(BindingRef),
    /// None of several is in a cluster yet: which one will be the oldest is not known. The first by name is first.
    OneOf(BindingRef, Vec<BindingRef>),
    /// One that can't be read may be the one: why.
    Unreadable(BindingRef, String),
}

impl DefaultOf {
    pub fn of(world: &AskedWorld, namespace: &NamespaceName, account: &ServiceAccountName) -> Self {
        if let Some((reference, why)) = world.index.unreadable_default(namespace, account) {
            return Self::Unreadable(reference, why.to_string());
        }
        let possible = world.index.possible_defaults(namespace, account);
        if let [only] = possible.as_slice() {
            return Self::Is(only.clone());
        }
        // None of several is stored, and one that is refused will not be.
        let stays = |binding: &&BindingRef| !is_refused(world, binding);
        let stored: Vec<BindingRef> = possible.iter().filter(stays).cloned().collect();
        let possible = if stored.is_empty() { possible } else { stored };
        let mut possible = possible.into_iter();
        match (possible.next(), possible.as_slice()) {
            (None, _) => Self::Nothing,
            (Some(only), []) => Self::Is(only),
            (Some(first), others) => Self::OneOf(first, others.to_vec()),
        }
    }

    /// Why it is not known, where it is not.
    pub fn unknown(&self) -> Option<String> {
        let Self::OneOf(first, others) = self else {
            return None;
        };
        let all: Vec<String> = std::iter::once(first)
            .chain(others)
            .map(ToString::to_string)
            .collect();
        Some(format!(
            "not known: it is the oldest of {}, and which that is, is not in files; of those that are made in the same second it is the first \
             by name, {first}",
            all.join(" and ")
        ))
    }

    /// How pods get a binding that names their ServiceAccount.
    pub fn how(&self, binding: &BindingRef) -> String {
        let by_annotation = format!("by the annotation deputy.dev/binding: {}", binding.selector());
        match self {
            Self::Is(default) if default == binding => "what pods get that name none".to_owned(),
            Self::OneOf(first, others) if first == binding || others.contains(binding) => {
                format!("what pods get that name none if it is the oldest, else {by_annotation}")
            }
            _ => by_annotation,
        }
    }
}

/// Whether an API server would not store it.
fn is_refused(world: &AskedWorld, binding: &BindingRef) -> bool {
    let decision = match world.index.decide_chosen(binding) {
        Some(ChosenBinding::Role(found)) => found.decision,
        Some(ChosenBinding::FederatedUser(found)) => found.decision,
        None => return false,
    };
    matches!(*decision, Decision::Refused(_)) && !is_awaiting(&decision)
}
