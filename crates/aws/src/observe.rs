//! Telling somebody about every call, without knowing who that is.

use std::time::Duration;

use deputy_delegation::names::AccountId;

use crate::budget::CallPurpose;

/// One finished call to AWS; of a call to IAM that is repeated, one attempt. All fields have few values, except the account.
#[derive(Debug, Clone, Copy)]
pub struct CallReport<'a> {
    /// Whose API was called.
    pub account: &'a AccountId,
    /// Such as `iam:GetRole`.
    pub operation: &'static str,
    /// What it is made for, which says whose turn of the call budget comes first; `None` for calls that have no budget.
    pub purpose: Option<CallPurpose>,
    /// `ok`, or an error's [category](crate::AwsError::category).
    pub outcome: &'static str,
    /// How long it took, of calls to STS with their repetitions, without waiting for the call budget.
    pub elapsed: Duration,
    /// How long it had to wait for the call budget.
    pub waited: Duration,
}

/// Counts or logs calls; must be quick.
pub trait CallObserver: Send + Sync {
    /// A call is done.
    fn finished(&self, report: &CallReport<'_>);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct IgnoreCalls;

impl CallObserver for IgnoreCalls {
    fn finished(&self, _report: &CallReport<'_>) {}
}
