//! *Assess*: from everything that was looked up, the one plan for an account. Pure.

use deputy_api::conditions::{ConditionReason, Status};
use deputy_delegation::model::Account;

use super::dereference::AccountInputs;
use crate::{
    report::ConditionValue,
    verified::{Fingerprint, FingerprintKey},
};

/// What is to be done about an account.
#[derive(Debug)]
pub enum AccountPlan<'a> {
    /// It can't be used, and this is what `Ready` says. AWS is not asked.
    Refuse(ConditionValue),
    /// AWS is asked who this process is, unless it said so of the same fingerprint a short while ago.
    Identify {
        account: &'a Account,
        /// Of all that the account says.
        fingerprint: Fingerprint,
    },
}

/// The plan for an account.
#[must_use]
pub fn assess<'a>(inputs: &'a AccountInputs, key: &FingerprintKey) -> AccountPlan<'a> {
    let refuse =
        |reason, message: String| AccountPlan::Refuse(ConditionValue::new(Status::False, reason, message));
    match (&inputs.account, &inputs.superseded_by) {
        (Err(violations), _) => refuse(ConditionReason::Invalid, format!("{violations:#}")),
        (Ok(account), Some(owner)) => refuse(
            ConditionReason::DuplicateAccount,
            format!(
                "AWS account {} is AWSAccount {owner} already, which is older and counts: nothing is made or granted by this \
                 one. Use {owner}, or delete one of the two",
                account.id
            ),
        ),
        (Ok(account), None) => AccountPlan::Identify {
            account,
            fingerprint: key.fingerprint(account),
        },
    }
}
