//! The identity of a process from an X.509 certificate: IAM Roles Anywhere, for clusters outside of AWS.
//!
//! One session for all clients of a process, made by one call at a time, and renewed when half of its life is over. A renewal that fails
//! costs nothing while the session lasts: so long the certificate, its issuer or AWS may be in trouble. The certificate is read again for
//! each call.

mod certificate;
mod request;
mod session;
mod settings;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument as _;

pub use self::settings::{RolesAnywhere, RolesAnywhereError, RolesAnywhereSettings};

use self::session::{AnywhereSession, OPERATION, create_session};
use crate::{
    config::Timeouts,
    error::{AwsError, ErrorClass},
    identity::REFRESH_BEFORE_EXPIRY,
    proxy::{Proxy, http_connector},
    sdk,
};

/// So long clients of the SDK keep what they are given before they ask again. They would keep it to its end, and then wait for the
/// renewal, and fail with it.
const HANDED_OUT: Duration = Duration::from_secs(300);
/// Calls for one session, when AWS is in trouble or has too many.
const ATTEMPTS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(300);
/// After a failure nothing is called for so long, and twice as long after each further one.
const FIRST_REST: Duration = Duration::from_millis(500);
const LAST_REST: Duration = Duration::from_secs(15);

/// Gives sessions by IAM Roles Anywhere.
#[derive(Clone)]
pub(crate) struct RolesAnywhereIdentity(Arc<Inner>);

struct Inner {
    settings: RolesAnywhere,
    connector: SharedHttpConnector,
    attempt: Duration,
    deadline: Duration,
    kept: Mutex<Option<Kept>>,
    /// Held by who renews; the failure before, if it was one.
    renewal: tokio::sync::Mutex<Option<Failure>>,
}

/// A session, on the clock that nobody sets.
struct Kept {
    session: AnywhereSession,
    made: Instant,
    life: Duration,
}

impl Kept {
    fn left(&self) -> Duration {
        self.life.saturating_sub(self.made.elapsed())
    }
    fn is_due(&self) -> bool {
        self.left() < self.life / 2
    }
    /// As the SDK takes them: for a while.
    fn credentials(&self) -> Option<Credentials> {
        let left = self.left();
        if left <= REFRESH_BEFORE_EXPIRY {
            return None;
        }
        let expiry = SystemTime::now() + left.min(HANDED_OUT + REFRESH_BEFORE_EXPIRY);
        Some(Credentials::new(
            self.session.access_key_id.clone(),
            self.session.secret_access_key.as_str(),
            Some(self.session.session_token.as_str().to_owned()),
            Some(expiry),
            "RolesAnywhere",
        ))
    }
}

struct Failure {
    error: AwsError,
    until: Instant,
    rest: Duration,
}

impl RolesAnywhereIdentity {
    /// Calls nothing and reads nothing by itself.
    pub(crate) fn new(settings: RolesAnywhere, proxy: Option<&Proxy>, timeouts: &Timeouts) -> Self {
        Self(Arc::new(Inner {
            connector: http_connector(proxy, timeouts.connect, timeouts.sts_attempt),
            settings,
            attempt: timeouts.sts_attempt,
            deadline: timeouts.sts,
            kept: Mutex::default(),
            renewal: tokio::sync::Mutex::default(),
        }))
    }

    async fn credentials(&self) -> Result<Credentials, AwsError> {
        if let Some(fresh) = self.0.kept(|kept| !kept.is_due()) {
            return Ok(fresh);
        }
        // Somebody renews it already.
        if self.0.renewal.try_lock().is_err()
            && let Some(usable) = self.0.kept(|_| true)
        {
            return Ok(usable);
        }
        let inner = Arc::clone(&self.0);
        // In a task of its own: a caller that gives up does not end the call for those who wait with it.
        let renewal = tokio::spawn(async move { inner.renewed().await }.in_current_span());
        renewal.await.unwrap_or_else(|_| {
            Err(AwsError::new(
                OPERATION,
                ErrorClass::Other,
                "the renewal ended early",
            ))
        })
    }
}

impl Inner {
    /// The session that there is, if it is `good`.
    fn kept(&self, good: impl Fn(&Kept) -> bool) -> Option<Credentials> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|kept| good(kept))
            .and_then(Kept::credentials)
    }

    async fn renewed(&self) -> Result<Credentials, AwsError> {
        let mut failure = self.renewal.lock().await;
        if let Some(fresh) = self.kept(|kept| !kept.is_due()) {
            return Ok(fresh);
        }
        if let Some(failure) = failure.as_ref().filter(|failure| Instant::now() < failure.until) {
            return self.kept(|_| true).ok_or_else(|| failure.error.clone());
        }
        let outcome = tokio::time::timeout(self.deadline, self.session())
            .await
            .unwrap_or_else(|_| Err(late()));
        match outcome.and_then(|session| self.keep(session)) {
            Ok(credentials) => {
                *failure = None;
                Ok(credentials)
            }
            Err(error) => {
                let usable = self.kept(|_| true);
                tracing::warn!(
                    error = error.to_string(),
                    has_session = usable.is_some(),
                    "failed to get a session from IAM Roles Anywhere"
                );
                let rest = failure
                    .as_ref()
                    .map_or(FIRST_REST, |before| (before.rest * 2).min(LAST_REST));
                *failure = Some(Failure {
                    error: error.clone(),
                    until: Instant::now() + rest,
                    rest,
                });
                usable.ok_or(error)
            }
        }
    }

    async fn session(&self) -> Result<AnywhereSession, AwsError> {
        let mut attempt = 1;
        loop {
            let call = self.call();
            let outcome = tokio::time::timeout(self.attempt, call)
                .await
                .unwrap_or_else(|_| Err(late()));
            match outcome {
                Err(error) if attempt < ATTEMPTS && is_passing(error.class()) => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn call(&self) -> Result<AnywhereSession, AwsError> {
        let certificate = certificate::read(self.settings.certificate_folder(), Timestamp::now)
            .await
            .map_err(|error| AwsError::new(OPERATION, ErrorClass::NoCredentials, &error.to_string()))?;
        let now = Timestamp::now();
        let session = create_session(&self.connector, &self.settings, &certificate, now).await?;
        tracing::info!(
            role = %self.settings.role(),
            serial = certificate.serial,
            certificate_not_after = %certificate.not_after,
            expiration = %session.expiration,
            "got a session from IAM Roles Anywhere"
        );
        if certificate.not_after < session.expiration {
            tracing::warn!(
                serial = certificate.serial,
                certificate_not_after = %certificate.not_after,
                "the certificate for IAM Roles Anywhere ends soon, and has not been renewed yet"
            );
        }
        Ok(session)
    }

    fn keep(&self, session: AnywhereSession) -> Result<Credentials, AwsError> {
        let seconds = session.expiration.as_second() - Timestamp::now().as_second();
        let made = Kept {
            session,
            made: Instant::now(),
            life: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        };
        let credentials = made.credentials().ok_or_else(|| {
            sdk::senseless(
                OPERATION,
                "the session ends within a minute; is the clock here right?",
            )
        })?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(credentials)
    }
}

fn late() -> AwsError {
    AwsError::new(OPERATION, ErrorClass::Unreachable, "no answer in time")
}

fn is_passing(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Throttled | ErrorClass::Unreachable | ErrorClass::Service
    )
}

impl fmt::Debug for RolesAnywhereIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RolesAnywhereIdentity")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl ProvideCredentials for RolesAnywhereIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let span = sdk::span(OPERATION, self.0.settings.role().account());
        let credentials = async {
            let credentials = self.credentials().await;
            credentials.map_err(CredentialsError::provider_error)
        };
        future::ProvideCredentials::new(credentials.instrument(span))
    }
}

#[cfg(test)]
mod tests;
