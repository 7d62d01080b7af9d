//! What is decided about, and all that a decision may depend on.

use crate::{
    decision::Fact,
    model::{Account, Binding, LimitEntry, Role},
    names::ClusterName,
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
}

/// Everything a decision may depend on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// This cluster.
    pub cluster: &'a ClusterName,
    /// The grant.
    pub grant: GrantSpec<'a>,
    /// The account that the role names. [`Fact::Missing`] also while the role itself is not known.
    pub account: Fact<'a, Account>,
    /// All limits there are; those that do not apply are passed over.
    pub limits: &'a [LimitEntry],
}
