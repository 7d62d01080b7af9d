//! What reviews ask of the index.

use std::{sync::Arc, time::Instant};

use deputy_delegation::{
    AccountId, ClusterName, Decision, NamespaceName, ObjectName, Region, ServiceAccountName,
    model::{Account, Binding, LimitEntry, ObjectId, Role},
};
use deputy_index::{Grant, Hypothesis, Seen, Stale, Watched, World};

use crate::inject::INJECT_LABEL;

/// What a change would take away.
#[derive(Debug)]
pub(crate) struct Impact {
    /// Grants (roles and bindings) that the change may matter to.
    pub(crate) concerned: usize,
    /// How many of them were looked at in time.
    pub(crate) looked_at: usize,
    /// Those looked at that are accepted now.
    pub(crate) accepted: usize,
    /// Names of those that would not be accepted afterwards, in order.
    pub(crate) suspended: Vec<String>,
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
    world: Arc<World>,
    seen: Option<Seen>,
    deadline: Option<Instant>,
}

impl Facts {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            seen: None,
            deadline: None,
        }
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
            world: Arc::clone(&self.world),
            seen: Some(seen),
            deadline: self.deadline,
        }
    }

    /// Whether the index holds all that decisions rest on, and is not too old to decide by.
    pub(crate) fn current(&self) -> Result<(), Stale> {
        self.world.current(&Watched::KINDS)
    }

    pub(crate) fn cluster(&self) -> &ClusterName {
        self.world.cluster()
    }

    /// Decides about a role as it would be.
    pub(crate) fn decide_role(&self, role: &Role) -> Decision {
        match &self.seen {
            Some(seen) => self.world.decide_role_as_seen(role, seen),
            None => self.world.decide_role_with(role),
        }
    }

    /// Decides about a binding as it would be.
    pub(crate) fn decide_binding(&self, binding: &Binding) -> Decision {
        match &self.seen {
            Some(seen) => self.world.decide_binding_as_seen(binding, seen),
            None => self.world.decide_binding_with(binding),
        }
    }

    /// An account that is there and can be read.
    pub(crate) fn account(&self, name: &ObjectName) -> Option<Arc<Account>> {
        self.world.account(name).known().cloned()
    }

    /// The AWSAccount that counts for an AWS account, if there is one.
    pub(crate) fn account_of_id(&self, id: &AccountId) -> Option<ObjectName> {
        self.world.account_of_id(id)
    }

    /// Roles in an account, also those that are being deleted: their IAM roles are still there.
    pub(crate) fn roles_in(&self, account: &ObjectName) -> Vec<ObjectId> {
        self.world.roles_of_account(account)
    }

    /// What would become of grants with `new` in place of the limit `name`, or without it.
    pub(crate) fn impact_of_limit(&self, name: &ObjectName, new: Option<&LimitEntry>) -> Impact {
        self.impact(Hypothesis::Limit(name, new))
    }

    /// What would become of grants in an account with `new` in its place.
    pub(crate) fn impact_of_account(&self, new: &Arc<Account>) -> Impact {
        self.impact(Hypothesis::Account(&new.name, Some(new)))
    }

    /// What would become of the bindings of a role with `new` in its place.
    pub(crate) fn impact_of_role(&self, new: &Arc<Role>) -> Impact {
        self.impact(Hypothesis::Role(&new.id, Some(new)))
    }

    fn impact(&self, hypothesis: Hypothesis<'_>) -> Impact {
        let found = self.world.suspended_by(hypothesis, self.deadline);
        let name = |grant: &Grant| match grant {
            Grant::Role(id) => format!("AWSRole {id}"),
            Grant::Binding(id) => format!("AWSRoleBinding {id}"),
        };
        Impact {
            concerned: found.concerned,
            looked_at: found.looked_at,
            accepted: found.accepted,
            suspended: found.suspended.iter().map(name).collect(),
        }
    }

    /// The binding that a ServiceAccount gets when it names none: the oldest one.
    pub(crate) fn default_binding(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Option<Arc<Binding>> {
        self.world.default_binding(namespace, account).map(|d| d.binding)
    }

    /// The region of the account of a binding of a ServiceAccount: of the one of that name, else of its default one.
    pub(crate) fn region(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        name: Option<&str>,
    ) -> Option<Region> {
        let decision = match name {
            Some(name) => {
                let id = ObjectId {
                    namespace: namespace.clone(),
                    name: ObjectName::new(name).ok()?,
                };
                self.world
                    .decide_binding(&id)
                    .filter(|d| d.binding.subjects.contains(account))?
            }
            None => self.world.default_binding(namespace, account)?,
        };
        Some(decision.account.known()?.region.clone())
    }

    /// The injection label of a namespace. The outer `None`: the namespace is not known here, or what is known is old.
    pub(crate) fn namespace_label(&self, namespace: &NamespaceName) -> Option<Option<String>> {
        self.world.current(&[Watched::Namespaces]).ok()?;
        let known = self.world.namespace(namespace)?;
        Some(known.labels.get(INJECT_LABEL).cloned())
    }

    /// The injection label of a ServiceAccount. The outer `None`: it is not known here, or what is known is old.
    pub(crate) fn service_account_label(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Option<Option<String>> {
        self.world.current(&[Watched::ServiceAccounts]).ok()?;
        let known = self.world.service_account(namespace, account)?;
        Some(known.labels.get(INJECT_LABEL).cloned())
    }
}
