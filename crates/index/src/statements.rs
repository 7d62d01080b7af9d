//! What is asked and decided about statements of resource policies.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::{
    Decision, DecisionInput, GrantSpec, MissingFacts, ObjectName, PolicyResource, accepts, decide,
    model::{LimitEntry, ObjectId, OwnedStatement, RoleId, StatementPrincipal},
};
use kube::api::DynamicObject;

use crate::{
    decisions::{GrantRef, RoleFacts},
    dirty::Dirty,
    entry::{StatementState, Stored, View},
    index::Index,
    look::Seen,
    parse,
    state::{Changed, State, view, whole},
    stored_statements::KnownStatement,
    suspension::{ProposedChange, Suspension},
};

impl State {
    pub(crate) fn put_statement(&mut self, id: ObjectId, object: DynamicObject) -> Dirty {
        let account = parse::account_named(&object);
        let old = self.statements.get(&id).map(|known| &known.stored);
        let state = parse::statement_state(&object);
        let (view, changed) = view(old.map(|stored| &stored.view), object, state, whole);
        if changed == Changed::Nothing {
            return Dirty::default();
        }
        let version = self.version(changed, old.map(|stored| stored.version));
        if changed == Changed::State {
            // Whoever wrote it knows, and nothing rests on it.
            let stored = Stored { version, view };
            self.statements.put(id, KnownStatement { stored, account });
            return Dirty::default();
        }
        let mut dirty = self.statement_dirty(&id);
        let stored = Stored { version, view };
        self.statements
            .put(id.clone(), KnownStatement { stored, account });
        dirty.merge(&self.statement_dirty(&id));
        dirty
    }

    pub(crate) fn drop_statement(&mut self, id: &ObjectId) -> Dirty {
        let dirty = self.statement_dirty(id);
        if !self.statements.remove(id) {
            return Dirty::default();
        }
        self.tick();
        dirty
    }

    /// The statement, and the limits that count it.
    fn statement_dirty(&self, id: &ObjectId) -> Dirty {
        let mut dirty = Dirty {
            statements: BTreeSet::from([id.clone()]),
            ..Dirty::default()
        };
        if let Some(account) = self.statements.get(id).and_then(|known| known.account.as_ref()) {
            let limits = self.limits.of_account(account).limits.iter();
            for limit in limits.filter(|limit| limit.applies(&id.namespace, account)) {
                dirty.counted.entry(limit.name().clone()).or_default();
            }
        }
        dirty
    }

    /// What a change of this account means for statements.
    pub(crate) fn statements_of_account(&self, account: &ObjectName) -> BTreeSet<ObjectId> {
        self.statements.of_account(account).collect()
    }

    /// What a change of this limit means for statements.
    pub(crate) fn statements_told_of(&self, limit: &LimitEntry) -> BTreeSet<ObjectId> {
        self.statements.told_of(limit).collect()
    }

    /// The statements that name a role.
    pub(crate) fn statements_naming_role(&self, role: &RoleId) -> BTreeSet<ObjectId> {
        let is_it = |principal: &StatementPrincipal| match principal {
            StatementPrincipal::Role(name) => role.bound_account().is_none() && *name == role.name,
            StatementPrincipal::ClusterRole(name) => role.bound_account().is_some() && *name == role.name,
            StatementPrincipal::FederatedUser(_) => false,
        };
        self.statements.naming(&role.namespace, is_it)
    }

    /// The statements that name the federated user of a binding.
    pub(crate) fn statements_naming_federated(&self, binding: &ObjectId) -> BTreeSet<ObjectId> {
        let is_it = |principal: &StatementPrincipal| matches!(principal, StatementPrincipal::FederatedUser(name) if *name == binding.name);
        self.statements.naming(&binding.namespace, is_it)
    }
}

impl Index {
    /// A statement, with metadata.
    #[must_use]
    pub fn statement(&self, id: &ObjectId) -> Option<View<OwnedStatement, StatementState>> {
        let state = self.state.read();
        state.statements.get(id).map(|known| known.stored.view.clone())
    }

    /// The Sids under which the policy of a resource has statements of this cluster.
    #[must_use]
    pub fn statement_sids_of(&self, resource: &PolicyResource) -> BTreeSet<Box<str>> {
        self.state.read().statements.sids_of(resource).collect()
    }

    /// Decides about a stored statement. `None` when it is not there, can't be read or is being deleted, and as long as
    /// [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_statement(&self, id: &ObjectId) -> Option<Arc<Decision>> {
        if !self.can_decide() {
            return None;
        }
        let (statement, version, facts) = {
            let state = self.state.read();
            let stored = &state.statements.get(id)?.stored;
            let statement = Arc::clone(stored.view.granting().known()?);
            let facts = state.facts(&statement.account, &statement.id.namespace);
            (statement, stored.version, facts)
        };
        let key = facts.key_of(version);
        Some(self.decisions.remembered(
            |all| &all.statements,
            id,
            key,
            || decide(&self.question_of_statement(&statement, &facts)),
        ))
    }

    /// Decides about a statement as if it were stored. Undecided, without saying what is missing, as long as [`Index::can_decide`] is
    /// false.
    pub fn decide_statement_with(&self, statement: &OwnedStatement) -> Decision {
        if !self.can_decide() {
            return Decision::Undecided(MissingFacts::UNKNOWN);
        }
        let facts = self
            .state
            .read()
            .facts(&statement.account, &statement.id.namespace);
        decide(&self.question_of_statement(statement, &facts))
    }

    /// The same, by the limits and accounts that were seen instead of those that the index holds.
    pub fn decide_statement_as_seen(&self, statement: &OwnedStatement, seen: &Seen) -> Decision {
        decide(&self.question_of_statement(statement, &seen.facts(&statement.account)))
    }

    fn question_of_statement<'a>(
        &'a self,
        statement: &'a OwnedStatement,
        facts: &'a RoleFacts,
    ) -> DecisionInput<'a> {
        DecisionInput {
            cluster: &self.cluster,
            grant: GrantSpec::Statement(statement),
            account: facts.account.as_fact(),
            limits: &facts.limits,
        }
    }

    /// The statements that a limit applies to, in order.
    pub(crate) fn statements_under(&self, limit: &ObjectName) -> BTreeSet<ObjectId> {
        let state = self.state.read();
        let limit = state.limits.by_name.get(limit);
        limit.map_or_else(BTreeSet::new, |limit| state.statements.under(&limit.entry))
    }

    /// The statements that a change may matter to.
    pub(crate) fn statements_concerned(&self, hypothesis: ProposedChange<'_>) -> BTreeSet<ObjectId> {
        let state = self.state.read();
        match hypothesis {
            ProposedChange::Account(name, _) => state.statements_of_account(name),
            ProposedChange::Limit(name, after) => {
                let before = state.limits.by_name.get(name).map(|limit| &limit.entry);
                let limits = before.into_iter().chain(after);
                limits.flat_map(|limit| state.statements_told_of(limit)).collect()
            }
            ProposedChange::Role(..) | ProposedChange::ClusterRole(..) => BTreeSet::new(),
        }
    }

    /// The decision about a stored one as a change would leave what it rests on.
    pub(crate) fn statement_with(&self, id: &ObjectId, change: ProposedChange<'_>) -> Option<Decision> {
        let view = self.statement(id)?;
        let statement = view.granting();
        let statement = statement.known()?;
        let facts = self.facts_with(&statement.account, &statement.id.namespace, change);
        Some(decide(&self.question_of_statement(statement, &facts)))
    }

    /// Counts one of them.
    pub(crate) fn look_at_statement(
        &self,
        id: &ObjectId,
        hypothesis: ProposedChange<'_>,
        suspension: &mut Suspension,
    ) {
        let Some(now) = self.decide_statement(id) else {
            return;
        };
        let Some(statement) = self
            .statement(id)
            .and_then(|view| view.granting().known().cloned())
        else {
            return;
        };
        let facts = self.facts_with(&statement.account, &statement.id.namespace, hypothesis);
        let after = accepts(&self.question_of_statement(&statement, &facts));
        suspension.note(now.is_accepted(), after, GrantRef::Statement(id.clone()));
    }
}
