//! One statement of the policy of a bucket, queue or topic, as a namespace owns it.

use std::{collections::BTreeSet, fmt, ops::Deref};

use deputy_policy::{ActionElement, Document, Effect, PolicyKind, ResourceElement};

use super::PolicyKindError;
use crate::names::{ObjectId, ObjectName, PolicyResource, Uid};

/// Whom a statement names: something of its own namespace that Deputy makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementPrincipal {
    /// The IAM role of an AWSRole.
    Role(ObjectName),
    /// The IAM role that a ClusterAWSRole is in this namespace and in the account of the statement.
    ClusterRole(ObjectName),
    /// The federated user of an AWSFederatedUserBinding.
    FederatedUser(ObjectName),
}

impl StatementPrincipal {
    /// The kind of the object.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Role(_) => "AWSRole",
            Self::ClusterRole(_) => "ClusterAWSRole",
            Self::FederatedUser(_) => "AWSFederatedUserBinding",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Role(name) | Self::ClusterRole(name) | Self::FederatedUser(name) => name,
        }
    }
}

impl fmt::Display for StatementPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// What a statement grants: one Allow of actions on what is the resource's, as an identity policy says it, which is what ceilings are
/// compared with. Whom it is granted to is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementGrant(Document);

/// Why a document can't be what a statement grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementGrantError {
    /// A document of another kind.
    #[error(transparent)]
    Kind(#[from] PolicyKindError),
    /// None, or more than one; or a Deny; or one that says what it is not about.
    #[error("it has to be one Allow with Action and Resource")]
    Shape,
    /// An action of another service, or a pattern on services.
    #[error(
        "{action:?} is no action of {service}: the policy of {resource} takes those that begin with \"{service}:\""
    )]
    Action {
        /// As written.
        action: String,
        /// The resource's.
        service: &'static str,
        /// The resource.
        resource: Box<PolicyResource>,
    },
    /// A resource of which this policy does not say anything.
    #[error("{named:?} is not in {resource}: {allowed}")]
    Resource {
        /// As written.
        named: String,
        /// The resource.
        resource: Box<PolicyResource>,
        /// What may be named.
        allowed: String,
    },
}

impl StatementGrant {
    /// What `document` grants, in the policy of `resource`.
    ///
    /// # Errors
    /// [`StatementGrantError`].
    pub fn new(document: Document, resource: &PolicyResource) -> Result<Self, StatementGrantError> {
        PolicyKindError::unless(&document, PolicyKind::Identity)?;
        let [statement] = document.statements() else {
            return Err(StatementGrantError::Shape);
        };
        let (Effect::Allow, ActionElement::Action(actions), Some(ResourceElement::Resource(resources))) =
            (statement.effect, &statement.action, &statement.resource)
        else {
            return Err(StatementGrantError::Shape);
        };
        let service = resource.kind().service();
        for action in actions {
            let of = action.split_once(':').map(|(of, _)| of);
            if !of.is_some_and(|of| of.eq_ignore_ascii_case(service)) {
                return Err(StatementGrantError::Action {
                    action: action.clone(),
                    service,
                    resource: Box::new(resource.clone()),
                });
            }
        }
        if let Some(named) = resources.iter().find(|named| !resource.holds(named)) {
            let allowed = match resource.kind() {
                crate::names::PolicyResourceKind::Bucket => {
                    format!("{resource} and {resource}/… may be named")
                }
                _ => format!("{resource} alone may be named"),
            };
            return Err(StatementGrantError::Resource {
                named: named.clone(),
                resource: Box::new(resource.clone()),
                allowed,
            });
        }
        Ok(Self(document))
    }
}

impl Deref for StatementGrant {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

/// One owned statement of the policy of a bucket, queue or topic (`AWSResourcePolicyStatement`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedStatement {
    /// Namespace and name.
    pub id: ObjectId,
    /// The object's uid; none before it is stored.
    pub uid: Option<Uid>,
    /// The AWSAccount whose the resource is.
    pub account: ObjectName,
    /// The resource whose policy has the statement.
    pub resource: PolicyResource,
    /// Whom it names, at least one.
    pub principals: BTreeSet<StatementPrincipal>,
    /// What it grants them.
    pub grant: StatementGrant,
}
