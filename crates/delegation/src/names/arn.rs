//! ARNs of IAM, in parts.

use std::fmt;

use super::{AccountId, IamPath, NameError, Partition, PolicyName, RoleName, aws_word};

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
pub(super) struct IamArn {
    partition: Partition,
    account: AccountId,
    entity: IamEntity,
    path: IamPath,
    name: String,
}

/// An ARN of IAM whose account is not read yet: `arn:<partition>:iam::<owner>:<entity><path><name>`.
struct ArnParts<'a> {
    partition: Partition,
    owner: &'a str,
    entity: IamEntity,
    path: IamPath,
    name: String,
}

impl<'a> ArnParts<'a> {
    fn parse(text: &'a str, what: &'static str, allowed: &[IamEntity]) -> Result<Self, NameError> {
        let bad = |rule| NameError::new(what, text, rule);
        let [partition, owner, rest] = iam_parts(text)
            .ok_or_else(|| bad("arn:<partition>:iam::<account id>:…, at most 2048 characters"))?;
        let partition = Partition::new(partition).map_err(|_| bad("the partition is aws or aws-…"))?;
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
            owner,
            entity,
            path,
            name: name.to_owned(),
        })
    }
}

/// Partition, account and the rest of `arn:<partition>:iam::<account>:<rest>`, of at most 2,048 characters.
fn iam_parts(text: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        &["arn", partition, "iam", "", account, rest] if text.len() <= 2048 => {
            Some([partition, account, rest])
        }
        _ => None,
    }
}

impl IamArn {
    pub(super) fn parse(text: &str, what: &'static str, allowed: &[IamEntity]) -> Result<Self, NameError> {
        let parts = ArnParts::parse(text, what, allowed)?;
        Ok(Self {
            partition: parts.partition,
            account: AccountId::new(parts.owner)
                .map_err(|_| NameError::new(what, text, "the account id has 12 digits"))?,
            entity: parts.entity,
            path: parts.path,
            name: parts.name,
        })
    }
    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }
    pub(super) fn account(&self) -> &AccountId {
        &self.account
    }
    pub(super) fn entity(&self) -> IamEntity {
        self.entity
    }
    pub(super) fn path(&self) -> &IamPath {
        &self.path
    }
    pub(super) fn name(&self) -> &str {
        &self.name
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
    /// The ARN of a user.
    UserArn, "user ARN", [User]
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
impl UserArn {
    /// The ARN of the user that is called as a role is, `name` on `path`.
    #[must_use]
    pub fn of(partition: &Partition, account: &AccountId, path: &IamPath, name: &RoleName) -> Self {
        Self(IamArn {
            partition: partition.clone(),
            account: account.clone(),
            entity: IamEntity::User,
            path: path.clone(),
            name: name.as_str().to_owned(),
        })
    }
}
impl From<RoleArn> for IssuerArn {
    fn from(role: RoleArn) -> Self {
        Self(role.0)
    }
}
impl From<UserArn> for IssuerArn {
    fn from(user: UserArn) -> Self {
        Self(user.0)
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

/// Whose a managed policy is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyOwner {
    /// AWS's own: the same in every account of the partition. AWS edits it as it likes.
    Aws,
    /// A customer's.
    Account(AccountId),
}

/// The ARN of any managed policy: AWS's own, `arn:aws:iam::aws:policy/…`, or one of an account.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManagedPolicyArn {
    partition: Partition,
    owner: PolicyOwner,
    path: IamPath,
    name: String,
}

impl ManagedPolicyArn {
    /// Parses `arn:<partition>:iam::<aws or account id>:policy/…`.
    ///
    /// # Errors
    /// When `text` is not such an ARN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "managed policy ARN";
        let parts = ArnParts::parse(text, WHAT, &[IamEntity::Policy])?;
        let owner =
            match parts.owner {
                "aws" => PolicyOwner::Aws,
                account => PolicyOwner::Account(AccountId::new(account).map_err(|_| {
                    NameError::new(WHAT, text, "the owner is aws or an account id of 12 digits")
                })?),
            };
        Ok(Self {
            partition: parts.partition,
            owner,
            path: parts.path,
            name: parts.name,
        })
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> &PolicyOwner {
        &self.owner
    }

    /// The path, `/` if none.
    #[must_use]
    pub fn path(&self) -> &IamPath {
        &self.path
    }

    /// The name without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<PolicyArn> for ManagedPolicyArn {
    fn from(PolicyArn(arn): PolicyArn) -> Self {
        Self {
            partition: arn.partition,
            owner: PolicyOwner::Account(arn.account),
            path: arn.path,
            name: arn.name,
        }
    }
}

impl fmt::Display for ManagedPolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match &self.owner {
            PolicyOwner::Aws => "aws",
            PolicyOwner::Account(account) => account.as_str(),
        };
        write!(
            f,
            "arn:{}:iam::{owner}:policy{}{}",
            self.partition, self.path, self.name
        )
    }
}

impl std::str::FromStr for ManagedPolicyArn {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}
