//! The traits over the AWS SDK.

mod decode;
mod policies;
mod roles;
mod sts;

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use deputy_delegation::names::AccountId;
use tokio::time::Instant;
use tracing::{Instrument, Span};

pub(crate) use self::{policies::SdkPolicies, roles::SdkRoles, sts::SdkSts};
use crate::{
    budget::CallBudget,
    error::{AwsError, ErrorClass},
    observe::{CallObserver, CallReport},
};

/// Pages of a list: more than any account may have roles or policies, and an end for a server that never says "last".
const MAX_PAGES: usize = 100;
/// Entries of a page, the most that IAM takes.
const PAGE_SIZE: i32 = 1000;

/// The IAM clients of one account and identity.
pub(crate) struct IamClients {
    /// Repeats what failed for a passing reason.
    pub(crate) reads: aws_sdk_iam::Client,
    /// Sends once.
    pub(crate) writes: aws_sdk_iam::Client,
    /// How long a read may wait for the call budget.
    pub(crate) read_patience: Duration,
    /// How long a write may wait for it.
    pub(crate) write_patience: Duration,
}

/// What every call passes through: budget before, report after.
#[derive(Clone)]
pub(crate) struct ApiCaller {
    pub(crate) account: AccountId,
    /// None for STS: its limit is hundreds of calls a second, and the broker has a budget of its own.
    pub(crate) budget: Option<Arc<CallBudget>>,
    pub(crate) observer: Arc<dyn CallObserver>,
}

impl ApiCaller {
    /// Waits for the budget, makes the call, reports to the budget and the observer how it went. All of it, the client's
    /// repetitions included, is within the span `aws`.
    async fn call<T, E>(
        &self,
        operation: &'static str,
        patience: Duration,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        self.budgeted(operation, patience, request)
            .instrument(span(operation, &self.account))
            .await
    }

    async fn budgeted<T, E>(
        &self,
        operation: &'static str,
        patience: Duration,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let waited = match &self.budget {
            Some(budget) => budget.acquire(operation, patience).await,
            None => Ok(Duration::ZERO),
        };
        let started = Instant::now();
        let (waited, result) = match waited {
            Err(error) => (Duration::ZERO, Err(error)),
            Ok(waited) => {
                let result = request.await.map_err(|e| AwsError::from_sdk(operation, e));
                if let Some(budget) = &self.budget {
                    let throttled = matches!(&result, Err(e) if e.class() == ErrorClass::Throttled);
                    budget.learn(started, throttled);
                }
                (waited, result)
            }
        };
        let report = CallReport {
            account: &self.account,
            operation,
            outcome: result.as_ref().err().map_or("ok", AwsError::category),
            elapsed: started.elapsed(),
            waited,
        };
        if let Err(error) = &result {
            tracing::debug!(%error, "AWS call failed");
        }
        self.observer.finished(&report);
        result
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
fn senseless(operation: &'static str, what: &str) -> AwsError {
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
    ($operation:expr, $caller:expr, $patience:expr, |$marker:ident| $fetch:expr, |$page:ident| $take:expr) => {{
        let mut next: Option<String> = None;
        let mut complete = false;
        for _ in 0..$crate::sdk::MAX_PAGES {
            let $marker = next.clone();
            let $page = $caller.call($operation, $patience, $fetch).await?;
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
