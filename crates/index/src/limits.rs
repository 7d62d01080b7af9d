//! Limits by account.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use deputy_delegation::{
    ObjectName,
    model::{LimitEntry, LimitScope},
};

use serde_json::Value;

use crate::entry::{LimitState, Meta};

/// A limit as stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredLimit {
    pub(crate) meta: Meta,
    pub(crate) entry: LimitEntry,
    pub(crate) state: Arc<LimitState>,
    /// Its `spec`, as the API server has it.
    pub(crate) spec: Arc<Value>,
}

/// Limits that may apply in an account, by name; and a number that changes when they do.
#[derive(Debug, Clone)]
pub(crate) struct LimitSet {
    pub(crate) version: u64,
    pub(crate) limits: Arc<[LimitEntry]>,
}

impl Default for LimitSet {
    fn default() -> Self {
        Self {
            version: 0,
            limits: Arc::from([]),
        }
    }
}

/// All limits, with an index by account.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) by_name: BTreeMap<ObjectName, StoredLimit>,
    by_account: HashMap<ObjectName, LimitSet>,
    /// Those with no readable scope: they apply in accounts that no limit names, too.
    everywhere: LimitSet,
    /// The number of the last change of any.
    changed: u64,
}

impl Limits {
    /// Those that may apply in an account.
    pub(crate) fn of_account(&self, account: &ObjectName) -> &LimitSet {
        self.by_account.get(account).unwrap_or(&self.everywhere)
    }

    /// All of them, wherever they apply.
    pub(crate) fn all(&self) -> LimitSet {
        LimitSet {
            // As `everywhere`: while neither has changed, both lead to the same answers.
            version: 2 * self.changed + 1,
            limits: self.by_name.values().map(|l| l.entry.clone()).collect(),
        }
    }

    /// Those that may apply in an account, with one exchanged or left out.
    pub(crate) fn of_account_with(
        &self,
        account: &ObjectName,
        name: &ObjectName,
        exchange: Option<&LimitEntry>,
    ) -> Arc<[LimitEntry]> {
        let others = self
            .of_account(account)
            .limits
            .iter()
            .filter(|l| l.name() != name);
        let mut limits: Vec<LimitEntry> = others.chain(exchange).cloned().collect();
        limits.sort_by(|a, b| a.name().cmp(b.name()));
        limits.into()
    }

    /// Puts a limit in, or takes it out, and indexes the accounts concerned. Gives the entry that was there.
    pub(crate) fn set(
        &mut self,
        name: &ObjectName,
        limit: Option<StoredLimit>,
        version: u64,
    ) -> Option<StoredLimit> {
        self.changed = version;
        let new_scope = limit.as_ref().map(|l| scope(&l.entry).cloned());
        let old = match limit {
            Some(limit) => self.by_name.insert(name.clone(), limit),
            None => self.by_name.remove(name),
        };
        let old_scope = old.as_ref().map(|l| scope(&l.entry).cloned());

        let mut accounts = BTreeSet::new();
        let mut all = false;
        for touched in [old_scope, new_scope].into_iter().flatten() {
            match touched {
                Some(scope) => accounts.extend(scope.accounts),
                None => all = true,
            }
        }
        if all {
            let limits = self
                .by_name
                .values()
                .map(|l| &l.entry)
                .filter(|l| scope(l).is_none())
                .cloned()
                .collect();
            // Odd here and even below: two sets of one change differ.
            self.everywhere = LimitSet {
                version: 2 * version + 1,
                limits,
            };
            accounts.extend(self.by_account.keys().cloned());
        }
        for account in accounts {
            let named = |l: &LimitEntry| scope(l).is_some_and(|s| s.accounts.contains(&account));
            let entries = || self.by_name.values().map(|l| &l.entry);
            if entries().any(named) {
                let limits = entries()
                    .filter(|l| scope(l).is_none() || named(l))
                    .cloned()
                    .collect();
                self.by_account.insert(
                    account,
                    LimitSet {
                        version: 2 * version,
                        limits,
                    },
                );
            } else {
                self.by_account.remove(&account);
            }
        }
        old
    }
}

/// Where a limit applies; `None`: everywhere.
pub(crate) fn scope(entry: &LimitEntry) -> Option<&LimitScope> {
    entry.scope()
}
