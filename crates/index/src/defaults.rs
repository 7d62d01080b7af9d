//! Which binding the pods of a ServiceAccount get that name none: the oldest one, of either kind.
//!
//! Of those made in the same second it is the first by name, and of one name the AWSRoleBinding. Also when it is not accepted: then it gives
//! nothing, for a pod that runs must not become somebody else because of what happens to its own.

use std::sync::Arc;

use deputy_delegation::{
    NamespaceName, ObjectName, ServiceAccountName,
    model::{Account, BindingKind, BindingRef, NOT_STORED, ObjectId},
};

use crate::{
    decisions::BindingDecision, entry::Entry, federated::FederatedDecision, index::Index, state::State,
};

/// A binding of either kind, with everything that was looked up about it.
#[derive(Debug, Clone)]
pub enum ChosenBinding {
    /// An AWSRoleBinding.
    Role(Box<BindingDecision>),
    /// An AWSFederatedUserBinding.
    FederatedUser(Box<FederatedDecision>),
}

impl ChosenBinding {
    /// Which it is.
    #[must_use]
    pub fn reference(&self) -> BindingRef {
        match self {
            Self::Role(found) => BindingRef::role(found.binding.id.clone()),
            Self::FederatedUser(found) => BindingRef::federated_user(found.binding.id.clone()),
        }
    }

    /// Its account.
    #[must_use]
    pub fn account(&self) -> &Entry<Account> {
        match self {
            Self::Role(found) => &found.account,
            Self::FederatedUser(found) => &found.account,
        }
    }

    /// Whether it names a ServiceAccount of its namespace.
    #[must_use]
    pub fn names(&self, service_account: &ServiceAccountName) -> bool {
        match self {
            Self::Role(found) => found
                .binding
                .subjects
                .service_accounts()
                .contains(service_account),
            Self::FederatedUser(found) => found.binding.service_accounts.contains(service_account),
        }
    }
}

/// The binding that pods get which name none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultBinding {
    /// Which it is.
    pub binding: BindingRef,
    /// Unix seconds of its creation; [`NOT_STORED`] before it is stored.
    pub made: i64,
}

/// The order in which bindings count: since when, name, kind.
type Turn = (i64, ObjectName, BindingKind);

impl State {
    /// When whose turn is first among the bindings that can be read.
    fn first_turn(&self, namespace: &NamespaceName, service_account: &ServiceAccountName) -> Option<Turn> {
        let subject = (namespace.clone(), service_account.clone());
        let role = self.granting_bindings(namespace, service_account).next();
        let role = role.map(|((made, name), _)| (*made, name.clone(), BindingKind::Role));
        let user = self.federated.granting(&subject).next();
        let user = user.map(|((made, name), _)| (*made, name.clone(), BindingKind::FederatedUser));
        role.into_iter().chain(user).min()
    }
}

impl Index {
    /// The binding that pods of a ServiceAccount get when they name none.
    #[must_use]
    pub fn default_binding(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Option<DefaultBinding> {
        let turn = self.state.read().first_turn(namespace, service_account)?;
        Some(DefaultBinding {
            made: turn.0,
            binding: reference(namespace, turn),
        })
    }

    /// The bindings of which each may be [`Index::default_binding`]: that one, where one that names the ServiceAccount is stored. Where none
    /// is, all of them: which one will be the oldest is not known before they are.
    #[must_use]
    pub fn possible_defaults(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Vec<BindingRef> {
        match self.default_binding(namespace, service_account) {
            Some(first) if first.made == NOT_STORED => {
                self.bindings_of_service_account(namespace, service_account)
            }
            Some(first) => vec![first.binding],
            None => Vec::new(),
        }
    }

    /// A stored binding of either kind, decided about. `None` when it is not there, can't be read or is being deleted, and as long as
    /// [`Index::can_decide`] is false.
    #[must_use]
    pub fn decide_chosen(&self, binding: &BindingRef) -> Option<ChosenBinding> {
        Some(match binding.kind {
            BindingKind::Role => ChosenBinding::Role(Box::new(self.decide_binding(&binding.id)?)),
            BindingKind::FederatedUser => {
                ChosenBinding::FederatedUser(Box::new(self.decide_federated(&binding.id)?))
            }
        })
    }

    /// Every binding of either kind that names a ServiceAccount and grants something, in the order in which they count.
    #[must_use]
    pub fn bindings_of_service_account(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Vec<BindingRef> {
        let subject = (namespace.clone(), service_account.clone());
        let state = self.state.read();
        let roles = state.granting_bindings(namespace, service_account);
        let roles = roles.map(|((made, name), _)| (*made, name.clone(), BindingKind::Role));
        let users = state.federated.granting(&subject);
        let users = users.map(|((made, name), _)| (*made, name.clone(), BindingKind::FederatedUser));
        let mut turns: Vec<Turn> = roles.chain(users).collect();
        turns.sort_unstable();
        turns.into_iter().map(|turn| reference(namespace, turn)).collect()
    }

    /// The binding that can't be read and may come before [`Index::default_binding`], with every reason why it can't be read. As
    /// long as there is one, pods that name no binding get nothing: they must not become somebody else because of it.
    #[must_use]
    pub fn unreadable_default(
        &self,
        namespace: &NamespaceName,
        service_account: &ServiceAccountName,
    ) -> Option<(BindingRef, Arc<str>)> {
        let state = self.state.read();
        let first = state.first_turn(namespace, service_account);
        let roles = state.unreadable_bindings.get(namespace).into_iter().flatten();
        let roles = roles
            .filter(|(_, binding)| binding.may_name(service_account))
            .map(|(name, binding)| (binding.created, name.clone(), BindingKind::Role));
        let users = state.federated.unreadable_of(namespace);
        let users = users
            .filter(|(_, binding)| binding.may_name(service_account))
            .map(|(name, binding)| (binding.created, name.clone(), BindingKind::FederatedUser));
        let mut turns: Vec<Turn> = roles
            .chain(users)
            .filter(|turn| first.as_ref().is_none_or(|first| may_be_before(turn, first)))
            .collect();
        turns.sort_unstable();
        turns.into_iter().find_map(|turn| {
            let binding = reference(namespace, turn);
            let why = match binding.kind {
                BindingKind::Role => unreadable(state.bindings.get(&binding.id)?.view.granting()),
                BindingKind::FederatedUser => unreadable(state.federated.view(&binding.id)?.granting()),
            };
            Some((binding, why?))
        })
    }
}

/// Whether one may count before another: of two that are not stored yet nobody knows which one will be older.
fn may_be_before(one: &Turn, other: &Turn) -> bool {
    one < other || (one.0 == NOT_STORED && other.0 == NOT_STORED)
}

fn reference(namespace: &NamespaceName, (_, name, kind): Turn) -> BindingRef {
    let namespace = namespace.clone();
    let id = ObjectId { namespace, name };
    BindingRef { kind, id }
}

/// Why it can't be read: of one that is there and not on its way out.
fn unreadable<T>(entry: Entry<T>) -> Option<Arc<str>> {
    match entry {
        Entry::Unreadable(why) => Some(why),
        Entry::Known(_) | Entry::Missing => None,
    }
}
