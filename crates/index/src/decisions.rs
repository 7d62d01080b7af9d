//! What is decided about the grants of an index. Every answer comes from [`decide`]; this only looks its facts up, and
//! remembers answers as long as no fact changes.

use std::sync::Arc;

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, MissingFacts, decide,
    model::{Account, Binding, LimitEntry, ObjectId, Role, RoleId},
    names::{NamespaceName, ObjectName},
};

use kube::api::ObjectMeta;

use crate::{
    cluster_roles::instance_entry,
    decided::{BindingKey, FederatedKey, recalled},
    entry::{BindingState, Entry, Meta, ResourceKind, RoleState, View},
    index::Index,
    look::Seen,
    state::State,
};

/// Everything about one binding, looked up at one moment.
#[derive(Debug, Clone)]
pub struct BindingDecision {
    /// The binding.
    pub binding: Arc<Binding>,
    /// Its role; missing also while that is being deleted.
    pub role: Entry<Role>,
    /// Its role's status, if there is a role.
    pub role_state: Option<Arc<RoleState>>,
    /// Its role's account; missing also while the role is not known.
    pub account: Entry<Account>,
    /// About the binding alone.
    pub decision: Arc<Decision>,
    /// About its role, if that is known.
    pub role_decision: Option<Arc<Decision>>,
}

impl BindingDecision {
    /// Whether credentials may be given: the binding *and* its role are accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.decision.is_accepted() && self.role_decision.as_deref().is_some_and(Decision::is_accepted)
    }
}

/// A grant by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantRef {
    /// A role.
    Role(RoleId),
    /// A binding.
    Binding(ObjectId),
    /// A binding of a federated user.
    FederatedUser(ObjectId),
    /// A statement of a resource policy.
    Statement(ObjectId),
}

/// What a decision about a role or a federated user rests on, beside it.
#[derive(Debug, Clone)]
pub(crate) struct RoleFacts {
    pub(crate) account: Entry<Account>,
    pub(crate) limits: Arc<[LimitEntry]>,
    account_version: u64,
    limits_version: u64,
}

/// A stored binding and all that a decision about it rests on, looked up at one moment.
struct StoredBinding {
    binding: View<Binding, BindingState>,
    role: Option<View<Role, RoleState>>,
    facts: Option<RoleFacts>,
    key: BindingKey,
}

impl StoredBinding {
    /// Its role as far as it grants anything. It may have to be read again.
    fn role(&self) -> Entry<Role> {
        self.role.as_ref().map_or(Entry::Missing, View::granting)
    }
}

impl State {
    /// A role as far as it grants anything; of a ClusterAWSRole also where nobody names it yet.
    fn granting_role(&self, id: &RoleId) -> Entry<Role> {
        if let Some(stored) = self.roles.get(id) {
            return stored.view.granting();
        }
        let template = self
            .cluster_roles
            .get(&id.name)
            .filter(|_| id.bound_account().is_some());
        let template = template.map_or(Entry::Missing, |stored| stored.view.granting());
        instance_entry(&template, id)
    }

    pub(crate) fn facts(&self, account: &ObjectName, namespace: &NamespaceName) -> RoleFacts {
        let of_account = self.limits.of_account(account);
        // Where none decides, the refusal names the accounts in which others do.
        let applies = of_account.limits.iter().any(|l| l.decides(namespace, account));
        let limits = if applies {
            of_account.clone()
        } else {
            self.limits.all()
        };
        let stored = self.accounts.get(account);
        RoleFacts {
            account: self.account(account, true),
            limits: limits.limits,
            account_version: stored.map_or(0, |a| a.version),
            limits_version: limits.version,
        }
    }
}

impl RoleFacts {
    /// What a decision about a federated user is remembered by.
    pub(crate) fn key_of_federated(&self, version: u64, is_anothers: bool) -> FederatedKey {
        (self.key_of(version), is_anothers)
    }

    /// What a decision about something is remembered by that rests on nothing else.
    pub(crate) fn key_of(&self, version: u64) -> [u64; 3] {
        [version, self.account_version, self.limits_version]
    }
}

impl Seen {
    pub(crate) fn facts(&self, account: &ObjectName) -> RoleFacts {
        RoleFacts {
            account: self.account(account),
            limits: Arc::clone(&self.limits),
            account_version: 0,
            limits_version: 0,
        }
    }
}

impl Index {
    /// Whether decisions can be made at all: once all of Deputy's kinds have been read whole. With half of the limits too
    /// much would be accepted, and with half of the bindings too much be taken away.
    #[must_use]
    pub fn can_decide(&self) -> bool {
        self.is_synced(&ResourceKind::KINDS)
    }

    fn about_role(&self, role: &Role, facts: &RoleFacts) -> Decision {
        decide(&self.question_of_role(role, facts))
    }

    pub(crate) fn question_of_role<'a>(&'a self, role: &'a Role, facts: &'a RoleFacts) -> DecisionInput<'a> {
        DecisionInput {
            cluster: &self.cluster,
            grant: GrantSpec::Role(role),
            account: facts.account.as_fact(),
            limits: &facts.limits,
        }
    }

    fn about_binding(&self, binding: &Binding, role: &Entry<Role>, facts: Option<&RoleFacts>) -> Decision {
        decide(&self.question_of_binding(binding, role, facts))
    }

    pub(crate) fn question_of_binding<'a>(
        &'a self,
        binding: &'a Binding,
        role: &'a Entry<Role>,
        facts: Option<&'a RoleFacts>,
    ) -> DecisionInput<'a> {
        DecisionInput {
            cluster: &self.cluster,
            grant: GrantSpec::Binding {
                binding,
                role: role.as_fact(),
            },
            account: facts.map_or(Fact::Missing, |f| f.account.as_fact()),
            limits: facts.map_or(&[], |f| &f.limits),
        }
    }

    /// Decides about a stored role. `None` when it is not there, can't be read or is being deleted, and as long as
    /// [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_role(&self, id: &RoleId) -> Option<(Arc<Role>, Arc<Decision>)> {
        self.decide_role_if(id, |_| true)
    }

    /// The same about a role that was read from the API server just now: if what is stored is that very object with the same spec, by uid
    /// and generation. Else `None`, and it is decided about as it was read.
    #[must_use]
    pub fn decide_role_as_read(&self, id: &RoleId, read: &ObjectMeta) -> Option<(Arc<Role>, Arc<Decision>)> {
        self.decide_role_if(id, |stored| stored.is_of_spec(read))
    }

    fn decide_role_if(
        &self,
        id: &RoleId,
        is_meant: impl FnOnce(&Meta) -> bool,
    ) -> Option<(Arc<Role>, Arc<Decision>)> {
        if !self.can_decide() {
            return None;
        }
        let (view, version, facts) = {
            let state = self.state.read();
            let stored = state.roles.get(id).filter(|stored| is_meant(&stored.view.meta))?;
            let facts = state.facts(&stored.view.head()?.account, &id.namespace);
            (stored.view.clone(), stored.version, facts)
        };
        // Outside of the lock: it may have to be read again.
        let role = Arc::clone(view.granting().known()?);
        let decision = self.stored_role(id, &role, version, &facts);
        Some((role, decision))
    }

    fn stored_role(&self, id: &RoleId, role: &Role, version: u64, facts: &RoleFacts) -> Arc<Decision> {
        let key = [version, facts.account_version, facts.limits_version];
        self.decisions
            .remembered(|all| &all.roles, id, key, || self.about_role(role, facts))
    }

    /// Decides about a stored binding and its role. `None` when the binding is not there, can't be read or is being
    /// deleted, and as long as [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_binding(&self, id: &ObjectId) -> Option<BindingDecision> {
        let stored = self.stored_binding(id, |_| true)?;
        let decision = self.about_stored_binding(id, &stored)?;
        // Outside of the lock: they may have to be read again.
        let binding = Arc::clone(stored.binding.granting().known()?);
        let role = stored.role();
        let role_decision = match (role.known(), &stored.facts) {
            (Some(role), Some(facts)) => Some(self.stored_role(&binding.role, role, stored.key[1], facts)),
            _ => None,
        };
        Some(BindingDecision {
            binding,
            role,
            role_state: stored.role.map(|view| view.state),
            account: stored.facts.map_or(Entry::Missing, |f| f.account),
            decision,
            role_decision,
        })
    }

    /// About a binding that was read from the API server just now, without its role's decision: if what is stored is that very object with
    /// the same spec, by uid and generation. Else `None`, and it is decided about as it was read.
    #[must_use]
    pub fn decide_binding_as_read(
        &self,
        id: &ObjectId,
        read: &ObjectMeta,
    ) -> Option<(Arc<Binding>, Arc<Decision>)> {
        let stored = self.stored_binding(id, |stored| stored.is_of_spec(read))?;
        let decision = self.about_stored_binding(id, &stored)?;
        let binding = stored.binding.granting();
        Some((Arc::clone(binding.known()?), decision))
    }

    /// Whether a stored binding alone is accepted. What is remembered of it is read from no text.
    fn is_accepted_binding(&self, id: &ObjectId) -> bool {
        let stored = self.stored_binding(id, |_| true);
        let decision = stored.and_then(|stored| self.about_stored_binding(id, &stored));
        decision.is_some_and(|decision| decision.is_accepted())
    }

    fn stored_binding(&self, id: &ObjectId, is_meant: impl FnOnce(&Meta) -> bool) -> Option<StoredBinding> {
        if !self.can_decide() {
            return None;
        }
        let state = self.state.read();
        let stored = state
            .bindings
            .get(id)
            .filter(|stored| is_meant(&stored.view.meta))?;
        let role_id = &stored.view.head()?.role;
        let stored_role = state.roles.get(role_id);
        let granting = stored_role.filter(|r| !r.view.meta.terminating);
        let head = granting.and_then(|r| r.view.head());
        let facts = head.map(|role| state.facts(&role.account, &role_id.namespace));
        let versions = facts
            .as_ref()
            .map_or((0, 0), |f| (f.account_version, f.limits_version));
        Some(StoredBinding {
            binding: stored.view.clone(),
            role: stored_role.map(|r| r.view.clone()),
            key: [
                stored.version,
                stored_role.map_or(0, |r| r.version),
                versions.0,
                versions.1,
            ],
            facts,
        })
    }

    /// `None` while it is being deleted.
    fn about_stored_binding(&self, id: &ObjectId, stored: &StoredBinding) -> Option<Arc<Decision>> {
        if stored.binding.meta.terminating {
            return None;
        }
        let known = recalled(&self.decisions.bindings, id, stored.key);
        if known.is_some() {
            return known;
        }
        let binding = stored.binding.parsed().ok()?;
        let answer = || self.about_binding(&binding, &stored.role(), stored.facts.as_ref());
        Some(
            self.decisions
                .remembered(|all| &all.bindings, id, stored.key, answer),
        )
    }

    /// Decides about a role as if it were stored. Undecided, without saying what is missing, as long as
    /// [`Index::can_decide`] is false.
    pub fn decide_role_with(&self, role: &Role) -> Decision {
        if !self.can_decide() {
            return Decision::Undecided(MissingFacts::UNKNOWN);
        }
        let facts = self.state.read().facts(&role.account, &role.id.namespace);
        self.about_role(role, &facts)
    }

    /// Decides about a binding as if it were stored. Its role may come later: then the answer is undecided, as it is as
    /// long as [`Index::can_decide`] is false. Whether its role is accepted is another question.
    pub fn decide_binding_with(&self, binding: &Binding) -> Decision {
        if !self.can_decide() {
            return Decision::Undecided(MissingFacts::UNKNOWN);
        }
        let (role, facts) = {
            let state = self.state.read();
            let role = state.granting_role(&binding.role);
            let facts = role
                .known()
                .map(|role| state.facts(&role.account, &role.id.namespace));
            (role, facts)
        };
        self.about_binding(binding, &role, facts.as_ref())
    }

    /// The same as [`Index::decide_role_with`], by what was seen instead of what the index holds.
    pub fn decide_role_as_seen(&self, role: &Role, seen: &Seen) -> Decision {
        self.about_role(role, &seen.facts(&role.account))
    }

    /// The same as [`Index::decide_binding_with`], by what was seen instead of what the index holds. A role that was not
    /// looked up is taken from the index.
    pub fn decide_binding_as_seen(&self, binding: &Binding, seen: &Seen) -> Decision {
        let role = self.role_as_seen(&binding.role, seen);
        let facts = role.known().map(|role| seen.facts(&role.account));
        self.about_binding(binding, &role, facts.as_ref())
    }

    /// Decides about the role that a binding names, which may be a ClusterAWSRole that nobody in its namespace names yet. `None` when it
    /// is not there, can't be read or is being deleted, and as long as [`Index::can_decide`] is false.
    pub fn decide_role_of(&self, binding: &Binding) -> Option<Decision> {
        let role = self.state.read().granting_role(&binding.role);
        let role = role.known().filter(|_| self.can_decide())?;
        Some(self.decide_role_with(role))
    }

    /// The same, by what was seen instead of what the index holds.
    pub fn decide_role_of_as_seen(&self, binding: &Binding, seen: &Seen) -> Option<Decision> {
        let role = self.role_as_seen(&binding.role, seen);
        Some(self.decide_role_as_seen(role.known()?, seen))
    }

    fn role_as_seen(&self, id: &RoleId, seen: &Seen) -> Entry<Role> {
        let seen = seen.role(id);
        seen.unwrap_or_else(|| self.state.read().granting_role(id))
    }

    /// The accepted bindings of a role, oldest first: who may become it.
    #[must_use]
    pub fn accepted_bindings_of_role(&self, role: &RoleId) -> Vec<Arc<Binding>> {
        let mut bindings = self.bindings_of_role(role);
        bindings.retain(|binding| self.is_accepted_binding(&binding.id));
        bindings
    }
}
