//! The state, filled from objects as the API server sends them.

use std::sync::Arc;

use deputy_api::{AWSAccount, AWSRole, AWSRoleBinding, DelegationLimit, conditions, convert};
use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName, Violation,
    model::{Account, Binding, LimitEntry, ObjectId, Role},
};
use kube::{Resource, ResourceExt, api::DynamicObject};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;

use crate::{
    change::Change,
    entry::Entry,
    state::{State, Stored},
};

/// Changes that a slow listener may miss before it is told [`Change::Everything`].
const CHANGES_KEPT: usize = 4096;
/// The label that asks for injection; the one thing remembered of namespaces and ServiceAccounts.
const INJECT_LABEL: &str = "deputy.dev/inject";

/// The kinds a world knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `AWSAccount`
    Accounts,
    /// `DelegationLimit`
    Limits,
    /// `AWSRole`
    Roles,
    /// `AWSRoleBinding`
    Bindings,
    /// `Namespace`, metadata only
    Namespaces,
    /// `ServiceAccount`, metadata only
    ServiceAccounts,
}

impl Kind {
    /// The word in logs and in readiness.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "awsaccounts",
            Self::Limits => "delegationlimits",
            Self::Roles => "awsroles",
            Self::Bindings => "awsrolebindings",
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
        }
    }
}

/// What the status of a role says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleStanding {
    /// Whether `Ready` is true, for the spec as it is now.
    pub ready: bool,
    /// Unix seconds since `Ready` is as it is; 0 while it says nothing.
    pub since: i64,
    /// Reason of `Ready`.
    pub reason: String,
    /// Its unique id in AWS, while known.
    pub role_id: String,
}

/// What is known of the cluster. Shared behind an [`Arc`].
pub struct World {
    pub(crate) state: RwLock<State>,
    changes: broadcast::Sender<Change>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            state: RwLock::default(),
            changes: broadcast::channel(CHANGES_KEPT).0,
        }
    }
}

impl World {
    /// Hears of every change from now on. A receiver that lags must take everything as changed.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn tell(&self, changes: Vec<Change>) {
        for change in changes {
            // Nobody listening is fine: the webhook reads only.
            let _listeners = self.changes.send(change);
        }
    }

    /// An object was made or changed.
    pub fn apply(&self, kind: Kind, object: &DynamicObject) {
        let changes = put(&mut self.state.write(), kind, object, true);
        self.tell(changes);
    }

    /// An object is gone.
    pub fn delete(&self, kind: Kind, object: &DynamicObject) {
        let changes = put(&mut self.state.write(), kind, object, false);
        self.tell(changes);
    }

    /// These are all the objects of a kind.
    pub fn reset(&self, kind: Kind, objects: &[DynamicObject]) {
        let mut state = self.state.write();
        match kind {
            Kind::Accounts => state.accounts.clear(),
            Kind::Limits => {
                state.limits.clear();
                state.order_limits();
            }
            Kind::Roles => {
                state.roles.clear();
                state.standings.clear();
            }
            Kind::Bindings => {
                state.bindings.clear();
                state.by_role.clear();
                state.by_account.clear();
            }
            Kind::Namespaces => state.namespaces.clear(),
            Kind::ServiceAccounts => state.service_accounts.clear(),
        }
        for object in objects {
            drop(put(&mut state, kind, object, true));
        }
        drop(state);
        self.tell(vec![Change::Everything]);
    }

    /// An account.
    #[must_use]
    pub fn account(&self, name: &ObjectName) -> Entry<Account> {
        self.state
            .read()
            .accounts
            .get(name)
            .map_or(Entry::Missing, Stored::visible)
    }

    /// All limits, in the order of their names.
    #[must_use]
    pub fn limits(&self) -> Arc<[LimitEntry]> {
        self.state.read().ordered_limits.clone()
    }

    /// A limit.
    #[must_use]
    pub fn limit(&self, name: &ObjectName) -> Option<LimitEntry> {
        self.state.read().limits.get(name).cloned()
    }

    /// A role.
    #[must_use]
    pub fn role(&self, id: &ObjectId) -> Entry<Role> {
        self.state
            .read()
            .roles
            .get(id)
            .map_or(Entry::Missing, Stored::visible)
    }

    /// What the status of a role says.
    #[must_use]
    pub fn standing(&self, id: &ObjectId) -> Option<RoleStanding> {
        self.state.read().standings.get(id).cloned()
    }

    /// A binding.
    #[must_use]
    pub fn binding(&self, id: &ObjectId) -> Entry<Binding> {
        self.state
            .read()
            .bindings
            .get(id)
            .map_or(Entry::Missing, Stored::visible)
    }

    /// The readable bindings that name a role, by name.
    #[must_use]
    pub fn bindings_of_role(&self, role: &ObjectId) -> Vec<Arc<Binding>> {
        let state = self.state.read();
        let names = state.by_role.get(role).into_iter().flatten();
        names
            .filter_map(|name| visible_binding(&state, &role.namespace, name))
            .collect()
    }

    /// The readable bindings that name a ServiceAccount, the oldest first.
    #[must_use]
    pub fn bindings_of_service_account(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Vec<Arc<Binding>> {
        let state = self.state.read();
        let key = (namespace.clone(), account.clone());
        let names = state.by_account.get(&key).into_iter().flatten();
        names
            .filter_map(|(_, name)| visible_binding(&state, namespace, name))
            .collect()
    }

    /// Names of all roles, also of those that can't be read or are being deleted.
    #[must_use]
    pub fn role_ids(&self) -> Vec<ObjectId> {
        self.state.read().roles.keys().cloned().collect()
    }

    /// Names of all bindings, likewise.
    #[must_use]
    pub fn binding_ids(&self) -> Vec<ObjectId> {
        self.state.read().bindings.keys().cloned().collect()
    }

    /// Names of all accounts.
    #[must_use]
    pub fn account_names(&self) -> Vec<ObjectName> {
        self.state.read().accounts.keys().cloned().collect()
    }

    /// Names of all limits.
    #[must_use]
    pub fn limit_names(&self) -> Vec<ObjectName> {
        self.state.read().limits.keys().cloned().collect()
    }

    /// Roles in an account, by the account's name.
    #[must_use]
    pub fn roles_in(&self, account: &ObjectName) -> Vec<ObjectId> {
        let state = self.state.read();
        let in_account = |s: &Stored<Role>| s.entry.known().is_none_or(|r| r.account == *account);
        state
            .roles
            .iter()
            .filter(|(_, s)| in_account(s))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// The injection label of a namespace. The outer `None`: no such namespace is known.
    #[must_use]
    pub fn namespace_label(&self, namespace: &NamespaceName) -> Option<Option<String>> {
        self.state.read().namespaces.get(namespace).cloned()
    }

    /// The injection label of a ServiceAccount. The outer `None`: no such ServiceAccount is known.
    #[must_use]
    pub fn service_account_label(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Option<Option<String>> {
        self.state
            .read()
            .service_accounts
            .get(&(namespace.clone(), account.clone()))
            .cloned()
    }
}

fn visible_binding(state: &State, namespace: &NamespaceName, name: &ObjectName) -> Option<Arc<Binding>> {
    let id = ObjectId {
        namespace: namespace.clone(),
        name: name.clone(),
    };
    state.bindings.get(&id)?.visible().known().cloned()
}

/// The label that a namespace or ServiceAccount carries, from any object with metadata.
pub(crate) fn inject_label(object: &impl ResourceExt) -> Option<String> {
    object.labels().get(INJECT_LABEL).cloned()
}

fn id_of(object: &DynamicObject) -> Option<ObjectId> {
    Some(ObjectId {
        namespace: NamespaceName::new(object.namespace()?).ok()?,
        name: ObjectName::new(object.name_any()).ok()?,
    })
}

/// Reads an object of ours. What can't be read keeps its reason.
fn read<K, T>(object: &DynamicObject, parse: impl FnOnce(&K) -> Result<T, Vec<Violation>>) -> Entry<T>
where
    K: Resource + DeserializeOwned,
{
    let typed: Result<K, _> = serde_json::to_value(object).and_then(serde_json::from_value);
    match typed {
        Ok(typed) => match parse(&typed) {
            Ok(parsed) => Entry::Known(Arc::new(parsed)),
            Err(violations) => {
                let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
                Entry::Unreadable(all.join("; ").into())
            }
        },
        Err(e) => Entry::Unreadable(e.to_string().into()),
    }
}

fn standing(object: &DynamicObject) -> RoleStanding {
    let Some(status) = object.data.get("status") else {
        return RoleStanding::default();
    };
    let Ok(status) = serde_json::from_value::<deputy_api::AWSRoleStatus>(status.clone()) else {
        return RoleStanding::default();
    };
    let ready = conditions::find(&status.conditions, conditions::READY);
    RoleStanding {
        ready: conditions::is_true(&status.conditions, conditions::READY)
            && status.observed_generation == object.metadata.generation,
        since: ready.map_or(0, |c| c.last_transition_time.0.as_second()),
        reason: ready.map(|c| c.reason.clone()).unwrap_or_default(),
        role_id: status.role_id.unwrap_or_default(),
    }
}

fn put(state: &mut State, kind: Kind, object: &DynamicObject, exists: bool) -> Vec<Change> {
    let deleting = object.metadata.deletion_timestamp.is_some();
    let stored_name = || ObjectName::new(object.name_any()).ok();
    match kind {
        Kind::Accounts => {
            let Some(name) = stored_name() else {
                return Vec::new();
            };
            let entry = || Stored {
                entry: read::<AWSAccount, _>(object, convert::parse_account),
                deleting,
            };
            state.put_account(name, exists.then(entry))
        }
        Kind::Limits => {
            let Some(name) = stored_name() else {
                return Vec::new();
            };
            // A limit limits until it is gone.
            let entry = exists.then(|| limit_entry(object, name.clone()));
            state.put_limit(name, entry)
        }
        Kind::Roles => {
            let Some(id) = id_of(object) else {
                return Vec::new();
            };
            let stored = || {
                let entry = read::<AWSRole, _>(object, convert::parse_role);
                (Stored { entry, deleting }, standing(object))
            };
            state.put_role(id, exists.then(stored))
        }
        Kind::Bindings => {
            let Some(id) = id_of(object) else {
                return Vec::new();
            };
            let entry = || Stored {
                entry: read::<AWSRoleBinding, _>(object, convert::parse_binding),
                deleting,
            };
            state.put_binding(id, exists.then(entry))
        }
        Kind::Namespaces => {
            if let Ok(name) = NamespaceName::new(object.name_any()) {
                if exists {
                    state.namespaces.insert(name, inject_label(object));
                } else {
                    state.namespaces.remove(&name);
                }
            }
            Vec::new()
        }
        Kind::ServiceAccounts => {
            let key = object.namespace().and_then(|ns| {
                Some((
                    NamespaceName::new(ns).ok()?,
                    ServiceAccountName::new(object.name_any()).ok()?,
                ))
            });
            if let Some(key) = key {
                if exists {
                    state.service_accounts.insert(key, inject_label(object));
                } else {
                    state.service_accounts.remove(&key);
                }
            }
            Vec::new()
        }
    }
}

fn limit_entry(object: &DynamicObject, name: ObjectName) -> LimitEntry {
    match read::<DelegationLimit, _>(object, convert::parse_limit) {
        Entry::Known(limit) => LimitEntry::Valid(limit),
        Entry::Unreadable(why) => LimitEntry::Invalid {
            name,
            scope: convert::scope_of(&object.data),
            error: why.to_string(),
        },
        Entry::Missing => LimitEntry::Invalid {
            name,
            scope: None,
            error: "not readable".into(),
        },
    }
}
