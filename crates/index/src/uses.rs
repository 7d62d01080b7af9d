//! What names an account: as long as there is any of it, the account is needed, if only to take away what is in AWS.

use std::collections::BTreeSet;

use deputy_delegation::{
    IamPath, ObjectName, PolicyArn,
    model::{ObjectId, RoleId},
    naming,
};

use crate::{entry::Keeps, index::Index, limits::scope, state::State};

/// One thing that names an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountUse {
    /// An AWSRole, readable or not, also while it is being deleted.
    Role(RoleId),
    /// What a ClusterAWSRole is in a namespace: by a binding, or by what its status says is in AWS.
    Instance(RoleId),
    /// A binding that names the account.
    Binding(ObjectId),
    /// A binding of a federated user of the account.
    FederatedUser(ObjectId),
    /// A statement of the policy of something in the account.
    Statement(ObjectId),
    /// A limit that names the account, or has a boundary policy in it: before it says so, one may be on its way.
    Limit(ObjectName),
}

impl Index {
    /// What names an account, in order. An AWSRole, a statement or a limit of which that can't be read may name
    /// any.
    #[must_use]
    pub fn uses_of_account(&self, account: &ObjectName) -> BTreeSet<AccountUse> {
        let state = self.state.read();
        let readable = state.roles_by_account.get(account).into_iter().flatten();
        let readable = readable.filter(|id| id.bound_account().is_none()).cloned();
        let unreadable = state.unreadable_roles.iter();
        let unreadable = unreadable
            .filter(|(_, named)| named.as_ref().is_none_or(|named| named == account))
            .map(|(id, _)| id.clone());
        let bound = state.bound_instances.values().flatten();
        let there = bound.filter(|id| state.roles.contains_key(*id)).cloned();
        let instances = there
            .chain(state.recorded())
            .filter(|id| id.bound_account() == Some(account));
        let path = naming::limit_path(&self.cluster);
        let limits = state.limits.by_name.iter().filter(|(_, limit)| {
            let is_named = scope(&limit.entry).is_none_or(|scope| scope.accounts.contains(account));
            let known = limit.state.boundary(account);
            is_named || known.is_some_and(|known| is_own(&path, &known.policy_arn))
        });
        let limits = limits.map(|(name, _)| AccountUse::Limit(name.clone()));
        readable
            .chain(unreadable)
            .map(AccountUse::Role)
            .chain(instances.map(AccountUse::Instance))
            .chain(state.bindings_naming(account).map(AccountUse::Binding))
            .chain(
                state
                    .federated
                    .of_account(account)
                    .cloned()
                    .map(AccountUse::FederatedUser),
            )
            .chain(state.statements.of_account(account).map(AccountUse::Statement))
            .chain(limits)
            .collect()
    }
}

/// Whether a boundary policy is one of those that Deputy writes, and not somebody else's.
fn is_own(limits: &IamPath, policy_arn: &str) -> bool {
    PolicyArn::parse(policy_arn).is_ok_and(|arn| arn.path() == limits)
}

impl State {
    /// The bindings of ClusterAWSRoles in an account, whether those are there or not.
    fn bindings_naming<'a>(&'a self, account: &'a ObjectName) -> impl Iterator<Item = ObjectId> + 'a {
        let of_role = self
            .bindings_by_role
            .iter()
            .filter(|(role, _)| role.bound_account() == Some(account));
        let readable = of_role.flat_map(|(role, ages)| {
            ages.iter().map(|(_, name)| ObjectId {
                namespace: role.namespace.clone(),
                name: name.clone(),
            })
        });
        let unreadable = self.unreadable_bindings.iter().flat_map(move |(namespace, bindings)| {
            let naming = bindings.iter().filter(
                move |(_, binding)| matches!(&binding.keeps, Keeps::One(role) if role.bound_account() == Some(account)),
            );
            naming.map(move |(name, _)| ObjectId {
                namespace: namespace.clone(),
                name: name.clone(),
            })
        });
        readable.chain(unreadable)
    }
}
