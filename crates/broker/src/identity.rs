//! Whether this process is the issuer that an account names: trust policies name nobody else.

use std::{collections::HashSet, sync::Arc, time::Duration};

use deputy_aws::{AccountIdentity, AwsError, ErrorClass, IdentifyError, Sts, identify};
use deputy_delegation::{IssuerArn, ObjectName, model::Account};
use deputy_runtime::error::chain;
use parking_lot::Mutex;

use crate::single_flight::SingleFlight;

/// Accounts there may be.
const MOST_ACCOUNTS: usize = 10_000;

/// An account and the issuer that it names.
type Key = (ObjectName, IssuerArn);

/// Remembers which accounts name this process as their issuer.
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
    Issuer(Arc<str>),
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
    /// Makes sure that this process is the issuer of `account`. One call to STS for any number of callers, once in ten
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
    pub async fn identity(
        &self,
        account: &Account,
        sts: &Arc<dyn Sts>,
    ) -> Result<Option<Arc<str>>, IdentityError> {
        let key = (account.name.clone(), account.issuer.clone());
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
    match identify(account, AccountIdentity::Issuer, sts.caller_identity().await) {
        Ok(who) => {
            proven.lock().insert(key.clone());
            IssuerAnswer::Issuer(who.into())
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
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use deputy_aws::CallerIdentity;
    use deputy_delegation::AccountId;

    use super::*;

    fn caller(arn: &str) -> CallerIdentity {
        let account = AccountId::new(arn.split(':').nth(4).unwrap()).unwrap();
        CallerIdentity {
            account,
            arn: arn.into(),
            user_id: "x".into(),
        }
    }

    /// An STS that counts its calls and can be away.
    #[derive(Default)]
    struct FakeSts {
        calls: AtomicUsize,
        away: AtomicBool,
        arn: &'static str,
    }

    #[async_trait::async_trait]
    impl Sts for FakeSts {
        async fn assume_role(
            &self,
            _: &deputy_delegation::session::SessionRequest,
        ) -> Result<deputy_aws::Session, AwsError> {
            Err(AwsError::new(
                "sts:AssumeRole",
                ErrorClass::Other,
                "not asked for here",
            ))
        }
        async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.away.load(Ordering::SeqCst) {
                return Err(AwsError::new(
                    "sts:GetCallerIdentity",
                    ErrorClass::Unreachable,
                    "away",
                ));
            }
            Ok(caller(self.arn))
        }
    }

    fn sts(arn: &'static str) -> (Arc<FakeSts>, Arc<dyn Sts>) {
        let fake = Arc::new(FakeSts {
            arn,
            ..FakeSts::default()
        });
        (fake.clone(), fake)
    }

    const ISSUER: &str = "arn:aws:iam::123456789012:user/deputy-broker";

    #[tokio::test(start_paused = true)]
    async fn a_thousand_callers_are_one_call_in_ten_minutes() {
        let (fake, sts) = sts(ISSUER);
        let (check, account) = (IssuerCheck::default(), crate::fixtures::account());
        let callers = (0..1000).map(|_| check.check(&account, &sts));
        let answers = futures::future::join_all(callers).await;
        assert!(answers.iter().all(Result::is_ok));
        tokio::time::advance(Duration::from_secs(599)).await;
        assert!(check.check(&account, &sts).await.is_ok());
        assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn when_sts_is_away_who_was_the_issuer_is_so_still() {
        let (fake, sts) = sts(ISSUER);
        let (check, account) = (IssuerCheck::default(), crate::fixtures::account());
        fake.away.store(true, Ordering::SeqCst);
        assert!(matches!(
            check.check(&account, &sts).await,
            Err(IdentityError::Aws(_))
        ));
        fake.away.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(check.check(&account, &sts).await.is_ok());
        fake.away.store(true, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(3000)).await;
        assert!(check.check(&account, &sts).await.is_ok());
        let calls = fake.calls.load(Ordering::SeqCst);
        assert!(check.check(&account, &sts).await.is_ok());
        assert_eq!(
            fake.calls.load(Ordering::SeqCst),
            calls,
            "not asked at every request"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn another_identity_is_a_mismatch_that_names_both() {
        let (fake, sts) = sts("arn:aws:iam::123456789012:user/somebody");
        let (check, account) = (IssuerCheck::default(), crate::fixtures::account());
        for _ in 0..3 {
            let Err(IdentityError::Mismatch(message)) = check.check(&account, &sts).await else {
                panic!("it should be a mismatch");
            };
            assert!(
                message.contains(ISSUER) && message.contains("somebody"),
                "{message}"
            );
        }
        assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    }
}
