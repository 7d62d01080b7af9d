//! Decisions on what the world holds, and on what it would hold.

use std::sync::Arc;

use deputy_delegation::{
    ClusterName, Decision, DecisionInput, Grant, Reason, Violation, decide,
    decide::Fact,
    model::{Account, Binding, LimitEntry, ObjectId, Role},
};

use crate::{entry::Entry, world::World};

/// A role with what a session of it needs.
#[derive(Debug, Clone)]
pub struct BoundRole {
    /// The role.
    pub role: Arc<Role>,
    /// Its account.
    pub account: Arc<Account>,
}

/// What a change of a limit would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impact {
    /// Grants (roles and bindings) that the limit applies to, before or after.
    pub grants: usize,
    /// Of those, the ones accepted now and not afterwards.
    pub suspended: Vec<String>,
}

impl World {
    fn account_of(&self, role: Fact<'_, Role>) -> Entry<Account> {
        match role {
            Fact::Known(role) => self.account(&role.account),
            Fact::Missing | Fact::Unreadable(_) => Entry::Missing,
        }
    }

    /// Decides about a role that is not, or not like this, in the world.
    pub fn decide_role_with(&self, cluster: &ClusterName, role: &Role) -> Decision {
        self.role_under(cluster, role, &self.limits())
    }

    fn role_under(&self, cluster: &ClusterName, role: &Role, limits: &[LimitEntry]) -> Decision {
        let account = self.account(&role.account);
        decide(&DecisionInput {
            cluster,
            grant: Grant::Role(role),
            account: account.fact(),
            limits,
        })
    }

    /// Decides about a binding that is not, or not like this, in the world.
    pub fn decide_binding_with(&self, cluster: &ClusterName, binding: &Binding) -> Decision {
        self.binding_under(cluster, binding, &self.limits())
    }

    fn binding_under(&self, cluster: &ClusterName, binding: &Binding, limits: &[LimitEntry]) -> Decision {
        let role = self.role(&role_of(binding));
        let account = self.account_of(role.fact());
        let grant = Grant::Binding {
            binding,
            role: role.fact(),
        };
        decide(&DecisionInput {
            cluster,
            grant,
            account: account.fact(),
            limits,
        })
    }

    /// Decides about a role. `None` if there is none, or it is being deleted.
    pub fn decide_role(&self, cluster: &ClusterName, id: &ObjectId) -> Option<Decision> {
        match self.role(id) {
            Entry::Known(role) => Some(self.decide_role_with(cluster, &role)),
            Entry::Unreadable(why) => Some(unreadable(Reason::RoleInvalid, &why)),
            Entry::Missing => None,
        }
    }

    /// Decides about a binding. `None` if there is none, or it is being deleted.
    pub fn decide_binding(&self, cluster: &ClusterName, id: &ObjectId) -> Option<Decision> {
        match self.binding(id) {
            Entry::Known(binding) => Some(self.decide_binding_with(cluster, &binding)),
            Entry::Unreadable(why) => Some(unreadable(Reason::Structure, &why)),
            Entry::Missing => None,
        }
    }

    /// Whether any binding of the role is accepted.
    #[must_use]
    pub fn is_bound(&self, cluster: &ClusterName, role: &ObjectId) -> bool {
        self.bindings_of_role(role)
            .iter()
            .any(|b| matches!(self.decide_binding_with(cluster, b), Decision::Accepted(_)))
    }

    /// The role that a binding names, with its account, when both can be read.
    #[must_use]
    pub fn bound_role(&self, binding: &Binding) -> Option<BoundRole> {
        let role = self.role(&role_of(binding)).known()?.clone();
        let account = self.account(&role.account).known()?.clone();
        Some(BoundRole { role, account })
    }

    /// Roles to which a limit applies: those to look at again when it changes. With `None` for a scope that can't be
    /// read, all of them.
    #[must_use]
    pub fn roles_under(&self, limit: &LimitEntry) -> Vec<ObjectId> {
        let state = self.state.read();
        let applies = |entry: &Entry<Role>| {
            entry
                .known()
                .is_none_or(|r| limit.applies(&r.id.namespace, &r.account))
        };
        state
            .roles
            .iter()
            .filter(|(_, s)| applies(&s.entry))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// What the world would be like with this limit instead of the one of its name (or with none, when it goes).
    #[must_use]
    pub fn impact(
        &self,
        cluster: &ClusterName,
        name: &deputy_delegation::ObjectName,
        new: Option<&LimitEntry>,
    ) -> Impact {
        let before = self.limits();
        let mut after: Vec<LimitEntry> = before.iter().filter(|l| l.name() != name).cloned().collect();
        after.extend(new.cloned());
        let old = before.iter().find(|l| l.name() == name);
        let concerns = |role: &Role| {
            let applies = |l: &LimitEntry| l.applies(&role.id.namespace, &role.account);
            old.is_some_and(applies) || new.is_some_and(applies)
        };
        let mut impact = Impact::default();
        for id in self.role_ids() {
            let Entry::Known(role) = self.role(&id) else {
                continue;
            };
            if !concerns(&role) {
                continue;
            }
            let lost = self.role_under(cluster, &role, &before).is_accepted()
                && !self.role_under(cluster, &role, &after).is_accepted();
            impact.count(lost, || format!("AWSRole {id}"));
            for binding in self.bindings_of_role(&id) {
                let lost = self.binding_under(cluster, &binding, &before).is_accepted()
                    && !self.binding_under(cluster, &binding, &after).is_accepted();
                impact.count(lost, || format!("AWSRoleBinding {}", binding.id));
            }
        }
        impact
    }
}

impl Impact {
    fn count(&mut self, lost: bool, name: impl FnOnce() -> String) {
        self.grants += 1;
        if lost {
            self.suspended.push(name());
        }
    }
}

fn role_of(binding: &Binding) -> ObjectId {
    ObjectId {
        namespace: binding.id.namespace.clone(),
        name: binding.role.clone(),
    }
}

fn unreadable(reason: Reason, why: &str) -> Decision {
    Decision::Refused(vec![Violation {
        reason,
        field: "spec".into(),
        limit: None,
        message: why.to_owned(),
    }])
}
