//! What a limit says of subjects that are no ServiceAccounts: by default there are none.

use std::collections::BTreeSet;

use crate::names::{Audience, IamArnPattern, PersonName, SessionDuration, TenantError, TextPattern};

/// The subjects beside ServiceAccounts that a limit allows. One that no rule covers is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectRules {
    /// Accounts of AWS.
    pub principals: Vec<PrincipalRule>,
    /// SAML providers.
    pub saml: Vec<SamlRule>,
    /// OpenID Connect providers.
    pub oidc: Vec<OidcRule>,
    /// People.
    pub people: PeopleRule,
}

/// AWS principals, and what their subjects must ask of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRule {
    /// One of these covers the principal's ARN; an account is `arn:<partition>:iam::<account>:root`.
    pub matches: BTreeSet<IamArnPattern>,
    /// The subject must name an external id.
    pub require_external_id: bool,
    /// The subject must ask for a second factor.
    pub require_mfa: bool,
}

/// A SAML provider, and for whom its assertions may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlRule {
    /// One of these covers the provider's ARN.
    pub matches: BTreeSet<IamArnPattern>,
    /// The audience is one of these.
    pub audiences: BTreeSet<Audience>,
}

/// An OpenID Connect provider, for whom its tokens may be made, and whose they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcRule {
    matches: BTreeSet<IamArnPattern>,
    audiences: BTreeSet<Audience>,
    subjects: BTreeSet<TextPattern>,
}

impl OidcRule {
    /// Providers whose ARN one of `matches` covers, tokens made for one of `audiences`, and of each value of the claim `sub` one of
    /// `subjects` that covers it. Without that claim one of them must cover everything.
    ///
    /// # Errors
    /// When one of `subjects` covers the tokens of everybody who has an account at such a provider.
    pub fn new(
        matches: BTreeSet<IamArnPattern>,
        audiences: BTreeSet<Audience>,
        subjects: BTreeSet<TextPattern>,
    ) -> Result<Self, TenantError> {
        subjects
            .iter()
            .try_for_each(|pattern| pattern.names_tenant(&matches))?;
        Ok(Self {
            matches,
            audiences,
            subjects,
        })
    }
    /// One of these covers the provider's ARN.
    #[must_use]
    pub fn matches(&self) -> &BTreeSet<IamArnPattern> {
        &self.matches
    }
    /// The audience is one of these.
    #[must_use]
    pub fn audiences(&self) -> &BTreeSet<Audience> {
        &self.audiences
    }
    /// One of these covers each value of the claim `sub`.
    #[must_use]
    pub fn subjects(&self) -> &BTreeSet<TextPattern> {
        &self.subjects
    }
}

/// People by their names in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleRule {
    /// One of these covers the user's name.
    pub users: BTreeSet<TextPattern>,
    /// One of these covers the group's name.
    pub groups: BTreeSet<TextPattern>,
    /// The longest session; where there is none, that of all sessions under the limit.
    pub max_duration: Option<SessionDuration>,
    /// Groups of whoever came with a second factor: who asks for a session must be in one of these. None: nobody is asked.
    pub mfa_groups: BTreeSet<PersonName>,
}
