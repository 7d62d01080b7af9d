//! The maps behind a world, and how they are kept consistent.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName,
    model::{Account, Binding, LimitEntry, ObjectId, Role},
};

use crate::{change::Change, entry::Entry, world::RoleStanding};

/// An object, and whether it is being deleted.
pub(crate) struct Stored<T> {
    pub(crate) entry: Entry<T>,
    pub(crate) deleting: bool,
}

impl<T> Stored<T> {
    /// As the rest of the world may see it: an object on its way out grants nothing.
    pub(crate) fn visible(&self) -> Entry<T> {
        if self.deleting {
            Entry::Missing
        } else {
            self.entry.clone()
        }
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) accounts: HashMap<ObjectName, Stored<Account>>,
    pub(crate) limits: HashMap<ObjectName, LimitEntry>,
    /// The limits in the order of their names: what decisions borrow.
    pub(crate) ordered_limits: Arc<[LimitEntry]>,
    pub(crate) roles: HashMap<ObjectId, Stored<Role>>,
    pub(crate) standings: HashMap<ObjectId, RoleStanding>,
    pub(crate) bindings: HashMap<ObjectId, Stored<Binding>>,
    pub(crate) by_role: HashMap<ObjectId, BTreeSet<ObjectName>>,
    /// In order of age, then name.
    pub(crate) by_account: HashMap<(NamespaceName, ServiceAccountName), BTreeSet<(i64, ObjectName)>>,
    pub(crate) namespaces: HashMap<NamespaceName, Option<String>>,
    pub(crate) service_accounts: HashMap<(NamespaceName, ServiceAccountName), Option<String>>,
}

impl State {
    pub(crate) fn put_account(&mut self, name: ObjectName, stored: Option<Stored<Account>>) -> Vec<Change> {
        match stored {
            Some(stored) => drop(self.accounts.insert(name.clone(), stored)),
            None => drop(self.accounts.remove(&name)),
        }
        vec![Change::Account(name)]
    }

    pub(crate) fn put_limit(&mut self, name: ObjectName, entry: Option<LimitEntry>) -> Vec<Change> {
        match entry {
            Some(entry) => drop(self.limits.insert(name.clone(), entry)),
            None => drop(self.limits.remove(&name)),
        }
        self.order_limits();
        vec![Change::Limit(name)]
    }

    pub(crate) fn order_limits(&mut self) {
        let mut limits: Vec<LimitEntry> = self.limits.values().cloned().collect();
        limits.sort_by(|a, b| a.name().cmp(b.name()));
        self.ordered_limits = limits.into();
    }

    pub(crate) fn put_role(
        &mut self,
        id: ObjectId,
        stored: Option<(Stored<Role>, RoleStanding)>,
    ) -> Vec<Change> {
        match stored {
            Some((stored, standing)) => {
                self.roles.insert(id.clone(), stored);
                self.standings.insert(id.clone(), standing);
            }
            None => {
                self.roles.remove(&id);
                self.standings.remove(&id);
            }
        }
        vec![Change::Role(id)]
    }

    pub(crate) fn put_binding(&mut self, id: ObjectId, stored: Option<Stored<Binding>>) -> Vec<Change> {
        let mut changes = vec![Change::Binding(id.clone())];
        if let Some(Stored {
            entry: Entry::Known(old),
            ..
        }) = self.bindings.remove(&id)
        {
            let role = ObjectId {
                namespace: id.namespace.clone(),
                name: old.role.clone(),
            };
            if let Some(names) = self.by_role.get_mut(&role) {
                names.remove(&id.name);
                if names.is_empty() {
                    self.by_role.remove(&role);
                }
            }
            for subject in &old.subjects {
                let key = (id.namespace.clone(), subject.clone());
                if let Some(names) = self.by_account.get_mut(&key) {
                    names.remove(&(old.created, id.name.clone()));
                    if names.is_empty() {
                        self.by_account.remove(&key);
                    }
                }
            }
            changes.push(Change::Bindings(role));
        }
        if let Some(stored) = stored {
            if let Entry::Known(new) = &stored.entry {
                let role = ObjectId {
                    namespace: id.namespace.clone(),
                    name: new.role.clone(),
                };
                self.by_role
                    .entry(role.clone())
                    .or_default()
                    .insert(id.name.clone());
                for subject in &new.subjects {
                    let key = (id.namespace.clone(), subject.clone());
                    self.by_account
                        .entry(key)
                        .or_default()
                        .insert((new.created, id.name.clone()));
                }
                if !changes.contains(&Change::Bindings(role.clone())) {
                    changes.push(Change::Bindings(role));
                }
            }
            self.bindings.insert(id, stored);
        }
        changes
    }
}
