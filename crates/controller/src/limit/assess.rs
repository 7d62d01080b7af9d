//! *Assess*: from everything that was looked up, how a limit stands in its accounts. Pure.

use std::{collections::BTreeMap, sync::Arc};

use deputy_api::{BoundaryProblem, BoundaryStatus, DelegationLimitStatus, conditions::ConditionReason};
use deputy_delegation::{
    ClusterName, ObjectName, Violations, boundary,
    model::{Account, Limit},
};
use deputy_index::{BoundaryInAccount, Entry, boundary_state};

use super::dereference::LimitInputs;

/// How a limit stands.
#[derive(Debug, PartialEq)]
pub enum LimitStanding {
    /// It can't be in force, and nothing is done in AWS: what is there stays.
    Refused(Complaint),
    /// It is in force where nothing is said against it.
    Enforced(Box<InAccounts>),
}

/// How a limit stands in its accounts. None for a limit that has no boundary.
#[derive(Debug, Default, PartialEq)]
pub struct InAccounts {
    /// In how many accounts it has a boundary policy.
    pub count: usize,
    /// Where something is wrong, in the order of the accounts.
    pub wrong: Vec<(ObjectName, Complaint)>,
    /// Where AWS refuses tags.
    pub untagged: Vec<(ObjectName, Complaint)>,
    /// The entries that stay: those of accounts that the limit covers and that are there.
    pub entries: Vec<BoundaryStatus>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub reason: ConditionReason,
    pub message: String,
}

impl Complaint {
    fn new(reason: ConditionReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    fn invalid(violations: &Violations) -> Self {
        Self::new(violations.into(), format!("{violations:#}"))
    }

    fn of(problem: &BoundaryProblem) -> Self {
        // One that this version does not know was written by another one.
        let reason = ConditionReason::from_word(&problem.reason).unwrap_or(ConditionReason::AWSError);
        Self::new(reason, problem.message.as_str())
    }
}

/// How the limit stands whose status is `old`.
#[must_use]
pub fn assess(inputs: &LimitInputs, old: &DelegationLimitStatus) -> LimitStanding {
    let readable = match &inputs.limit {
        Ok(readable) => readable,
        Err(violations) => return LimitStanding::Refused(Complaint::invalid(violations)),
    };
    if let Err(violations) = &readable.validity {
        return LimitStanding::Refused(Complaint::invalid(violations));
    }
    let entries: BTreeMap<&str, &BoundaryStatus> = old
        .boundaries
        .iter()
        .map(|entry| (entry.account.as_str(), entry))
        .collect();
    let mut standing = InAccounts {
        count: readable.accounts.len(),
        ..InAccounts::default()
    };
    for (name, account) in &readable.accounts {
        let entry = entries.get(name.as_str()).copied();
        let wrong = match account {
            Entry::Known(account) => in_account(&inputs.cluster, &readable.limit, account, entry).err(),
            Entry::Unreadable(why) => Some(Complaint::new(
                ConditionReason::Invalid,
                format!("the AWSAccount {name} can't be used: {why}"),
            )),
            Entry::Missing => Some(Complaint::new(
                ConditionReason::AccountNotFound,
                format!("the AWSAccount {name} does not exist"),
            )),
        };
        standing.wrong.extend(wrong.map(|wrong| (name.clone(), wrong)));
        let Some(entry) = entry.filter(|_| !matches!(account, Entry::Missing)) else {
            continue;
        };
        let untagged = entry.untagged.as_ref().map(Complaint::of);
        standing
            .untagged
            .extend(untagged.map(|untagged| (name.clone(), untagged)));
        standing.entries.push(entry.clone());
    }
    LimitStanding::Enforced(Box::new(standing))
}

/// Whether the limit is in force in an account, by its entry: the same question that roles ask. An entry that says nothing is wrong is not
/// enough: it may be of the limit, or the account, as that was.
fn in_account(
    cluster: &ClusterName,
    limit: &Arc<Limit>,
    account: &Account,
    entry: Option<&BoundaryStatus>,
) -> Result<(), Complaint> {
    let said = entry.and_then(|entry| entry.problem.as_ref()).map(Complaint::of);
    let (wanted, arn) = (
        boundary::in_account(cluster, account, limit),
        boundary::arn(cluster, account, limit),
    );
    let (Some(wanted), Some(arn)) = (wanted.as_deref(), arn) else {
        // Only a limit that is checked alone has none, and that names no account here.
        return Err(Complaint::new(
            ConditionReason::Invalid,
            "the limit has no boundary",
        ));
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(violation) => return Err(Complaint::invalid(&violation.clone().into())),
    };
    let in_aws = entry.and_then(BoundaryInAccount::new);
    match boundary_state(wanted, &arn, in_aws.as_ref()) {
        Ok(()) => said.map_or(Ok(()), Err),
        Err((_, until)) => Err(said.unwrap_or_else(|| Complaint::new(ConditionReason::Progressing, until))),
    }
}
