//! The state, and the answers to plain questions. Decisions are in [`crate::decisions`].

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use deputy_delegation::{NamespaceName, Uid, names::ClusterName};
use kube::api::{DynamicObject, ObjectMeta};
use parking_lot::RwLock;
use tokio::sync::{broadcast, watch};

use crate::{
    decided::Decisions,
    dirty::{Dirty, Readers, Subscription},
    entry::{NamespaceInfo, ResourceKind, ServiceAccountInfo},
    freshness::{Freshness, Heard},
    parse,
    pods::{PodLife, Pods},
    state::{Key, State, subject},
};

/// What the cluster holds. Shared behind an [`Arc`]; reads are short and never wait for I/O.
#[derive(Debug)]
pub struct Index {
    pub(crate) cluster: ClusterName,
    pub(crate) state: RwLock<State>,
    pub(crate) decisions: Decisions,
    pub(crate) freshness: Freshness,
    pods: Pods,
    readers: Readers,
    synced: watch::Sender<BTreeSet<ResourceKind>>,
}

impl Index {
    /// An empty index of a cluster.
    #[must_use]
    pub fn new(cluster: ClusterName) -> Self {
        Self {
            cluster,
            state: RwLock::default(),
            decisions: Decisions::default(),
            freshness: Freshness::default(),
            pods: Pods::default(),
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
    pub fn apply(&self, kind: ResourceKind, object: DynamicObject) {
        let dirty = match kind {
            ResourceKind::Accounts => {
                parse::name(&object.metadata).map(|name| self.state.write().put_account(name, object))
            }
            ResourceKind::Limits => {
                parse::name(&object.metadata).map(|name| self.state.write().put_limit(name, object))
            }
            ResourceKind::Roles => {
                parse::id(&object.metadata).map(|id| self.state.write().put_role(id.into(), object))
            }
            ResourceKind::ClusterRoles => {
                parse::name(&object.metadata).map(|name| self.state.write().put_cluster_role(name, object))
            }
            ResourceKind::Bindings => {
                parse::id(&object.metadata).map(|id| self.state.write().put_binding(id, object))
            }
            ResourceKind::FederatedBindings => {
                parse::id(&object.metadata).map(|id| self.state.write().put_federated(id, object))
            }
            ResourceKind::Statements => {
                parse::id(&object.metadata).map(|id| self.state.write().put_statement(id, object))
            }
            ResourceKind::Namespaces | ResourceKind::ServiceAccounts | ResourceKind::Pods => {
                return self.apply_metadata(kind, &object.metadata);
            }
        };
        self.tell(kind, dirty);
    }

    /// A namespace, ServiceAccount or living pod is there, or has changed. Nothing happens for other kinds.
    pub fn apply_metadata(&self, kind: ResourceKind, meta: &ObjectMeta) {
        let dirty = match kind {
            ResourceKind::Namespaces => parse::name(meta)
                .and_then(|name| NamespaceName::new(name.as_str()).ok())
                .map(|name| {
                    let info = NamespaceInfo::from_meta(meta);
                    self.state.write().put_namespace(name, info)
                }),
            ResourceKind::ServiceAccounts => subject(meta).map(|subject| {
                let info = ServiceAccountInfo::from_meta(meta);
                self.state
                    .write()
                    .service_accounts
                    .insert(subject, Arc::new(info));
                Dirty::default()
            }),
            ResourceKind::Pods => Key::of(kind, meta).map(|key| {
                if let Key::Pod(uid) = key {
                    self.pods.put(uid, meta.deletion_timestamp.is_some());
                }
                Dirty::default()
            }),
            ResourceKind::Accounts
            | ResourceKind::Limits
            | ResourceKind::Roles
            | ResourceKind::ClusterRoles
            | ResourceKind::Bindings
            | ResourceKind::FederatedBindings
            | ResourceKind::Statements => return,
        };
        self.tell(kind, dirty);
    }

    /// An object is gone.
    pub fn delete(&self, kind: ResourceKind, meta: &ObjectMeta) {
        if let Some(key) = Key::of(kind, meta) {
            self.remove(&key);
        }
    }

    /// The whole list of a kind: what is not in it is gone. The kind counts as synced from then on.
    pub fn reset(self: &Arc<Self>, kind: ResourceKind, objects: impl IntoIterator<Item = DynamicObject>) {
        let mut reset = self.begin_reset(kind);
        for object in objects {
            reset.apply(object);
        }
        reset.finish();
    }

    /// Begins the whole list of a kind, object by object, so that it is never in memory twice.
    #[must_use]
    pub fn begin_reset(self: &Arc<Self>, kind: ResourceKind) -> Reset {
        Reset {
            index: Arc::clone(self),
            kind,
            seen: HashSet::new(),
        }
    }

    fn remove(&self, key: &Key) {
        if let Key::Pod(uid) = key {
            return self.pods.end(uid);
        }
        let dirty = {
            let mut state = self.state.write();
            match key {
                Key::Account(name) => state.drop_account(name),
                Key::Limit(name) => state.drop_limit(name),
                Key::Role(id) => state.drop_role(id),
                Key::ClusterRole(name) => state.drop_cluster_role(name),
                Key::Binding(id) => state.drop_binding(id),
                Key::Federated(id) => state.drop_federated(id),
                Key::Statement(id) => state.drop_statement(id),
                Key::Namespace(name) => state.drop_namespace(name),
                Key::ServiceAccount(subject) => {
                    state.service_accounts.remove(subject);
                    Dirty::default()
                }
                Key::Pod(_) => return,
            }
        };
        match key {
            Key::Role(id) => self.decisions.forget_role(id),
            Key::Binding(id) => self.decisions.forget_binding(id),
            Key::Federated(id) => self.decisions.forget_federated(id),
            Key::Statement(id) => self.decisions.forget_statement(id),
            Key::Account(_)
            | Key::Limit(_)
            | Key::ClusterRole(_)
            | Key::Namespace(_)
            | Key::ServiceAccount(_)
            | Key::Pod(_) => {}
        }
        self.publish(&dirty);
    }

    fn tell(&self, kind: ResourceKind, dirty: Option<Dirty>) {
        match dirty {
            Some(dirty) => self.publish(&dirty),
            // The API server checks names by the same rules.
            None => tracing::error!(
                kind = kind.as_str(),
                "an object without a usable name is passed over"
            ),
        }
    }

    /// Tells the readers, and forgets what was decided about roles of ClusterAWSRoles that are gone.
    fn publish(&self, dirty: &Dirty) {
        for id in dirty.roles.iter().filter(|id| id.bound_account().is_some()) {
            if !self.state.read().roles.contains_key(id) {
                self.decisions.forget_role(id);
            }
        }
        self.readers.tell(dirty);
    }

    // --- pods

    /// Whether the pod of this uid is alive.
    #[must_use]
    pub fn pod_life(&self, uid: &Uid) -> PodLife {
        self.pods.life(uid)
    }

    /// Whether the pod of this uid is alive and on its way out.
    #[must_use]
    pub fn pod_is_terminating(&self, uid: &Uid) -> bool {
        self.pods.is_terminating(uid) == Some(true)
    }

    /// The pods that end from now on. A reader that is far behind misses some.
    #[must_use]
    pub fn pod_ends(&self) -> broadcast::Receiver<Uid> {
        self.pods.ends()
    }

    fn keys(&self, kind: ResourceKind) -> Vec<Key> {
        match kind {
            ResourceKind::Pods => self.pods.alive().into_iter().map(Key::Pod).collect(),
            _ => self.state.read().keys(kind).collect(),
        }
    }

    // --- readiness and changes

    /// Whether the list of every kind given has been read once.
    #[must_use]
    pub fn is_synced(&self, kinds: &[ResourceKind]) -> bool {
        self.unsynced(kinds).is_empty()
    }

    /// Those of the kinds given that have not been read once.
    #[must_use]
    pub fn unsynced(&self, kinds: &[ResourceKind]) -> Vec<&'static str> {
        let synced = self.synced.borrow();
        kinds
            .iter()
            .filter(|kind| !synced.contains(kind))
            .map(|kind| kind.as_str())
            .collect()
    }

    /// Waits until the list of every kind given has been read once.
    pub async fn synced(&self, kinds: &[ResourceKind]) {
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
}

/// The whole list of a kind, arriving object by object.
#[derive(Debug)]
pub struct Reset {
    index: Arc<Index>,
    kind: ResourceKind,
    seen: HashSet<Key>,
}

impl Reset {
    /// The next object.
    pub fn apply(&mut self, object: DynamicObject) {
        self.seen.extend(Key::of(self.kind, &object.metadata));
        self.index.apply(self.kind, object);
    }

    /// The next namespace, ServiceAccount or pod.
    pub fn apply_metadata(&mut self, meta: &ObjectMeta) {
        self.seen.extend(Key::of(self.kind, meta));
        self.index.apply_metadata(self.kind, meta);
    }

    /// That was the last one: what was not among them is gone, and the kind is synced.
    pub fn finish(self) {
        let gone: Vec<Key> = self
            .index
            .keys(self.kind)
            .into_iter()
            .filter(|key| !self.seen.contains(key))
            .collect();
        for key in &gone {
            self.index.remove(key);
        }
        self.index.freshness.hear(self.kind, Heard::List);
        self.index
            .synced
            .send_if_modified(|synced| synced.insert(self.kind));
    }
}
