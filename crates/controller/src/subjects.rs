//! ServiceAccounts that a binding names, of either kind.

use std::collections::BTreeSet;

use deputy_delegation::{ServiceAccountName, model::BindingRef};
use deputy_index::Index;

/// By name: whoever misspelt one, or has not made it, sees which are meant.
pub fn told(names: &BTreeSet<ServiceAccountName>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("ServiceAccount{plural} {}{more}", shown.join(", "))
}

/// Whether a binding is the default of one of the ServiceAccounts that it names.
pub fn is_default_of_any(
    index: &Index,
    binding: &BindingRef,
    service_accounts: &BTreeSet<ServiceAccountName>,
) -> bool {
    let namespace = &binding.id.namespace;
    service_accounts.iter().any(|subject| {
        let default = index.default_binding(namespace, subject);
        default.is_none_or(|default| default.binding == *binding)
            && index.unreadable_default(namespace, subject).is_none()
    })
}
