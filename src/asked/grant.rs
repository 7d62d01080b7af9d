//! What each binding grants: the policies that hold a session, and what of it only AWS knows.

use std::{borrow::Cow, sync::Arc};

use deputy_delegation::{
    ObjectName, RoleArn,
    decide::KnownTags,
    model::{Account, Binding, BoundaryMode, Limit, Role},
    naming,
};
use deputy_policy::{ActionElement, Candidate, Containment, Document, Effect, Witness, contains, impossible};

use super::policy::{identity, statement};
use crate::objects::AskedWorld;

/// One binding, with all that holds its sessions.
pub struct AskedGrant {
    pub binding: Arc<Binding>,
    pub role: Arc<Role>,
    /// None where that is not there, and the binding so undecided.
    pub account: Option<Arc<Account>>,
    /// By what a session may do more than the policies below say; only AWS knows it.
    pub may_allow_more: Vec<String>,
    /// By what it may do less.
    pub may_allow_less: Vec<String>,
    /// The role's policies.
    pub identity: Vec<Document>,
    /// The session policy, if there is one.
    pub session: Option<Document>,
    /// The ceiling that AWS holds the role to, with the name of its limit.
    pub boundary: Option<(ObjectName, Document)>,
    /// What the tags of Deputy are in every request.
    tags: Option<Document>,
    /// What the policies name and no request can be.
    impossible: Option<Document>,
}

/// A binding with all that holds its sessions. `boundary`: the limit whose ceiling that is in AWS.
pub fn grant(
    world: &AskedWorld,
    binding: &Arc<Binding>,
    role: &Arc<Role>,
    account: Option<&Arc<Account>>,
    boundary: Option<&Limit>,
) -> AskedGrant {
    let (mut more, mut less) = (Vec::new(), Vec::new());
    for arn in &binding.session.policy_arns {
        match &binding.session.policy {
            Some(_) => more.push(format!("what the managed policy {arn} lets the session do")),
            None => less.push(format!("what the managed policy {arn} leaves of the session")),
        }
    }
    more.extend(
        role.existing()
            .map(|existing| format!("what {}, which is somebody else's, may do", existing.arn)),
    );
    if let Some(owned) = role.owned() {
        more.extend(
            owned
                .policies
                .managed()
                .iter()
                .map(|arn| format!("what the managed policy {arn} allows")),
        );
    }
    if let Some(BoundaryMode::Reference(arn)) = boundary.map(|limit| &limit.boundary) {
        less.push(format!("what the boundary {arn} allows of the ceiling"));
    }
    let cluster = world.index.cluster();
    let tags = match role.existing() {
        // Its own tags are its owner's affair.
        Some(_) => KnownTags::of_session(cluster, &role.id.namespace),
        None => KnownTags::of(cluster, &role.id),
    };
    let put_in = |document: &Document| match tags.put_in(document) {
        Cow::Borrowed(document) => document.clone(),
        Cow::Owned(document) => document,
    };
    let identity: Vec<Document> = role
        .policies()
        .iter()
        .map(|policy| put_in(&policy.document))
        .collect();
    let session = binding.session.policy.as_ref().map(|policy| put_in(policy));
    let boundary = boundary.map(|limit| (limit.name.clone(), put_in(&limit.ceiling)));
    let all: Vec<&Document> = identity
        .iter()
        .chain(&session)
        .chain(boundary.iter().map(|(_, ceiling)| ceiling))
        .collect();
    AskedGrant {
        binding: Arc::clone(binding),
        role: Arc::clone(role),
        account: account.map(Arc::clone),
        may_allow_more: more,
        may_allow_less: less,
        tags: tags.layer(&all),
        impossible: impossible(&identity.iter().collect::<Vec<_>>()),
        identity,
        session,
        boundary,
    }
}

impl AskedGrant {
    /// The IAM role of its sessions, where the name of the cluster is known or does not matter.
    pub fn role_arn(&self, world: &AskedWorld) -> Option<RoleArn> {
        let cluster = world.cluster.as_ref();
        match self.role.existing() {
            Some(existing) => Some(existing.arn.clone()),
            None => Some(naming::role_arn(cluster?, self.account.as_ref()?, &self.role.id)),
        }
    }

    /// A request that `identity`, which is the role's or a part of it, allows a session, and that `besides` does not.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn request_beyond(
        &self,
        identity: &[&Document],
        besides: &Document,
    ) -> Result<Option<Witness>, String> {
        let mut first = identity.to_vec();
        first.extend(&self.impossible);
        let mut candidate = Candidate::new(&first);
        let boundary = self.boundary.as_ref().map(|(_, ceiling)| ceiling);
        let layers = [boundary, self.session.as_ref(), self.tags.as_ref()];
        for layer in layers.into_iter().flatten() {
            candidate = candidate.layer(&[layer]);
        }
        match contains(&candidate, besides) {
            Containment::Contained(_) => Ok(None),
            Containment::Exceeds(witness) => Ok(Some(witness)),
            Containment::Unknown(reason) => Err(reason.to_string()),
        }
    }

    /// A request for one of `action` on one of `resource`, both as in a policy, that a session may make.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn request_of(&self, action: &str, resource: &str) -> Result<Option<Witness>, String> {
        let identity: Vec<&Document> = self.identity.iter().collect();
        self.request_beyond(&identity, &everything_but(action, resource)?)
    }

    /// A request for one of `actions`, on whatever resource, that a session may make.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn request_of_any(&self, actions: &[&str]) -> Result<Option<Witness>, String> {
        let identity: Vec<&Document> = self.identity.iter().collect();
        self.request_beyond(&identity, &everything_but_any(actions)?)
    }
}

/// A policy that allows all but requests for these actions, on whatever resource.
///
/// # Errors
/// When a policy can't name them.
fn everything_but_any(actions: &[&str]) -> Result<Document, String> {
    let mut deny = statement(Effect::Deny, "*", "*");
    deny.action = ActionElement::Action(actions.iter().map(|&action| action.to_owned()).collect());
    identity(vec![statement(Effect::Allow, "*", "*"), deny])
}

/// A policy that allows all but these requests.
///
/// # Errors
/// When a policy can't name them.
pub fn everything_but(action: &str, resource: &str) -> Result<Document, String> {
    identity(vec![
        statement(Effect::Allow, "*", "*"),
        statement(Effect::Deny, action, resource),
    ])
}
