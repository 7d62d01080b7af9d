//! One look at the API server, beside the index that follows it.
//!
//! A watch is some milliseconds behind. Where somebody has just made a limit and then a role, that is enough for a
//! refusal which is not true any more; so who is about to refuse looks once. What was seen is never put into an index: it
//! may be older than what the watch brings meanwhile, and a limit that is gone would be there again.

use std::{collections::HashMap, sync::Arc};

use deputy_api::{
    AWSAccount, AWSFederatedUserBinding, AWSRole, AWSRoleBinding, ClusterAWSRole, DelegationLimit,
};
use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{Account, Binding, FederatedBinding, LimitEntry, Role, RoleId, RoleKind},
};
use kube::{
    Api, Client, CustomResourceExt as _,
    api::{DynamicObject, ListParams},
};

use crate::{
    claims::Claims,
    cluster_roles::instance_entry,
    entry::{Entry, ResourceKind},
    parse,
};

/// Objects in one answer of the API server.
const PAGE: u32 = 500;
/// So many pages are read: 10,000 limits, or accounts.
const MAX_PAGES: usize = 20;

/// Accounts and limits as they were at one moment, and a role if one was looked up.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub(crate) limits: Arc<[LimitEntry]>,
    accounts: Arc<HashMap<ObjectName, Entry<Account>>>,
    role: Option<(RoleId, Entry<Role>)>,
}

/// What could not be seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The API server gave no list.
    #[error("{kind} can't be listed: {source}")]
    List {
        /// Which kind.
        kind: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// There are more than anybody reads for one answer.
    #[error("there are more than {most} {kind}")]
    TooMany {
        /// Of this kind.
        kind: &'static str,
        /// So many are read.
        most: usize,
    },
}

impl LookError {
    /// The class, for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::List { .. } => "List",
            Self::TooMany { .. } => "TooMany",
        }
    }
}

impl Seen {
    /// These limits and accounts.
    #[must_use]
    pub fn of(limits: Vec<DynamicObject>, accounts: Vec<DynamicObject>) -> Self {
        let limits = limits.into_iter().filter_map(|object| {
            let name = parse::name(&object.metadata)?;
            Some(parse::limit(&name, object))
        });
        let mut claims = Claims::default();
        for object in &accounts {
            if let Some(name) = parse::name(&object.metadata) {
                claims.set(&name, parse::claim(object));
            }
        }
        let accounts = accounts.into_iter().filter_map(|object| {
            let name = parse::name(&object.metadata)?;
            let entry = granting(object);
            let taken = entry
                .known()
                .and_then(|a: &Arc<Account>| claims.unless_taken(&name, &a.id));
            Some((name, taken.unwrap_or(entry)))
        });
        Self {
            limits: limits.collect(),
            accounts: Arc::new(accounts.collect()),
            role: None,
        }
    }

    /// With a role, or with the knowledge that it is not there. `role` is the AWSRole or ClusterAWSRole of that name.
    #[must_use]
    pub fn with_role(mut self, id: RoleId, role: Option<DynamicObject>) -> Self {
        let entry = match (role, &id.kind) {
            (None, _) => Entry::Missing,
            (Some(role), RoleKind::AWSRole) => granting(role),
            (Some(role), RoleKind::ClusterAWSRole { .. }) => instance_entry(&granting(role), &id),
        };
        self.role = Some((id, entry));
        self
    }

    pub(crate) fn account(&self, name: &ObjectName) -> Entry<Account> {
        self.accounts.get(name).cloned().unwrap_or(Entry::Missing)
    }

    /// The role, if it is the one that was looked up.
    pub(crate) fn role(&self, id: &RoleId) -> Option<Entry<Role>> {
        let (known, role) = self.role.as_ref()?;
        (known == id).then(|| role.clone())
    }
}

/// As far as it grants anything: what is being deleted does not.
fn granting<T: parse::Parse>(mut object: DynamicObject) -> Entry<T> {
    if object.metadata.deletion_timestamp.is_some() {
        return Entry::Missing;
    }
    match parse::spec(&mut object) {
        Ok(parsed) => Entry::Known(Arc::new(parsed)),
        Err(why) => Entry::Unreadable(why),
    }
}

/// All limits and accounts, from the API server. Cancel safe; has no deadline of its own.
///
/// # Errors
/// When they can't be listed, or there are too many.
pub async fn look(client: &Client) -> Result<Seen, LookError> {
    let (limits, accounts) = futures::try_join!(
        all(
            client,
            DelegationLimit::api_resource(),
            ResourceKind::Limits.as_str()
        ),
        all(
            client,
            AWSAccount::api_resource(),
            ResourceKind::Accounts.as_str()
        ),
    )?;
    Ok(Seen::of(limits, accounts))
}

/// The AWSRole or ClusterAWSRole of a role, from the API server. Asked for as a list of one: that is the right that whoever watches has.
///
/// # Errors
/// When it can't be listed.
pub async fn look_for_role(client: &Client, id: &RoleId) -> Result<Option<DynamicObject>, LookError> {
    let (api, kind): (Api<DynamicObject>, _) = match id.kind {
        RoleKind::AWSRole => (
            Api::namespaced_with(client.clone(), id.namespace.as_str(), &AWSRole::api_resource()),
            ResourceKind::Roles,
        ),
        RoleKind::ClusterAWSRole { .. } => (
            Api::all_with(client.clone(), &ClusterAWSRole::api_resource()),
            ResourceKind::ClusterRoles,
        ),
    };
    let params = ListParams::default()
        .fields(&format!("metadata.name={}", id.name))
        .limit(1);
    let list = api.list(&params).await.map_err(|source| LookError::List {
        kind: kind.as_str(),
        source: Box::new(source),
    })?;
    Ok(list.items.into_iter().next())
}

/// A role as far as it grants anything, from the API server.
///
/// # Errors
/// When it can't be listed.
pub async fn role_at(client: &Client, id: &RoleId) -> Result<Entry<Role>, LookError> {
    let found = look_for_role(client, id).await?;
    Ok(found.map_or(Entry::Missing, granting))
}

/// The bindings of a namespace that can be read, the oldest first, from the API server.
///
/// # Errors
/// When they can't be listed, or there are more than 500.
pub async fn look_for_bindings(
    client: &Client,
    namespace: &NamespaceName,
) -> Result<Vec<Arc<Binding>>, LookError> {
    let (kind, resource) = (ResourceKind::Bindings, AWSRoleBinding::api_resource());
    let mut bindings: Vec<Arc<Binding>> = of_namespace(client, namespace, kind, &resource).await?;
    bindings.sort_by(|a, b| (a.created, &a.id.name).cmp(&(b.created, &b.id.name)));
    Ok(bindings)
}

/// The same of bindings of federated users.
///
/// # Errors
/// When they can't be listed, or there are more than 500.
pub async fn look_for_federated_bindings(
    client: &Client,
    namespace: &NamespaceName,
) -> Result<Vec<Arc<FederatedBinding>>, LookError> {
    let kind = ResourceKind::FederatedBindings;
    let resource = AWSFederatedUserBinding::api_resource();
    let mut bindings: Vec<Arc<FederatedBinding>> = of_namespace(client, namespace, kind, &resource).await?;
    bindings.sort_by(|a, b| (a.created, &a.id.name).cmp(&(b.created, &b.id.name)));
    Ok(bindings)
}

async fn of_namespace<T: parse::Parse>(
    client: &Client,
    namespace: &NamespaceName,
    kind: ResourceKind,
    resource: &kube::core::ApiResource,
) -> Result<Vec<Arc<T>>, LookError> {
    let kind = kind.as_str();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace.as_str(), resource);
    let list = api
        .list(&ListParams::default().limit(PAGE))
        .await
        .map_err(|source| LookError::List {
            kind,
            source: Box::new(source),
        })?;
    if list.metadata.continue_.is_some_and(|token| !token.is_empty()) {
        return Err(LookError::TooMany {
            kind,
            most: PAGE as usize,
        });
    }
    let objects = list.items.into_iter();
    Ok(objects
        .filter_map(|object| granting(object).known().cloned())
        .collect())
}

async fn all(
    client: &Client,
    resource: kube::core::ApiResource,
    kind: &'static str,
) -> Result<Vec<DynamicObject>, LookError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut objects = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    for _ in 0..MAX_PAGES {
        let page = api.list(&params).await.map_err(|source| LookError::List {
            kind,
            source: Box::new(source),
        })?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(objects),
        }
    }
    let most = PAGE as usize * MAX_PAGES;
    Err(LookError::TooMany { kind, most })
}
