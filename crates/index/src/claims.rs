//! Which AWSAccount counts for which AWS account.
//!
//! Names in AWS derive from the AWS account's id, so two AWSAccounts of one id would write to the same roles and policies, each
//! with its own partition, identities and tags, and the limits of the one could be got around by the other. The older one
//! counts.

use std::collections::{BTreeSet, HashMap};

use deputy_delegation::{AccountId, ObjectName, model::Account};

use crate::entry::Entry;

/// Since when, and which: the order in which AWSAccounts of one id count.
type Age = (i64, ObjectName);

/// By AWS account id, as the objects spell it: one that can't be read otherwise still holds its id.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    by_name: HashMap<ObjectName, (i64, Box<str>)>,
    by_id: HashMap<Box<str>, BTreeSet<Age>>,
}

impl Claims {
    /// The AWSAccount that counts for an id.
    pub(crate) fn owner(&self, id: &str) -> Option<&ObjectName> {
        self.by_id.get(id)?.first().map(|(_, name)| name)
    }

    /// The id that an AWSAccount names.
    pub(crate) fn id(&self, name: &ObjectName) -> Option<&str> {
        self.by_name.get(name).map(|(_, id)| id.as_ref())
    }

    /// Why the AWSAccount `name` of this id may not be used, if it may not: an entry that can't be read.
    pub(crate) fn unless_taken(&self, name: &ObjectName, id: &AccountId) -> Option<Entry<Account>> {
        let owner = self.owner(id.as_str()).filter(|owner| *owner != name)?;
        let why = format!(
            "AWS account {id} is AWSAccount {owner} already, which is older: an AWS account has one AWSAccount; use {owner}, or \
             delete one of the two"
        );
        Some(Entry::Unreadable(why.into()))
    }

    /// Sets what an AWSAccount names. Gives the others for which something else counts now.
    pub(crate) fn set(&mut self, name: &ObjectName, claim: Option<(i64, Box<str>)>) -> BTreeSet<ObjectName> {
        let old = self.by_name.get(name).cloned();
        if old == claim {
            return BTreeSet::new();
        }
        let ids: BTreeSet<Box<str>> = old.iter().chain(&claim).map(|(_, id)| id.clone()).collect();
        let before: HashMap<_, _> = ids
            .iter()
            .map(|id| (id.clone(), self.owner(id).cloned()))
            .collect();
        if let Some((made, id)) = old {
            self.by_name.remove(name);
            if let Some(ages) = self.by_id.get_mut(&id) {
                ages.remove(&(made, name.clone()));
                if ages.is_empty() {
                    self.by_id.remove(&id);
                }
            }
        }
        if let Some((made, id)) = claim {
            self.by_id
                .entry(id.clone())
                .or_default()
                .insert((made, name.clone()));
            self.by_name.insert(name.clone(), (made, id));
        }
        let changed = ids
            .iter()
            .filter(|id| self.owner(id) != before.get(*id).and_then(Option::as_ref));
        changed
            .filter_map(|id| self.by_id.get(id))
            .flatten()
            .map(|(_, other)| other.clone())
            .filter(|other| other != name)
            .collect()
    }
}
