//! Federated users: what a session of GetFederationToken is called.

use std::fmt;

use super::{AccountId, NameError, Partition, pattern::wildcard_match};

string_type! {
    /// The name of a federated user: 2 to 32 characters, as STS takes them (GetFederationToken, parameter `Name`), of which Deputy takes those
    /// that mean nothing in an ARN or a pattern. ARNs are compared with case; whose a name is, is asked ignoring it.
    FederatedUserName, "federated user name", "2 to 32 of letters, digits and -, not beginning or ending with -", |s| (2..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !s.starts_with('-') && !s.ends_with('-')
}
string_type! {
    /// A pattern on names of federated users: literal characters and `*` (any run of characters, also none). Compared with case, as IAM
    /// compares ARNs.
    FederatedUserPattern, "federated user pattern", "1 to 32 of letters, digits, - and *", |s| (1..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'*')
}

impl FederatedUserName {
    /// The name as it belongs to somebody: of two that differ in case alone nobody who reads a policy would say that they are two.
    #[must_use]
    pub fn ignoring_case(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

impl FederatedUserPattern {
    /// Whether all of `name` is covered.
    #[must_use]
    pub fn matches(&self, name: &FederatedUserName) -> bool {
        wildcard_match(self.as_str(), name.as_str())
    }
}

/// `arn:<partition>:sts::<account>:federated-user/<name>`: the principal that a resource policy names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederatedUserArn {
    partition: Partition,
    account: AccountId,
    user: FederatedUserName,
}

impl FederatedUserArn {
    /// The ARN of federated user `user`.
    #[must_use]
    pub fn of(partition: &Partition, account: &AccountId, user: &FederatedUserName) -> Self {
        Self {
            partition: partition.clone(),
            account: account.clone(),
            user: user.clone(),
        }
    }

    /// The name of the federated user.
    #[must_use]
    pub fn user(&self) -> &FederatedUserName {
        &self.user
    }
}

impl fmt::Display for FederatedUserArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            account,
            user,
        } = self;
        write!(f, "arn:{partition}:sts::{account}:federated-user/{user}")
    }
}

impl std::str::FromStr for FederatedUserArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || {
            let rule = "arn:<partition>:sts::<account id>:federated-user/<name>";
            NameError::new("federated user ARN", text, rule)
        };
        let parts: Vec<&str> = text.split(':').collect();
        let &["arn", partition, "sts", "", account, rest] = parts.as_slice() else {
            return Err(bad());
        };
        let user = rest.strip_prefix("federated-user/").ok_or_else(bad)?;
        Ok(Self {
            partition: Partition::new(partition)?,
            account: AccountId::new(account)?,
            user: FederatedUserName::new(user)?,
        })
    }
}
