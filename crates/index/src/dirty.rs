//! What has to be decided again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak},
};

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{ObjectId, RoleId},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The boundary policy of a limit in an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundaryKey {
    /// The DelegationLimit.
    pub limit: ObjectName,
    /// The AWSAccount.
    pub account: ObjectName,
}

impl fmt::Display for BoundaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.limit, self.account)
    }
}

/// Objects whose decision or outcome may have changed: those that changed, and those that depend on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dirty {
    /// Accounts that changed.
    pub accounts: BTreeSet<ObjectName>,
    /// Limits: changed, or their account did.
    pub limits: BTreeSet<ObjectName>,
    /// Boundary policies: of a limit or an account that changed, or what the limit's status says of them did.
    pub boundaries: BTreeSet<BoundaryKey>,
    /// Limits, with the roles under them that may be decided otherwise now, or one of whose bindings may, or that are under them no
    /// more.
    pub counted: BTreeMap<ObjectName, BTreeSet<RoleId>>,
    /// Roles: changed, or a limit, account or binding of theirs did. Of a ClusterAWSRole those that are bound, or recorded in its status.
    pub roles: BTreeSet<RoleId>,
    /// ClusterAWSRoles that changed.
    pub cluster_roles: BTreeSet<ObjectName>,
    /// Bindings: changed, or their role, or another binding of the same ServiceAccount did.
    pub bindings: BTreeSet<ObjectId>,
    /// Bindings of federated users: changed, or their account, a limit there, or another binding of the same name did.
    pub federated: BTreeSet<ObjectId>,
    /// Statements: changed, or their account, a limit there, or one of their principals did.
    pub statements: BTreeSet<ObjectId>,
    /// Namespaces that changed.
    pub namespaces: BTreeSet<NamespaceName>,
    /// Those of `roles` of which a binding went, or changed: somebody may not become them any more.
    pub unbound_roles: BTreeSet<RoleId>,
    /// Those of `roles` of which nothing changed but their own status.
    pub echoed_roles: BTreeSet<RoleId>,
    /// Those of `accounts` of which nothing changed but their own status.
    pub echoed_accounts: BTreeSet<ObjectName>,
}

impl Dirty {
    /// Nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            accounts,
            limits,
            boundaries,
            counted,
            roles,
            cluster_roles,
            bindings,
            federated,
            statements,
            namespaces,
            // Parts of the others.
            unbound_roles: _,
            echoed_roles: _,
            echoed_accounts: _,
        } = self;
        accounts.is_empty()
            && limits.is_empty()
            && boundaries.is_empty()
            && counted.is_empty()
            && roles.is_empty()
            && cluster_roles.is_empty()
            && bindings.is_empty()
            && federated.is_empty()
            && statements.is_empty()
            && namespaces.is_empty()
    }

    /// These are to be counted too.
    pub(crate) fn count(&mut self, counted: &BTreeMap<ObjectName, BTreeSet<RoleId>>) {
        for (limit, roles) in counted {
            self.counted
                .entry(limit.clone())
                .or_default()
                .extend(roles.iter().cloned());
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let Self {
            accounts,
            limits,
            boundaries,
            counted,
            roles,
            cluster_roles,
            bindings,
            federated,
            statements,
            namespaces,
            unbound_roles,
            echoed_roles,
            echoed_accounts,
        } = other;
        merge_echoes((&self.roles, &mut self.echoed_roles), (roles, echoed_roles));
        merge_echoes(
            (&self.accounts, &mut self.echoed_accounts),
            (accounts, echoed_accounts),
        );
        self.unbound_roles.extend(unbound_roles.iter().cloned());
        self.accounts.extend(accounts.iter().cloned());
        self.limits.extend(limits.iter().cloned());
        self.boundaries.extend(boundaries.iter().cloned());
        self.count(counted);
        self.roles.extend(roles.iter().cloned());
        self.cluster_roles.extend(cluster_roles.iter().cloned());
        self.bindings.extend(bindings.iter().cloned());
        self.federated.extend(federated.iter().cloned());
        self.statements.extend(statements.iter().cloned());
        self.namespaces.extend(namespaces.iter().cloned());
    }
}

/// Of two sets of changes, the echoes of both that are no more than echoes in either.
fn merge_echoes<T: Ord + Clone>(
    (all, echoed): (&BTreeSet<T>, &mut BTreeSet<T>),
    (other_all, other_echoed): (&BTreeSet<T>, &BTreeSet<T>),
) {
    echoed.retain(|one| !other_all.contains(one) || other_echoed.contains(one));
    let new = other_echoed
        .iter()
        .filter(|one| !all.contains(*one) || echoed.contains(*one));
    let new: Vec<T> = new.cloned().collect();
    echoed.extend(new);
}

/// One reader of the changes. Changes are gathered in sets until they are taken, so a slow reader misses nothing, and
/// holds at most one entry for each object.
#[derive(Debug)]
pub struct Subscription(Arc<Inbox>);

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    dirty: Mutex<Dirty>,
    notify: Notify,
}

impl Subscription {
    /// Waits until something changed, and takes all that did. Cancel safe. For one waiting task.
    pub async fn next(&self) -> Dirty {
        loop {
            if let Some(dirty) = self.take() {
                return dirty;
            }
            self.0.notify.notified().await;
        }
    }

    /// What changed since it was last taken, if anything.
    #[must_use]
    pub fn take(&self) -> Option<Dirty> {
        let dirty = std::mem::take(&mut *self.0.dirty.lock());
        (!dirty.is_empty()).then_some(dirty)
    }
}

/// All readers.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<Vec<Weak<Inbox>>>);

impl Readers {
    pub(crate) fn subscribe(&self) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        self.0.lock().push(Arc::downgrade(&inbox));
        Subscription(inbox)
    }

    pub(crate) fn tell(&self, dirty: &Dirty) {
        if dirty.is_empty() {
            return;
        }
        self.0.lock().retain(|reader| {
            let Some(inbox) = reader.upgrade() else {
                return false;
            };
            inbox.dirty.lock().merge(dirty);
            inbox.notify.notify_one();
            true
        });
    }
}
