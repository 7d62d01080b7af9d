//! Callers, and whether a Principal element means them.

use std::fmt;

use crate::{
    document::{Principal, PrincipalElement, is_account_id},
    evaluate::Context,
};

/// An AWS account in its partition (`aws`, `aws-cn`, `aws-us-gov`, …).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The partition.
    pub partition: String,
    /// Twelve digits.
    pub id: String,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    /// Nobody that AWS knows.
    Anonymous,
    /// The root user of an account.
    Root(Account),
    /// An IAM user.
    User {
        /// Its account.
        account: Account,
        /// Path and name, such as `division/bob`; case matters.
        name: String,
    },
    /// A session of a role.
    RoleSession {
        /// The role's account.
        account: Account,
        /// The role's name; a session's ARN does not have the role's path.
        role: String,
        /// The session's name, when it is known.
        session: Option<String>,
    },
    /// A session made with `sts:GetFederationToken`.
    FederatedUser {
        /// The account.
        account: Account,
        /// The name given to the session.
        name: String,
        /// Path and name of the IAM user that made the session, when it is known.
        of_user: Option<String>,
    },
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(String),
    /// Somebody known to an identity provider: the provider's ARN, or its host name.
    Federated(String),
    /// A canonical user id of S3.
    CanonicalUser(String),
}

/// Hosts of `amazonaws.com` that are identity providers, not services.
const PROVIDERS: &[&str] = &["cognito-identity.amazonaws.com", "www.amazon.com"];

impl Caller {
    /// Reads `*` (anonymous), an account id or root ARN (the root user), the ARN of a user, role (a session of it), role
    /// session, federated user or identity provider, the name of a service or provider, or a canonical user id.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 2048 {
            return Err(format!(
                "a principal of {} bytes; at most 2048 are read",
                text.len()
            ));
        }
        if text == "*" {
            return Ok(Self::Anonymous);
        }
        if is_account_id(text) {
            let partition = "aws".to_owned();
            return Ok(Self::Root(Account {
                partition,
                id: text.to_owned(),
            }));
        }
        let Some(arn) = Arn::split(text) else {
            return Self::parse_name(text).ok_or_else(|| unknown(text));
        };
        let account = || Account {
            partition: arn.partition.to_owned(),
            id: arn.account.to_owned(),
        };
        let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
        let caller = match (arn.service, kind) {
            ("iam", "saml-provider" | "oidc-provider") if !name.is_empty() => {
                return Ok(Self::Federated(text.to_owned()));
            }
            ("iam", "root") if name.is_empty() => Self::Root(account()),
            ("iam", "user") if !name.is_empty() => Self::User {
                account: account(),
                name: name.to_owned(),
            },
            ("iam", "role") if !name.is_empty() => Self::RoleSession {
                account: account(),
                role: last(name).to_owned(),
                session: None,
            },
            ("sts", "assumed-role") => match name.split_once('/') {
                Some((role, session)) if !role.is_empty() && !session.is_empty() => Self::RoleSession {
                    account: account(),
                    role: role.to_owned(),
                    session: Some(session.to_owned()),
                },
                _ => return Err(unknown(text)),
            },
            ("sts", "federated-user") if !name.is_empty() => Self::FederatedUser {
                account: account(),
                name: name.to_owned(),
                of_user: None,
            },
            _ => return Err(unknown(text)),
        };
        if arn.partition.is_empty() || !is_account_id(arn.account) {
            return Err(unknown(text));
        }
        Ok(caller)
    }

    fn parse_name(text: &str) -> Option<Self> {
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_' | ':');
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
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
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Root(account)
            | Self::User { account, .. }
            | Self::RoleSession { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) | Self::CanonicalUser(_) => None,
        }
    }

    /// The context keys that follow from the caller alone (IAM User Guide, "AWS global condition context keys", "Principal
    /// key values"). `aws:PrincipalArn` of a role session is the ARN of the role, here without the role's path, which a
    /// session does not show; only users have `aws:username`; `aws:userid` needs unique ids except for the root user and
    /// federated users. Evaluation takes the context as it is and does not add these.
    pub fn context(&self) -> Context {
        let mut context = Context::new();
        let is_service = matches!(self, Self::Service(_)).to_string();
        context.set("aws:PrincipalIsAWSService", [is_service]);
        let (kind, arn) = match self {
            Self::Root(_) => ("Account", self.to_string()),
            Self::User { .. } => ("User", self.to_string()),
            Self::FederatedUser { .. } => ("FederatedUser", self.to_string()),
            Self::RoleSession { account, role, .. } => (
                "AssumedRole",
                format!("arn:{}:iam::{}:role/{role}", account.partition, account.id),
            ),
            Self::Anonymous => return context.with("aws:PrincipalType", "Anonymous"),
            Self::Service(_) | Self::Federated(_) | Self::CanonicalUser(_) => return context,
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
            Self::User { .. } | Self::RoleSession { .. } | Self::FederatedUser { .. }
        )
    }
}

fn unknown(text: &str) -> String {
    format!(
        "{} is no principal: write an account id, the ARN of an account root, user, role, role session, federated user or \
         identity provider, a service such as ec2.amazonaws.com, or *",
        crate::document::quote(text)
    )
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
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
            } => write!(
                f,
                "arn:{}:sts::{}:assumed-role/{role}/{session}",
                a.partition, a.id
            ),
            Self::RoleSession {
                account: a,
                role,
                session: None,
            } => write!(f, "arn:{}:iam::{}:role/{role}", a.partition, a.id),
            Self::FederatedUser { account: a, name, .. } => {
                write!(f, "arn:{}:sts::{}:federated-user/{name}", a.partition, a.id)
            }
            Self::Service(name) | Self::Federated(name) | Self::CanonicalUser(name) => f.write_str(name),
        }
    }
}

/// How a Principal element means a caller; the order is that of strength (IAM User Guide, "Policy evaluation logic").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// The caller's account: it may delegate to the caller by its own policies.
    Account,
    /// The role of the session, or the user that made the federated session.
    Behind,
    /// The caller itself, or everybody.
    Directly,
}

impl PrincipalElement {
    /// How many principals are listed.
    pub(crate) fn len(&self) -> usize {
        let (Self::Principal(principal) | Self::NotPrincipal(principal)) = self;
        match principal {
            Principal::Anyone => 1,
            Principal::Listed {
                aws,
                service,
                federated,
                canonical_user,
            } => aws.len() + service.len() + federated.len() + canonical_user.len(),
        }
    }

    /// Whether a statement with this element is about the caller. `bounded`: the caller has a permissions boundary, which
    /// `NotPrincipal` never spares.
    pub(crate) fn is_about(&self, caller: &Caller, bounded: bool) -> bool {
        match self {
            Self::Principal(principal) => principal.names(caller).is_some(),
            Self::NotPrincipal(principal) => {
                (bounded && caller.can_have_boundary()) || !principal.spares(caller)
            }
        }
    }

    /// The same, as far as it is sure: AWS does not say clearly whether `NotPrincipal` spares who is listed without its
    /// account or role, so whoever relies on a Deny may not rely on that.
    pub(crate) fn is_surely_about(&self, caller: &Caller, bounded: bool) -> bool {
        let Self::NotPrincipal(principal) = self else {
            return self.is_about(caller, bounded);
        };
        let named = principal.names(caller);
        let spared = match caller {
            Caller::User { .. } => named == Some(Named::Directly),
            // A role whose sessions are listed one by one does not stand for all of them.
            Caller::RoleSession { account, role, .. } => {
                let a_session = format!(
                    "arn:{}:sts::{}:assumed-role/{role}/",
                    account.partition, account.id
                );
                named == Some(Named::Directly)
                    || (named == Some(Named::Behind) && !principal.lists_a_prefix(&a_session))
            }
            Caller::FederatedUser { .. } => named > Some(Named::Account),
            _ => named.is_some(),
        };
        (bounded && caller.can_have_boundary()) || !spared
    }
}

impl Principal {
    /// Whether an AWS principal with this beginning is listed, whatever its case.
    fn lists_a_prefix(&self, prefix: &str) -> bool {
        let Self::Listed { aws, .. } = self else {
            return false;
        };
        aws.iter().any(|text| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
    }

    /// Whether a Deny with this `NotPrincipal` spares the caller. AWS may check the account first, then the role, then the
    /// session, so each must be listed; the account alone spares its root user alone (the guide's example with Bob denies
    /// everybody else in Bob's account).
    fn spares(&self, caller: &Caller) -> bool {
        let Self::Listed { aws, .. } = self else {
            return true;
        };
        let lists = |wanted| {
            aws.iter()
                .any(|text| text == "*" || names_aws(text, caller) == Some(wanted))
        };
        match caller {
            Caller::Anonymous | Caller::Service(_) | Caller::Federated(_) | Caller::CanonicalUser(_) => {
                self.names(caller).is_some()
            }
            Caller::Root(_) => lists(Named::Account),
            Caller::User { .. } | Caller::FederatedUser { .. } => {
                lists(Named::Account) && lists(Named::Directly)
            }
            Caller::RoleSession { .. } => {
                lists(Named::Account) && lists(Named::Behind) && lists(Named::Directly)
            }
        }
    }

    /// A principal listed that is the caller for one value of what is not known of the caller: the name of a session, the
    /// user behind a federated user.
    pub(crate) fn may_name(&self, caller: &Caller) -> Option<&str> {
        let Self::Listed { aws, .. } = self else {
            return None;
        };
        let may_be = |text: &&String| match (caller, Caller::parse(text)) {
            (
                Caller::FederatedUser {
                    account,
                    of_user: None,
                    ..
                },
                Ok(Caller::User { account: named, .. }),
            ) => *account == named,
            (
                Caller::RoleSession {
                    account,
                    role,
                    session: None,
                },
                Ok(Caller::RoleSession {
                    account: named,
                    role: of,
                    session: Some(_),
                }),
            ) => *account == named && role.eq_ignore_ascii_case(&of),
            _ => false,
        };
        aws.iter().find(may_be).map(String::as_str)
    }

    /// The strongest way in which the caller is named.
    pub(crate) fn names(&self, caller: &Caller) -> Option<Named> {
        match self {
            Self::Anyone => Some(Named::Directly),
            Self::Listed {
                aws,
                service,
                federated,
                canonical_user,
            } => {
                let listed = match caller {
                    Caller::Service(name) => service.contains(name),
                    // "*" means every provider here; the other types have no wildcards.
                    Caller::Federated(name) => federated.iter().any(|one| one == name || one == "*"),
                    Caller::CanonicalUser(name) => canonical_user.contains(name),
                    _ => false,
                };
                let of_aws = aws.iter().filter_map(|text| names_aws(text, caller)).max();
                if listed { Some(Named::Directly) } else { of_aws }
            }
        }
    }
}

/// Unique ids (`AROA…`) stand for deleted principals and name nobody.
fn names_aws(text: &str, caller: &Caller) -> Option<Named> {
    if text == "*" {
        return Some(Named::Directly);
    }
    let account = caller.account()?;
    if is_account_id(text) {
        return (account.id == text).then_some(Named::Account);
    }
    let arn = Arn::split(text)?;
    if (arn.partition, arn.account) != (account.partition.as_str(), account.id.as_str()) {
        return None;
    }
    let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    match (arn.service, kind, caller) {
        ("iam", "root", _) => Some(Named::Account),
        ("iam", "user", Caller::User { name: caller, .. }) => (caller == name).then_some(Named::Directly),
        (
            "iam",
            "user",
            Caller::FederatedUser {
                of_user: Some(user), ..
            },
        ) => (user == name).then_some(Named::Behind),
        ("iam", "role", Caller::RoleSession { role, .. }) => {
            // IAM lets no two roles of an account differ in case only.
            role.eq_ignore_ascii_case(last(name)).then_some(Named::Behind)
        }
        (
            "sts",
            "assumed-role",
            Caller::RoleSession {
                role,
                session: Some(session),
                ..
            },
        ) => (name.split_once('/') == Some((role.as_str(), session.as_str()))).then_some(Named::Directly),
        ("sts", "federated-user", Caller::FederatedUser { name: caller, .. }) => {
            (caller == name).then_some(Named::Directly)
        }
        _ => None,
    }
}

struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        match [next(), next(), next(), next(), next(), next()] {
            [
                Some("arn"),
                Some(partition),
                Some(service),
                Some(""),
                Some(account),
                Some(resource),
            ] => Some(Self {
                partition,
                service,
                account,
                resource,
            }),
            _ => None,
        }
    }
}
