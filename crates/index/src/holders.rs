//! Bindings of federated users, by what is asked of them: who has which name in which account.
//!
//! A name belongs to one namespace of an account: that of the oldest binding of it, readable or not, accepted or not, until that is gone. A
//! resource policy names it, and whoever wrote that policy meant this namespace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deputy_api::convert::{created, federated_user_of};
use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName,
    model::{FederatedBinding, LimitEntry, ObjectId},
};
use kube::api::DynamicObject;

use crate::{
    entry::{FederatedState, Stored, UnreadableBinding, View},
    limits::scope,
    sorted::{Age, ServiceAccountKey, Sorted, insert_sorted, remove_sorted},
};

/// An account by name, and the name of a federated user there, in lower case.
type NameKey = (ObjectName, String);
/// Since when, and which: the order in which bindings of one name count.
type Claim = (i64, ObjectId);

/// All bindings of federated users.
#[derive(Debug, Default)]
pub(crate) struct FederatedBindings {
    by_id: HashMap<ObjectId, Stored<FederatedBinding, FederatedState>>,
    /// What each holds, readable or not.
    names: HashMap<ObjectId, (NameKey, i64)>,
    by_name: BTreeMap<NameKey, BTreeSet<Claim>>,
    /// Readable ones by subject, oldest first, also those being deleted.
    by_subject: HashMap<ServiceAccountKey, Sorted<Age>>,
    /// Those that can't be read, by namespace.
    unreadable: HashMap<NamespaceName, BTreeMap<ObjectName, UnreadableBinding>>,
}

/// What a binding holds, and since when: also one that can't be read otherwise.
pub(crate) struct FederatedClaim {
    name: NameKey,
    made: i64,
}

impl FederatedClaim {
    /// That of an object as it is stored.
    pub(crate) fn of(object: &DynamicObject) -> Option<Self> {
        let (account, user) = federated_user_of(object)?;
        Some(Self {
            name: (account, user.ignoring_case()),
            made: created(&object.metadata),
        })
    }
}

impl FederatedBindings {
    pub(crate) fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.by_id.keys()
    }

    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.values().map(BTreeMap::len).sum()
    }

    pub(crate) fn is_unreadable(&self, id: &ObjectId) -> bool {
        let of_namespace = self.unreadable.get(&id.namespace);
        of_namespace.is_some_and(|bindings| bindings.contains_key(&id.name))
    }

    /// Those of a namespace that can't be read, by name.
    pub(crate) fn unreadable_of(
        &self,
        namespace: &NamespaceName,
    ) -> impl Iterator<Item = (&ObjectName, &UnreadableBinding)> {
        self.unreadable.get(namespace).into_iter().flatten()
    }

    /// The ServiceAccounts that one names; none of one that can't be read.
    pub(crate) fn service_accounts_of(&self, id: &ObjectId) -> BTreeSet<ServiceAccountName> {
        let binding = self.by_id.get(id).and_then(|stored| stored.view.parsed().ok());
        binding.map_or_else(BTreeSet::new, |binding| binding.service_accounts.clone())
    }

    /// Those that name a ServiceAccount, oldest first, also those being deleted.
    pub(crate) fn of_subject(&self, subject: &ServiceAccountKey) -> impl Iterator<Item = &Age> {
        self.by_subject.get(subject).into_iter().flatten()
    }

    /// Those that name an account, in order.
    pub(crate) fn of_account<'a>(&'a self, account: &'a ObjectName) -> impl Iterator<Item = &'a ObjectId> {
        let from = (account.clone(), String::new());
        let names = self.by_name.range(from..);
        let of_account = names.take_while(move |((of, _), _)| of == account);
        of_account.flat_map(|(_, claims)| claims.iter().map(|(_, id)| id))
    }

    /// Those that a limit may matter to: it applies to them, or their refusal says where it does.
    pub(crate) fn told_of(&self, limit: &LimitEntry) -> BTreeSet<ObjectId> {
        let is_told = |id: &&ObjectId| scope(limit).is_none_or(|scope| scope.names(&id.namespace));
        self.by_id.keys().filter(is_told).cloned().collect()
    }

    /// The account that one names, readable or not.
    pub(crate) fn account_of(&self, id: &ObjectId) -> Option<&ObjectName> {
        let ((account, _), _) = self.names.get(id)?;
        Some(account)
    }

    /// Those that a limit applies to.
    pub(crate) fn under(&self, limit: &LimitEntry) -> BTreeSet<ObjectId> {
        let names = self.names.iter();
        names
            .filter(|(id, ((account, _), _))| limit.applies(&id.namespace, account))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Bindings of the same name in the same account, with this one.
    pub(crate) fn siblings(&self, id: &ObjectId) -> BTreeSet<ObjectId> {
        let name = self.names.get(id).and_then(|(name, _)| self.by_name.get(name));
        let others = name.into_iter().flatten().map(|(_, other)| other.clone());
        others.chain([id.clone()]).collect()
    }

    /// The namespace whose the name of a binding is in its account; none while there is no binding of it.
    pub(crate) fn holder(&self, binding: &FederatedBinding) -> Option<NamespaceName> {
        let name = (binding.account.clone(), binding.user.ignoring_case());
        let (_, oldest) = self.by_name.get(&name)?.first()?;
        Some(oldest.namespace.clone())
    }

    pub(crate) fn view(&self, id: &ObjectId) -> Option<&View<FederatedBinding, FederatedState>> {
        Some(&self.by_id.get(id)?.view)
    }

    /// The number of the change that a binding came with.
    pub(crate) fn version(&self, id: &ObjectId) -> Option<u64> {
        Some(self.by_id.get(id)?.version)
    }

    /// Those that name a ServiceAccount, as far as they grant anything, oldest first.
    pub(crate) fn granting<'a>(
        &'a self,
        subject: &'a ServiceAccountKey,
    ) -> impl Iterator<Item = (&'a Age, &'a View<FederatedBinding, FederatedState>)> {
        self.of_subject(subject).filter_map(|age| {
            let view = self.view(&ObjectId {
                namespace: subject.0.clone(),
                name: age.1.clone(),
            })?;
            (!view.meta.terminating).then_some((age, view))
        })
    }

    /// Puts a binding in, in place of the one of before. `claim` is what it holds.
    pub(crate) fn put(
        &mut self,
        id: ObjectId,
        stored: Stored<FederatedBinding, FederatedState>,
        claim: Option<FederatedClaim>,
        if_unreadable: UnreadableBinding,
    ) {
        self.unindex(&id);
        if let Ok(binding) = stored.view.parsed() {
            let age = (binding.created, id.name.clone());
            for service_account in &binding.service_accounts {
                let subject = (id.namespace.clone(), service_account.clone());
                insert_sorted(&mut self.by_subject, subject, age.clone());
            }
        } else {
            let of_namespace = self.unreadable.entry(id.namespace.clone());
            of_namespace.or_default().insert(id.name.clone(), if_unreadable);
        }
        if let Some(FederatedClaim { name, made }) = claim {
            let claims = self.by_name.entry(name.clone()).or_default();
            claims.insert((made, id.clone()));
            self.names.insert(id.clone(), (name, made));
        }
        self.by_id.insert(id, stored);
    }

    /// Takes a binding out. Gives whether it was there.
    pub(crate) fn remove(&mut self, id: &ObjectId) -> bool {
        self.unindex(id);
        self.by_id.remove(id).is_some()
    }

    fn unindex(&mut self, id: &ObjectId) {
        if let Some((name, made)) = self.names.remove(id)
            && let Some(claims) = self.by_name.get_mut(&name)
        {
            claims.remove(&(made, id.clone()));
            if claims.is_empty() {
                self.by_name.remove(&name);
            }
        }
        if let Some(of_namespace) = self.unreadable.get_mut(&id.namespace) {
            of_namespace.remove(&id.name);
            if of_namespace.is_empty() {
                self.unreadable.remove(&id.namespace);
            }
        }
        let Some(binding) = self.by_id.get(id).and_then(|stored| stored.view.parsed().ok()) else {
            return;
        };
        let age = (binding.created, id.name.clone());
        for service_account in &binding.service_accounts {
            let subject = (id.namespace.clone(), service_account.clone());
            remove_sorted(&mut self.by_subject, &subject, &age);
        }
    }
}
