//! Where calls to STS go and who makes them, and why one is not made.

use std::sync::Arc;

use deputy_aws::{AwsError, ErrorClass, Sts};
use deputy_delegation::{AccountId, ObjectName, model::Account};
use deputy_runtime::telemetry::AuditPlace;

/// STS, and by which lane and whose budget it is called.
#[derive(Clone)]
pub struct StsSource {
    pub sts: Arc<dyn Sts>,
    pub route: StsRoute,
    /// The limits that accept what is made with it, for the record.
    pub limits: Arc<[ObjectName]>,
    /// Of the audit line of what is made with it.
    pub place: AuditPlace,
}

/// Where calls go, and who makes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StsRoute {
    pub(super) lane: LaneKey,
    pub(super) caller: CallerKey,
}

/// What can hang by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    account: AccountId,
    /// For people.
    endpoint: Arc<str>,
}

/// Whom AWS counts calls of: who calls, in a region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CallerKey {
    account: AccountId,
    region: Arc<str>,
}

impl StsRoute {
    /// As the issuer of `account`.
    #[must_use]
    pub fn of_issuer(account: &Account) -> Self {
        Self::called_by(account, account.issuer.account())
    }

    /// As the federation user of `account`, which is of the same one.
    #[must_use]
    pub fn of_federation_user(account: &Account) -> Self {
        Self::called_by(account, &account.id)
    }

    fn called_by(account: &Account, caller: &AccountId) -> Self {
        let region: Arc<str> = account.region.as_str().into();
        let endpoint = match &account.endpoints.sts {
            Some(url) => format!("STS at {url}").into(),
            None => format!("STS of region {region}").into(),
        };
        Self {
            lane: LaneKey {
                account: account.id.clone(),
                endpoint,
            },
            caller: CallerKey {
                account: caller.clone(),
                region,
            },
        }
    }
}

impl LaneKey {
    pub(super) fn what(&self) -> String {
        format!("{} (for account {})", self.endpoint, self.account)
    }
}

/// Why a call was not made. The endpoint was not asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSent {
    /// Its endpoint is left alone for a while.
    #[error(
        "{0}. What pods hold stays good. If it stays so, whoever runs Deputy has to look at the network from deputy broker to it, and at \
         spec.region and spec.endpoints of the AWSAccount"
    )]
    CircuitOpen(Arc<str>),
    /// Too many wait for the endpoint, most of them for the same namespace.
    #[error("too many requests wait for {0}; the next one may have its turn")]
    QueueFull(Arc<str>),
    /// Its turn did not come in time.
    #[error("no turn to call {0} came in time; the next request may have it")]
    NoTurn(Arc<str>),
    /// The budget of calls is used up.
    #[error(transparent)]
    Budget(Arc<AwsError>),
}

impl NotSent {
    /// The code of the protocol (docs/contracts.md).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CircuitOpen(_) => "Unavailable",
            Self::QueueFull(_) | Self::NoTurn(_) | Self::Budget(_) => "Throttled",
        }
    }

    /// The same as an error of `operation`.
    pub fn into_error(self, operation: &'static str) -> AwsError {
        let class = match &self {
            Self::CircuitOpen(_) => ErrorClass::Unreachable,
            Self::QueueFull(_) | Self::NoTurn(_) => ErrorClass::Throttled,
            Self::Budget(error) => return error.as_ref().clone(),
        };
        AwsError::new(operation, class, &self.to_string())
    }
}
