//! What is asked about: the way, who calls, what is passed, and everybody's policies.

use super::way::SessionWay;
use crate::{
    context::Context, document::Document, evaluate::SituationError, principal::caller::Caller, text::quote,
};

/// The policies of a user or role, and of its account.
#[derive(Debug, Clone, Default)]
pub struct OwnPolicies<'a> {
    /// Identity policies: their union.
    pub identity: Vec<&'a Document>,
    /// Permissions boundaries; each must allow. AWS knows one at most.
    pub boundaries: Vec<&'a Document>,
    /// Service control policies of the account, by level from the organisation's root.
    pub service_control: Vec<Vec<&'a Document>>,
}

/// Who calls STS.
#[derive(Debug, Clone)]
pub struct SessionCaller<'a> {
    /// The user, role session or service; of a provider's token or assertion the provider. Of a role session with the
    /// role's path, which the ARN of a session does not show.
    pub principal: Caller,
    /// The unique id of the user or role (`AIDA…`, `AROA…`), which is what a trust policy stores.
    pub unique_id: Option<String>,
    /// Whether the user's credentials come from `sts:GetSessionToken`.
    pub temporary: bool,
    /// The caller's policies. They say whether it may call, and of the ways of roles nothing else.
    pub policies: OwnPolicies<'a>,
    /// The session policies of a caller that is itself a session.
    pub session: Vec<&'a Document>,
}

/// The role that is assumed.
#[derive(Debug, Clone)]
pub struct SessionRole<'a> {
    /// The role, as a session without name: [`Caller::parse`] makes it of the role's ARN.
    pub principal: Caller,
    /// `AROA…`, by which resource policies may know it.
    pub unique_id: Option<String>,
    /// The trust policy, of kind [`PolicyKind::Trust`](crate::PolicyKind::Trust).
    pub trust: Option<&'a Document>,
    /// The role's policies.
    pub policies: OwnPolicies<'a>,
    /// Resource control policies of the role's account, by level: they bind who assumes it.
    pub resource_control: Vec<Vec<&'a Document>>,
    /// `MaxSessionDuration` in seconds; AWS's default is an hour.
    pub max_duration: Option<u32>,
}

/// One call of STS, with everybody's policies.
///
/// What is not given is not there, as in a [`Situation`](crate::Situation). AWS's rules:
///
/// * A role session has the role's permissions, cut by the role's boundary and the session policies. The caller's own
///   policies play no part in it, and a session policy never adds.
/// * A federated user has what the user who called and the session policies both allow, cut by the user's boundary.
///   Without session policy it has nothing.
/// * Credentials of `GetSessionToken` have the user's permissions, but no IAM without MFA, and of STS `AssumeRole` and
///   `GetCallerIdentity` only.
/// * What a resource policy grants to the session itself (the ARN of the role session or federated user, or everybody) it
///   has in any case; a Deny for everybody beats every role.
/// * MFA is a user's: sessions of roles and federated users have no `aws:MultiFactorAuthPresent`.
#[derive(Debug, Clone)]
pub struct SessionQuestion<'a> {
    /// The call.
    pub way: SessionWay,
    /// Who calls.
    pub caller: SessionCaller<'a>,
    /// The role, of the ways of roles.
    pub role: Option<SessionRole<'a>>,
    /// The name of the role session or federated user.
    pub name: Option<String>,
    /// What is passed as `Policy`, and the documents of `PolicyArns`: their union. To pass none is to have none.
    pub session_policies: Vec<&'a Document>,
    /// `DurationSeconds`.
    pub duration: Option<u32>,
    /// Whether the call carries an MFA code or, where the caller's credentials come from `GetSessionToken`, these do.
    pub mfa: bool,
    /// The context of the call: what is passed (`sts:ExternalId`, `sts:SourceIdentity`, `aws:RequestTag/…`), what the token or
    /// assertion says (`…:sub`, `SAML:…`), and what is true of the caller (`aws:PrincipalTag/…`, `aws:SourceIp`). What follows
    /// from the rest of the question is added: who calls, the session's name, MFA, `aws:TagKeys`.
    pub context: Context,
    /// The management account of the organisation, 12 digits.
    pub management_account: Option<String>,
}

/// Why a question about a session has no answer; never an allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionQuestionError {
    /// Somebody who does not call this way.
    #[error("{found} does not call {way}: {needed} does")]
    Caller {
        /// The call.
        way: SessionWay,
        /// Who was given.
        found: String,
        /// Who calls it.
        needed: &'static str,
    },
    /// The caller's role may have a path.
    #[error(
        "the ARN of {0} does not show the path of its role, on which policies may depend: the role's ARN is needed, too"
    )]
    UnknownPath(String),
    /// A part of the question is missing.
    #[error("{way} needs {what}")]
    Missing {
        /// The call.
        way: SessionWay,
        /// What is missing.
        what: &'static str,
    },
    /// A part of the question that belongs to another one.
    #[error("{way} is not about {what}")]
    Misplaced {
        /// The call.
        way: SessionWay,
        /// What was given.
        what: &'static str,
    },
    /// A context key whose value follows from the rest of the question was given with another one.
    #[error("the context has {key}={found}, but {who} has {}", of_key(.known))]
    Context {
        /// The key.
        key: String,
        /// What was given.
        found: String,
        /// Of whom it is known.
        who: &'static str,
        /// What it must be; `None`: the key is never there.
        known: Option<String>,
    },
    /// The call makes no session, whatever the policies say.
    #[error("there is no session: {0}")]
    NoSession(String),
    /// The policies and the request do not fit together.
    #[error(transparent)]
    Situation(#[from] SituationError),
}

fn of_key(known: &Option<String>) -> String {
    known
        .as_ref()
        .map_or_else(|| "no such key".to_owned(), |value| quote(value))
}

impl<'a> SessionQuestion<'a> {
    /// Refuses what does not fit together.
    pub(super) fn check(&self) -> Result<(), SessionQuestionError> {
        let way = self.way;
        if let Some(needed) = self.unfit() {
            let found = self.caller.principal.to_string();
            return Err(SessionQuestionError::Caller { way, found, needed });
        }
        let misplaced = |what| Err(SessionQuestionError::Misplaced { way, what });
        let missing = |what| Err(SessionQuestionError::Missing { way, what });
        match &self.caller.principal {
            session @ Caller::RoleSession { path: None, .. } => {
                return Err(SessionQuestionError::UnknownPath(session.to_string()));
            }
            Caller::RoleSession { .. } | Caller::FederatedUser { .. } => {}
            _ if !self.caller.session.is_empty() => {
                return misplaced("session policies of a caller that is no session");
            }
            _ => {}
        }
        if self.caller.temporary && !matches!(self.caller.principal, Caller::User { .. }) {
            return misplaced("credentials of GetSessionToken of a caller that is no user");
        }
        match (&self.role, way.is_of_role()) {
            (Some(_), false) => misplaced("a role"),
            (None, true) => missing("the role"),
            (Some(role), true) if !is_role(&role.principal) => missing("the ARN of a role"),
            _ if self.name.is_none() && way != SessionWay::SessionToken => missing("a name for the session"),
            _ => Ok(()),
        }
    }

    /// Who calls this way, when the caller is nobody of these.
    fn unfit(&self) -> Option<&'static str> {
        let (fits, needed) = match (self.way, &self.caller.principal) {
            (
                SessionWay::AssumeRole,
                Caller::User { .. }
                | Caller::RoleSession { .. }
                | Caller::FederatedUser { .. }
                | Caller::Root(_)
                | Caller::Service(_),
            ) => return None,
            (SessionWay::AssumeRole, _) => (false, "a user, a role session or a service"),
            (SessionWay::AssumeRoleWithSaml, Caller::Federated(name)) => {
                (name.contains(":saml-provider/"), "a SAML provider")
            }
            (SessionWay::AssumeRoleWithSaml, _) => (false, "a SAML provider"),
            (SessionWay::AssumeRoleWithWebIdentity, Caller::Federated(name)) => {
                (!name.contains(":saml-provider/"), "an OIDC provider")
            }
            (SessionWay::AssumeRoleWithWebIdentity, _) => (false, "an OIDC provider"),
            (
                SessionWay::FederationToken | SessionWay::SessionToken,
                Caller::User { .. } | Caller::RoleSession { .. } | Caller::FederatedUser { .. },
            ) => return None,
            // The root user may call both, and nobody should.
            (SessionWay::FederationToken | SessionWay::SessionToken, _) => (false, "an IAM user"),
        };
        (!fits).then_some(needed)
    }

    /// The role, of the ways of roles.
    pub(super) fn role(&self) -> Result<&SessionRole<'a>, SessionQuestionError> {
        self.role.as_ref().ok_or(SessionQuestionError::Missing {
            way: self.way,
            what: "the role",
        })
    }

    /// The session that the call makes.
    ///
    /// # Errors
    /// When a part of the question is missing, and when the caller can't have one this way whatever the policies say.
    pub fn session(&self) -> Result<Caller, SessionQuestionError> {
        self.check()?;
        if let Some(refusal) = self.refused().first() {
            return Err(SessionQuestionError::NoSession(refusal.to_string()));
        }
        let name = self.name.clone().unwrap_or_default();
        match (self.way, &self.caller.principal) {
            (SessionWay::FederationToken, Caller::User { account, name: user }) => {
                Ok(Caller::FederatedUser {
                    account: account.clone(),
                    name,
                    of_user: Some(user.clone()),
                })
            }
            (SessionWay::SessionToken, user @ Caller::User { .. }) => Ok(user.clone()),
            (SessionWay::FederationToken | SessionWay::SessionToken, other) => {
                let message = format!("{other} is no user, and only users get one by {}", self.way);
                Err(SessionQuestionError::NoSession(message))
            }
            _ => match self.role()?.principal.clone() {
                Caller::RoleSession {
                    account, path, role, ..
                } => Ok(Caller::RoleSession {
                    account,
                    path,
                    role,
                    session: Some(name),
                }),
                _ => Err(SessionQuestionError::Missing {
                    way: self.way,
                    what: "the ARN of a role",
                }),
            },
        }
    }
}

/// A role by its ARN, of which the path is known.
fn is_role(principal: &Caller) -> bool {
    matches!(
        principal,
        Caller::RoleSession {
            path: Some(_),
            session: None,
            ..
        }
    )
}
