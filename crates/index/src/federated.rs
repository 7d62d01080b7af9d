//! What is asked and decided about bindings of federated users.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::{
    Decision, DecisionInput, GrantSpec, MissingFacts, NamespaceName, ObjectName, accepts, decide,
    model::{Account, FederatedBinding, ObjectId},
};
use kube::api::DynamicObject;

use crate::{
    decisions::{GrantRef, RoleFacts},
    dirty::Dirty,
    entry::{Entry, FederatedState, Stored, View},
    holders::FederatedClaim,
    index::Index,
    look::Seen,
    parse,
    sorted::{Age, ServiceAccountKey},
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
    pub decision: Arc<Decision>,
}

impl State {
    pub(crate) fn put_federated(&mut self, id: ObjectId, object: DynamicObject) -> Dirty {
        let (claim, state) = (FederatedClaim::of(&object), parse::federated_state(&object));
        let if_unreadable = parse::unreadable_federated(&object);
        let (view, changed) = view(self.federated.view(&id), object, state, whole);
        if changed == Changed::Nothing {
            return Dirty::default();
        }
        let version = self.version(changed, self.federated.version(&id));
        let stored = Stored { version, view };
        match changed {
            Changed::Nothing => return Dirty::default(),
            // No decision rests on the status of a binding.
            Changed::State => {
                self.federated.put(id.clone(), stored, claim, if_unreadable);
                return Dirty {
                    federated: BTreeSet::from([id]),
                    ..Dirty::default()
                };
            }
            Changed::Object => {}
        }
        let mut dirty = self.federated_dirty(&id);
        self.federated.put(id.clone(), stored, claim, if_unreadable);
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

    /// Bindings of the same name, and those of either kind of the same ServiceAccounts: which is their default may have changed.
    fn federated_dirty(&self, id: &ObjectId) -> Dirty {
        let mut dirty = Dirty {
            federated: self.federated.siblings(id),
            ..Dirty::default()
        };
        for service_account in self.federated.service_accounts_of(id) {
            let subject = (id.namespace.clone(), service_account.clone());
            self.of_subject(&subject, &mut dirty);
        }
        for sibling in &dirty.federated {
            dirty.statements.extend(self.statements_naming_federated(sibling));
        }
        if self.federated.is_unreadable(id) {
            self.of_namespace(&id.namespace, &mut dirty);
        }
        if let Some(account) = self.federated.account_of(id) {
            let limits = self.limits.of_account(account).limits.iter();
            for limit in limits.filter(|limit| limit.applies(&id.namespace, account)) {
                dirty.counted.entry(limit.name().clone()).or_default();
            }
        }
        dirty
    }

    /// Every binding of a ServiceAccount, of either kind.
    pub(crate) fn of_subject(&self, subject: &ServiceAccountKey, dirty: &mut Dirty) {
        let id = |(_, name): &Age| ObjectId {
            namespace: subject.0.clone(),
            name: name.clone(),
        };
        let roles = self.bindings_by_subject.get(subject).into_iter().flatten();
        dirty.bindings.extend(roles.map(id));
        dirty.federated.extend(self.federated.of_subject(subject).map(id));
    }

    /// Every binding of a namespace, of either kind: one that can't be read may be the oldest one of any ServiceAccount.
    pub(crate) fn of_namespace(&self, namespace: &NamespaceName, dirty: &mut Dirty) {
        let is_there = |id: &&ObjectId| id.namespace == *namespace;
        dirty
            .bindings
            .extend(self.bindings.keys().filter(is_there).cloned());
        dirty
            .federated
            .extend(self.federated.ids().filter(is_there).cloned());
    }
}

impl Index {
    /// A binding of a federated user, with metadata.
    #[must_use]
    pub fn federated_binding(&self, id: &ObjectId) -> Option<View<FederatedBinding, FederatedState>> {
        self.state.read().federated.view(id).cloned()
    }

    /// Names of all bindings of federated users, in order.
    #[must_use]
    pub fn federated_bindings(&self) -> BTreeSet<ObjectId> {
        self.state.read().federated.ids().cloned().collect()
    }

    /// Decides about a stored binding of a federated user. `None` when it is not there, can't be read or is being deleted, and as long as
    /// [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_federated(&self, id: &ObjectId) -> Option<FederatedDecision> {
        if !self.can_decide() {
            return None;
        }
        let (binding, version, facts, held_by) = {
            let state = self.state.read();
            let binding = Arc::clone(state.federated.view(id)?.granting().known()?);
            let facts = state.facts(&binding.account, &binding.id.namespace);
            let held_by = state.federated.holder(&binding);
            (binding, state.federated.version(id)?, facts, held_by)
        };
        // Of whose the name is, the decision knows no more than that.
        let is_anothers = held_by
            .as_ref()
            .is_some_and(|holder| *holder != binding.id.namespace);
        let key = facts.key_of_federated(version, is_anothers);
        let decision = self.decisions.remembered(
            |all| &all.federated,
            id,
            key,
            || decide(&self.question_of_federated(&binding, &facts, held_by.as_ref())),
        );
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

    /// The bindings of federated users that a limit applies to, in order.
    pub(crate) fn federated_under(&self, limit: &ObjectName) -> BTreeSet<ObjectId> {
        let state = self.state.read();
        match state.limits.by_name.get(limit) {
            Some(limit) => state.federated.under(&limit.entry),
            None => BTreeSet::new(),
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

    /// The decision about a stored one as a change would leave what it rests on.
    pub(crate) fn federated_with(&self, id: &ObjectId, change: ProposedChange<'_>) -> Option<Decision> {
        let binding = self.decide_federated(id)?.binding;
        let facts = self.facts_with(&binding.account, &binding.id.namespace, change);
        let held_by = self.state.read().federated.holder(&binding);
        Some(decide(&self.question_of_federated(
            &binding,
            &facts,
            held_by.as_ref(),
        )))
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
