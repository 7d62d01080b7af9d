//! Whether this process is an issuer that an account names: trust policies name nobody else.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use deputy_aws::{AccountIdentity, AwsError, ErrorClass, IdentifyError, Sts, identify};
use deputy_delegation::{IssuerArn, ObjectName, model::Account};
use deputy_runtime::error::chain;
use parking_lot::Mutex;

use crate::single_flight::SingleFlight;

/// Accounts there may be.
const MOST_ACCOUNTS: usize = 10_000;

/// An account and the issuers that it names: now, and before.
type Key = (ObjectName, IssuerArn, BTreeSet<IssuerArn>);

/// Who this process is in an account that has it as an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerIdentity {
    /// Its ARN, for people.
    pub(crate) arn: Arc<str>,
    /// Whether it is an issuer of before, and another one is to come.
    pub(crate) is_previous: bool,
}

/// Remembers which accounts name this process as an issuer.
#[derive(Clone)]
pub struct IssuerCheck {
    answers: SingleFlight<Key, IssuerAnswer>,
    /// What was so once. When STS can't say, it is taken to be so still: an identity changes with a deployment, and STS
    /// itself refuses who is not in the trust policy.
    proven: Arc<Mutex<HashSet<Key>>>,
}

#[derive(Clone)]
enum IssuerAnswer {
    /// It is, and who that is.
    Issuer(BrokerIdentity),
    WasIssuer,
    Not(IdentityError),
}

impl IssuerAnswer {
    /// How long it is trusted.
    fn keep(&self) -> Duration {
        match self {
            // Identities of a process change with its deployment.
            Self::Issuer(_) => Duration::from_secs(600),
            Self::WasIssuer => Duration::from_secs(30),
            Self::Not(IdentityError::Mismatch(_)) => Duration::from_secs(5),
            Self::Not(IdentityError::Aws(_)) => Duration::from_secs(1),
        }
    }
}

/// Why sessions of an account can't be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// AWS did not answer.
    #[error(transparent)]
    Aws(Arc<AwsError>),
    /// Somebody else is the issuer.
    #[error("{0}")]
    Mismatch(String),
}

impl Default for IssuerCheck {
    fn default() -> Self {
        Self {
            answers: SingleFlight::new(MOST_ACCOUNTS),
            proven: Arc::default(),
        }
    }
}

impl IssuerCheck {
    /// Makes sure that this process is an issuer of `account`. One call to STS for any number of callers, once in ten
    /// minutes.
    ///
    /// # Errors
    /// [`IdentityError`]; asked about again a few seconds later.
    pub async fn check(&self, account: &Account, sts: &Arc<dyn Sts>) -> Result<(), IdentityError> {
        self.identity(account, sts).await.map(drop)
    }

    /// The same, with who that is; `None` while AWS can't say it again.
    ///
    /// # Errors
    /// [`IdentityError`]; asked about again a few seconds later.
    pub(crate) async fn identity(
        &self,
        account: &Account,
        sts: &Arc<dyn Sts>,
    ) -> Result<Option<BrokerIdentity>, IdentityError> {
        let key = (
            account.name.clone(),
            account.issuer.clone(),
            account.previous_issuers.clone(),
        );
        let work = {
            let (account, key) = (account.clone(), key.clone());
            let (sts, proven) = (sts.clone(), self.proven.clone());
            move || async move { query_identity(&account, &key, sts.as_ref(), &proven).await }
        };
        match self.answers.get(key, work, IssuerAnswer::keep).await {
            Some(IssuerAnswer::Issuer(who)) => Ok(Some(who)),
            Some(IssuerAnswer::WasIssuer) => Ok(None),
            Some(IssuerAnswer::Not(error)) => Err(error),
            None => Err(IdentityError::Aws(Arc::new(AwsError::new(
                "sts:GetCallerIdentity",
                ErrorClass::Other,
                "the check ended early",
            )))),
        }
    }
}

async fn query_identity(
    account: &Account,
    key: &Key,
    sts: &dyn Sts,
    proven: &Mutex<HashSet<Key>>,
) -> IssuerAnswer {
    let answer = sts.caller_identity().await;
    let is_previous = answer.as_ref().is_ok_and(|caller| !caller.is(&account.issuer));
    match identify(account, AccountIdentity::Issuer, answer) {
        Ok(who) => {
            proven.lock().insert(key.clone());
            IssuerAnswer::Issuer(BrokerIdentity {
                arn: who.into(),
                is_previous,
            })
        }
        Err(IdentifyError::Elsewhere(message) | IdentifyError::Other(message)) => {
            proven.lock().remove(key);
            IssuerAnswer::Not(IdentityError::Mismatch(format!("IssuerMismatch: {message}")))
        }
        Err(IdentifyError::Aws(error)) if proven.lock().contains(key) => {
            tracing::warn!(account = %account.name, error = chain(&error), "failed to check the broker's identity");
            IssuerAnswer::WasIssuer
        }
        Err(IdentifyError::Aws(error)) => IssuerAnswer::Not(IdentityError::Aws(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests;
