//! Who may be the broker of an account.

use std::collections::BTreeSet;

use super::{Account, Binding, SessionMethod, Subjects};
use crate::names::{IamEntity, IssuerArn};

impl Account {
    /// Who may be the broker: the issuer, and those before it.
    #[must_use]
    pub fn issuers(&self) -> BTreeSet<&IssuerArn> {
        self.previous_issuers.iter().chain([&self.issuer]).collect()
    }

    /// An issuer that is a role, if there is one: a session that is made by a session of it lasts one hour at most.
    #[must_use]
    pub fn chaining_issuer(&self) -> Option<&IssuerArn> {
        let roles = self.previous_issuers.iter().chain([&self.issuer]);
        roles.rev().find(|issuer| issuer.entity() == IamEntity::Role)
    }
}

/// Which of an account's issuers the broker is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunningBroker {
    /// The one that the account names as its issuer.
    Issuer,
    /// One of those before it.
    PreviousIssuer,
    /// None of them: nobody gets sessions of it.
    Stranger,
    /// It is not known, and may be any.
    Unknown,
}

impl RunningBroker {
    /// Whether such a broker of `before` is no issuer of `after`, as far as is known.
    #[must_use]
    pub fn is_shut_out(self, before: &Account, after: &Account) -> bool {
        let is_left_out = |issuer: &IssuerArn| !after.issuers().contains(issuer);
        let previous = || before.previous_issuers.iter().any(is_left_out);
        match self {
            Self::Issuer => is_left_out(&before.issuer),
            Self::PreviousIssuer => previous(),
            Self::Stranger => false,
            Self::Unknown => is_left_out(&before.issuer) || previous(),
        }
    }
}

/// Whether pods that have sessions by a binding get their next one when `after` takes the place of `before`, accepted as the binding may be:
/// a pod asks as it did when it was made.
#[must_use]
pub fn still_reached(binding: &Binding, before: &Account, after: &Account, broker: RunningBroker) -> bool {
    let by_broker = || !broker.is_shut_out(before, after);
    match &binding.subjects {
        Subjects::ServiceAccounts(_) => match (binding.method_in(before), binding.method_in(after)) {
            (SessionMethod::AssumeRole, SessionMethod::AssumeRole) => by_broker(),
            (SessionMethod::AssumeRoleWithWebIdentity, SessionMethod::AssumeRoleWithWebIdentity) => {
                before.oidc == after.oidc
            }
            (SessionMethod::AssumeRole, SessionMethod::AssumeRoleWithWebIdentity)
            | (SessionMethod::AssumeRoleWithWebIdentity, SessionMethod::AssumeRole) => false,
        },
        Subjects::People(_) => by_broker(),
        Subjects::AwsPrincipals(_) | Subjects::SamlPrincipals(_) | Subjects::OidcPrincipals(_) => true,
    }
}
