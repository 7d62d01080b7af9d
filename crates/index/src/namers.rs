//! Who names a role or a federated user: what ends when that is deleted.

use deputy_delegation::{
    ObjectName,
    model::{ObjectId, RoleId, StatementPrincipal},
};

use crate::{index::Index, state::State};

/// How many objects of a kind name something, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamingObjects {
    /// All of them.
    pub count: usize,
    /// The first ones, as many as were asked for.
    pub first: Vec<ObjectId>,
}

/// What names a role or a federated user and is not being deleted itself, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namers {
    /// AWSRoleBindings, those of a namespace together and the oldest first.
    pub bindings: NamingObjects,
    /// AWSResourcePolicyStatements, in order.
    pub statements: NamingObjects,
}

impl NamingObjects {
    fn add(&mut self, id: ObjectId, most: usize) {
        self.count += 1;
        if self.first.len() < most {
            self.first.push(id);
        }
    }
}

impl Index {
    /// What names a role, the first `most` of each kind by name. A look at each binding of the role, and nothing is decided.
    #[must_use]
    pub fn namers_of_role(&self, role: &RoleId, most: usize) -> Namers {
        self.state.read().namers([role], most)
    }

    /// The same of a ClusterAWSRole, wherever it is bound.
    #[must_use]
    pub fn namers_of_cluster_role(&self, name: &ObjectName, most: usize) -> Namers {
        let state = self.state.read();
        state.namers(state.bound_instances.get(name).into_iter().flatten(), most)
    }

    /// The same of the federated user of a binding. No other binding can name it.
    #[must_use]
    pub fn namers_of_federated(&self, binding: &ObjectId, most: usize) -> Namers {
        let mut namers = Namers::default();
        let is_it = |principal: &StatementPrincipal| matches!(principal, StatementPrincipal::FederatedUser(name) if *name == binding.name);
        let state = self.state.read();
        for id in state.statements.granting(&binding.namespace, is_it) {
            namers.statements.add(id, most);
        }
        namers
    }
}

impl State {
    /// `roles` are in order, those of a namespace together: a statement may name several of them, and counts once.
    fn namers<'a>(&self, roles: impl IntoIterator<Item = &'a RoleId>, most: usize) -> Namers {
        let mut namers = Namers::default();
        let mut last = None;
        for role in roles {
            for (_, name) in self.bindings_by_role.get(role).into_iter().flatten() {
                let id = ObjectId {
                    namespace: role.namespace.clone(),
                    name: name.clone(),
                };
                let stored = self.bindings.get(&id);
                if stored.is_some_and(|stored| !stored.view.meta.terminating) {
                    namers.bindings.add(id, most);
                }
            }
            if last.replace(&role.namespace) != Some(&role.namespace) {
                let is_cluster_role = role.bound_account().is_some();
                let is_it = |principal: &StatementPrincipal| match principal {
                    StatementPrincipal::Role(name) => !is_cluster_role && *name == role.name,
                    StatementPrincipal::ClusterRole(name) => is_cluster_role && *name == role.name,
                    StatementPrincipal::FederatedUser(_) => false,
                };
                for id in self.statements.granting(&role.namespace, is_it) {
                    namers.statements.add(id, most);
                }
            }
        }
        namers
    }
}
