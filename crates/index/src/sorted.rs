//! Lists by key, each sorted and without duplicates, and what they are sorted by.

use std::{collections::HashMap, hash::Hash};

use deputy_delegation::{NamespaceName, ObjectName, ServiceAccountName};

/// A ServiceAccount by namespace and name.
pub(crate) type ServiceAccountKey = (NamespaceName, ServiceAccountName);

/// When a binding was made, and its name: the order in which bindings count.
pub(crate) type Age = (i64, ObjectName);

/// A sorted list without duplicates. Most have one entry, for which a tree would allocate eleven times as much; there is
/// one for each role and each ServiceAccount.
pub(crate) type Sorted<T> = Vec<T>;

/// Adds a value to the list of a key.
pub(crate) fn insert_sorted<K: Eq + Hash, V: Ord>(index: &mut HashMap<K, Sorted<V>>, key: K, value: V) {
    let values = index.entry(key).or_insert_with(|| Vec::with_capacity(1));
    if let Err(at) = values.binary_search(&value) {
        values.insert(at, value);
    }
}

/// Takes a value out of the list of a key.
pub(crate) fn remove_sorted<K: Eq + Hash, V: Ord>(index: &mut HashMap<K, Sorted<V>>, key: &K, value: &V) {
    if let Some(values) = index.get_mut(key) {
        if let Ok(at) = values.binary_search(value) {
            values.remove(at);
        }
        if values.is_empty() {
            index.remove(key);
        }
    }
}
