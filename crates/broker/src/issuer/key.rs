//! What tells one session from another.

use std::{collections::BTreeMap, hash::Hash, mem::size_of};

use deputy_aws::{AwsError, Session, Sts};
use deputy_delegation::{
    ServiceAccountName, TagKey, TagValue,
    federation::FederationRequest,
    model::{BindingRef, ObjectId, RoleId},
    naming,
    people::UserName,
    session::SessionRequest,
};

use super::{gate::CallParty, session::Renewal};

/// Under which key a session is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionKey {
    /// Of a role, by AssumeRole.
    Role(Box<RoleSessionKey>),
    /// Of a federated user, by GetFederationToken.
    FederatedUser(Box<FederatedSessionKey>),
}

impl SessionKey {
    /// The binding by which it is given.
    #[must_use]
    pub fn binding(&self) -> BindingRef {
        match self {
            Self::Role(key) => BindingRef::role(key.binding.clone()),
            Self::FederatedUser(key) => BindingRef::federated_user(key.binding.clone()),
        }
    }

    /// Whose session it is: the ARN of the role or of the federated user.
    #[must_use]
    pub fn principal(&self) -> String {
        match self {
            Self::Role(key) => key.request.role.to_string(),
            Self::FederatedUser(key) => key.request.user.to_string(),
        }
    }

    /// In whose share a call for it counts. Each person has turns of their own.
    #[must_use]
    pub fn caller(&self, renewal: Renewal) -> CallParty {
        match (self, renewal) {
            (Self::Role(key), Renewal::OnRequest) => match &key.person {
                Some(person) => CallParty::Person(person.clone()),
                None => CallParty::People,
            },
            _ => self.party(renewal),
        }
    }

    /// In whose share it counts while it is kept.
    #[must_use]
    pub fn party(&self, renewal: Renewal) -> CallParty {
        match (self, renewal) {
            (_, Renewal::OnRequest) => CallParty::People,
            (Self::Role(key), _) => CallParty::Namespace(key.binding.namespace.clone()),
            (Self::FederatedUser(key), _) => CallParty::Namespace(key.binding.namespace.clone()),
        }
    }

    /// The uid of the pod whose it is alone.
    #[must_use]
    pub fn pod(&self) -> Option<&str> {
        self.tag(naming::TAG_POD_UID)
    }

    /// A session tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let tag = self.tags().iter().find(|(key, _)| key.as_str() == name);
        tag.map(|(_, value)| value.as_str())
    }

    fn tags(&self) -> &BTreeMap<TagKey, TagValue> {
        match self {
            Self::Role(key) => &key.request.tags,
            Self::FederatedUser(key) => &key.request.tags,
        }
    }

    /// The inline session policy, as it is sent.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::Role(key) => key.request.policy.as_deref(),
            Self::FederatedUser(key) => key.request.policy.as_deref(),
        }
    }

    /// What tells most sessions apart, and is short.
    pub(super) fn short(&self) -> impl Hash {
        match self {
            Self::Role(key) => (&key.binding, key.request.session_name.as_str()),
            Self::FederatedUser(key) => (&key.binding, key.service_account.as_str()),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        /// Of an allocation, and of a place in a map.
        const EACH: usize = 48;
        let tags = self.tags().iter();
        let tags: usize = tags
            .map(|(key, value)| EACH + key.as_str().len() + value.as_str().len())
            .sum();
        let own = match self {
            Self::Role(key) => {
                let request = &key.request;
                let arns: usize = request
                    .policy_arns
                    .iter()
                    .map(|arn| EACH + arn.to_string().len())
                    .sum();
                arns + size_of::<RoleSessionKey>()
                    + request.role.to_string().len()
                    + request.session_name.as_str().len()
                    + request.external_id.as_str().len()
                    + key.role.title().to_string().len()
                    + key.role_uid.len()
                    + key.role_id.len()
                    + key.binding_uid.len()
            }
            Self::FederatedUser(key) => {
                size_of::<FederatedSessionKey>()
                    + key.request.user.to_string().len()
                    + key.service_account.as_str().len()
                    + key.binding_uid.len()
            }
        };
        tags + own + self.binding().to_string().len() + self.policy().map_or(0, str::len)
    }

    /// STS's name for the call that makes one.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Role(_) => "sts:AssumeRole",
            Self::FederatedUser(_) => "sts:GetFederationToken",
        }
    }

    /// How long the session is to live, in seconds.
    pub(super) fn seconds(&self) -> u32 {
        match self {
            Self::Role(key) => key.request.duration.as_seconds(),
            Self::FederatedUser(key) => key.request.duration.as_seconds(),
        }
    }

    /// Makes one.
    pub(super) async fn call(&self, sts: &dyn Sts) -> Result<Session, AwsError> {
        match self {
            Self::Role(key) => sts.assume_role(&key.request).await,
            Self::FederatedUser(key) => sts.federation_token(&key.request).await,
        }
    }
}

/// Every parameter of the call and the objects behind it, so that a binding made again is another grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederatedSessionKey {
    /// Every parameter of the call.
    pub request: FederationRequest,
    /// Whose pods share it.
    pub service_account: ServiceAccountName,
    pub binding: ObjectId,
    /// The uid of the binding.
    pub binding_uid: String,
}

/// Every parameter of the call, and the object the role belongs to, so that a role deleted and made again under the same name gets
/// sessions of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSessionKey {
    /// Every parameter of the call.
    pub request: SessionRequest,
    /// The AWSRole.
    pub role: RoleId,
    pub binding: ObjectId,
    /// The uid of the AWSRole.
    pub role_uid: String,
    /// The unique id of the role in AWS, as its status says.
    pub role_id: String,
    /// The uid of the binding. A binding made again is another grant.
    pub binding_uid: String,
    /// The person whose it is; none of pods.
    pub person: Option<UserName>,
    /// In Unix seconds: sessions of the role that were issued before are denied everything, so they are nobody's any more.
    pub cut_before: Option<i64>,
}
