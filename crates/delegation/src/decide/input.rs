//! What is decided about, and all that a decision may depend on.

use crate::{
    decision::Fact,
    model::{Account, Binding, FederatedBinding, LimitEntry, OwnedStatement, Role},
    names::{ClusterName, NamespaceName},
};

/// What is decided about.
#[derive(Debug, Clone, Copy)]
pub enum GrantSpec<'a> {
    /// The permissions of a role.
    Role(&'a Role),
    /// A binding, with the role it names.
    Binding {
        /// The binding.
        binding: &'a Binding,
        /// Its role.
        role: Fact<'a, Role>,
    },
    /// A binding of a federated user.
    Federated {
        /// The binding.
        binding: &'a FederatedBinding,
        /// The namespace whose the name is in the account: that of the oldest binding of it. None before there is one.
        held_by: Option<&'a NamespaceName>,
    },
    /// A statement of a resource policy.
    Statement(&'a OwnedStatement),
}

/// Everything a decision may depend on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// This cluster.
    pub cluster: &'a ClusterName,
    /// The grant.
    pub grant: GrantSpec<'a>,
    /// The account that the grant names. [`Fact::Missing`] also while the role of a binding is not known.
    pub account: Fact<'a, Account>,
    /// All limits there are; those that do not apply are passed over.
    pub limits: &'a [LimitEntry],
}
