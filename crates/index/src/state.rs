//! The maps and indexes of an index, and what a change of one object means for others.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use deputy_api::convert::RoleTemplate;
use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName, Uid,
    model::{Account, Binding, LimitEntry, ObjectId, Role, RoleId, RoleKind},
};
use kube::api::{DynamicObject, ObjectMeta};

use crate::{
    claims::Claims,
    dirty::Dirty,
    entry::{
        AccountState, BindingState, ClusterRoleState, Entry, NamespaceInfo, ResourceKind, RoleState,
        ServiceAccountInfo, Stored, UnreadableBinding, View,
    },
    holders::FederatedBindings,
    kept::{Headed, Kept, Recent, RoleHead},
    limits::{Limits, StoredLimit},
    parse,
    sorted::{Age, ServiceAccountKey, Sorted, insert_sorted, remove_sorted},
    stored_statements::Statements,
    telling::Telling,
};

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Counts changes; every stored object has the number of its last one, so a decision knows what it rested on.
    clock: u64,
    pub(crate) accounts: HashMap<ObjectName, Stored<Account, AccountState>>,
    pub(crate) claims: Claims,
    pub(crate) limits: Limits,
    /// AWSRoles, and what the ClusterAWSRoles that are there are where they are bound.
    pub(crate) roles: HashMap<RoleId, Stored<Role, RoleState>>,
    pub(crate) cluster_roles: HashMap<ObjectName, Stored<RoleTemplate, ClusterRoleState>>,
    /// What readable bindings name of each ClusterAWSRole, whether that is there or not.
    pub(crate) bound_instances: HashMap<ObjectName, BTreeSet<RoleId>>,
    pub(crate) bindings: HashMap<ObjectId, Stored<Binding, BindingState>>,
    pub(crate) recent_roles: Arc<Recent<Role>>,
    recent_bindings: Arc<Recent<Binding>>,
    pub(crate) telling: Telling,
    /// Readable roles by account, also those being deleted.
    pub(crate) roles_by_account: HashMap<ObjectName, BTreeSet<RoleId>>,
    /// AWSRoles that can't be read, with the account that they name, if that can be.
    pub(crate) unreadable_roles: BTreeMap<RoleId, Option<ObjectName>>,
    /// Readable bindings by role, oldest first, also those being deleted.
    pub(crate) bindings_by_role: HashMap<RoleId, Sorted<Age>>,
    /// Readable bindings by subject, oldest first, also those being deleted.
    pub(crate) bindings_by_subject: HashMap<ServiceAccountKey, Sorted<Age>>,
    /// Bindings that can't be read, by namespace.
    pub(crate) unreadable_bindings: HashMap<NamespaceName, BTreeMap<ObjectName, UnreadableBinding>>,
    pub(crate) federated: FederatedBindings,
    pub(crate) statements: Statements,
    pub(crate) namespaces: HashMap<NamespaceName, Arc<NamespaceInfo>>,
    pub(crate) service_accounts: HashMap<ServiceAccountKey, Arc<ServiceAccountInfo>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Account(ObjectName),
    Limit(ObjectName),
    Role(RoleId),
    ClusterRole(ObjectName),
    Binding(ObjectId),
    Federated(ObjectId),
    Statement(ObjectId),
    Namespace(NamespaceName),
    ServiceAccount(ServiceAccountKey),
    Pod(Uid),
}

impl Key {
    pub(crate) fn of(kind: ResourceKind, meta: &ObjectMeta) -> Option<Self> {
        Some(match kind {
            ResourceKind::Accounts => Self::Account(parse::name(meta)?),
            ResourceKind::Limits => Self::Limit(parse::name(meta)?),
            ResourceKind::Roles => Self::Role(parse::id(meta)?.into()),
            ResourceKind::ClusterRoles => Self::ClusterRole(parse::name(meta)?),
            ResourceKind::Bindings => Self::Binding(parse::id(meta)?),
            ResourceKind::FederatedBindings => Self::Federated(parse::id(meta)?),
            ResourceKind::Statements => Self::Statement(parse::id(meta)?),
            ResourceKind::Namespaces => Self::Namespace(NamespaceName::new(meta.name.as_deref()?).ok()?),
            ResourceKind::ServiceAccounts => Self::ServiceAccount(subject(meta)?),
            ResourceKind::Pods => Self::Pod(Uid::new(meta.uid.as_deref()?).ok()?),
        })
    }
}

pub(crate) fn subject(meta: &ObjectMeta) -> Option<ServiceAccountKey> {
    let namespace = NamespaceName::new(meta.namespace.as_deref()?).ok()?;
    Some((namespace, ServiceAccountName::new(meta.name.as_deref()?).ok()?))
}

/// Parses again only what changed: status writes and relists leave the generation as it is.
pub(crate) fn view<T: parse::Parse + Headed, S: PartialEq>(
    old: Option<&View<T, S>>,
    mut object: DynamicObject,
    state: S,
    keep: impl FnOnce(&mut DynamicObject) -> Result<Kept<T>, Arc<str>>,
) -> (View<T, S>, Changed) {
    let meta = parse::meta(&object.metadata);
    let same_spec = old.is_some_and(|o| {
        o.meta.uid == meta.uid && o.meta.generation == meta.generation && meta.generation > 0
    });
    let kept = match old {
        Some(old) if same_spec => old.kept.clone(),
        _ => keep(&mut object).map(Arc::new),
    };
    let changed = match old {
        Some(old) if same_spec && old.meta == meta && *old.state == state => Changed::Nothing,
        Some(old) if same_spec && old.meta == meta => Changed::State,
        _ => Changed::Object,
    };
    (
        View {
            meta,
            kept,
            state: Arc::new(state),
        },
        changed,
    )
}

/// Of a kind of which there are few: what is read stays so.
pub(crate) fn whole<T: parse::Parse + Headed>(object: &mut DynamicObject) -> Result<Kept<T>, Arc<str>> {
    parse::spec(object).map(Kept::whole)
}

/// What an event changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Nothing,
    /// Only what is kept of the status.
    State,
    /// The spec, the uid, or whether it is being deleted.
    Object,
}

impl State {
    pub(crate) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Bindings that name a ServiceAccount, as far as they grant anything, oldest first.
    pub(crate) fn granting_bindings(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> impl Iterator<Item = (&Age, &View<Binding, BindingState>)> {
        let subject = (namespace.clone(), service_account.clone());
        self.granting(namespace, self.bindings_by_subject.get(&subject))
    }

    /// Of bindings of a namespace those that grant anything, in their order.
    pub(crate) fn granting<'a>(
        &'a self,
        namespace: &NamespaceName,
        ages: Option<&'a Sorted<Age>>,
    ) -> impl Iterator<Item = (&'a Age, &'a View<Binding, BindingState>)> {
        let namespace = namespace.clone();
        ages.into_iter().flatten().filter_map(move |age| {
            let id = ObjectId {
                namespace: namespace.clone(),
                name: age.1.clone(),
            };
            let view = &self.bindings.get(&id)?.view;
            (view.is_readable() && !view.meta.terminating).then_some((age, view))
        })
    }

    pub(crate) fn keys(&self, kind: ResourceKind) -> Box<dyn Iterator<Item = Key> + '_> {
        match kind {
            ResourceKind::Accounts => Box::new(self.accounts.keys().cloned().map(Key::Account)),
            ResourceKind::Limits => Box::new(self.limits.by_name.keys().cloned().map(Key::Limit)),
            ResourceKind::Roles => {
                let roles = self.roles.keys().filter(|id| id.kind == RoleKind::AWSRole);
                Box::new(roles.cloned().map(Key::Role))
            }
            ResourceKind::ClusterRoles => Box::new(self.cluster_roles.keys().cloned().map(Key::ClusterRole)),
            ResourceKind::Bindings => Box::new(self.bindings.keys().cloned().map(Key::Binding)),
            ResourceKind::FederatedBindings => Box::new(self.federated.ids().cloned().map(Key::Federated)),
            ResourceKind::Statements => Box::new(self.statements.ids().map(Key::Statement)),
            ResourceKind::Namespaces => Box::new(self.namespaces.keys().cloned().map(Key::Namespace)),
            ResourceKind::ServiceAccounts => {
                Box::new(self.service_accounts.keys().cloned().map(Key::ServiceAccount))
            }
            // They have a place of their own.
            ResourceKind::Pods => Box::new(std::iter::empty()),
        }
    }

    // --- accounts

    pub(crate) fn put_account(&mut self, name: ObjectName, object: DynamicObject) -> Dirty {
        let claim = parse::claim(&object);
        let state = parse::account_state(&object);
        let (view, changed) = view(self.accounts.get(&name).map(|a| &a.view), object, state, whole);
        if changed == Changed::Nothing {
            return Dirty::default();
        }
        let version = self.version(changed, self.accounts.get(&name).map(|a| a.version));
        let mut dirty = match changed {
            Changed::State => self.account_state_dirty(&name),
            Changed::Nothing | Changed::Object => self.account_dirty(&name),
        };
        if changed == Changed::State {
            dirty.echoed_accounts.insert(name.clone());
        }
        self.accounts.insert(name.clone(), Stored { version, view });
        let siblings = self.claims.set(&name, claim);
        self.touch_accounts(siblings, &mut dirty);
        dirty
    }

    /// What is said of these accounts is another thing now, although they did not change.
    fn touch_accounts(&mut self, names: BTreeSet<ObjectName>, dirty: &mut Dirty) {
        for name in names {
            let version = self.tick();
            if let Some(stored) = self.accounts.get_mut(&name) {
                stored.version = version;
                dirty.merge(&self.account_dirty(&name));
            }
        }
    }

    /// An account as it may be used: not one whose AWS account an older AWSAccount is of.
    pub(crate) fn account(&self, name: &ObjectName, granting: bool) -> Entry<Account> {
        let Some(stored) = self.accounts.get(name) else {
            return Entry::Missing;
        };
        let entry = if granting {
            stored.view.granting()
        } else {
            stored.view.entry()
        };
        match &entry {
            Entry::Known(account) => self.claims.unless_taken(name, &account.id).unwrap_or(entry),
            Entry::Unreadable(_) | Entry::Missing => entry,
        }
    }

    pub(crate) fn drop_account(&mut self, name: &ObjectName) -> Dirty {
        if self.accounts.remove(name).is_none() {
            return Dirty::default();
        }
        self.tick();
        let mut dirty = self.account_dirty(name);
        let siblings = self.claims.set(name, None);
        self.touch_accounts(siblings, &mut dirty);
        dirty
    }

    // --- limits

    pub(crate) fn put_limit(&mut self, name: ObjectName, object: DynamicObject) -> Dirty {
        let meta = parse::meta(&object.metadata);
        let state = parse::limit_state(&object);
        let old = self.limits.by_name.get(&name);
        let same_spec = old.is_some_and(|o| {
            o.meta.uid == meta.uid && o.meta.generation == meta.generation && meta.generation > 0
        });
        if same_spec {
            let Some(old) = self.limits.by_name.get_mut(&name) else {
                return Dirty::default();
            };
            let entry = old.entry.clone();
            let same_meta = old.meta == meta;
            let accounts = old.state.changed(&state);
            // Also while it is being deleted it limits, until it is gone.
            (old.meta, old.state) = (meta, Arc::new(state));
            return if same_meta {
                self.boundaries_dirty(&entry, accounts)
            } else {
                self.limit_dirty(&name, &[&entry])
            };
        }
        let limit = StoredLimit {
            meta,
            spec: Arc::new(object.data.get("spec").cloned().unwrap_or_default()),
            entry: parse::limit(&name, object),
            state: Arc::new(state),
        };
        let new = limit.entry.clone();
        let version = self.tick();
        let old = self.limits.set(&name, Some(limit), version);
        let touched: Vec<&LimitEntry> = old.iter().map(|o| &o.entry).chain([&new]).collect();
        self.limit_dirty(&name, &touched)
    }

    pub(crate) fn drop_limit(&mut self, name: &ObjectName) -> Dirty {
        let version = self.tick();
        match self.limits.set(name, None, version) {
            Some(old) => self.limit_dirty(name, &[&old.entry]),
            None => Dirty::default(),
        }
    }

    // --- roles

    pub(crate) fn put_role(&mut self, id: RoleId, object: DynamicObject) -> Dirty {
        let state = parse::role_state(&object, &self.telling);
        let account = parse::account_named(&object);
        let old = self.roles.get(&id).map(|r| &r.view);
        let in_words_alone = old.is_some_and(|old| old.state.differs_in_words_alone(&state));
        let (view, changed) = view(old, object, state, |object| {
            parse::text(object, &self.recent_roles)
        });
        if changed == Changed::Nothing {
            return Dirty::default();
        }
        let mut dirty = if changed == Changed::State && in_words_alone {
            Dirty {
                roles: BTreeSet::from([id.clone()]),
                ..Dirty::default()
            }
        } else {
            self.role_dirty(&id)
        };
        let version = self.version(changed, self.roles.get(&id).map(|r| r.version));
        if changed == Changed::Object {
            self.unindex_role(&id);
            self.index_role(&id, view.head());
            if !view.is_readable() {
                self.unreadable_roles.insert(id.clone(), account);
            }
        }
        self.roles.insert(id.clone(), Stored { version, view });
        match changed {
            Changed::Object => dirty.count(&self.role_dirty(&id).counted),
            // A status changes no decision.
            Changed::State | Changed::Nothing => {
                dirty.counted.clear();
                dirty.echoed_roles.insert(id);
            }
        }
        dirty
    }

    pub(crate) fn drop_role(&mut self, id: &RoleId) -> Dirty {
        if !self.roles.contains_key(id) {
            return Dirty::default();
        }
        let dirty = self.role_dirty(id);
        self.unindex_role(id);
        self.roles.remove(id);
        self.tick();
        dirty
    }

    pub(crate) fn index_role(&mut self, id: &RoleId, role: Option<&RoleHead>) {
        if let Some(role) = role {
            let of_account = self.roles_by_account.entry(role.account.clone());
            of_account.or_default().insert(id.clone());
        }
    }

    pub(crate) fn unindex_role(&mut self, id: &RoleId) {
        self.unreadable_roles.remove(id);
        let Some(role) = self.roles.get(id).and_then(|r| r.view.head()) else {
            return;
        };
        if let Some(ids) = self.roles_by_account.get_mut(&role.account) {
            ids.remove(id);
            if ids.is_empty() {
                self.roles_by_account.remove(&role.account);
            }
        }
    }

    // --- bindings

    pub(crate) fn put_binding(&mut self, id: ObjectId, object: DynamicObject) -> Dirty {
        let state = parse::binding_state(&object, &self.telling);
        let if_unreadable = parse::unreadable_binding(&id, &object);
        let old = self.bindings.get(&id).map(|b| &b.view);
        let (view, changed) = view(old, object, state, |object| {
            parse::text(object, &self.recent_bindings)
        });
        match changed {
            Changed::Nothing => return Dirty::default(),
            // Nothing rests on the status of a binding.
            Changed::State => {
                if let Some(stored) = self.bindings.get_mut(&id) {
                    stored.view = view;
                }
                return Dirty {
                    bindings: BTreeSet::from([id]),
                    ..Dirty::default()
                };
            }
            Changed::Object => {}
        }
        let mut dirty = self.binding_dirty(&id);
        dirty.unbound_roles.extend(self.role_of_binding(&id));
        let version = self.tick();
        self.unindex_binding(&id);
        if let Some(binding) = view.head() {
            let age = (binding.created, id.name.clone());
            insert_sorted(&mut self.bindings_by_role, binding.role.clone(), age.clone());
            self.bind_instance(&binding.role);
            for service_account in &binding.service_accounts {
                let subject = (id.namespace.clone(), service_account.clone());
                insert_sorted(&mut self.bindings_by_subject, subject, age.clone());
            }
        } else {
            let of_namespace = self.unreadable_bindings.entry(id.namespace.clone());
            of_namespace.or_default().insert(id.name.clone(), if_unreadable);
        }
        self.bindings.insert(id.clone(), Stored { version, view });
        dirty.merge(&self.binding_dirty(&id));
        dirty
    }

    /// The role that a binding names, if it is there and can be read.
    fn role_of_binding(&self, id: &ObjectId) -> Option<RoleId> {
        let binding = self.bindings.get(id)?.view.head()?;
        Some(binding.role.clone())
    }

    pub(crate) fn drop_binding(&mut self, id: &ObjectId) -> Dirty {
        if !self.bindings.contains_key(id) {
            return Dirty::default();
        }
        let mut dirty = self.binding_dirty(id);
        dirty.unbound_roles.extend(self.role_of_binding(id));
        self.unindex_binding(id);
        self.bindings.remove(id);
        self.tick();
        dirty
    }

    fn unindex_binding(&mut self, id: &ObjectId) {
        if let Some(of_namespace) = self.unreadable_bindings.get_mut(&id.namespace) {
            of_namespace.remove(&id.name);
            if of_namespace.is_empty() {
                self.unreadable_bindings.remove(&id.namespace);
            }
        }
        let Some(Ok(kept)) = self.bindings.get(id).map(|b| b.view.kept.clone()) else {
            return;
        };
        let binding = &kept.head;
        let age = (binding.created, id.name.clone());
        remove_sorted(&mut self.bindings_by_role, &binding.role, &age);
        self.unbind_instance(&binding.role);
        for service_account in &binding.service_accounts {
            let subject = (id.namespace.clone(), service_account.clone());
            remove_sorted(&mut self.bindings_by_subject, &subject, &age);
        }
    }

    // --- namespaces

    pub(crate) fn put_namespace(&mut self, name: NamespaceName, info: NamespaceInfo) -> Dirty {
        if self.namespaces.get(&name).is_some_and(|old| **old == info) {
            return Dirty::default();
        }
        self.namespaces.insert(name.clone(), Arc::new(info));
        Dirty {
            namespaces: BTreeSet::from([name]),
            ..Dirty::default()
        }
    }

    pub(crate) fn drop_namespace(&mut self, name: &NamespaceName) -> Dirty {
        match self.namespaces.remove(name) {
            Some(_) => Dirty {
                namespaces: BTreeSet::from([name.clone()]),
                ..Dirty::default()
            },
            None => Dirty::default(),
        }
    }

    /// A new number when the object changed, its old one when only its status did: decisions don't rest on that.
    pub(crate) fn version(&mut self, changed: Changed, old: Option<u64>) -> u64 {
        match old {
            Some(old) if changed == Changed::State => old,
            _ => self.tick(),
        }
    }
}
