//! Plain questions to an index. Those that need a decision are in [`crate::decisions`].

use std::sync::Arc;

use deputy_api::{AWSRoleBindingStatus, AWSRoleStatus};
use deputy_delegation::{
    AccountId, NamespaceName, ObjectName, ServiceAccountName,
    model::{Account, Binding, LimitEntry, ObjectId, Role, RoleId},
    trust::NamedPrincipals,
};
use serde_json::Value;

use crate::{
    entry::{
        AccountState, BindingState, Entry, LimitState, Meta, NamespaceInfo, RoleState, ServiceAccountInfo,
        View,
    },
    index::Index,
};

/// How many objects are held, readable or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// AWSAccounts.
    pub accounts: usize,
    /// DelegationLimits.
    pub limits: usize,
    /// AWSRoles, and what ClusterAWSRoles are where they are bound.
    pub roles: usize,
    /// ClusterAWSRoles.
    pub cluster_roles: usize,
    /// AWSRoleBindings.
    pub bindings: usize,
    /// AWSFederatedUserBindings.
    pub federated_bindings: usize,
    /// AWSResourcePolicyStatements.
    pub statements: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// ServiceAccounts.
    pub service_accounts: usize,
    /// Objects of Deputy's kinds that can't be read.
    pub unreadable: usize,
}

impl Index {
    /// An account, also while it is being deleted. One whose AWS account an older AWSAccount is of can't be used: it counts
    /// as unreadable, and says so.
    #[must_use]
    pub fn account(&self, name: &ObjectName) -> Entry<Account> {
        self.state.read().account(name, false)
    }

    /// An account as it is written, also when it may not be used: to take away what was made by it.
    #[must_use]
    pub fn account_as_written(&self, name: &ObjectName) -> Option<Arc<Account>> {
        self.account_view(name)?.parsed().ok()
    }

    /// The AWSAccount that counts for an AWS account: the oldest one of that id (then the first by name), readable or not.
    #[must_use]
    pub fn account_of_id(&self, id: &AccountId) -> Option<ObjectName> {
        self.state.read().claims.owner(id.as_str()).cloned()
    }

    /// Whether the AWSAccount `name` says that it is of this AWS account, readable or not, used or not.
    #[must_use]
    pub fn is_of_account(&self, name: &ObjectName, id: &AccountId) -> bool {
        self.state.read().claims.id(name) == Some(id.as_str())
    }

    /// An account with metadata and status.
    #[must_use]
    pub fn account_view(&self, name: &ObjectName) -> Option<View<Account, AccountState>> {
        self.state.read().accounts.get(name).map(|a| a.view.clone())
    }

    /// Names of all accounts, in order.
    #[must_use]
    pub fn accounts(&self) -> Vec<ObjectName> {
        sorted(self.state.read().accounts.keys())
    }

    /// Limits that may apply in an account, by name: those that name it, and those whose scope can't be read. Which
    /// of them apply to a namespace, [`LimitEntry::applies`] says.
    #[must_use]
    pub fn limits(&self, account: &ObjectName) -> Arc<[LimitEntry]> {
        Arc::clone(&self.state.read().limits.of_account(account).limits)
    }

    /// Limits that decide about grants of a namespace in an account, by name: no dry runs.
    #[must_use]
    pub fn limits_of(&self, namespace: &NamespaceName, account: &ObjectName) -> Vec<LimitEntry> {
        self.limits(account)
            .iter()
            .filter(|l| l.decides(namespace, account))
            .cloned()
            .collect()
    }

    /// All limits, by name.
    #[must_use]
    pub fn all_limits(&self) -> Vec<LimitEntry> {
        self.state
            .read()
            .limits
            .by_name
            .values()
            .map(|l| l.entry.clone())
            .collect()
    }

    /// A limit, with metadata and status.
    #[must_use]
    pub fn limit(&self, name: &ObjectName) -> Option<(LimitEntry, Meta, Arc<LimitState>)> {
        let state = self.state.read();
        let limit = state.limits.by_name.get(name)?;
        Some((limit.entry.clone(), limit.meta.clone(), Arc::clone(&limit.state)))
    }

    /// The `spec` of a limit, as the API server has it: with what this version can't read, too.
    #[must_use]
    pub fn limit_spec(&self, name: &ObjectName) -> Option<Arc<Value>> {
        self.state
            .read()
            .limits
            .by_name
            .get(name)
            .map(|l| Arc::clone(&l.spec))
    }

    /// The account that a role names; `None` when it is not there or can't be read.
    #[must_use]
    pub fn account_of_role(&self, id: &RoleId) -> Option<ObjectName> {
        if let Some(account) = id.bound_account() {
            return Some(account.clone());
        }
        let state = self.state.read();
        let role = state.roles.get(id)?.view.head()?;
        Some(role.account.clone())
    }

    /// A role, with metadata and status.
    #[must_use]
    pub fn role(&self, id: &RoleId) -> Option<View<Role, RoleState>> {
        self.state.read().roles.get(id).map(|r| r.view.clone())
    }

    /// Names of all roles, in order, with what ClusterAWSRoles are where they are bound.
    #[must_use]
    pub fn roles(&self) -> Vec<RoleId> {
        sorted(self.state.read().roles.keys())
    }

    /// A binding, with metadata and status.
    #[must_use]
    pub fn binding(&self, id: &ObjectId) -> Option<View<Binding, BindingState>> {
        self.state.read().bindings.get(id).map(|b| b.view.clone())
    }

    /// Names of all bindings, in order.
    #[must_use]
    pub fn bindings(&self) -> Vec<ObjectId> {
        sorted(self.state.read().bindings.keys())
    }

    /// Bindings that name a role, oldest first (then by name). Not those that are being deleted or can't be read:
    /// they grant nothing.
    #[must_use]
    pub fn bindings_of_role(&self, role: &RoleId) -> Vec<Arc<Binding>> {
        let granting = {
            let state = self.state.read();
            views(state.granting(&role.namespace, state.bindings_by_role.get(role)))
        };
        read(&granting)
    }

    /// The users and roles of AWS that bindings of a role name, accepted or not. They are not all while a binding of the namespace can't be
    /// read: it may name any.
    #[must_use]
    pub fn principals_named_for(&self, role: &RoleId) -> NamedPrincipals {
        let bindings = self.bindings_of_role(role);
        let is_whole = !self
            .state
            .read()
            .unreadable_bindings
            .contains_key(&role.namespace);
        NamedPrincipals::of(&bindings, is_whole)
    }

    /// Roles of an account, in order, also those being deleted, and those of ClusterAWSRoles that nobody binds any more.
    #[must_use]
    pub fn roles_of_account(&self, account: &ObjectName) -> Vec<RoleId> {
        let state = self.state.read();
        let mut roles = state.roles_by_account.get(account).cloned().unwrap_or_default();
        roles.extend(state.recorded().filter(|id| id.bound_account() == Some(account)));
        roles.into_iter().collect()
    }

    /// Roles that are there and name an account, in order, also those being deleted, and what ClusterAWSRoles are where they are bound. Not an
    /// AWSRole that can't be read, which may name any.
    #[must_use]
    pub fn roles_naming(&self, account: &ObjectName) -> Vec<RoleId> {
        let state = self.state.read();
        let mut roles = state.roles_by_account.get(account).cloned().unwrap_or_default();
        let bound = state.bound_instances.values().flatten();
        let of_account =
            bound.filter(|id| id.bound_account() == Some(account) && state.roles.contains_key(*id));
        roles.extend(of_account.cloned());
        roles.into_iter().collect()
    }

    /// How many roles of an account are Deputy's to make and delete, also those being deleted: not those that exist already.
    #[must_use]
    pub fn count_own_roles_of_account(&self, account: &ObjectName) -> usize {
        let state = self.state.read();
        let is_own = |id: &&RoleId| {
            let role = state.roles.get(*id).and_then(|role| role.view.head());
            role.is_some_and(|role| !role.is_existing)
        };
        let roles = state.roles_by_account.get(account).into_iter().flatten();
        roles.filter(is_own).count()
    }

    /// Roles that a limit applies to, in order, also those being deleted.
    #[must_use]
    pub fn roles_under_limit(&self, limit: &ObjectName) -> Vec<RoleId> {
        let state = self.state.read();
        state
            .limits
            .by_name
            .get(limit)
            .map_or_else(Vec::new, |l| state.roles_under(&l.entry).into_iter().collect())
    }

    /// Whether a limit applies to a role that is there.
    pub(crate) fn is_under_limit(&self, limit: &ObjectName, id: &RoleId) -> bool {
        let state = self.state.read();
        match (state.limits.by_name.get(limit), state.roles.get(id)) {
            (Some(limit), Some(role)) => {
                let account = role.view.head().map(|role| &role.account);
                account.is_some_and(|account| limit.entry.applies(&id.namespace, account))
            }
            _ => false,
        }
    }

    /// The number of what the status of an AWSRole with these finalizers says, whenever its conditions became so. It means something to this
    /// index alone. `None`: of one that can't be written.
    #[must_use]
    pub fn told_of_role(&self, status: AWSRoleStatus, finalizers: &[String]) -> Option<u64> {
        self.state.read().telling.of_role(status, finalizers)
    }

    /// The same of a binding.
    #[must_use]
    pub fn told_of_binding(&self, status: AWSRoleBindingStatus) -> Option<u64> {
        self.state.read().telling.of_binding(status)
    }

    /// A namespace; `None`: not there, or not in the cache yet.
    #[must_use]
    pub fn namespace(&self, name: &NamespaceName) -> Option<Arc<NamespaceInfo>> {
        self.state.read().namespaces.get(name).cloned()
    }

    /// Names of all namespaces that are not being deleted, in order.
    #[must_use]
    pub fn living_namespaces(&self) -> Vec<NamespaceName> {
        let state = self.state.read();
        let living = state
            .namespaces
            .iter()
            .filter(|(_, info)| info.terminating_since.is_none());
        sorted(living.map(|(name, _)| name))
    }

    /// A ServiceAccount; `None`: not there, or not in the cache yet.
    #[must_use]
    pub fn service_account(
        &self,
        namespace: &NamespaceName,
        name: &ServiceAccountName,
    ) -> Option<Arc<ServiceAccountInfo>> {
        self.state
            .read()
            .service_accounts
            .get(&(namespace.clone(), name.clone()))
            .cloned()
    }

    /// How many objects there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.state.read();
        let limits = &state.limits.by_name;
        Counts {
            accounts: state.accounts.len(),
            limits: limits.len(),
            roles: state.roles.len(),
            cluster_roles: state.cluster_roles.len(),
            bindings: state.bindings.len(),
            federated_bindings: state.federated.ids().count(),
            statements: state.statements.ids().count(),
            namespaces: state.namespaces.len(),
            service_accounts: state.service_accounts.len(),
            unreadable: state.accounts.values().filter(|o| !o.view.is_readable()).count()
                + limits
                    .values()
                    .filter(|l| matches!(l.entry, LimitEntry::Invalid { .. }))
                    .count()
                + state.roles.values().filter(|o| !o.view.is_readable()).count()
                + state
                    .cluster_roles
                    .values()
                    .filter(|o| !o.view.is_readable())
                    .count()
                + state.bindings.values().filter(|o| !o.view.is_readable()).count()
                + state.federated.unreadable()
                + state.statements.unreadable(),
        }
    }
}

type BindingView = View<Binding, BindingState>;

fn views<'a, A: 'a>(of: impl Iterator<Item = (A, &'a BindingView)>) -> Vec<BindingView> {
    of.map(|(_, view)| view.clone()).collect()
}

/// Reads them, as far as they have to be read again: that is for no lock.
fn read(views: &[BindingView]) -> Vec<Arc<Binding>> {
    views.iter().filter_map(|view| view.parsed().ok()).collect()
}

fn sorted<'a, T: Ord + Clone + 'a>(keys: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.cloned().collect();
    keys.sort_unstable();
    keys
}
