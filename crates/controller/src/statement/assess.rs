//! *Assess*: from everything that was looked up, what the policy of the resource is to have. Pure.

use std::{collections::BTreeSet, sync::Arc};

use deputy_api::conditions::{ConditionReason, Status};
use deputy_delegation::{
    Decision, PolicyResource, StatementSid,
    model::Account,
    resource_policy::{GranteeArn, WantedStatement},
};
use deputy_index::Entry;

use super::{
    dereference::{Grantee, StatementInputs},
    outcome::StatementOutcome,
};
use crate::report::{ConditionValue, accepted, not_accepted};

/// What is to be done about a statement.
#[derive(Debug)]
pub struct StatementPlan {
    /// Whether the finalizer comes before AWS.
    pub adds_finalizer: bool,
    /// Whether the object is being deleted.
    pub is_leaving: bool,
    /// `Accepted`, as long as the object stays.
    pub accepted: ConditionValue,
    /// What is to be in AWS.
    pub goal: StatementGoal,
}

/// What is to be in AWS.
#[derive(Debug)]
pub enum StatementGoal {
    /// Nothing is asked, and nothing written: this is true already.
    Nothing(StatementOutcome),
    /// The policy is read, and written where it differs.
    Converge(Box<StatementTarget>),
}

/// What the policy of a resource is to have.
#[derive(Debug)]
pub struct StatementTarget {
    /// The account of the resource.
    pub account: Arc<Account>,
    /// The resource.
    pub resource: PolicyResource,
    /// What the statement is known by.
    pub sid: StatementSid,
    /// The statement; `None`: there is to be none.
    pub wanted: Option<WantedStatement>,
    /// Whom it names.
    pub grantees: Vec<GranteeArn>,
    /// The unique ids of the roles among them.
    pub unique_ids: Vec<Box<str>>,
    /// Whether what is there under the Sid is the object's.
    pub is_claimed: bool,
    /// The Sids of other statements of this cluster in that policy.
    pub own_sids: BTreeSet<Box<str>>,
    /// Why it names not all, or is not there.
    pub left_out: Option<(ConditionReason, String)>,
}

impl StatementTarget {
    /// That the policy has nothing of an object that is gone.
    #[must_use]
    pub fn gone(account: Arc<Account>, resource: PolicyResource, sid: StatementSid) -> Self {
        Self {
            account,
            resource,
            sid,
            wanted: None,
            grantees: Vec::new(),
            unique_ids: Vec::new(),
            is_claimed: true,
            own_sids: BTreeSet::new(),
            left_out: None,
        }
    }

    /// Whether a statement of this Sid is another one of this cluster.
    #[must_use]
    pub fn is_own(&self, sid: &str) -> bool {
        self.own_sids.contains(sid)
    }
}

/// What is to be done about a statement that was looked up.
#[must_use]
pub fn assess(inputs: &StatementInputs) -> StatementPlan {
    let accepted = match &inputs.decision {
        Decision::Accepted(within) => accepted(within),
        Decision::Refused(violations) => {
            ConditionValue::new(Status::False, violations.into(), format!("{violations:#}"))
        }
        Decision::Undecided(missing) => {
            ConditionValue::new(Status::Unknown, missing.into(), missing.to_string())
        }
    };
    let is_leaving = inputs.is_leaving();
    let goal = goal(inputs, &accepted);
    let may_write = matches!(&goal, StatementGoal::Converge(target) if target.wanted.is_some());
    let may_be_there = may_write || inputs.is_claimed();
    StatementPlan {
        adds_finalizer: may_be_there && !is_leaving && !inputs.has_finalizer(),
        is_leaving,
        accepted,
        goal,
    }
}

fn goal(inputs: &StatementInputs, accepted: &ConditionValue) -> StatementGoal {
    let nothing =
        |reason, message: String| StatementGoal::Nothing(StatementOutcome::Waits { reason, message });
    if inputs.is_leaving() {
        if !inputs.is_claimed() {
            // It never was in AWS.
            return StatementGoal::Nothing(StatementOutcome::Absent);
        }
        return take_out(
            inputs,
            ConditionReason::Deleting,
            "it is being taken out of the policy".to_owned(),
        );
    }
    match (&inputs.decision, &inputs.statement) {
        (Decision::Undecided(missing), _) => nothing(missing.into(), missing.to_string()),
        (Decision::Accepted(_), Some(statement)) => {
            let (grantees, left_out) = named(&inputs.principals);
            match WantedStatement::new(&inputs.sid, &statement.grant, &grantees) {
                Ok(wanted) => converge(inputs, wanted, grantees, left_out),
                Err(problems) => {
                    let message = format!("the statement can't be written: {problems}");
                    take_out(inputs, ConditionReason::Invalid, message)
                }
            }
        }
        _ => take_out(
            inputs,
            not_accepted(Some(accepted.reason)),
            "not accepted: the policy in AWS has no such statement".to_owned(),
        ),
    }
}

fn take_out(inputs: &StatementInputs, reason: ConditionReason, message: String) -> StatementGoal {
    converge(inputs, None, Vec::new(), Some((reason, message)))
}

fn converge(
    inputs: &StatementInputs,
    wanted: Option<WantedStatement>,
    grantees: Vec<GranteeArn>,
    left_out: Option<(ConditionReason, String)>,
) -> StatementGoal {
    let waits = |reason, message: String| StatementGoal::Nothing(StatementOutcome::Waits { reason, message });
    if wanted.is_none()
        && !inputs.is_claimed()
        && let Some((reason, message)) = left_out
    {
        return waits(reason, message);
    }
    let Some((name, resource)) = &inputs.place else {
        return waits(
            ConditionReason::Invalid,
            "the account and the resource can't be read, so what is in AWS is not looked for".to_owned(),
        );
    };
    let account = match &inputs.account {
        Entry::Known(account) => Arc::clone(account),
        Entry::Unreadable(why) => {
            let message = format!("AWSAccount {name} can't be used: {why}");
            return waits(ConditionReason::AccountInvalid, message);
        }
        Entry::Missing => {
            let message = format!("AWSAccount {name} does not exist");
            return waits(ConditionReason::AccountNotFound, message);
        }
    };
    StatementGoal::Converge(Box::new(StatementTarget {
        account,
        resource: resource.clone(),
        sid: inputs.sid.clone(),
        wanted,
        grantees,
        unique_ids: inputs
            .principals
            .iter()
            .filter_map(|one| one.unique_id.clone())
            .collect(),
        is_claimed: inputs.is_claimed(),
        own_sids: inputs.own_sids.clone(),
        left_out,
    }))
}

/// Those who can be named, and what is said of the others.
fn named(principals: &[Grantee]) -> (Vec<GranteeArn>, Option<(ConditionReason, String)>) {
    let arns = principals.iter().filter_map(|one| one.arn.clone().ok()).collect();
    let others: Vec<String> = principals
        .iter()
        .filter_map(|one| Some(format!("{} {}", one.principal, one.arn.as_ref().err()?)))
        .collect();
    let left_out = (!others.is_empty()).then(|| {
        let message = format!("not named in AWS: {}", others.join("; "));
        (ConditionReason::PrincipalNotReady, message)
    });
    (arns, left_out)
}
