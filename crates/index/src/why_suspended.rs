//! Why a change would suspend a grant, for the few that are named. Counting asks only whether: the reasons take most of the time.

use deputy_delegation::{
    Decision, decide,
    model::{ObjectId, Role, RoleId},
};

use crate::{
    decisions::GrantRef,
    entry::Entry,
    index::Index,
    suspension::{ProposedChange, exchanged},
};

/// Why a grant would not be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhySuspended {
    /// By itself: the decision about it, which is no acceptance.
    Itself(Decision),
    /// Its role would not be.
    ByRole,
}

impl Index {
    /// Why a change would suspend a grant. `None`: it would be accepted still, or is not there any more.
    #[must_use]
    pub fn why_suspended(&self, grant: &GrantRef, change: ProposedChange<'_>) -> Option<WhySuspended> {
        let decision = match grant {
            GrantRef::Role(id) => self.role_with(id, change)?.1,
            GrantRef::Binding(id) => return self.why_binding(id, change),
            GrantRef::FederatedUser(id) => self.federated_with(id, change)?,
            GrantRef::Statement(id) => self.statement_with(id, change)?,
        };
        (!decision.is_accepted()).then_some(WhySuspended::Itself(decision))
    }

    fn why_binding(&self, id: &ObjectId, change: ProposedChange<'_>) -> Option<WhySuspended> {
        let binding = self.decide_binding(id)?.binding;
        let (role, decision) = self.role_with(&binding.role, change)?;
        if role.known().is_some() && !decision.is_accepted() {
            return Some(WhySuspended::ByRole);
        }
        let facts = role
            .known()
            .map(|role| self.facts_with(&role.account, &role.id.namespace, change));
        let decision = decide(&self.question_of_binding(&binding, &role, facts.as_ref()));
        (!decision.is_accepted()).then_some(WhySuspended::Itself(decision))
    }

    /// A stored role as a change would leave it, and the decision about it then; that of now where it would be gone.
    fn role_with(&self, id: &RoleId, change: ProposedChange<'_>) -> Option<(Entry<Role>, Decision)> {
        let (role, now) = self.decide_role(id)?;
        let role = exchanged(id, &role, change);
        let Some(known) = role.known() else {
            let decision = Decision::clone(&now);
            return Some((role, decision));
        };
        let facts = self.facts_with(&known.account, &known.id.namespace, change);
        let decision = decide(&self.question_of_role(known, &facts));
        Some((role, decision))
    }
}
