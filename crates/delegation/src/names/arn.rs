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

impl IamArn {
    pub(super) fn parse(text: &str, what: &'static str, allowed: &[IamEntity]) -> Result<Self, NameError> {
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

impl IamArn {
    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }
    pub(super) fn account(&self) -> &AccountId {
        &self.account
    }
    pub(super) fn entity(&self) -> IamEntity {
        self.entity
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
