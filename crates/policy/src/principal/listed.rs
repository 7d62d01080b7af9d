//! One principal of a list, read once.

use super::account::{AwsAccount, ORIGIN_ACCESS_IDENTITY, is_account_id, last};

/// A principal as a policy lists it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Listed {
    /// `*` under `AWS`: everybody.
    Everybody,
    /// `*` under `Federated`: whoever some provider knows.
    EveryProvider,
    /// An account by its number, in the partition that the policy is in.
    AccountId(String),
    /// An account by the ARN of its root, which means the whole account (IAM User Guide, "AWS account principals").
    Root(AwsAccount),
    /// A user; the name has its path.
    User(AwsAccount, String),
    /// A role: account, path (`a/b/` or nothing), name.
    Role(AwsAccount, String, String),
    /// A session of a role: account, role, session.
    Session(AwsAccount, String, String),
    /// A session made with `sts:GetFederationToken`.
    FederatedUser(AwsAccount, String),
    /// A user or role by its unique id.
    UniqueId(String),
    /// An origin access identity by its id.
    OriginAccessIdentity(String),
    /// An account, or an origin access identity, by its canonical user id.
    CanonicalUser(String),
    /// A service by its name.
    Service(String),
    /// A provider by its ARN or host name.
    Federated(String),
}

/// What a unique id can belong to, by its first letters (IAM User Guide, "Understanding unique ID prefixes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    /// `AIDA`.
    User,
    /// `AROA`.
    Role,
    /// A prefix that the guide gives another meaning or none: taken for either.
    Either,
}

impl IdKind {
    pub(crate) fn of(id: &str) -> Self {
        match id.get(..4) {
            Some("AIDA") => Self::User,
            Some("AROA") => Self::Role,
            _ => Self::Either,
        }
    }

    pub(crate) fn may_be_user(self) -> bool {
        self != Self::Role
    }

    pub(crate) fn may_be_role(self) -> bool {
        self != Self::User
    }
}

impl Listed {
    /// Reads what stands under `AWS`.
    pub(crate) fn aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everybody);
        }
        if is_account_id(text) {
            return Some(Self::AccountId(text.to_owned()));
        }
        if is_unique_id(text) {
            return Some(Self::UniqueId(text.to_owned()));
        }
        if let Some(id) = text.strip_prefix(ORIGIN_ACCESS_IDENTITY) {
            return (!id.is_empty()).then(|| Self::OriginAccessIdentity(id.to_owned()));
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let [
            Some("arn"),
            Some(partition),
            Some(service),
            Some(""),
            Some(id),
            Some(rest),
        ] = [next(), next(), next(), next(), next(), next()]
        else {
            return None;
        };
        if partition.is_empty() || !is_account_id(id) {
            return None;
        }
        let account = AwsAccount {
            partition: partition.to_owned(),
            id: id.to_owned(),
        };
        if (service, rest) == ("iam", "root") {
            return Some(Self::Root(account));
        }
        let (kind, name) = rest.split_once('/').filter(|(_, name)| !name.is_empty())?;
        Some(match (service, kind) {
            ("iam", "user") => Self::User(account, name.to_owned()),
            ("iam", "role") => {
                let role = last(name);
                let path = name.strip_suffix(role).filter(|_| !role.is_empty())?;
                Self::Role(account, path.to_owned(), role.to_owned())
            }
            ("sts", "assumed-role") => {
                let (role, session) = name.split_once('/')?;
                if role.is_empty() || session.is_empty() {
                    return None;
                }
                Self::Session(account, role.to_owned(), session.to_owned())
            }
            ("sts", "federated-user") => Self::FederatedUser(account, name.to_owned()),
            _ => return None,
        })
    }

    /// Whether it is an id that does not show whose it is.
    pub(crate) fn is_id(&self) -> bool {
        matches!(self, Self::UniqueId(_) | Self::CanonicalUser(_))
    }

    /// The partition that its ARN names.
    pub(crate) fn partition(&self) -> Option<&str> {
        match self {
            Self::Root(account)
            | Self::User(account, _)
            | Self::Role(account, ..)
            | Self::Session(account, ..)
            | Self::FederatedUser(account, _) => Some(&account.partition),
            // As its name says.
            Self::OriginAccessIdentity(_) => Some("aws"),
            _ => None,
        }
    }

    /// The number of the account that it is about.
    pub(crate) fn account_id(&self) -> Option<&str> {
        match self {
            Self::AccountId(id) => Some(id),
            Self::Root(account)
            | Self::User(account, _)
            | Self::Role(account, ..)
            | Self::Session(account, ..)
            | Self::FederatedUser(account, _) => Some(&account.id),
            _ => None,
        }
    }
}

/// Whether the text has the form of a unique id such as `AIDA…` or `AROA…`, by which a policy may name a user or role, and
/// which AWS shows in place of one that was deleted (IAM User Guide, "IAM identifiers").
pub(crate) fn is_unique_id(text: &str) -> bool {
    text.len() >= 16
        && text.starts_with('A')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
