//! The five calls of STS.

use std::fmt;

/// A call of STS that makes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionWay {
    /// By a user, a role session or a service, for a role.
    AssumeRole,
    /// With an assertion of a SAML provider, for a role.
    AssumeRoleWithSaml,
    /// With a token of an OIDC provider, for a role.
    AssumeRoleWithWebIdentity,
    /// By a user, for somebody who has no name in AWS.
    FederationToken,
    /// By a user, for the user itself.
    SessionToken,
}

impl SessionWay {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AssumeRole,
        Self::AssumeRoleWithSaml,
        Self::AssumeRoleWithWebIdentity,
        Self::FederationToken,
        Self::SessionToken,
    ];

    /// The call, as `sts:…`.
    pub fn action(self) -> &'static str {
        match self {
            Self::AssumeRole => "sts:AssumeRole",
            Self::AssumeRoleWithSaml => "sts:AssumeRoleWithSAML",
            Self::AssumeRoleWithWebIdentity => "sts:AssumeRoleWithWebIdentity",
            Self::FederationToken => "sts:GetFederationToken",
            Self::SessionToken => "sts:GetSessionToken",
        }
    }

    /// The call's name, as AWS's pages have it: `AssumeRole`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.action().trim_start_matches("sts:")
    }

    /// Whether the session is one of a role: it has the role's permissions, whoever called.
    pub fn is_of_role(self) -> bool {
        match self {
            Self::AssumeRole | Self::AssumeRoleWithSaml | Self::AssumeRoleWithWebIdentity => true,
            Self::FederationToken | Self::SessionToken => false,
        }
    }

    /// Whether a provider vouches for the caller, who has no credentials of AWS.
    pub(super) fn is_of_provider(self) -> bool {
        matches!(self, Self::AssumeRoleWithSaml | Self::AssumeRoleWithWebIdentity)
    }

    /// The session's duration in seconds when the call names none.
    pub(super) fn usual_duration(self) -> u32 {
        if self.is_of_role() { 3_600 } else { 43_200 }
    }
}

impl fmt::Display for SessionWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
