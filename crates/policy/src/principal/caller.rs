//! Who makes a request.

use std::fmt;

use super::{
    account::{AwsAccount, ORIGIN_ACCESS_IDENTITY, last},
    listed::Listed,
};
use crate::{context::Context, text::quote};

/// Bytes of a principal that are read at most; AWS's longest ARN of a role has less than 700.
const MAX_PRINCIPAL_BYTES: usize = 2048;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    /// Nobody that AWS knows.
    Anonymous,
    /// The root user of an account.
    Root(AwsAccount),
    /// An IAM user.
    User {
        /// Its account.
        account: AwsAccount,
        /// Path and name, such as `division/bob`; case matters.
        name: String,
    },
    /// A session of a role.
    RoleSession {
        /// The role's account.
        account: AwsAccount,
        /// The role's path without the first slash, such as `team/` or nothing, when it is known: a session's ARN does not
        /// have it.
        path: Option<String>,
        /// The role's name.
        role: String,
        /// The session's name, when it is known.
        session: Option<String>,
    },
    /// A session made with `sts:GetFederationToken`.
    FederatedUser {
        /// The account.
        account: AwsAccount,
        /// The name given to the session.
        name: String,
        /// Path and name of the IAM user that made the session, when it is known.
        of_user: Option<String>,
    },
    /// An IAM user or a session of a role of whom only the unique id (`AIDA…`, `AROA…`) is known, not the ARN or account
    /// (IAM User Guide, "IAM identifiers").
    UniqueId(String),
    /// An origin access identity of Amazon `CloudFront`, by its id.
    OriginAccessIdentity(String),
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(String),
    /// Somebody known to an identity provider: the provider's ARN, or its host name.
    Federated(String),
    /// The root user of an account of which only the canonical user id is known (S3 User Guide: another form of the
    /// account id).
    CanonicalUser(String),
}

/// Hosts of `amazonaws.com` that are identity providers, not services.
const PROVIDERS: &[&str] = &["cognito-identity.amazonaws.com", "www.amazon.com"];

impl Caller {
    /// Reads `*` (anonymous), an account id or root ARN (the root user), the ARN of a user, role (a session of it), role
    /// session, federated user or identity provider, a unique id, an origin access identity, the name of a service or
    /// provider, or a canonical user id.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PRINCIPAL_BYTES {
            return Err(format!(
                "a principal of {} bytes; at most {MAX_PRINCIPAL_BYTES} are read",
                text.len()
            ));
        }
        if let Some(listed) = Listed::aws(text) {
            return Ok(listed.into());
        }
        let provider = |text: &str| {
            let name = text.splitn(6, ':').nth(5).unwrap_or_default();
            text.starts_with("arn:")
                && ["saml-provider/", "oidc-provider/"]
                    .iter()
                    .any(|kind| name.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
        };
        if provider(text) {
            return Ok(Self::Federated(text.to_owned()));
        }
        Self::parse_name(text).ok_or_else(|| unknown(text))
    }

    fn parse_name(text: &str) -> Option<Self> {
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_' | ':');
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Some(Self::CanonicalUser(text.to_owned()));
        }
        if !text.contains('.') || !text.chars().all(host) || text.starts_with("arn:") {
            return None;
        }
        let of_amazon = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"]
            .iter()
            .any(|suffix| text.ends_with(suffix));
        Some(if of_amazon && !PROVIDERS.contains(&text) {
            Self::Service(text.to_owned())
        } else {
            Self::Federated(text.to_owned())
        })
    }

    /// The account, for callers that belong to one.
    pub fn account(&self) -> Option<&AwsAccount> {
        match self {
            Self::Root(account)
            | Self::User { account, .. }
            | Self::RoleSession { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous
            | Self::UniqueId(_)
            | Self::OriginAccessIdentity(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::CanonicalUser(_) => None,
        }
    }

    /// Whether the caller belongs to an account that is not known.
    pub fn is_of_unknown_account(&self) -> bool {
        matches!(self, Self::UniqueId(_) | Self::CanonicalUser(_))
    }

    /// The context keys that follow from the caller alone (IAM User Guide, "AWS global condition context keys", "Principal
    /// key values"). `aws:PrincipalArn` of a role session is the ARN of the role, here with the role's path when it is known;
    /// only users have `aws:username`; `aws:userid` needs unique ids except for the root user and
    /// federated users. Evaluation takes the context as it is and does not add these.
    pub fn context(&self) -> Context {
        let mut context = Context::new();
        let is_service = matches!(self, Self::Service(_)).to_string();
        context.set("aws:PrincipalIsAWSService", [is_service]);
        let (kind, arn) = match self {
            Self::Root(_) => ("Account", self.to_string()),
            Self::User { .. } => ("User", self.to_string()),
            Self::FederatedUser { .. } => ("FederatedUser", self.to_string()),
            Self::RoleSession {
                account, path, role, ..
            } => (
                "AssumedRole",
                format!(
                    "arn:{}:iam::{}:role/{}{role}",
                    account.partition,
                    account.id,
                    path.as_deref().unwrap_or_default()
                ),
            ),
            Self::Anonymous => return context.with("aws:PrincipalType", "Anonymous"),
            Self::UniqueId(_)
            | Self::OriginAccessIdentity(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::CanonicalUser(_) => return context,
        };
        context.set("aws:PrincipalType", [kind]);
        context.set("aws:PrincipalArn", [arn]);
        if let Some(account) = self.account() {
            context.set("aws:PrincipalAccount", [account.id.as_str()]);
        }
        match self {
            Self::Root(account) => context.with("aws:userid", account.id.as_str()),
            Self::User { name, .. } => context.with("aws:username", last(name)),
            Self::FederatedUser { account, name, .. } => {
                context.with("aws:userid", format!("{}:{name}", account.id))
            }
            _ => context,
        }
    }

    /// Whether a permissions boundary can apply: users, their sessions, and sessions of roles.
    pub fn can_have_boundary(&self) -> bool {
        matches!(
            self,
            Self::User { .. } | Self::RoleSession { .. } | Self::FederatedUser { .. } | Self::UniqueId(_)
        )
    }
}

fn unknown(text: &str) -> String {
    format!(
        "{} is no principal: write an account id, the ARN of an account root, user, role, role session, federated user or \
         identity provider, a unique id such as AIDA…, a service such as ec2.amazonaws.com, or *",
        quote(text)
    )
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("*"),
            Self::Root(a) => write!(f, "arn:{}:iam::{}:root", a.partition, a.id),
            Self::User { account: a, name } => write!(f, "arn:{}:iam::{}:user/{name}", a.partition, a.id),
            Self::RoleSession {
                account: a,
                role,
                session: Some(session),
                ..
            } => write!(
                f,
                "arn:{}:sts::{}:assumed-role/{role}/{session}",
                a.partition, a.id
            ),
            Self::RoleSession {
                account: a,
                path,
                role,
                session: None,
            } => write!(
                f,
                "arn:{}:iam::{}:role/{}{role}",
                a.partition,
                a.id,
                path.as_deref().unwrap_or_default()
            ),
            Self::FederatedUser { account: a, name, .. } => {
                write!(f, "arn:{}:sts::{}:federated-user/{name}", a.partition, a.id)
            }
            Self::OriginAccessIdentity(id) => write!(f, "{ORIGIN_ACCESS_IDENTITY}{id}"),
            Self::UniqueId(name)
            | Self::Service(name)
            | Self::Federated(name)
            | Self::CanonicalUser(name) => f.write_str(name),
        }
    }
}

impl From<Listed> for Caller {
    /// Who asks when this is given as the principal of a request: of an account its root user, of a role one of its
    /// sessions.
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Everybody => Self::Anonymous,
            Listed::AccountId(id) => Self::Root(AwsAccount {
                partition: "aws".to_owned(),
                id,
            }),
            Listed::Root(account) => Self::Root(account),
            Listed::User(account, name) => Self::User { account, name },
            Listed::Role(account, path, role) => Self::RoleSession {
                account,
                path: Some(path),
                role,
                session: None,
            },
            Listed::Session(account, role, session) => Self::RoleSession {
                account,
                path: None,
                role,
                session: Some(session),
            },
            Listed::FederatedUser(account, name) => Self::FederatedUser {
                account,
                name,
                of_user: None,
            },
            Listed::UniqueId(id) => Self::UniqueId(id),
            Listed::OriginAccessIdentity(id) => Self::OriginAccessIdentity(id),
            Listed::CanonicalUser(id) => Self::CanonicalUser(id),
            Listed::Service(name) => Self::Service(name),
            Listed::Federated(name) => Self::Federated(name),
            Listed::EveryProvider => Self::Federated("*".to_owned()),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountId(id) => f.write_str(id),
            Self::EveryProvider => f.write_str("*"),
            other => Caller::from(other.clone()).fmt(f),
        }
    }
}
