//! ClusterAWSRoles, and what each of them is where it is bound: a role like any other in [`State::roles`], made when the first
//! binding names it and gone with the last.

use std::{collections::BTreeSet, sync::Arc};

use deputy_api::convert::RoleTemplate;
use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{ObjectId, Role, RoleId, RoleKind},
};
use kube::api::DynamicObject;

use crate::{
    dirty::Dirty,
    entry::{ClusterRoleState, Entry, Keeps, Stored, View},
    index::Index,
    kept::Kept,
    parse,
    state::{Changed, State, view, whole},
};

/// What a ClusterAWSRole is in a namespace and account.
fn instance(template: &RoleTemplate, id: &RoleId) -> Result<Role, Arc<str>> {
    let Some(account) = id.bound_account() else {
        return Err(Arc::from("an AWSRole is no part of a ClusterAWSRole"));
    };
    let role = template.instance(&id.namespace, account);
    role.map_err(|violations| parse::reason(&violations))
}

/// The same of one that may not be readable, or not be there.
pub(crate) fn instance_entry(template: &Entry<RoleTemplate>, id: &RoleId) -> Entry<Role> {
    match template {
        Entry::Known(template) => match instance(template, id) {
            Ok(role) => Entry::Known(Arc::new(role)),
            Err(why) => Entry::Unreadable(why),
        },
        Entry::Unreadable(why) => Entry::Unreadable(Arc::clone(why)),
        Entry::Missing => Entry::Missing,
    }
}

impl State {
    pub(crate) fn put_cluster_role(&mut self, name: ObjectName, object: DynamicObject) -> Dirty {
        let state = parse::cluster_role_state(&object);
        let old = self.cluster_roles.get(&name);
        let before = old.map(|old| Arc::clone(&old.view.state)).unwrap_or_default();
        let (view, changed) = view(old.map(|old| &old.view), object, state, whole);
        let old_version = old.map(|old| old.version);
        let after = Arc::clone(&view.state);
        let mut touched: BTreeSet<RoleId> = match changed {
            Changed::Nothing => return Dirty::default(),
            // Of a thousand one has changed, as a rule.
            Changed::State => {
                let differs = |id: &RoleId| before.instance(id) != after.instance(id);
                let all = before.recorded(&name).chain(after.recorded(&name));
                all.filter(differs).collect()
            }
            Changed::Object => {
                let recorded = before.recorded(&name).chain(after.recorded(&name));
                recorded.chain(self.bound_to(&name)).collect()
            }
        };
        let mut dirty = self.instances_dirty(&name, &touched);
        let version = self.version(changed, old_version);
        self.cluster_roles.insert(name.clone(), Stored { version, view });
        touched.retain(|id| self.bindings_by_role.contains_key(id));
        for id in &touched {
            self.put_instance(id);
        }
        // Limits count them as they are now.
        dirty.merge(&self.instances_dirty(&name, &touched));
        dirty
    }

    pub(crate) fn drop_cluster_role(&mut self, name: &ObjectName) -> Dirty {
        let Some(old) = self.cluster_roles.get(name) else {
            return Dirty::default();
        };
        let recorded = old.view.state.recorded(name);
        let touched: BTreeSet<RoleId> = recorded.chain(self.bound_to(name)).collect();
        let dirty = self.instances_dirty(name, &touched);
        self.cluster_roles.remove(name);
        self.tick();
        for id in &touched {
            self.put_instance(id);
        }
        dirty
    }

    /// What bindings name of a ClusterAWSRole.
    pub(crate) fn bound_to(&self, name: &ObjectName) -> impl Iterator<Item = RoleId> {
        self.bound_instances.get(name).into_iter().flatten().cloned()
    }

    fn instances_dirty(&self, name: &ObjectName, instances: &BTreeSet<RoleId>) -> Dirty {
        let mut dirty = self.roles_dirty(instances);
        dirty.cluster_roles.insert(name.clone());
        dirty
    }

    /// The first binding of a role makes it, if it is a ClusterAWSRole's.
    pub(crate) fn bind_instance(&mut self, id: &RoleId) {
        if id.kind == RoleKind::AWSRole {
            return;
        }
        let bound = self.bound_instances.entry(id.name.clone()).or_default();
        if bound.insert(id.clone()) {
            self.put_instance(id);
        }
    }

    /// With the last binding it is gone.
    pub(crate) fn unbind_instance(&mut self, id: &RoleId) {
        if id.kind == RoleKind::AWSRole || self.bindings_by_role.contains_key(id) {
            return;
        }
        if let Some(bound) = self.bound_instances.get_mut(&id.name) {
            bound.remove(id);
            if bound.is_empty() {
                self.bound_instances.remove(&id.name);
            }
        }
        self.unindex_role(id);
        self.roles.remove(id);
    }

    /// Makes what is bound of a ClusterAWSRole as that is now; takes it away when that is gone.
    fn put_instance(&mut self, id: &RoleId) {
        let Some(template) = self.cluster_roles.get(&id.name) else {
            self.unindex_role(id);
            self.roles.remove(id);
            return;
        };
        if let Some(role) = self.roles.get_mut(id)
            && role.version == template.version
        {
            role.view.state = template.view.state.instance(id).cloned().unwrap_or_default();
            return;
        }
        let kept = template.view.parsed().and_then(|template| {
            let (role, id) = (instance(&template, id)?, id.clone());
            let again = move || instance(&template, &id);
            Ok(Arc::new(Kept::again(role, &self.recent_roles, Box::new(again))))
        });
        let view = View {
            meta: template.view.meta.clone(),
            kept,
            state: template.view.state.instance(id).cloned().unwrap_or_default(),
        };
        let version = template.version;
        self.unindex_role(id);
        self.index_role(id, view.head());
        self.roles.insert(id.clone(), Stored { version, view });
    }

    /// What a binding that can't be read may keep in AWS.
    pub(crate) fn kept_by_unreadable(&self, id: &ObjectId) -> BTreeSet<RoleId> {
        let of_namespace = self.unreadable_bindings.get(&id.namespace);
        match of_namespace
            .and_then(|bindings| bindings.get(&id.name))
            .map(|b| &b.keeps)
        {
            None | Some(Keeps::Nothing) => BTreeSet::new(),
            Some(Keeps::One(role)) => BTreeSet::from([role.clone()]),
            Some(Keeps::Any) => self.recorded_in(&id.namespace).collect(),
        }
    }

    fn recorded_in(&self, namespace: &NamespaceName) -> impl Iterator<Item = RoleId> {
        self.recorded().filter(move |id| id.namespace == *namespace)
    }

    /// What ClusterAWSRoles have an entry of.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = RoleId> {
        let templates = self.cluster_roles.iter();
        templates.flat_map(|(name, template)| template.view.state.recorded(name))
    }
}

impl Index {
    /// A ClusterAWSRole, with metadata and status.
    #[must_use]
    pub fn cluster_role(&self, name: &ObjectName) -> Option<View<RoleTemplate, ClusterRoleState>> {
        self.state.read().cluster_roles.get(name).map(|r| r.view.clone())
    }

    /// How many namespaces and accounts bind a ClusterAWSRole that its status has no entry of.
    #[must_use]
    pub fn bound_without_entry(&self, name: &ObjectName) -> usize {
        let state = self.state.read();
        let recorded = state.cluster_roles.get(name).map(|role| &role.view.state);
        let is_recorded = |id: &RoleId| recorded.is_some_and(|state| state.instance(id).is_some());
        state.bound_to(name).filter(|id| !is_recorded(id)).count()
    }

    /// Whether a binding names this IAM role of a ClusterAWSRole, or can't be read and may name it. Also one that is being deleted: it is
    /// still there.
    #[must_use]
    pub fn may_be_bound(&self, id: &RoleId) -> bool {
        let state = self.state.read();
        let unreadable = state.unreadable_bindings.get(&id.namespace);
        state.bindings_by_role.contains_key(id)
            || unreadable
                .into_iter()
                .flat_map(|bindings| bindings.values())
                .any(|binding| match &binding.keeps {
                    Keeps::Nothing => false,
                    Keeps::One(role) => role == id,
                    Keeps::Any => true,
                })
    }
}
