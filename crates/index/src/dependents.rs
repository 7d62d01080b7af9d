//! What a change of one object means for others.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use deputy_delegation::{
    ObjectName,
    model::{LimitEntry, ObjectId, RoleId},
};

use crate::{
    dirty::{BoundaryKey, Dirty},
    limits::scope,
    sorted::ServiceAccountKey,
    state::State,
};

impl State {
    pub(crate) fn account_dirty(&self, name: &ObjectName) -> Dirty {
        let mut dirty = Dirty {
            accounts: BTreeSet::from([name.clone()]),
            federated: self.federated.of_account(name).cloned().collect(),
            statements: self.statements_of_account(name),
            ..Dirty::default()
        };
        for limit in self.limits.of_account(name).limits.iter().map(LimitEntry::name) {
            dirty.limits.insert(limit.clone());
            dirty.counted.entry(limit.clone()).or_default();
            dirty.boundaries.insert(BoundaryKey {
                limit: limit.clone(),
                account: name.clone(),
            });
        }
        self.role_dependents(self.roles_by_account.get(name).into_iter().flatten(), &mut dirty);
        dirty
    }

    pub(crate) fn limit_dirty(&self, name: &ObjectName, entries: &[&LimitEntry]) -> Dirty {
        let mut dirty = Dirty {
            limits: BTreeSet::from([name.clone()]),
            counted: BTreeMap::from([(name.clone(), BTreeSet::new())]),
            ..Dirty::default()
        };
        for entry in entries {
            let accounts = scope(entry).into_iter().flat_map(|scope| &scope.accounts);
            dirty.boundaries.extend(accounts.map(|account| BoundaryKey {
                limit: name.clone(),
                account: account.clone(),
            }));
            let under = self.roles_under(entry);
            self.role_dependents(under.iter(), &mut dirty);
            // Also those that it applies to no more.
            dirty.counted.entry(name.clone()).or_default().extend(under);
            self.role_dependents(self.roles_told_of(entry).into_iter(), &mut dirty);
            dirty.federated.extend(self.federated.told_of(entry));
            dirty.statements.extend(self.statements_told_of(entry));
        }
        dirty
    }

    /// What rests on the boundary policy of a limit in these accounts: the policy itself, and the roles there. The limit's other accounts
    /// have nothing to do with it.
    pub(crate) fn boundaries_dirty(&self, limit: &LimitEntry, accounts: BTreeSet<String>) -> Dirty {
        let mut dirty = Dirty::default();
        for account in accounts
            .into_iter()
            .filter_map(|name| ObjectName::new(&name).ok())
        {
            let roles = self.roles_by_account.get(&account).into_iter().flatten();
            let applies = roles.filter(|id| limit.applies(&id.namespace, &account));
            self.role_dependents(applies, &mut dirty);
            dirty.boundaries.insert(BoundaryKey {
                limit: limit.name().clone(),
                account,
            });
        }
        // Whether AWS has the boundary changes no decision.
        dirty.counted.clear();
        dirty
    }

    /// What rests on the status of an account: bindings say what the broker says there.
    pub(crate) fn account_state_dirty(&self, name: &ObjectName) -> Dirty {
        let mut dirty = Dirty::default();
        self.role_dependents(self.roles_by_account.get(name).into_iter().flatten(), &mut dirty);
        Dirty {
            accounts: BTreeSet::from([name.clone()]),
            bindings: dirty.bindings,
            federated: self.federated.of_account(name).cloned().collect(),
            ..Dirty::default()
        }
    }

    /// Roles that a limit applies to.
    pub(crate) fn roles_under(&self, limit: &LimitEntry) -> BTreeSet<RoleId> {
        let of = |account: &ObjectName| {
            let roles = self.roles_by_account.get(account).into_iter().flatten();
            roles
                .filter(|id| limit.applies(&id.namespace, account))
                .cloned()
                .collect::<Vec<_>>()
        };
        match scope(limit) {
            Some(scope) => scope.accounts.iter().flat_map(of).collect(),
            None => self.roles_by_account.keys().flat_map(of).collect(),
        }
    }

    /// Roles without a limit in namespaces that this one names: their refusal says in which accounts there are limits.
    fn roles_told_of(&self, limit: &LimitEntry) -> Vec<&RoleId> {
        let Some(scope) = scope(limit) else {
            return Vec::new();
        };
        let without = |account: &ObjectName, id: &RoleId| {
            let limits = self.limits.of_account(account).limits.iter();
            scope.names(&id.namespace) && !limits.into_iter().any(|l| l.decides(&id.namespace, account))
        };
        let elsewhere = self.roles_by_account.iter();
        elsewhere
            .filter(|(account, _)| !scope.accounts.contains(*account))
            .flat_map(|(account, ids)| ids.iter().filter(move |id| without(account, id)))
            .collect()
    }

    pub(crate) fn role_dirty(&self, id: &RoleId) -> Dirty {
        self.roles_dirty([id])
    }

    pub(crate) fn roles_dirty<'a>(&self, ids: impl IntoIterator<Item = &'a RoleId>) -> Dirty {
        let mut dirty = Dirty::default();
        self.role_dependents(ids.into_iter(), &mut dirty);
        dirty
    }

    /// Roles with their bindings, other bindings of the same ServiceAccounts (which is the default may have changed),
    /// and the limits that count them.
    fn role_dependents<'a>(&self, roles: impl Iterator<Item = &'a RoleId>, dirty: &mut Dirty) {
        let mut subjects = HashSet::new();
        for id in roles {
            if !dirty.roles.insert(id.clone()) {
                continue;
            }
            dirty.statements.extend(self.statements_naming_role(id));
            if let Some(role) = self.roles.get(id).and_then(|r| r.view.head()) {
                let limits = self.limits.of_account(&role.account).limits.iter();
                let apply = limits.filter(|l| l.applies(&id.namespace, &role.account));
                for limit in apply.map(LimitEntry::name) {
                    dirty.counted.entry(limit.clone()).or_default().insert(id.clone());
                }
            }
            for (_, name) in self.bindings_by_role.get(id).into_iter().flatten() {
                let binding = ObjectId {
                    namespace: id.namespace.clone(),
                    name: name.clone(),
                };
                self.binding_and_siblings(binding, &mut subjects, dirty);
            }
        }
    }

    /// `subjects` are those whose bindings are in already: without them, many bindings of one ServiceAccount would be
    /// gone through as often as there are.
    fn binding_and_siblings(
        &self,
        id: ObjectId,
        subjects: &mut HashSet<ServiceAccountKey>,
        dirty: &mut Dirty,
    ) {
        if let Some(binding) = self.bindings.get(&id).and_then(|b| b.view.head()) {
            for service_account in &binding.service_accounts {
                let subject = (id.namespace.clone(), service_account.clone());
                if !subjects.contains(&subject) {
                    self.of_subject(&subject, dirty);
                    subjects.insert(subject);
                }
            }
        }
        // One that can't be read may be the oldest one of any ServiceAccount.
        let unreadable = self.unreadable_bindings.get(&id.namespace);
        if unreadable.is_some_and(|bindings| bindings.contains_key(&id.name)) {
            self.of_namespace(&id.namespace, dirty);
        }
        dirty.bindings.insert(id);
    }

    pub(crate) fn binding_dirty(&self, id: &ObjectId) -> Dirty {
        let mut dirty = Dirty::default();
        self.binding_and_siblings(id.clone(), &mut HashSet::new(), &mut dirty);
        if let Some(binding) = self.bindings.get(id).and_then(|b| b.view.head()) {
            self.role_dependents([&binding.role].into_iter(), &mut dirty);
        }
        dirty.roles.extend(self.kept_by_unreadable(id));
        dirty
    }
}
