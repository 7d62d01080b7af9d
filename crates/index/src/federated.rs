//! What is asked and decided about bindings of federated users.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::{
    Decision, DecisionInput, GrantSpec, MissingFacts, NamespaceName, ServiceAccountName, accepts, decide,
    model::{Account, FederatedBinding, ObjectId},
};
use kube::api::DynamicObject;

use crate::{
    decisions::{GrantRef, RoleFacts},
    dirty::Dirty,
    entry::{Entry, View},
    holders::FederatedClaim,
    index::Index,
    look::Seen,
    state::{Changed, State, view, whole},
    suspension::{ProposedChange, Suspension},
};

/// Everything about one binding of a federated user, looked up at one moment.
#[derive(Debug, Clone)]
pub struct FederatedDecision {
    /// The binding.
    pub binding: Arc<FederatedBinding>,
    /// Its account.
    pub account: Entry<Account>,
    /// About it.
    pub decision: Decision,
}

impl State {
    pub(crate) fn put_federated(&mut self, id: ObjectId, object: DynamicObject) -> Dirty {
        let claim = FederatedClaim::of(&object);
        let (view, changed) = view(self.federated.view(&id), object, (), whole);
        if changed != Changed::Object {
            return Dirty::default();
        }
        let mut dirty = self.federated_dirty(&id);
        self.tick();
        self.federated.put(id.clone(), view, claim);
        dirty.merge(&self.federated_dirty(&id));
        dirty
    }

    pub(crate) fn drop_federated(&mut self, id: &ObjectId) -> Dirty {
        let dirty = self.federated_dirty(id);
        if !self.federated.remove(id) {
            return Dirty::default();
        }
        self.tick();
        dirty
    }

    fn federated_dirty(&self, id: &ObjectId) -> Dirty {
        Dirty {
            federated: self.federated.siblings(id),
            ..Dirty::default()
        }
    }
}

impl Index {
    /// A binding of a federated user, with metadata.
    #[must_use]
    pub fn federated_binding(&self, id: &ObjectId) -> Option<View<FederatedBinding, ()>> {
        self.state.read().federated.view(id).cloned()
    }

    /// Bindings of federated users that name a ServiceAccount, oldest first (then by name). Not those that are being deleted or can't be
    /// read: they grant nothing.
    #[must_use]
    pub fn federated_bindings_of_service_account(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Vec<Arc<FederatedBinding>> {
        let subject = (namespace.clone(), service_account.clone());
        let state = self.state.read();
        let granting = state.federated.granting(&subject);
        granting.filter_map(|view| view.parsed().ok()).collect()
    }

    /// Decides about a stored binding of a federated user. `None` when it is not there, can't be read or is being deleted, and as long as
    /// [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_federated(&self, id: &ObjectId) -> Option<FederatedDecision> {
        if !self.can_decide() {
            return None;
        }
        let view = self.federated_binding(id)?;
        let binding = Arc::clone(view.granting().known()?);
        let (facts, held_by) = self.federated_facts(&binding);
        let decision = decide(&self.question_of_federated(&binding, &facts, held_by.as_ref()));
        Some(FederatedDecision {
            binding,
            account: facts.account,
            decision,
        })
    }

    /// Decides about a binding of a federated user as if it were stored. Undecided, without saying what is missing, as long as
    /// [`Index::can_decide`] is false.
    pub fn decide_federated_with(&self, binding: &FederatedBinding) -> Decision {
        if !self.can_decide() {
            return Decision::Undecided(MissingFacts::UNKNOWN);
        }
        let (facts, held_by) = self.federated_facts(binding);
        decide(&self.question_of_federated(binding, &facts, held_by.as_ref()))
    }

    /// The same, by the limits and accounts that were seen instead of those that the index holds.
    pub fn decide_federated_as_seen(&self, binding: &FederatedBinding, seen: &Seen) -> Decision {
        let held_by = self.state.read().federated.holder(binding);
        let facts = seen.facts(&binding.account);
        decide(&self.question_of_federated(binding, &facts, held_by.as_ref()))
    }

    fn federated_facts(&self, binding: &FederatedBinding) -> (RoleFacts, Option<NamespaceName>) {
        let state = self.state.read();
        let facts = state.facts(&binding.account, &binding.id.namespace);
        (facts, state.federated.holder(binding))
    }

    fn question_of_federated<'a>(
        &'a self,
        binding: &'a FederatedBinding,
        facts: &'a RoleFacts,
        held_by: Option<&'a NamespaceName>,
    ) -> DecisionInput<'a> {
        DecisionInput {
            cluster: &self.cluster,
            grant: GrantSpec::Federated { binding, held_by },
            account: facts.account.as_fact(),
            limits: &facts.limits,
        }
    }

    /// The bindings of federated users that a change may matter to.
    pub(crate) fn federated_concerned(&self, hypothesis: ProposedChange<'_>) -> BTreeSet<ObjectId> {
        let state = self.state.read();
        match hypothesis {
            ProposedChange::Account(name, _) => state.federated.of_account(name).cloned().collect(),
            ProposedChange::Limit(name, after) => {
                let before = state.limits.by_name.get(name).map(|limit| &limit.entry);
                let limits = before.into_iter().chain(after);
                limits.flat_map(|limit| state.federated.told_of(limit)).collect()
            }
            ProposedChange::Role(..) | ProposedChange::ClusterRole(..) => BTreeSet::new(),
        }
    }

    /// Counts one of them.
    pub(crate) fn look_at_federated(
        &self,
        id: &ObjectId,
        hypothesis: ProposedChange<'_>,
        suspension: &mut Suspension,
    ) {
        let Some(now) = self.decide_federated(id) else {
            return;
        };
        let binding = &now.binding;
        let facts = self.facts_with(&binding.account, &binding.id.namespace, hypothesis);
        let held_by = self.state.read().federated.holder(binding);
        let after = accepts(&self.question_of_federated(binding, &facts, held_by.as_ref()));
        suspension.note(
            now.decision.is_accepted(),
            after,
            GrantRef::FederatedUser(id.clone()),
        );
    }
}
