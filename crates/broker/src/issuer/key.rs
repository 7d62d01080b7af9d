//! What tells one session from another.

use deputy_aws::{AwsError, Session, Sts};
use deputy_delegation::{
    ServiceAccountName,
    federation::FederationRequest,
    model::{BindingRef, ObjectId, RoleId},
    people::UserName,
    session::SessionRequest,
};

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
