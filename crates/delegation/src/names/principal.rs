//! Names of those who are outside the cluster: principals of AWS, providers and what they say, people.

use std::fmt;

use super::{
    AccountId, IamPath, NameError, Partition,
    arn::{IamArn, IamEntity},
    aws_word,
};

/// Printable ASCII with neither a wildcard nor a policy variable in it: what a condition says is what it compares with.
fn literal(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && !b"*?\"\\".contains(&b))
        && !text.contains("${")
        && text.trim() == text
}

string_type! {
    /// The audience of a token or assertion: what it was made for. IAM, "Add client ID": 1 to 255 characters.
    Audience, "audience", "1 to 255 printable ASCII characters, without *, ?, \", \\ and ${", |s| literal(s, 255)
}
string_type! {
    /// A claim by its name alone, such as `sub`; the provider's name comes before it in the condition.
    ClaimName, "claim", "a letter, then letters, digits, _ and -, at most 64, such as sub: the provider's name is put before it", |s| s.len() <= 64 && s.starts_with(|c: char| c.is_ascii_alphabetic()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}
string_type! {
    /// The value that a claim must have.
    ClaimValue, "value of a claim", "1 to 255 printable ASCII characters, without \", \\ and ${, and without * and ?: it is compared as it stands", |s| literal(s, 255)
}
string_type! {
    /// The name of a user, or of a group, as the API server knows people. Names that begin with `system:` are of Kubernetes itself.
    PersonName, "name", "1 to 256 printable ASCII characters, without *, ?, \", \\ and ${, not beginning with system: (those are of Kubernetes itself, not of people)", |s| literal(s, 256) && !s.starts_with("system:")
}
string_type! {
    /// The unique id of a user or role. One that is made again under the same ARN has another. IAM User Guide, "IAM identifiers", "Unique
    /// identifiers"; 16 to 128 characters by the API.
    PrincipalId, "unique id", "AROA of a role or AIDA of a user, then upper-case letters and digits, 16 to 128 in all, such as AROADBQP57FF2AEXAMPLE", |s| (16..=128).contains(&s.len()) && (s.starts_with("AROA") || s.starts_with("AIDA")) && s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl PrincipalId {
    /// What it is the id of: a user or a role.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        if self.as_str().starts_with("AIDA") {
            PrincipalKind::User
        } else {
            PrincipalKind::Role
        }
    }
}

/// A principal of AWS: an account, a user or a role. Nothing else can be one: a session, a group, a service or a wildcard is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalArn(Form);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// Twelve digits: of whichever partition it is used in.
    AccountId(AccountId),
    /// `arn:<partition>:iam::<account>:root`.
    Root(Partition, AccountId),
    /// A user or role.
    Entity(IamArn),
}

/// What an AWS principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// All of an account that its own policies allow.
    Account,
    /// A user.
    User,
    /// A role: its sessions.
    Role,
}

const PRINCIPAL_RULE: &str = "an account (12 digits, or arn:<partition>:iam::<account id>:root), a user (…:user/<name>) or a role (…:role/<name>, \
     not a session of it), without wildcards";

impl PrincipalArn {
    /// Parses twelve digits, or the ARN of an account's root, of a user or of a role.
    ///
    /// # Errors
    /// When `text` is nothing of that.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("principal", text, PRINCIPAL_RULE);
        if let Ok(account) = AccountId::new(text) {
            return Ok(Self(Form::AccountId(account)));
        }
        if let Some(head) = text.strip_suffix(":root") {
            let parts: Vec<&str> = head.split(':').collect();
            let ["arn", partition, "iam", "", account] = parts.as_slice() else {
                return Err(bad());
            };
            return match (Partition::new(*partition), AccountId::new(*account)) {
                (Ok(partition), Ok(account)) => Ok(Self(Form::Root(partition, account))),
                _ => Err(bad()),
            };
        }
        IamArn::parse(text, "principal", &[IamEntity::Role, IamEntity::User])
            .map(|arn| Self(Form::Entity(arn)))
            .map_err(|_| bad())
    }
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        match &self.0 {
            Form::AccountId(_) | Form::Root(..) => PrincipalKind::Account,
            Form::Entity(arn) if arn.entity() == IamEntity::User => PrincipalKind::User,
            Form::Entity(_) => PrincipalKind::Role,
        }
    }
    /// Its account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        match &self.0 {
            Form::AccountId(account) | Form::Root(_, account) => account,
            Form::Entity(arn) => arn.account(),
        }
    }
    /// Path and name of a user or role.
    #[must_use]
    pub fn entity(&self) -> Option<(&IamPath, &str)> {
        match &self.0 {
            Form::AccountId(_) | Form::Root(..) => None,
            Form::Entity(arn) => Some((arn.path(), arn.name())),
        }
    }
    /// Its partition; none is said by an account id alone.
    #[must_use]
    pub fn partition(&self) -> Option<&Partition> {
        match &self.0 {
            Form::AccountId(_) => None,
            Form::Root(partition, _) => Some(partition),
            Form::Entity(arn) => Some(arn.partition()),
        }
    }
    /// Its ARN, as AWS shows it, where an id alone is meant in `partition`.
    #[must_use]
    pub fn arn(&self, partition: &Partition) -> String {
        match &self.0 {
            Form::AccountId(account) => format!("arn:{partition}:iam::{account}:root"),
            Form::Root(partition, account) => format!("arn:{partition}:iam::{account}:root"),
            Form::Entity(arn) => arn.to_string(),
        }
    }
}

impl fmt::Display for PrincipalArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::AccountId(account) => account.fmt(f),
            Form::Root(partition, account) => write!(f, "arn:{partition}:iam::{account}:root"),
            Form::Entity(arn) => arn.fmt(f),
        }
    }
}

/// `arn:<partition>:iam::<account>:<kind>/<name>`, in parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Provider {
    partition: Partition,
    account: AccountId,
    kind: &'static str,
    name: String,
}

impl Provider {
    fn parse(
        text: &str,
        kind: &'static str,
        rule: &'static str,
        named: fn(&str) -> bool,
    ) -> Result<Self, NameError> {
        let bad = || NameError::new("provider ARN", text, rule);
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, rest] = parts.as_slice() else {
            return Err(bad());
        };
        let name = rest
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|name| named(name))
            .ok_or_else(bad)?;
        Ok(Self {
            partition: Partition::new(*partition).map_err(|_| bad())?,
            account: AccountId::new(*account).map_err(|_| bad())?,
            kind,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            account,
            kind,
            name,
        } = self;
        write!(f, "arn:{partition}:iam::{account}:{kind}/{name}")
    }
}

macro_rules! provider_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $named:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Provider);

        impl $name {
            /// Parses the ARN.
            ///
            /// # Errors
            /// When `text` is none of this kind.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                Provider::parse(text, $kind, $rule, $named).map(Self)
            }
            /// The partition.
            #[must_use]
            pub fn partition(&self) -> &Partition { &self.0.partition }
            /// The account that it is in.
            #[must_use]
            pub fn account(&self) -> &AccountId { &self.0.account }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> { Self::parse(s) }
        }
    };
}

provider_type! {
    /// A SAML provider of IAM.
    SamlProviderArn, "saml-provider",
    "arn:<partition>:iam::<account id>:saml-provider/<name>, the name 1 to 128 of letters, digits, _, . and -",
    |name| name.len() <= 128 && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}
provider_type! {
    /// An OpenID Connect provider of IAM.
    OidcProviderArn, "oidc-provider",
    "arn:<partition>:iam::<account id>:oidc-provider/<host>[/<path>], the issuer's URL without https://, in lower-case letters before the first /, without port",
    is_issuer
}

/// The URL of an issuer without its scheme. IAM CreateOpenIDConnectProvider: https, no port, at most 255 characters.
fn is_issuer(name: &str) -> bool {
    let (host, path) = name.split_once('/').unwrap_or((name, "x"));
    name.len() <= 255
        && super::subdomain(host, 253)
        && !path.is_empty()
        && path
            .bytes()
            .all(|b| aws_word(char::from(b).encode_utf8(&mut [0; 4])) || b"/~%".contains(&b))
}

impl OidcProviderArn {
    /// The issuer: its URL without `https://`. Condition keys begin so.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.name
    }
}
