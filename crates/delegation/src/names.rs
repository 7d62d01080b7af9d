//! Typed names: parsed once at the edge, valid from then on.

use std::fmt;

/// A string that is not what its type demands. `Display` names the type, the text (cut) and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl NameError {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        // Long enough to recognise, short enough for an event.
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it.
            ///
            /// # Errors
            /// When `text` does not follow the rule of this type.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(NameError::new($what, &text, $rule)) }
            }
            /// Joins parts that are valid names themselves, so that the whole follows this type's rule by construction.
            #[allow(dead_code, reason = "made for every type, needed for those that Deputy composes")]
            pub(crate) fn from_valid_parts(text: String) -> Self {
                debug_assert!(Self::new(text.as_str()).is_ok(), "{}: {text}", $what);
                Self(text)
            }
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> { Self::new(s) }
        }
        impl std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
    };
}

fn label(s: &str, max: usize) -> bool {
    !s.is_empty()
        && s.len() <= max
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}
fn subdomain(s: &str, max: usize) -> bool {
    s.len() <= max && s.split('.').all(|part| label(part, max))
}
/// The characters AWS takes in role, user and session names: `[\w+=,.@-]`.
fn aws_word(s: &str) -> bool {
    s.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}
fn tag_text(s: &str, min: usize, max: usize) -> bool {
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html, restricted to ASCII: what Deputy compares must look like what it is.
    (min..=max).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&b))
}

string_type! {
    /// The name of this Kubernetes cluster towards AWS: required, immutable, part of every path, external id and tag.
    ClusterName, "cluster name", "a lower-case DNS label of at most 32 characters", |s| label(s, 32)
}
string_type! {
    /// The name of a namespace (an RFC 1123 label).
    NamespaceName, "namespace", "a lower-case DNS label of at most 63 characters", |s| label(s, 63)
}
string_type! {
    /// The name of one of Deputy's objects (an RFC 1123 subdomain).
    ObjectName, "name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// The name of a ServiceAccount.
    ServiceAccountName, "ServiceAccount name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// The name of a pod.
    PodName, "pod name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// A Kubernetes uid. Opaque; lives in tags only.
    Uid, "uid", "1 to 64 letters, digits or dashes", |s| (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
string_type! {
    /// A twelve-digit AWS account id.
    AccountId, "account id", "exactly 12 digits, as a string", |s| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit())
}
string_type! {
    /// An AWS partition such as `aws`, `aws-cn` or `aws-us-gov`.
    Partition, "partition", "aws or aws-…", |s| s == "aws" || (s.starts_with("aws-") && label(s, 32))
}
string_type! {
    /// An AWS region such as `ap-northeast-1`.
    Region, "region", "letters, digits and dashes, such as ap-northeast-1", |s| label(s, 32) && s.contains('-')
}
string_type! {
    /// An IAM role name: 1 to 64 of `[\w+=,.@-]`, unique in its account ignoring case.
    RoleName, "role name", "1 to 64 of letters, digits and _+=,.@-", |s| (1..=64).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// An IAM policy name: 1 to 128 of `[\w+=,.@-]`.
    PolicyName, "policy name", "1 to 128 of letters, digits and _+=,.@-", |s| (1..=128).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// `sts:ExternalId`: 2 to 1,224 of `[\w+=,.@:\/-]`.
    ExternalId, "external id", "2 to 1224 of letters, digits and _+=,.@:/-", |s| (2..=1224).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}
string_type! {
    /// A role session name: 2 to 64 of `[\w+=,.@-]`.
    SessionName, "session name", "2 to 64 of letters, digits and _+=,.@-", |s| (2..=64).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// The key of an AWS tag.
    TagKey, "tag key", "1 to 128 of letters, digits, space and _.:/=+-@, not starting with aws:", |s| tag_text(s, 1, 128) && !s.to_ascii_lowercase().starts_with("aws:")
}
string_type! {
    /// The value of an AWS tag.
    TagValue, "tag value", "at most 256 of letters, digits, space and _.:/=+-@", |s| tag_text(s, 0, 256)
}
string_type! {
    /// An IAM path: `/`, or `/…/` of letters, digits and `.,+@=_-`, at most 512 characters. IAM takes more characters in the
    /// paths of roles and users (any printable ASCII); `*`, `?` and `${` would be patterns in a policy, so Deputy does not.
    IamPath, "path", "/ or /…/ of letters, digits and .,+@=_-, at most 512 characters", |s| s == "/" || (s.len() <= 512 && s.starts_with('/') && s.ends_with('/') && s.bytes().all(|b| b == b'/' || aws_word(char::from(b).encode_utf8(&mut [0; 4]))) && !s.contains("//"))
}

impl TagKey {
    /// Whether the key belongs to Deputy: nobody else may set it. Tag keys are compared ignoring case.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.to_ascii_lowercase().starts_with("deputy-")
    }
}

/// Whether an IAM principal or resource is a role or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IamEntity {
    /// `role/…`
    Role,
    /// `user/…`
    User,
    /// `policy/…`
    Policy,
}

impl IamEntity {
    /// The word in the ARN.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
            Self::Policy => "policy",
        }
    }
}

/// `arn:<partition>:iam::<account>:<entity><path><name>`, in parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct IamArn {
    partition: Partition,
    account: AccountId,
    entity: IamEntity,
    path: IamPath,
    name: String,
}

impl IamArn {
    fn parse(text: &str, what: &'static str, allowed: &[IamEntity]) -> Result<Self, NameError> {
        let bad = |rule| NameError::new(what, text, rule);
        if text.len() > 2048 {
            return Err(bad("at most 2048 characters"));
        }
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service, region, account, rest) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        );
        if arn != Some("arn") || service != Some("iam") || region != Some("") {
            return Err(bad("arn:<partition>:iam::<account id>:…"));
        }
        let partition = Partition::new(partition.unwrap_or_default())
            .map_err(|_| bad("the partition is aws or aws-…"))?;
        let account =
            AccountId::new(account.unwrap_or_default()).map_err(|_| bad("the account id has 12 digits"))?;
        let rest = rest.unwrap_or_default();
        let (entity, tail) = rest
            .split_once('/')
            .ok_or_else(|| bad("…:role/<name>, …:user/<name> or …:policy/<name>"))?;
        let entity = allowed
            .iter()
            .copied()
            .find(|e| e.as_str() == entity)
            .ok_or_else(|| bad("this kind of ARN is not allowed here"))?;
        let (path, name) = match tail.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), tail),
        };
        let path = IamPath::new(path).map_err(|_| bad("the path is /…/ of letters, digits and .,+@=_-"))?;
        let max = if entity == IamEntity::Policy { 128 } else { 64 };
        if name.is_empty() || name.len() > max || !aws_word(name) {
            return Err(bad(
                "the name is letters, digits and _+=,.@-, at most 64 (a policy's: 128)",
            ));
        }
        Ok(Self {
            partition,
            account,
            entity,
            path,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for IamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:iam::{}:{}{}{}",
            self.partition,
            self.account,
            self.entity.as_str(),
            self.path,
            self.name
        )
    }
}

macro_rules! arn_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, [$($entity:ident),+]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(IamArn);

        impl $name {
            /// Parses `arn:<partition>:iam::<account>:…`.
            ///
            /// # Errors
            /// When `text` is not such an ARN.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                IamArn::parse(text, $what, &[$(IamEntity::$entity),+]).map(Self)
            }
            /// The partition.
            #[must_use]
            pub fn partition(&self) -> &Partition { &self.0.partition }
            /// The account that owns it.
            #[must_use]
            pub fn account(&self) -> &AccountId { &self.0.account }
            /// Role, user or policy.
            #[must_use]
            pub fn entity(&self) -> IamEntity { self.0.entity }
            /// The path, `/` if none.
            #[must_use]
            pub fn path(&self) -> &IamPath { &self.0.path }
            /// The name without its path.
            #[must_use]
            pub fn name(&self) -> &str { &self.0.name }
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

arn_type! {
    /// The ARN of a role.
    RoleArn, "role ARN", [Role]
}
arn_type! {
    /// The ARN of a customer-managed policy.
    PolicyArn, "policy ARN", [Policy]
}
arn_type! {
    /// Who calls AssumeRole for Deputy: a role or a user.
    IssuerArn, "issuer ARN", [Role, User]
}

impl RoleArn {
    /// The ARN of role `name` on `path`.
    #[must_use]
    pub fn of(partition: &Partition, account: &AccountId, path: &IamPath, name: &RoleName) -> Self {
        Self(IamArn {
            partition: partition.clone(),
            account: account.clone(),
            entity: IamEntity::Role,
            path: path.clone(),
            name: name.as_str().to_owned(),
        })
    }
}
impl PolicyArn {
    /// The ARN of policy `name` on `path`.
    #[must_use]
    pub fn of(partition: &Partition, account: &AccountId, path: &IamPath, name: &PolicyName) -> Self {
        Self(IamArn {
            partition: partition.clone(),
            account: account.clone(),
            entity: IamEntity::Policy,
            path: path.clone(),
            name: name.as_str().to_owned(),
        })
    }
}

/// The life of a session in seconds: 900 (15 minutes) to 43,200 (12 hours), the range of STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// One hour: the default of AWS and of Deputy, and the most under role chaining.
    pub const HOUR: Self = Self(3600);

    /// # Errors
    /// Outside 900 to 43,200.
    pub fn from_seconds(seconds: u64) -> Result<Self, NameError> {
        match u32::try_from(seconds) {
            Ok(s) if (900..=43_200).contains(&s) => Ok(Self(s)),
            _ => Err(NameError::new("duration", &format!("{seconds}s"), "15m to 12h")),
        }
    }
    /// Reads `1h`, `90m`, `1h30m`, `3600s`: `^([0-9]+(h|m|s))+$`.
    ///
    /// # Errors
    /// Another form, or outside 15 minutes to 12 hours.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("duration", text, "such as 1h or 45m, 15m to 12h");
        if text.is_empty() || text.len() > 32 {
            return Err(bad());
        }
        let (mut total, mut number): (u64, Option<u64>) = (0, None);
        for c in text.chars() {
            let unit = match c {
                '0'..='9' => {
                    let digit = u64::from(c.to_digit(10).unwrap_or(0));
                    number = Some(
                        number
                            .unwrap_or(0)
                            .checked_mul(10)
                            .and_then(|n| n.checked_add(digit))
                            .ok_or_else(bad)?,
                    );
                    continue;
                }
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return Err(bad()),
            };
            let n = number.take().ok_or_else(bad)?;
            total = n
                .checked_mul(unit)
                .and_then(|n| total.checked_add(n))
                .ok_or_else(bad)?;
        }
        if number.is_some() {
            return Err(bad());
        }
        Self::from_seconds(total)
    }
    /// Seconds.
    #[must_use]
    pub fn as_seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SessionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (h, m, s) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        for (n, unit) in [(h, 'h'), (m, 'm'), (s, 's')] {
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}

/// Whether `pattern`, in which `*` is any run of characters, covers all of `text`.
pub(crate) fn wildcard_match(pattern: &str, text: &str) -> bool {
    // Greedy with one point of return: linear in pattern times name.
    let (p, s) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j, mut back) = (0, 0, None);
    while j < s.len() {
        match p.get(i) {
            Some(b'*') => {
                back = Some((i + 1, j));
                i += 1;
            }
            Some(c) if Some(c) == s.get(j) => {
                i += 1;
                j += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    i = star;
                    j = at + 1;
                    back = Some((star, at + 1));
                }
                None => return false,
            },
        }
    }
    p.get(i..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// A pattern on namespace names: literal characters and `*` (any run of characters, also none).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacePattern(String);

impl NamespacePattern {
    /// # Errors
    /// Empty, longer than 63 characters, or with characters no namespace has.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let good = !text.is_empty()
            && text.len() <= 63
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'*');
        if good {
            Ok(Self(text))
        } else {
            Err(NameError::new(
                "namespace pattern",
                &text,
                "1 to 63 of lower-case letters, digits, - and *",
            ))
        }
    }
    /// Whether `namespace` is covered.
    #[must_use]
    pub fn matches(&self, namespace: &NamespaceName) -> bool {
        wildcard_match(&self.0, namespace.as_str())
    }
    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for NamespacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
