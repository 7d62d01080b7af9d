//! Bindings that an injected pod is to use and that are not there yet.
//!
//! Never a reason to refuse: tools create pods before custom resources. But who mistyped a name would look for it long. Which bindings there
//! are is not told: anybody who reaches the webhook may ask about a pod that there is not.

use std::collections::BTreeSet;

use deputy_delegation::{
    NamespaceName, ServiceAccountName,
    model::{BindingKind, BindingSelector},
};

use crate::{facts::Facts, review::cut};

/// Of a name in a warning, in characters.
const NAME_CHARS: usize = 63;

/// A warning for each of the bindings of an injected pod (as [`crate::inject::Injection`] names them) that is known not to be there. A pod
/// may use a few ([`deputy_delegation::quota::BINDINGS_OF_POD`]).
pub(crate) fn awaited(
    facts: &Facts,
    namespace: &NamespaceName,
    account: &ServiceAccountName,
    bindings: &BTreeSet<Option<String>>,
) -> Vec<String> {
    bindings
        .iter()
        .filter_map(|named| match named {
            Some(named) => not_there(facts, namespace, named),
            None => without_default(facts, namespace, account),
        })
        .collect()
}

fn not_there(facts: &Facts, namespace: &NamespaceName, named: &str) -> Option<String> {
    // What is no name was refused already.
    let selector: BindingSelector = named.parse().ok()?;
    if !facts.lacks_binding(&selector.of(namespace)) {
        return None;
    }
    let (kind, plural) = match selector.kind {
        BindingKind::Role => ("AWSRoleBinding", "awsrolebindings"),
        BindingKind::FederatedUser => ("AWSFederatedUserBinding", "awsfederateduserbindings"),
    };
    Some(format!(
        "deputy: no {kind} {:?} is in namespace {namespace} yet: no credentials by it until it is (kubectl get {plural} lists those there)",
        cut(selector.name.as_str(), NAME_CHARS)
    ))
}

fn without_default(facts: &Facts, namespace: &NamespaceName, account: &ServiceAccountName) -> Option<String> {
    facts.lacks_default(namespace, account).then(|| {
        format!(
            "deputy: no binding in namespace {namespace} names ServiceAccount {} yet: no credentials until one does (kubectl get awsrolebindings)",
            cut(account.as_str(), NAME_CHARS)
        )
    })
}
