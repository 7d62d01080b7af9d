//! Who may become a role: subjects of one kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use crate::{
    names::{
        Audience, ClaimName, ClaimValue, ExternalId, OidcProviderArn, PersonName, PrincipalArn, PrincipalId,
        PrincipalKind, SamlProviderArn, ServiceAccountName, TenantError,
    },
    quota,
};

/// Subjects of a binding: of one kind, 1 to [`quota::SUBJECTS_OF_BINDING`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// ServiceAccounts of the binding's namespace.
    ServiceAccounts(BTreeSet<ServiceAccountName>),
    /// Accounts, users and roles of AWS.
    AwsPrincipals(SubjectList<AwsPrincipal>),
    /// Whom a SAML provider of the account vouches for.
    SamlPrincipals(SubjectList<SamlPrincipal>),
    /// Whom an OpenID Connect provider of the account vouches for.
    OidcPrincipals(SubjectList<OidcPrincipal>),
    /// People, as the API server knows them.
    People(SubjectList<PersonSubject>),
}

/// 1 to [`quota::SUBJECTS_OF_BINDING`] subjects in the order in which they are written, none of them twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectList<T>(Vec<T>);

/// Why subjects can't be those of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectsError {
    /// Too many, or none.
    #[error("{0} subjects; it must be 1 to {max}", max = quota::SUBJECTS_OF_BINDING)]
    Count(usize),
    /// One is there twice.
    #[error("the subject at place {0} is there twice")]
    Repeated(usize),
}

impl<T: PartialEq> SubjectList<T> {
    /// These.
    ///
    /// # Errors
    /// When there are too many or none, or one is there twice.
    pub fn new(subjects: impl IntoIterator<Item = T>) -> Result<Self, SubjectsError> {
        let subjects: Vec<T> = subjects.into_iter().collect();
        if !(1..=quota::SUBJECTS_OF_BINDING).contains(&subjects.len()) {
            return Err(SubjectsError::Count(subjects.len()));
        }
        for (index, subject) in subjects.iter().enumerate() {
            if subjects.iter().take(index).any(|other| other == subject) {
                return Err(SubjectsError::Repeated(index));
            }
        }
        Ok(Self(subjects))
    }
}

impl<T> Deref for SubjectList<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

static NO_SERVICE_ACCOUNTS: BTreeSet<ServiceAccountName> = BTreeSet::new();

impl Subjects {
    /// ServiceAccounts.
    ///
    /// # Errors
    /// When there are too many or none.
    pub fn of_service_accounts(
        names: impl IntoIterator<Item = ServiceAccountName>,
    ) -> Result<Self, SubjectsError> {
        let names: BTreeSet<_> = names.into_iter().collect();
        if (1..=quota::SUBJECTS_OF_BINDING).contains(&names.len()) {
            Ok(Self::ServiceAccounts(names))
        } else {
            Err(SubjectsError::Count(names.len()))
        }
    }

    /// The ServiceAccounts; none when the subjects are of another kind.
    #[must_use]
    pub fn service_accounts(&self) -> &BTreeSet<ServiceAccountName> {
        match self {
            Self::ServiceAccounts(names) => names,
            _ => &NO_SERVICE_ACCOUNTS,
        }
    }

    /// Whether they come to AWS by themselves: Deputy gives them no session, and the trust policy is all that is between them and the
    /// role.
    #[must_use]
    pub fn are_outside(&self) -> bool {
        match self {
            Self::ServiceAccounts(_) | Self::People(_) => false,
            Self::AwsPrincipals(_) | Self::SamlPrincipals(_) | Self::OidcPrincipals(_) => true,
        }
    }
}

/// An account of which whoever its own policies let may become the role, or a user or role that may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsPrincipal {
    arn: PrincipalArn,
    external_id: Option<ExternalId>,
    requires_mfa: bool,
    replaces: Option<PrincipalId>,
}

/// What no principal can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsPrincipalError {
    /// A second factor of a role.
    #[error(
        "requireMFA of the role {0}: its sessions never carry a second factor, so nobody could come. It is for users and accounts"
    )]
    MfaOfRole(PrincipalArn),
    /// An id of an account, or one of a role beside a user or the other way round.
    #[error(
        "{id} is not the id of {arn}: replaces is AROA… beside a role, AIDA… beside a user, and nothing beside an account"
    )]
    OtherKind {
        /// Who it stands beside.
        arn: Box<PrincipalArn>,
        /// The id.
        id: PrincipalId,
    },
}

impl AwsPrincipal {
    /// `arn`, with the external id that has to be shown, whether who comes has to have signed in with a second factor, and the unique id
    /// of the one of this ARN that is known to be gone.
    ///
    /// # Errors
    /// When nobody could be that.
    pub fn new(
        arn: PrincipalArn,
        external_id: Option<ExternalId>,
        requires_mfa: bool,
        replaces: Option<PrincipalId>,
    ) -> Result<Self, AwsPrincipalError> {
        if requires_mfa && arn.kind() == PrincipalKind::Role {
            return Err(AwsPrincipalError::MfaOfRole(arn));
        }
        if let Some(id) = &replaces
            && id.kind() != arn.kind()
        {
            let (arn, id) = (Box::new(arn), id.clone());
            return Err(AwsPrincipalError::OtherKind { arn, id });
        }
        Ok(Self {
            arn,
            external_id,
            requires_mfa,
            replaces,
        })
    }

    /// Who it is.
    #[must_use]
    pub fn arn(&self) -> &PrincipalArn {
        &self.arn
    }
    /// `sts:ExternalId` that it has to show.
    #[must_use]
    pub fn external_id(&self) -> Option<&ExternalId> {
        self.external_id.as_ref()
    }
    /// Whether it has to have signed in with a second factor.
    #[must_use]
    pub fn requires_mfa(&self) -> bool {
        self.requires_mfa
    }
    /// The id of the user or role of this ARN that is known to be gone: whoever has the ARN now is meant.
    #[must_use]
    pub fn replaces(&self) -> Option<&PrincipalId> {
        self.replaces.as_ref()
    }
}

/// What claims must be: one of the values each.
pub type TokenClaims = BTreeMap<ClaimName, BTreeSet<ClaimValue>>;

/// Whom a SAML provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlPrincipal {
    /// The provider.
    pub provider: SamlProviderArn,
    /// `SAML:aud`.
    pub audience: Audience,
    /// What else the assertion must say, by the name of the key after `SAML:`.
    pub claims: TokenClaims,
}

/// Whom an OpenID Connect provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcPrincipal {
    provider: OidcProviderArn,
    audience: Audience,
    claims: TokenClaims,
}

impl OidcPrincipal {
    /// Whom `provider` vouches for to `audience` with these claims.
    ///
    /// # Errors
    /// When the issuer gives tokens to anybody, and the claims do not say whose are meant.
    pub fn new(
        provider: OidcProviderArn,
        audience: Audience,
        claims: TokenClaims,
    ) -> Result<Self, TenantError> {
        provider.names_tenant(claims.get(SUB))?;
        Ok(Self {
            provider,
            audience,
            claims,
        })
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &OidcProviderArn {
        &self.provider
    }
    /// `<issuer>:aud`.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.audience
    }
    /// What else the token must say.
    #[must_use]
    pub fn claims(&self) -> &TokenClaims {
        &self.claims
    }
    /// Whose tokens are meant, one by one; `None` where all of the issuer are.
    #[must_use]
    pub fn subjects(&self) -> Option<&BTreeSet<ClaimValue>> {
        self.claims.get(SUB)
    }
}

/// The claim that says whose a token is.
const SUB: &str = "sub";

/// Somebody as the API server knows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonSubject {
    /// By the user's name.
    User(PersonName),
    /// By a group that they are in.
    Group(PersonName),
}
