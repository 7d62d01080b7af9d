//! The state, and the answers to plain questions. Decisions are in [`crate::decisions`].

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName,
    model::{Account, Binding, LimitEntry, ObjectId, Role},
    names::ClusterName,
};
use kube::api::{DynamicObject, ObjectMeta};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::{
    decisions::Decisions,
    dirty::{Dirty, Readers, Subscription},
    entry::{
        AccountState, BindingState, Entry, LimitState, Meta, NamespaceInfo, RoleState, ServiceAccountInfo,
        View, Watched,
    },
    parse,
    state::{Key, State, subject},
};

/// How many objects are held, readable or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// AWSAccounts.
    pub accounts: usize,
    /// DelegationLimits.
    pub limits: usize,
    /// AWSRoles.
    pub roles: usize,
    /// AWSRoleBindings.
    pub bindings: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// ServiceAccounts.
    pub service_accounts: usize,
    /// Objects of Deputy's kinds that can't be read.
    pub unreadable: usize,
}

/// What the cluster holds. Shared behind an [`Arc`]; reads are short and never wait for I/O.
#[derive(Debug)]
pub struct World {
    pub(crate) cluster: ClusterName,
    pub(crate) state: RwLock<State>,
    pub(crate) decisions: Decisions,
    readers: Readers,
    synced: watch::Sender<BTreeSet<Watched>>,
}

impl World {
    /// An empty world of a cluster.
    #[must_use]
    pub fn new(cluster: ClusterName) -> Self {
        Self {
            cluster,
            state: RwLock::default(),
            decisions: Decisions::default(),
            readers: Readers::default(),
            synced: watch::Sender::new(BTreeSet::new()),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    // --- feeding

    /// An object is there, or has changed.
    pub fn apply(&self, kind: Watched, object: DynamicObject) {
        let dirty = match kind {
            Watched::Accounts => {
                parse::name(&object.metadata).map(|name| self.state.write().put_account(name, object))
            }
            Watched::Limits => {
                parse::name(&object.metadata).map(|name| self.state.write().put_limit(name, object))
            }
            Watched::Roles => parse::id(&object.metadata).map(|id| self.state.write().put_role(id, object)),
            Watched::Bindings => {
                parse::id(&object.metadata).map(|id| self.state.write().put_binding(id, object))
            }
            Watched::Namespaces | Watched::ServiceAccounts => {
                return self.apply_metadata(kind, &object.metadata);
            }
        };
        self.tell(kind, dirty);
    }

    /// A namespace or ServiceAccount is there, or has changed. Nothing happens for other kinds.
    pub fn apply_metadata(&self, kind: Watched, meta: &ObjectMeta) {
        let dirty = match kind {
            Watched::Namespaces => parse::name(meta)
                .and_then(|name| NamespaceName::new(name.as_str()).ok())
                .map(|name| {
                    let info = NamespaceInfo {
                        uid: meta.uid.as_deref().map(Arc::from),
                        labels: parse::labels(meta),
                        terminating_since: meta.deletion_timestamp.as_ref().map(|t| t.0.as_second()),
                    };
                    self.state.write().put_namespace(name, info)
                }),
            Watched::ServiceAccounts => subject(meta).map(|subject| {
                let info = ServiceAccountInfo {
                    uid: meta.uid.as_deref().map(Arc::from),
                    labels: parse::labels(meta),
                };
                self.state
                    .write()
                    .service_accounts
                    .insert(subject, Arc::new(info));
                Dirty::default()
            }),
            Watched::Accounts | Watched::Limits | Watched::Roles | Watched::Bindings => return,
        };
        self.tell(kind, dirty);
    }

    /// An object is gone.
    pub fn delete(&self, kind: Watched, meta: &ObjectMeta) {
        if let Some(key) = Key::of(kind, meta) {
            self.remove(&key);
        }
    }

    /// The whole list of a kind: what is not in it is gone. The kind counts as synced from then on.
    pub fn reset(self: &Arc<Self>, kind: Watched, objects: impl IntoIterator<Item = DynamicObject>) {
        let mut relist = self.relist(kind);
        for object in objects {
            relist.apply(object);
        }
        relist.finish();
    }

    /// Begins the whole list of a kind, object by object, so that it is never in memory twice.
    #[must_use]
    pub fn relist(self: &Arc<Self>, kind: Watched) -> Relist {
        Relist {
            world: Arc::clone(self),
            kind,
            seen: HashSet::new(),
        }
    }

    fn remove(&self, key: &Key) {
        let dirty = {
            let mut state = self.state.write();
            match key {
                Key::Account(name) => state.drop_account(name),
                Key::Limit(name) => state.drop_limit(name),
                Key::Role(id) => state.drop_role(id),
                Key::Binding(id) => state.drop_binding(id),
                Key::Namespace(name) => state.drop_namespace(name),
                Key::ServiceAccount(subject) => {
                    state.service_accounts.remove(subject);
                    Dirty::default()
                }
            }
        };
        match key {
            Key::Role(id) => self.decisions.forget_role(id),
            Key::Binding(id) => self.decisions.forget_binding(id),
            Key::Account(_) | Key::Limit(_) | Key::Namespace(_) | Key::ServiceAccount(_) => {}
        }
        self.readers.tell(&dirty);
    }

    fn tell(&self, kind: Watched, dirty: Option<Dirty>) {
        match dirty {
            Some(dirty) => self.readers.tell(&dirty),
            // The API server checks names by the same rules.
            None => tracing::error!(
                kind = kind.as_str(),
                "an object without a usable name is passed over"
            ),
        }
    }

    // --- readiness and changes

    /// Whether the list of every kind given has been read once.
    #[must_use]
    pub fn is_synced(&self, kinds: &[Watched]) -> bool {
        self.unsynced(kinds).is_empty()
    }

    /// Those of the kinds given that have not been read once.
    #[must_use]
    pub fn unsynced(&self, kinds: &[Watched]) -> Vec<&'static str> {
        let synced = self.synced.borrow();
        kinds
            .iter()
            .filter(|kind| !synced.contains(kind))
            .map(|kind| kind.as_str())
            .collect()
    }

    /// Waits until the list of every kind given has been read once.
    pub async fn synced(&self, kinds: &[Watched]) {
        let mut synced = self.synced.subscribe();
        // The sender lives in `self`: there is no error to wait for.
        let _closed = synced
            .wait_for(|synced| kinds.iter().all(|kind| synced.contains(kind)))
            .await
            .is_err();
    }

    /// A reader of changes from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.readers.subscribe()
    }

    // --- questions

    /// An account, also while it is being deleted.
    #[must_use]
    pub fn account(&self, name: &ObjectName) -> Entry<Account> {
        self.state
            .read()
            .accounts
            .get(name)
            .map_or(Entry::Missing, |a| a.view.entry())
    }

    /// An account with metadata and status.
    #[must_use]
    pub fn account_view(&self, name: &ObjectName) -> Option<View<Account, AccountState>> {
        self.state.read().accounts.get(name).map(|a| a.view.clone())
    }

    /// Names of all accounts, in order.
    #[must_use]
    pub fn accounts(&self) -> Vec<ObjectName> {
        sorted(self.state.read().accounts.keys())
    }

    /// Limits that may apply in an account, by name: those that name it, and those whose scope can't be read. Which
    /// of them apply to a namespace, [`LimitEntry::applies`] says.
    #[must_use]
    pub fn limits(&self, account: &ObjectName) -> Arc<[LimitEntry]> {
        Arc::clone(&self.state.read().limits.of_account(account).limits)
    }

    /// Limits that apply to grants of a namespace in an account, by name.
    #[must_use]
    pub fn limits_of(&self, namespace: &NamespaceName, account: &ObjectName) -> Vec<LimitEntry> {
        self.limits(account)
            .iter()
            .filter(|l| l.applies(namespace, account))
            .cloned()
            .collect()
    }

    /// All limits, by name.
    #[must_use]
    pub fn all_limits(&self) -> Vec<LimitEntry> {
        self.state
            .read()
            .limits
            .by_name
            .values()
            .map(|l| l.entry.clone())
            .collect()
    }

    /// A limit, with metadata and status.
    #[must_use]
    pub fn limit(&self, name: &ObjectName) -> Option<(LimitEntry, Meta, Arc<LimitState>)> {
        let state = self.state.read();
        let limit = state.limits.by_name.get(name)?;
        Some((limit.entry.clone(), limit.meta.clone(), Arc::clone(&limit.state)))
    }

    /// A role, with metadata and status.
    #[must_use]
    pub fn role(&self, id: &ObjectId) -> Option<View<Role, RoleState>> {
        self.state.read().roles.get(id).map(|r| r.view.clone())
    }

    /// Names of all roles, in order.
    #[must_use]
    pub fn roles(&self) -> Vec<ObjectId> {
        sorted(self.state.read().roles.keys())
    }

    /// A binding, with metadata and status.
    #[must_use]
    pub fn binding(&self, id: &ObjectId) -> Option<View<Binding, BindingState>> {
        self.state.read().bindings.get(id).map(|b| b.view.clone())
    }

    /// Names of all bindings, in order.
    #[must_use]
    pub fn bindings(&self) -> Vec<ObjectId> {
        sorted(self.state.read().bindings.keys())
    }

    /// Bindings that name a role, oldest first (then by name). Not those that are being deleted or can't be read:
    /// they grant nothing.
    #[must_use]
    pub fn bindings_of_role(&self, role: &ObjectId) -> Vec<Arc<Binding>> {
        let state = self.state.read();
        let ids = state.bindings_by_role.get(role).into_iter().flatten();
        let mut bindings: Vec<_> = ids.filter_map(|id| state.granting_binding(id)).collect();
        bindings.sort_by(|a, b| (a.created, &a.id.name).cmp(&(b.created, &b.id.name)));
        bindings
    }

    /// Bindings that name a ServiceAccount, oldest first (then by name). Not those that are being deleted or can't be
    /// read.
    #[must_use]
    pub fn bindings_of_service_account(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Vec<Arc<Binding>> {
        let state = self.state.read();
        let subject = (namespace.clone(), service_account.clone());
        let names = state.bindings_by_subject.get(&subject).into_iter().flatten();
        names
            .filter_map(|(_, name)| {
                state.granting_binding(&ObjectId {
                    namespace: namespace.clone(),
                    name: name.clone(),
                })
            })
            .collect()
    }

    /// Roles of an account, in order, also those being deleted.
    #[must_use]
    pub fn roles_of_account(&self, account: &ObjectName) -> Vec<ObjectId> {
        self.state
            .read()
            .roles_by_account
            .get(account)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Roles that a limit applies to, in order, also those being deleted.
    #[must_use]
    pub fn roles_under_limit(&self, limit: &ObjectName) -> Vec<ObjectId> {
        let state = self.state.read();
        state
            .limits
            .by_name
            .get(limit)
            .map_or_else(Vec::new, |l| state.roles_under(&l.entry).into_iter().collect())
    }

    /// A namespace; `None`: not there, or not in the cache yet.
    #[must_use]
    pub fn namespace(&self, name: &NamespaceName) -> Option<Arc<NamespaceInfo>> {
        self.state.read().namespaces.get(name).cloned()
    }

    /// A ServiceAccount; `None`: not there, or not in the cache yet.
    #[must_use]
    pub fn service_account(
        &self,
        namespace: &NamespaceName,
        name: &ServiceAccountName,
    ) -> Option<Arc<ServiceAccountInfo>> {
        self.state
            .read()
            .service_accounts
            .get(&(namespace.clone(), name.clone()))
            .cloned()
    }

    /// How many objects there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.state.read();
        let limits = &state.limits.by_name;
        Counts {
            accounts: state.accounts.len(),
            limits: limits.len(),
            roles: state.roles.len(),
            bindings: state.bindings.len(),
            namespaces: state.namespaces.len(),
            service_accounts: state.service_accounts.len(),
            unreadable: state.accounts.values().filter(|o| o.view.parsed.is_err()).count()
                + limits
                    .values()
                    .filter(|l| matches!(l.entry, LimitEntry::Invalid { .. }))
                    .count()
                + state.roles.values().filter(|o| o.view.parsed.is_err()).count()
                + state.bindings.values().filter(|o| o.view.parsed.is_err()).count(),
        }
    }
}

/// The whole list of a kind, arriving object by object.
#[derive(Debug)]
pub struct Relist {
    world: Arc<World>,
    kind: Watched,
    seen: HashSet<Key>,
}

impl Relist {
    /// The next object.
    pub fn apply(&mut self, object: DynamicObject) {
        self.seen.extend(Key::of(self.kind, &object.metadata));
        self.world.apply(self.kind, object);
    }

    /// The next namespace or ServiceAccount.
    pub fn apply_metadata(&mut self, meta: &ObjectMeta) {
        self.seen.extend(Key::of(self.kind, meta));
        self.world.apply_metadata(self.kind, meta);
    }

    /// That was the last one: what was not among them is gone, and the kind is synced.
    pub fn finish(self) {
        let gone: Vec<Key> = self
            .world
            .state
            .read()
            .keys(self.kind)
            .filter(|key| !self.seen.contains(key))
            .collect();
        for key in &gone {
            self.world.remove(key);
        }
        self.world
            .synced
            .send_if_modified(|synced| synced.insert(self.kind));
    }
}

fn sorted<'a, T: Ord + Clone + 'a>(keys: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.cloned().collect();
    keys.sort_unstable();
    keys
}
