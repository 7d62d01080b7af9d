//! Answers that were given, kept as long as the facts that they rest on do not change.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use deputy_delegation::{
    Decision,
    model::{ObjectId, RoleId},
};
use parking_lot::Mutex;

/// The numbers of the changes that the facts came with: role, account, limits.
pub(crate) type RoleKey = [u64; 3];
/// The same with the binding in front.
pub(crate) type BindingKey = [u64; 4];

/// Binding, account and limits of a federated user, and whether its name is another namespace's.
pub(crate) type FederatedKey = ([u64; 3], bool);

/// Statement, account and limits.
pub(crate) type StatementKey = [u64; 3];

/// So many different acceptances are shared.
const SHARED: usize = 128;

/// Acceptances that many grants have: thousands rest on the same statements of the same limit. A refusal says what is wrong with one grant, and is
/// not looked for here.
#[derive(Debug, Default)]
pub(crate) struct SharedAnswers(Mutex<VecDeque<Arc<Decision>>>);

impl SharedAnswers {
    /// The one that says the same, if there is one; else this one, which is the one from now on.
    fn one(&self, decision: Decision) -> Arc<Decision> {
        if !decision.is_accepted() {
            return Arc::new(decision);
        }
        let mut shared = self.0.lock();
        if let Some(same) = shared.iter().find(|known| ***known == decision) {
            return Arc::clone(same);
        }
        let decision = Arc::new(decision);
        if shared.len() == SHARED {
            shared.pop_front();
        }
        shared.push_back(Arc::clone(&decision));
        decision
    }
}

/// Answers given, with the facts that they rest on.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    pub(crate) roles: Mutex<HashMap<RoleId, (RoleKey, Arc<Decision>)>>,
    pub(crate) bindings: Mutex<HashMap<ObjectId, (BindingKey, Arc<Decision>)>>,
    pub(crate) federated: Mutex<HashMap<ObjectId, (FederatedKey, Arc<Decision>)>>,
    pub(crate) statements: Mutex<HashMap<ObjectId, (StatementKey, Arc<Decision>)>>,
    shared: SharedAnswers,
    /// How many answers were made.
    #[cfg(test)]
    pub(crate) made: std::sync::atomic::AtomicUsize,
}

impl Decisions {
    pub(crate) fn forget_role(&self, id: &RoleId) {
        self.roles.lock().remove(id);
    }
    pub(crate) fn forget_federated(&self, id: &ObjectId) {
        self.federated.lock().remove(id);
    }
    pub(crate) fn forget_statement(&self, id: &ObjectId) {
        self.statements.lock().remove(id);
    }
    pub(crate) fn forget_binding(&self, id: &ObjectId) {
        self.bindings.lock().remove(id);
    }

    /// The answer for the facts of `key`, from `memory` if they are the same. The lock is not held while deciding.
    pub(crate) fn remembered<I: Clone + Eq + Hash, K: PartialEq + Copy>(
        &self,
        memory: impl Fn(&Self) -> &Mutex<HashMap<I, (K, Arc<Decision>)>>,
        id: &I,
        key: K,
        answer: impl FnOnce() -> Decision,
    ) -> Arc<Decision> {
        let memory = memory(self);
        if let Some(decision) = recalled(memory, id, key) {
            return decision;
        }
        #[cfg(test)]
        self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let decision = self.shared.one(answer());
        memory.lock().insert(id.clone(), (key, Arc::clone(&decision)));
        decision
    }
}

/// The answer for the facts of `key`, if it is in memory.
pub(crate) fn recalled<I: Eq + Hash, K: PartialEq + Copy>(
    memory: &Mutex<HashMap<I, (K, Arc<Decision>)>>,
    id: &I,
    key: K,
) -> Option<Arc<Decision>> {
    let memory = memory.lock();
    let (_, decision) = memory.get(id).filter(|(known, _)| *known == key)?;
    Some(Arc::clone(decision))
}
