//! Whether this process is an issuer that an account names, and its keys are of the federation user there: trust policies name nobody else,
//! and nobody else's policies were compared with a limit.

pub(crate) mod conditions;

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use deputy_aws::{
    AccountIdentity, AwsError, ErrorClass, FederationClient, IdentifyError, Sts, identify,
    identify_federation_user,
};
use deputy_delegation::{IssuerArn, ObjectName, UserArn, model::Account};
use deputy_runtime::error::chain;
use parking_lot::Mutex;

use crate::single_flight::SingleFlight;

/// Accounts there may be.
const MOST_ACCOUNTS: usize = 10_000;

/// An account and what it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The issuers: now, and before.
    Issuer(ObjectName, IssuerArn, BTreeSet<IssuerArn>),
    /// The federation user, and the id of the keys that are to be its.
    FederationUser(ObjectName, Option<UserArn>, String),
}

impl Key {
    fn federation_user(account: &Account, client: &FederationClient) -> Self {
        Self::FederationUser(
            account.name.clone(),
            account.federation_user.clone(),
            client.access_key_id.clone(),
        )
    }
}

/// Who this process is in an account that names it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerIdentity {
    /// Its ARN, for people.
    pub(crate) arn: Arc<str>,
    /// Whether it is an issuer of before, and another one is to come.
    pub(crate) is_previous: bool,
}

/// Remembers which accounts name this process.
#[derive(Clone)]
pub struct IdentityCheck {
    answers: SingleFlight<Key, Answer>,
    /// What was so once. When STS can't say, it is taken to be so still: an identity changes with a deployment, and STS
    /// itself refuses who is not in the trust policy.
    proven: Arc<Mutex<HashSet<Key>>>,
}

#[derive(Clone)]
enum Answer {
    /// It is the one named, and who that is.
    Named(BrokerIdentity),
    WasNamed,
    Not(IdentityError),
}

impl Answer {
    /// How long it is trusted.
    fn keep(&self) -> Duration {
        match self {
            // Identities of a process change with its deployment.
            Self::Named(_) => Duration::from_secs(600),
            Self::WasNamed => Duration::from_secs(30),
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
    /// It is somebody else.
    #[error("{0}")]
    Mismatch(String),
}

impl Default for IdentityCheck {
    fn default() -> Self {
        Self {
            answers: SingleFlight::new(MOST_ACCOUNTS),
            proven: Arc::default(),
        }
    }
}

impl IdentityCheck {
    /// Makes sure that this process is an issuer of `account`. One call to STS for any number of callers, once in ten minutes. Gives who that
    /// is; `None` while AWS can't say it again.
    ///
    /// # Errors
    /// [`IdentityError`]; asked about again a few seconds later.
    pub(crate) async fn issuer(
        &self,
        account: &Account,
        sts: &Arc<dyn Sts>,
    ) -> Result<Option<BrokerIdentity>, IdentityError> {
        let key = Key::Issuer(
            account.name.clone(),
            account.issuer.clone(),
            account.previous_issuers.clone(),
        );
        self.ask(key, account, sts).await
    }

    /// Makes sure that keys are of the federation user that `account` names: asked about anew with other keys.
    ///
    /// # Errors
    /// [`IdentityError`]; asked about again a few seconds later.
    pub(crate) async fn federation_user(
        &self,
        account: &Account,
        client: &FederationClient,
    ) -> Result<Option<BrokerIdentity>, IdentityError> {
        let key = Key::federation_user(account, client);
        self.ask(key, account, &client.sts).await
    }

    /// Whether AWS has said that keys are of the federation user that `account` names. Asks nobody.
    pub(crate) fn is_federation_user(&self, account: &Account, client: &FederationClient) -> bool {
        self.proven
            .lock()
            .contains(&Key::federation_user(account, client))
    }

    async fn ask(
        &self,
        key: Key,
        account: &Account,
        sts: &Arc<dyn Sts>,
    ) -> Result<Option<BrokerIdentity>, IdentityError> {
        let work = {
            let (account, key) = (account.clone(), key.clone());
            let (sts, proven) = (sts.clone(), self.proven.clone());
            move || async move { query_identity(&account, &key, sts.as_ref(), &proven).await }
        };
        match self.answers.get(key, work, Answer::keep).await {
            Some(Answer::Named(who)) => Ok(Some(who)),
            Some(Answer::WasNamed) => Ok(None),
            Some(Answer::Not(error)) => Err(error),
            None => Err(IdentityError::Aws(Arc::new(AwsError::new(
                "sts:GetCallerIdentity",
                ErrorClass::Other,
                "the check ended early",
            )))),
        }
    }
}

async fn query_identity(account: &Account, key: &Key, sts: &dyn Sts, proven: &Mutex<HashSet<Key>>) -> Answer {
    let answer = sts.caller_identity().await;
    let is_previous = match key {
        Key::Issuer(..) => answer.as_ref().is_ok_and(|caller| !caller.is(&account.issuer)),
        Key::FederationUser(..) => false,
    };
    let (found, mismatch) = match key {
        Key::Issuer(..) => (
            identify(account, AccountIdentity::Issuer, answer),
            "IssuerMismatch",
        ),
        Key::FederationUser(..) => (
            identify_federation_user(account, answer),
            "FederationUserMismatch",
        ),
    };
    match found {
        Ok(who) => {
            let mut proven = proven.lock();
            if proven.len() >= MOST_ACCOUNTS {
                // Keys and accounts come and go. What is still so is found again.
                proven.clear();
            }
            proven.insert(key.clone());
            Answer::Named(BrokerIdentity {
                arn: who.into(),
                is_previous,
            })
        }
        Err(IdentifyError::Elsewhere(message) | IdentifyError::Other(message)) => {
            proven.lock().remove(key);
            Answer::Not(IdentityError::Mismatch(format!("{mismatch}: {message}")))
        }
        Err(IdentifyError::Aws(error)) if proven.lock().contains(key) => {
            tracing::warn!(account = %account.name, error = chain(&error), "failed to check the broker's identity");
            Answer::WasNamed
        }
        Err(IdentifyError::Aws(error)) => Answer::Not(IdentityError::Aws(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests;
