//! Who Deputy is in AWS, against who an account says it should be. Pure.

use deputy_delegation::{IamEntity, IssuerArn, RoleArn, model::Account};

use crate::{error::AwsError, traits::CallerIdentity};

/// The three identities of an account, each of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountIdentity {
    /// `deputy broker`: hands out sessions.
    Issuer,
    /// `deputy controller`: writes roles.
    Provisioner,
    /// `deputy limits`: writes boundary policies.
    BoundaryWriter,
}

impl AccountIdentity {
    /// The process that has it.
    #[must_use]
    pub fn process(self) -> &'static str {
        match self {
            Self::Issuer => "deputy broker",
            Self::Provisioner => "deputy controller",
            Self::BoundaryWriter => "deputy limits",
        }
    }
}

/// Why an identity is not as the account says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// It is in another account or partition; the sentence says which.
    #[error("{0}")]
    Elsewhere(String),
    /// It is another one than the account names; the sentence says both.
    #[error("{0}")]
    Other(String),
    /// AWS does not say who it is, or refuses it.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Who the process is, for people, if it is who `account` says it should be. `answer` is what AWS says to it.
///
/// # Errors
/// [`IdentifyError`].
pub fn identify(
    account: &Account,
    identity: AccountIdentity,
    answer: Result<CallerIdentity, AwsError>,
) -> Result<String, IdentifyError> {
    let caller = answer?;
    let (process, who) = (identity.process(), caller.principal());
    in_partition(account, process, &caller)?;
    let named = match identity {
        AccountIdentity::Issuer => {
            let issuers = account.issuers();
            let named: Vec<String> = issuers.iter().map(ToString::to_string).collect();
            let is_one = issuers.iter().any(|issuer| caller.is(issuer));
            Some((is_one, named.join(" or ")))
        }
        AccountIdentity::Provisioner => account
            .provisioner
            .as_ref()
            .map(|a| (caller.is_session_of(&a.role), a.role.to_string())),
        AccountIdentity::BoundaryWriter => account
            .boundary_writer
            .as_ref()
            .map(|a| (caller.is_session_of(&a.role), a.role.to_string())),
    };
    match named {
        Some((true, _)) => {}
        Some((false, named)) => {
            return Err(IdentifyError::Other(format!(
                "AWSAccount {} names {named}, and {process} is {who}",
                account.name
            )));
        }
        // What it makes lives where it does.
        None if caller.account != account.id => {
            return Err(IdentifyError::Elsewhere(format!(
                "{process} is {who} in account {}, not in {}",
                caller.account, account.id
            )));
        }
        None => {}
    }
    Ok(who.to_owned())
}

/// The same of whom the keys for GetFederationToken are, who has to be the federation user that `account` names.
///
/// # Errors
/// [`IdentifyError`]; also when the account names none.
pub fn identify_federation_user(
    account: &Account,
    answer: Result<CallerIdentity, AwsError>,
) -> Result<String, IdentifyError> {
    const WHOSE: &str = "the owner of deputy broker's keys for federated users";
    let caller = answer?;
    in_partition(account, WHOSE, &caller)?;
    let who = caller.principal();
    let named = account.federation_user.clone().map(IssuerArn::from);
    if named.as_ref().is_some_and(|user| caller.is(user)) {
        return Ok(who.to_owned());
    }
    let named = named.map_or_else(|| "no federation user".to_owned(), |user| user.to_string());
    Err(IdentifyError::Other(format!(
        "AWSAccount {} names {named}, and {WHOSE} is {who}",
        account.name
    )))
}

fn in_partition(account: &Account, what: &str, caller: &CallerIdentity) -> Result<(), IdentifyError> {
    if caller.partition() == account.partition.as_str() {
        return Ok(());
    }
    Err(IdentifyError::Elsewhere(format!(
        "{what} is {} in partition {}, and the account is in {}: no identity of one is known in the other",
        caller.principal(),
        caller.partition(),
        account.partition
    )))
}

impl CallerIdentity {
    /// The partition in its ARN.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or_default()
    }

    /// Its ARN without the name of its session, which SDKs make up anew each time.
    #[must_use]
    pub fn principal(&self) -> &str {
        match self.arn.rsplit_once('/') {
            Some((role, _session)) if self.arn.contains(":assumed-role/") => role,
            _ => &self.arn,
        }
    }

    /// Whether it is this principal: the user, or a session of the role. A role's session has another ARN than the role, and
    /// not its path.
    #[must_use]
    pub fn is(&self, principal: &IssuerArn) -> bool {
        match principal.entity() {
            IamEntity::User => self.account == *principal.account() && self.arn == principal.to_string(),
            IamEntity::Role => self.is_session(
                principal.partition().as_str(),
                principal.account().as_str(),
                principal.name(),
            ),
            IamEntity::Policy => false,
        }
    }

    /// Whether it is a session of this role.
    #[must_use]
    pub fn is_session_of(&self, role: &RoleArn) -> bool {
        self.is_session(role.partition().as_str(), role.account().as_str(), role.name())
    }

    fn is_session(&self, partition: &str, account: &str, name: &str) -> bool {
        let prefix = format!("arn:{partition}:sts::{account}:assumed-role/{name}/");
        self.account.as_str() == account && self.arn.starts_with(&prefix)
    }
}

#[cfg(test)]
pub(crate) mod tests;
