//! The traits over the AWS SDK.

mod decode;
mod policies;
mod resource_policies;
mod roles;
mod sts;
mod summary;

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use deputy_delegation::names::AccountId;
use tokio::time::Instant;
use tracing::{Instrument, Span};

pub(crate) use self::{
    policies::SdkPolicies,
    resource_policies::SdkResourcePolicies,
    roles::SdkRoles,
    sts::{SdkSts, issued},
};
use crate::{
    budget::{CallBudget, CallPurpose},
    error::{AwsError, ErrorClass},
    fence::WriteFence,
    observe::{CallObserver, CallReport},
};

/// Pages of a list: more than any account may have roles or policies, and an end for a server that never says "last".
const MAX_PAGES: usize = 100;
/// Entries of a page, the most that IAM takes.
const PAGE_SIZE: i32 = 1000;
/// Roles of a page that has them in full: each may hold 20 KB, and a page is held whole.
const DETAILS_PAGE_SIZE: i32 = 500;

/// How often a call is sent that AWS refuses because there are too many. It was not applied then, and each refusal halves the rate, so
/// that the fourth is sent at an eighth of it.
const THROTTLED_ATTEMPTS: u32 = 4;
/// Before a read that failed for a passing reason is repeated; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What every call passes through: budget before, report after.
#[derive(Clone)]
pub(crate) struct ApiCaller {
    pub(crate) account: AccountId,
    /// None for STS: its limit is hundreds of calls a second, and the broker has a budget of its own.
    pub(crate) budget: Option<Arc<CallBudget>>,
    /// What the calls are made for.
    pub(crate) purpose: CallPurpose,
    /// Asked before each write, when its turn has come.
    pub(crate) fence: WriteFence,
    /// The longest that one write may take from there.
    pub(crate) longest_write: Duration,
    /// How often a read is sent that fails for a passing reason.
    pub(crate) read_attempts: u32,
    pub(crate) observer: Arc<dyn CallObserver>,
}

/// Whether a call may be sent again, and when it may be sent at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something: only while the fence is open, and again only when it was certainly not applied.
    Write,
}

impl ApiCaller {
    /// Makes a call once, without a budget. The client's own repetitions are within the span `aws`, too.
    async fn call<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        self.send(operation, Duration::ZERO, request)
            .instrument(span(operation, &self.account))
            .await
    }

    /// Makes a call that changes nothing, and repeats it when it fails for a passing reason. `request` makes it, once for each attempt;
    /// each attempt has its turn of the budget.
    async fn read<T, E, F>(
        &self,
        operation: &'static str,
        request: impl Fn() -> F + Send + Sync,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        self.attempts(operation, Kind::Read, self.purpose, request)
            .instrument(span(operation, &self.account))
            .await
    }

    /// Makes a call that changes something, each time only while the fence is open. It is sent again when AWS says that there are too
    /// many calls, for then it was not applied; else it is sent once, because only a read tells whether it was.
    async fn write<T, E, F>(
        &self,
        operation: &'static str,
        request: impl Fn() -> F + Send + Sync,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        self.attempts(operation, Kind::Write, self.purpose.of_write(), request)
            .instrument(span(operation, &self.account))
            .await
    }

    async fn attempts<T, E, F>(
        &self,
        operation: &'static str,
        kind: Kind,
        purpose: CallPurpose,
        request: impl Fn() -> F + Send + Sync,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let mut patience = purpose.patience();
        let mut attempt = 1;
        loop {
            let waited = match self.turn(operation, kind, purpose, patience).await {
                Ok(waited) => waited,
                Err(error) => {
                    self.report(operation, Duration::ZERO, Duration::ZERO, Some(&error));
                    return Err(error);
                }
            };
            patience = patience.saturating_sub(waited);
            let error = match self.send(operation, waited, request()).await {
                Err(error) if self.repeats(kind, &error, attempt) => error,
                done => return done,
            };
            if error.class() != ErrorClass::Throttled {
                // Of throttled calls the budget takes care.
                tokio::time::sleep(FIRST_PAUSE * (1 << (attempt - 1).min(5))).await;
            }
            attempt += 1;
        }
    }

    /// Waits for the turn of a call.
    async fn turn(
        &self,
        operation: &'static str,
        kind: Kind,
        purpose: CallPurpose,
        patience: Duration,
    ) -> Result<Duration, AwsError> {
        let waited = match &self.budget {
            Some(budget) => budget.acquire(operation, purpose, patience).await?,
            None => Duration::ZERO,
        };
        // Not before: the wait may have been long.
        if kind == Kind::Write && !self.fence.may_write(self.longest_write) {
            return Err(AwsError::new(
                operation,
                ErrorClass::NotLeader,
                "this process may not write now",
            ));
        }
        Ok(waited)
    }

    fn repeats(&self, kind: Kind, error: &AwsError, attempt: u32) -> bool {
        match error.class() {
            ErrorClass::Throttled => attempt < THROTTLED_ATTEMPTS,
            ErrorClass::Unreachable | ErrorClass::Service => {
                kind == Kind::Read && attempt < self.read_attempts
            }
            _ => false,
        }
    }

    /// Sends one request, and reports to the budget and the observer how it went.
    async fn send<T, E>(
        &self,
        operation: &'static str,
        waited: Duration,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let started = Instant::now();
        let result = request.await.map_err(|e| AwsError::from_sdk(operation, e));
        let error = result.as_ref().err();
        if let Some(budget) = &self.budget {
            // STS may throttle the identity that calls IAM: that says nothing of IAM.
            let throttled =
                error.is_some_and(|e| e.class() == ErrorClass::Throttled && e.operation() == operation);
            budget.learn(started, throttled);
        }
        self.report(operation, started.elapsed(), waited, error);
        result
    }

    fn report(&self, operation: &'static str, elapsed: Duration, waited: Duration, error: Option<&AwsError>) {
        if let Some(error) = error {
            tracing::debug!(%error, "AWS call failed");
        }
        self.observer.finished(&CallReport {
            account: &self.account,
            operation,
            purpose: self.budget.as_ref().map(|_| self.purpose),
            outcome: error.map_or("ok", AwsError::category),
            elapsed,
            waited,
        });
    }
}

/// The span of one call to AWS. It names the operation and the account, and nothing that is sent.
pub(crate) fn span(operation: &'static str, account: &AccountId) -> Span {
    tracing::info_span!("aws", operation, account = %account)
}

/// `Ok(None)` instead of "there is no such entity".
fn found<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer that lacks what AWS always sends, or that can't be read.
pub(crate) fn senseless(operation: &'static str, what: &str) -> AwsError {
    AwsError::new(
        operation,
        ErrorClass::Other,
        &format!("the answer makes no sense: {what}"),
    )
}

/// Where the next page of a list begins; `None` after the last one.
fn next_page(
    operation: &'static str,
    truncated: bool,
    marker: Option<String>,
    previous: Option<&String>,
) -> Result<Option<String>, AwsError> {
    match (truncated, marker) {
        (false, _) => Ok(None),
        (true, Some(marker)) if Some(&marker) != previous => Ok(Some(marker)),
        (true, _) => Err(senseless(operation, "a list that goes on without saying where")),
    }
}

/// Fetches all pages of a list. `$fetch` makes a request of a marker; what it returns has `is_truncated` and `marker`.
macro_rules! pages {
    ($operation:expr, $caller:expr, |$marker:ident| $fetch:expr, |$page:ident| $take:expr) => {{
        let mut next: Option<String> = None;
        let mut complete = false;
        for _ in 0..$crate::sdk::MAX_PAGES {
            let fetch = || {
                let $marker = next.clone();
                $fetch
            };
            let $page = $caller.read($operation, fetch).await?;
            let (truncated, marker) = ($page.is_truncated, $page.marker.clone());
            $take;
            match $crate::sdk::next_page($operation, truncated, marker, next.as_ref())? {
                Some(marker) => next = Some(marker),
                None => {
                    complete = true;
                    break;
                }
            }
        }
        if complete {
            Ok(())
        } else {
            Err($crate::sdk::senseless(
                $operation,
                "a list of more than 100 pages",
            ))
        }
    }};
}
use pages;

#[cfg(test)]
pub(crate) mod tests;
