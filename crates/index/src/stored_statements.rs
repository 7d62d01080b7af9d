//! Statements of resource policies, by what is asked of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deputy_delegation::{
    NamespaceName, ObjectName, PolicyResource,
    model::{LimitEntry, ObjectId, OwnedStatement, StatementPrincipal},
};

use crate::{
    entry::{StatementState, Stored},
    limits::scope,
};

/// All statements. Those of a namespace lie together: what they name is there, too.
#[derive(Debug, Default)]
pub(crate) struct Statements(HashMap<NamespaceName, BTreeMap<ObjectName, KnownStatement>>);

/// A statement, and the account that it names, also where the rest can't be read.
#[derive(Debug)]
pub(crate) struct KnownStatement {
    pub(crate) stored: Stored<OwnedStatement, StatementState>,
    pub(crate) account: Option<ObjectName>,
}

impl Statements {
    pub(crate) fn get(&self, id: &ObjectId) -> Option<&KnownStatement> {
        self.0.get(&id.namespace)?.get(&id.name)
    }

    /// Puts a statement in, in place of the one of before.
    pub(crate) fn put(&mut self, id: ObjectId, known: KnownStatement) {
        self.0.entry(id.namespace).or_default().insert(id.name, known);
    }

    /// Takes a statement out. Gives whether it was there.
    pub(crate) fn remove(&mut self, id: &ObjectId) -> bool {
        let Some(of_namespace) = self.0.get_mut(&id.namespace) else {
            return false;
        };
        let was_there = of_namespace.remove(&id.name).is_some();
        if of_namespace.is_empty() {
            self.0.remove(&id.namespace);
        }
        was_there
    }

    /// The Sids under which the policy of a resource has statements of these.
    pub(crate) fn sids_of<'a>(&'a self, resource: &'a PolicyResource) -> impl Iterator<Item = Box<str>> + 'a {
        let all = self.0.values().flat_map(BTreeMap::values);
        all.filter_map(move |known| {
            let view = &known.stored.view;
            let sid = view.state.sid.as_ref()?;
            let statement = view.parsed().ok()?;
            (statement.resource == *resource).then(|| sid.clone())
        })
    }

    fn all(&self) -> impl Iterator<Item = (ObjectId, &KnownStatement)> {
        self.0.iter().flat_map(|(namespace, all)| {
            all.iter().map(|(name, known)| {
                let id = ObjectId {
                    namespace: namespace.clone(),
                    name: name.clone(),
                };
                (id, known)
            })
        })
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.all().map(|(id, _)| id)
    }

    pub(crate) fn unreadable(&self) -> usize {
        self.all()
            .filter(|(_, known)| !known.stored.view.is_readable())
            .count()
    }

    /// Those of an account; one of which that can't be read may be of any.
    pub(crate) fn of_account(&self, account: &ObjectName) -> impl Iterator<Item = ObjectId> {
        self.all()
            .filter(move |(_, known)| known.account.as_ref().is_none_or(|named| named == account))
            .map(|(id, _)| id)
    }

    /// Those that a limit applies to, or whose refusal says in which accounts there are limits.
    pub(crate) fn told_of(&self, limit: &LimitEntry) -> impl Iterator<Item = ObjectId> {
        let names = move |id: &ObjectId| scope(limit).is_none_or(|scope| scope.names(&id.namespace));
        self.ids().filter(names)
    }

    pub(crate) fn under(&self, limit: &LimitEntry) -> BTreeSet<ObjectId> {
        let applies = |(id, known): (ObjectId, &KnownStatement)| {
            let account = known.account.as_ref()?;
            limit.applies(&id.namespace, account).then_some(id)
        };
        self.all().filter_map(applies).collect()
    }

    /// Those of a namespace that name a principal for which `is_it` holds.
    pub(crate) fn naming(
        &self,
        namespace: &NamespaceName,
        is_it: impl Fn(&StatementPrincipal) -> bool,
    ) -> BTreeSet<ObjectId> {
        let names = |known: &KnownStatement| {
            let statement = known.stored.view.parsed();
            statement.is_ok_and(|statement| statement.principals.iter().any(&is_it))
        };
        let of_namespace = self.0.get(namespace).into_iter().flatten();
        of_namespace
            .filter(|(_, known)| names(known))
            .map(|(name, _)| ObjectId {
                namespace: namespace.clone(),
                name: name.clone(),
            })
            .collect()
    }

    /// The same, without those that are being deleted.
    pub(crate) fn granting(
        &self,
        namespace: &NamespaceName,
        is_it: impl Fn(&StatementPrincipal) -> bool,
    ) -> impl Iterator<Item = ObjectId> {
        let naming = self.naming(namespace, is_it).into_iter();
        naming.filter(|id| {
            let known = self.get(id);
            known.is_some_and(|known| !known.stored.view.meta.terminating)
        })
    }
}
