//! What names an object that goes, and what is named and not there.

use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName,
    model::{BindingKind, BindingRef, ObjectId},
};
use deputy_index::{Namers, ResourceKind};
use serde_json::Value;

use super::Facts;
use crate::kind::DeputyKind;

/// So many names of each kind are looked up; a warning has room for fewer.
const NAMES: usize = 8;

impl Facts {
    /// What names an object that is about to be deleted. Nothing of a kind that nothing names by which it would get credentials, and
    /// nothing where what is known is old.
    pub(crate) fn namers(&self, kind: DeputyKind, object: &Value) -> Namers {
        let known = [ResourceKind::Bindings, ResourceKind::Statements];
        self.namers_by_name(kind, object)
            .filter(|_| self.index.current(&known).is_ok())
            .unwrap_or_default()
    }

    /// Whether a binding is known not to be there.
    pub(crate) fn lacks_binding(&self, binding: &BindingRef) -> bool {
        self.knows_bindings()
            && match binding.kind {
                BindingKind::Role => self.index.binding(&binding.id).is_none(),
                BindingKind::FederatedUser => self.index.federated_binding(&binding.id).is_none(),
            }
    }

    /// Whether no binding of either kind is known to name a ServiceAccount, nor one that can't be read, which may.
    pub(crate) fn lacks_default(&self, namespace: &NamespaceName, account: &ServiceAccountName) -> bool {
        self.knows_bindings()
            && self.index.default_binding(namespace, account).is_none()
            && self.index.unreadable_default(namespace, account).is_none()
    }

    fn knows_bindings(&self) -> bool {
        let kinds = [ResourceKind::Bindings, ResourceKind::FederatedBindings];
        self.index.current(&kinds).is_ok()
    }

    fn namers_by_name(&self, kind: DeputyKind, object: &Value) -> Option<Namers> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let name = ObjectName::new(text("/metadata/name")?).ok()?;
        let id = |name| {
            let namespace = NamespaceName::new(text("/metadata/namespace")?).ok()?;
            Some(ObjectId { namespace, name })
        };
        match kind {
            DeputyKind::Role => Some(self.index.namers_of_role(&id(name)?.into(), NAMES)),
            DeputyKind::ClusterRole => Some(self.index.namers_of_cluster_role(&name, NAMES)),
            DeputyKind::FederatedBinding => Some(self.index.namers_of_federated(&id(name)?, NAMES)),
            DeputyKind::Account | DeputyKind::Limit | DeputyKind::Binding | DeputyKind::Statement => None,
        }
    }
}
