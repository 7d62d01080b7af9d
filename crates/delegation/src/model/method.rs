//! By which call of STS pods get sessions.

use super::{Account, Binding, Subjects};
use crate::names::{Audience, OidcProviderArn, SessionDuration};

/// Who calls STS for the pods of a ServiceAccount, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionMethod {
    /// The broker calls AssumeRole: with session policy and tags, and a line in the audit log.
    AssumeRole,
    /// The SDK in the pod calls AssumeRoleWithWebIdentity with a token of its ServiceAccount. Nobody is in between.
    AssumeRoleWithWebIdentity,
}

impl SessionMethod {
    /// The call's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
        }
    }
}

/// The OIDC provider by which an AWS account knows the tokens of this cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OidcProvider {
    /// Its ARN, which has the issuer of the tokens in it.
    pub arn: OidcProviderArn,
    /// The audience of the tokens: one of its client ids.
    pub audience: Audience,
}

impl Binding {
    /// The method of its sessions in `account`: of ServiceAccounts its own, else the account's default. People have theirs from the broker.
    #[must_use]
    pub fn method_in(&self, account: &Account) -> SessionMethod {
        match self.subjects {
            Subjects::People(_) => SessionMethod::AssumeRole,
            _ => self.method.unwrap_or(account.default_method),
        }
    }

    /// The life of its sessions in `account`: its own, else the account's default. This is what [`crate::decide()`] judges.
    #[must_use]
    pub fn duration_in(&self, account: &Account) -> SessionDuration {
        self.session.duration.unwrap_or(account.default_session_duration)
    }
}
