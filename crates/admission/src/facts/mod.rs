//! What reviews ask of the index.

mod names;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use deputy_api::convert::RoleTemplate;
use deputy_delegation::{
    AccountId, ClusterName, Decision, NamespaceName, ObjectName, Region, ServiceAccountName,
    model::{
        Account, Binding, BindingKind, BindingRef, BindingSelector, FederatedBinding, LimitEntry, ObjectId,
        OwnedStatement, Role, RoleKind, SessionMethod, StatementPrincipal,
    },
    web_identity::{self, WebIdentity},
};
use deputy_index::{
    AccountUse, ChosenBinding, DefaultBinding, GrantRef, Index, NamespaceInfo, ProposedChange, ResourceKind,
    Seen, ServiceAccountInfo, Stale, WhySuspended,
};

use crate::{inject::HostNetworkLeave, kind::DeputyKind};

/// What a change would take away.
#[derive(Debug)]
pub(crate) struct Impact {
    /// Grants (roles and bindings) that the change may matter to.
    pub(crate) concerned: usize,
    /// How many of them were looked at in time.
    pub(crate) looked_at: usize,
    /// Those looked at that are accepted now.
    pub(crate) accepted: usize,
    /// Those that would not be accepted afterwards, or reach nobody who has them, in order.
    pub(crate) suspended: Vec<SuspendedGrant>,
    /// How many of them would be accepted, and reach nobody who has them.
    pub(crate) shut_out: usize,
}

/// A grant that a change would suspend.
#[derive(Debug)]
pub(crate) struct SuspendedGrant {
    /// `AWSRole payments/uploader`
    pub(crate) title: String,
    /// Why, in one line; of those that nobody names, and of which there was no time to ask, none.
    pub(crate) why: Option<String>,
}

/// Of so many suspended grants it is asked why: as many as are named.
pub(crate) const SUSPENDED_SHOWN: usize = 20;

/// How pods get sessions by a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionsOf {
    /// The broker makes them.
    Broker,
    /// They call STS themselves, with this.
    Pod(Box<WebIdentity>),
    /// The binding, its role or its account is not known here.
    Unknown,
}

impl Impact {
    /// Whether all grants were looked at in time. If not, at least those named would be suspended.
    pub(crate) fn is_complete(&self) -> bool {
        self.looked_at >= self.concerned
    }
}

/// The index, and what was looked up beside it.
#[derive(Clone)]
pub(crate) struct Facts {
    index: Arc<Index>,
    seen: Option<Seen>,
    deadline: Option<Instant>,
}

impl Facts {
    pub(crate) fn new(index: Arc<Index>) -> Self {
        Self {
            index,
            seen: None,
            deadline: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The same, with a time after which no further grant is looked at.
    pub(crate) fn until(self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// The same, deciding by what was seen just now.
    pub(crate) fn as_seen(&self, seen: Seen) -> Self {
        Self {
            index: Arc::clone(&self.index),
            seen: Some(seen),
            deadline: self.deadline,
        }
    }

    /// Whether the index holds all that decisions rest on, and is not too old to decide by.
    pub(crate) fn current(&self) -> Result<(), Stale> {
        self.index.current(&ResourceKind::KINDS)
    }

    /// The same of what is asked where an object of that kind is to be deleted: an account may be in use by anything.
    pub(crate) fn current_for_deletion(&self, kind: DeputyKind) -> Result<(), Stale> {
        match kind {
            DeputyKind::Account => self.index.current(&ResourceKind::GRANTS),
            _ => self.current(),
        }
    }

    pub(crate) fn cluster(&self) -> &ClusterName {
        self.index.cluster()
    }

    /// Decides about a role as it would be.
    pub(crate) fn decide_role(&self, role: &Role) -> Decision {
        match &self.seen {
            Some(seen) => self.index.decide_role_as_seen(role, seen),
            None => self.index.decide_role_with(role),
        }
    }

    /// Decides about a binding as it would be.
    pub(crate) fn decide_binding(&self, binding: &Binding) -> Decision {
        match &self.seen {
            Some(seen) => self.index.decide_binding_as_seen(binding, seen),
            None => self.index.decide_binding_with(binding),
        }
    }

    /// Decides about a binding of a federated user as it would be.
    pub(crate) fn decide_statement(&self, statement: &OwnedStatement) -> Decision {
        match &self.seen {
            Some(seen) => self.index.decide_statement_as_seen(statement, seen),
            None => self.index.decide_statement_with(statement),
        }
    }

    /// The principals of a statement that are not there, as far as is known.
    pub(crate) fn absent_principals(&self, statement: &OwnedStatement) -> Vec<StatementPrincipal> {
        let id = |name: &ObjectName| ObjectId {
            namespace: statement.id.namespace.clone(),
            name: name.clone(),
        };
        let is_there = |principal: &&StatementPrincipal| match principal {
            StatementPrincipal::Role(name) => self.index.role(&id(name).into()).is_some(),
            StatementPrincipal::ClusterRole(name) => self.index.cluster_role(name).is_some(),
            StatementPrincipal::FederatedUser(name) => self.index.federated_binding(&id(name)).is_some(),
        };
        let principals = statement.principals.iter();
        principals
            .filter(|principal| !is_there(principal))
            .cloned()
            .collect()
    }

    /// Decides about a binding of a federated user.
    pub(crate) fn decide_federated(&self, binding: &FederatedBinding) -> Decision {
        match &self.seen {
            Some(seen) => self.index.decide_federated_as_seen(binding, seen),
            None => self.index.decide_federated_with(binding),
        }
    }

    /// Decides about the role that a binding names, if it is known.
    pub(crate) fn decide_role_of(&self, binding: &Binding) -> Option<Decision> {
        match &self.seen {
            Some(seen) => self.index.decide_role_of_as_seen(binding, seen),
            None => self.index.decide_role_of(binding),
        }
    }

    /// An account that is there and can be read.
    pub(crate) fn account(&self, name: &ObjectName) -> Option<Arc<Account>> {
        self.index.account(name).known().cloned()
    }

    /// The limits that may apply in an account.
    pub(crate) fn limits(&self, account: &ObjectName) -> Arc<[LimitEntry]> {
        self.index.limits(account)
    }

    /// The namespaces that are there and not being deleted; none while they are not known, or what is known is old.
    pub(crate) fn living_namespaces(&self) -> Vec<NamespaceName> {
        if self.index.current(&[ResourceKind::Namespaces]).is_err() {
            return Vec::new();
        }
        self.index.living_namespaces()
    }

    /// Whether a ServiceAccount is known not to be there.
    pub(crate) fn lacks_service_account(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> bool {
        self.index.current(&[ResourceKind::ServiceAccounts]).is_ok()
            && self.index.service_account(namespace, account).is_none()
    }

    /// The uid of a stored object.
    pub(crate) fn uid(&self, kind: DeputyKind, namespace: &str, name: &str) -> Option<Arc<str>> {
        let name = ObjectName::new(name).ok()?;
        let id = |name| {
            let namespace = NamespaceName::new(namespace).ok()?;
            Some(ObjectId { namespace, name })
        };
        match kind {
            DeputyKind::Account => self.index.account_view(&name)?.meta.uid,
            DeputyKind::Limit => self.index.limit(&name)?.1.uid,
            DeputyKind::Role => self.index.role(&id(name)?.into())?.meta.uid,
            DeputyKind::ClusterRole => self.index.cluster_role(&name)?.meta.uid,
            DeputyKind::Binding => self.index.binding(&id(name)?)?.meta.uid,
            DeputyKind::FederatedBinding => self.index.federated_binding(&id(name)?)?.meta.uid,
            DeputyKind::Statement => self.index.statement(&id(name)?)?.meta.uid,
        }
    }

    /// The AWSAccount that counts for an AWS account, if there is one.
    pub(crate) fn account_of_id(&self, id: &AccountId) -> Option<ObjectName> {
        self.index.account_of_id(id)
    }

    /// What names an account, also what is being deleted: what it is in AWS is still there.
    pub(crate) fn uses_of_account(&self, account: &ObjectName) -> BTreeSet<AccountUse> {
        self.index.uses_of_account(account)
    }

    /// What would become of grants with `new` in place of the limit `name`, or without it.
    pub(crate) fn impact_of_limit(&self, name: &ObjectName, new: Option<&LimitEntry>) -> Impact {
        self.impact(ProposedChange::Limit(name, new))
    }

    /// What would become of grants in an account with `new` in its place.
    pub(crate) fn impact_of_account(&self, new: &Arc<Account>) -> Impact {
        self.impact(ProposedChange::Account(&new.name, Some(new)))
    }

    /// What would become of the bindings of a role with `new` in its place.
    pub(crate) fn impact_of_role(&self, new: &Arc<Role>) -> Impact {
        self.impact(ProposedChange::Role(&new.id, Some(new)))
    }

    /// What would become of grants by a ClusterAWSRole with `new` in its place, or without it.
    pub(crate) fn impact_of_cluster_role(
        &self,
        name: &ObjectName,
        new: Option<&Arc<RoleTemplate>>,
    ) -> Impact {
        self.impact(ProposedChange::ClusterRole(name, new))
    }

    fn impact(&self, hypothesis: ProposedChange<'_>) -> Impact {
        let found = self.index.suspended_by(hypothesis, self.deadline);
        let title = |grant: &GrantRef| match grant {
            GrantRef::Role(id) => id.title().to_string(),
            GrantRef::Binding(id) => format!("AWSRoleBinding {id}"),
            GrantRef::FederatedUser(id) => format!("AWSFederatedUserBinding {id}"),
            GrantRef::Statement(id) => format!("AWSResourcePolicyStatement {id}"),
        };
        let suspended = found.suspended.iter().enumerate().map(|(at, grant)| {
            let is_over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let asked = at < SUSPENDED_SHOWN && !is_over;
            SuspendedGrant {
                title: title(grant),
                why: asked.then(|| self.why(grant, hypothesis)).flatten(),
            }
        });
        Impact {
            concerned: found.concerned,
            looked_at: found.looked_at,
            accepted: found.accepted,
            suspended: suspended.collect(),
            shut_out: found.shut_out,
        }
    }

    fn why(&self, grant: &GrantRef, change: ProposedChange<'_>) -> Option<String> {
        Some(match self.index.why_suspended(grant, change)? {
            WhySuspended::ByRole => "its role is".to_owned(),
            WhySuspended::Itself(Decision::Refused(violations)) => {
                let first = violations.first()?;
                let more = match violations.len() - 1 {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                format!("{}{more}: {}: {}", first.reason, first.field, first.message)
            }
            WhySuspended::Itself(Decision::Undecided(missing)) => missing.to_string(),
            WhySuspended::Itself(Decision::Accepted(_)) => return None,
        })
    }

    /// The binding that a ServiceAccount gets when it names none: the oldest one.
    pub(crate) fn default_binding(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Option<DefaultBinding> {
        self.index.default_binding(namespace, account)
    }

    /// The bindings of which each may be that one.
    pub(crate) fn possible_defaults(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Vec<BindingRef> {
        self.index.possible_defaults(namespace, account)
    }

    /// The region of the account of a binding of a ServiceAccount: of the one that is named, else of its default one. Where that is not known
    /// yet, the region of the accounts that the namespace's limits name, when there is but one.
    pub(crate) fn region(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        named: Option<&str>,
    ) -> Option<Region> {
        self.binding(namespace, account, named)
            .and_then(|found| Some(found.account().known()?.region.clone()))
            .or_else(|| self.region_of_limits(namespace))
    }

    /// The binding of a ServiceAccount that is named, or its default one.
    fn binding(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        named: Option<&str>,
    ) -> Option<ChosenBinding> {
        let binding = match named {
            None => self.index.default_binding(namespace, account)?.binding,
            Some(named) => named.parse::<BindingSelector>().ok()?.of(namespace),
        };
        let found = self.index.decide_chosen(&binding)?;
        found.names(account).then_some(found)
    }

    /// How pods of a ServiceAccount get sessions by the binding that they name, or by its default one. Whether it is accepted does not
    /// matter: it may be later, and a pod stays as it was created.
    pub(crate) fn sessions(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        named: Option<&str>,
    ) -> SessionsOf {
        if named.is_none() && self.index.unreadable_default(namespace, account).is_some() {
            // It may be the one that counts: the broker says so to the pod.
            return SessionsOf::Broker;
        }
        if let Some(Ok(selected)) = named.map(str::parse::<BindingSelector>)
            && selected.kind == BindingKind::FederatedUser
        {
            // Also of one that is not there yet.
            return SessionsOf::Broker;
        }
        let found = match self.binding(namespace, account, named) {
            None => return SessionsOf::Unknown,
            Some(ChosenBinding::FederatedUser(_)) => return SessionsOf::Broker,
            Some(ChosenBinding::Role(found)) => found,
        };
        match found.account.known() {
            Some(account) => self.sessions_in(account, &found.binding),
            None if found.binding.method == Some(SessionMethod::AssumeRole) => SessionsOf::Broker,
            None => SessionsOf::Unknown,
        }
    }

    /// The same of a binding that was looked up, with its role.
    pub(crate) fn sessions_as_seen(&self, binding: &Binding, role: Option<&Role>) -> SessionsOf {
        let account = match (&binding.role.kind, role) {
            (RoleKind::ClusterAWSRole { account }, _) => Some(account),
            (RoleKind::AWSRole, role) => role.map(|role| &role.account),
        };
        match account.and_then(|name| self.account(name)) {
            Some(account) => self.sessions_in(&account, binding),
            None => SessionsOf::Unknown,
        }
    }

    fn sessions_in(&self, account: &Account, binding: &Binding) -> SessionsOf {
        web_identity::of(self.cluster(), account, binding, &binding.role)
            .map_or(SessionsOf::Broker, |told| SessionsOf::Pod(told.into()))
    }

    /// Whether a limit of the namespace lists the method AssumeRoleWithWebIdentity: else no binding there comes to anything by it.
    pub(crate) fn may_have_web_identity(&self, namespace: &NamespaceName) -> bool {
        let limits = self.index.all_limits();
        limits.iter().any(|entry| match entry {
            LimitEntry::Valid(limit) => {
                limit
                    .session_methods
                    .contains(&SessionMethod::AssumeRoleWithWebIdentity)
                    && limit.scope.names(namespace)
            }
            LimitEntry::Invalid { .. } => false,
        })
    }

    /// What the limits of a namespace say of its pods in the network of their node.
    ///
    /// # Errors
    /// What is known of limits is old.
    pub(crate) fn host_network(&self, namespace: &NamespaceName) -> Result<HostNetworkLeave, Stale> {
        self.index.current(&[ResourceKind::Limits])?;
        Ok(HostNetworkLeave::of(&self.index.all_limits(), namespace))
    }

    fn region_of_limits(&self, namespace: &NamespaceName) -> Option<Region> {
        let mut regions = self
            .index
            .accounts()
            .into_iter()
            .filter(|account| {
                let limits = self.index.limits(account);
                limits
                    .iter()
                    .any(|l| matches!(l, LimitEntry::Valid(_)) && l.decides(namespace, account))
            })
            .map(|account| Some(self.account(&account)?.region.clone()));
        // One that can't be read may have another.
        let first = regions.next()??;
        regions
            .all(|region| region.as_ref() == Some(&first))
            .then_some(first)
    }

    /// What is kept of a namespace; `None`: it is not known here, or what is known is old.
    pub(crate) fn namespace(&self, namespace: &NamespaceName) -> Option<Arc<NamespaceInfo>> {
        self.index.current(&[ResourceKind::Namespaces]).ok()?;
        self.index.namespace(namespace)
    }

    /// What is kept of a ServiceAccount; `None`: it is not known here, or what is known is old.
    pub(crate) fn service_account(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Option<Arc<ServiceAccountInfo>> {
        self.index.current(&[ResourceKind::ServiceAccounts]).ok()?;
        self.index.service_account(namespace, account)
    }
}
