//! *Status*: what is said about a limit. Pure.

use deputy_api::{
    DelegationLimitStatus, GrantCounts, RefusedGrant, StatementUse, WouldRefuse,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_delegation::{ObjectName, model::Kind, quota::STATEMENTS_SHOWN};
use deputy_index::{GrantRef, LimitGrants, WouldBeRefused};
use deputy_policy::{Document, Effect};
use jiff::Timestamp;

use super::{
    assess::{Complaint, InAccounts, LimitStanding},
    dereference::{LimitInputs, ReadableLimit},
};
use crate::report::{ConditionValue, tagged};

/// Characters of a message in `wouldRefuse`.
const REFUSAL_CHARS: usize = 256;
/// Characters of a `Sid` in `ceilingUse`.
const SID_CHARS: usize = 128;
/// Accounts of which a condition says what is wrong.
const ACCOUNTS_SAID: usize = 8;
/// Characters of what is said of each of them.
const ACCOUNT_CHARS: usize = 400;
/// Further accounts that it names.
const ACCOUNTS_NAMED: usize = 16;

/// The status of a limit whose status was `old`, but for its counts.
#[must_use]
pub fn updated(
    old: &DelegationLimitStatus,
    inputs: &LimitInputs,
    standing: &LimitStanding,
    now: Timestamp,
) -> DelegationLimitStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    if let LimitStanding::Enforced(standing) = standing {
        new.boundaries.clone_from(&standing.entries);
    }
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    if let LimitStanding::Enforced(standing) = standing
        && !standing.entries.is_empty()
    {
        tags(standing).write(&mut conditions, ConditionType::Tagged);
    }
    ready(inputs, standing).write(&mut conditions, ConditionType::Ready);
    new
}

fn ready(inputs: &LimitInputs, standing: &LimitStanding) -> ConditionValue {
    let standing = match standing {
        LimitStanding::Refused(Complaint { reason, message }) => {
            return ConditionValue::new(Status::False, *reason, message.as_str());
        }
        LimitStanding::Enforced(standing) => standing,
    };
    let Some(reason) = first_reason(&standing.wrong) else {
        let message = if inputs.limit.as_ref().is_ok_and(ReadableLimit::is_dry_run) {
            "a dry run: nothing is refused by it, and nothing is granted by it; wouldRefuse says what it would refuse"
        } else {
            "the limit is in force"
        };
        return ConditionValue::new(Status::True, ConditionReason::Ready, message);
    };
    let (count, wrong) = (standing.count, standing.wrong.len());
    let message = format!(
        "its boundary policy is as it should be in {} of {count} accounts; not in: {}",
        count.saturating_sub(wrong),
        listed(&standing.wrong)
    );
    ConditionValue::new(Status::False, reason, message)
}

fn tags(standing: &InAccounts) -> ConditionValue {
    let Some(reason) = first_reason(&standing.untagged) else {
        return tagged(&[]);
    };
    let message = format!(
        "not tagged as the AWSAccount says in {} of {} accounts; all else is as it should be: {}",
        standing.untagged.len(),
        standing.count,
        listed(&standing.untagged)
    );
    ConditionValue::new(Status::False, reason, message)
}

/// Why: of what goes wrong before what is only under way.
fn first_reason(wrong: &[(ObjectName, Complaint)]) -> Option<ConditionReason> {
    let reasons = || wrong.iter().map(|(_, wrong)| wrong.reason);
    let is_fault = |reason: &ConditionReason| *reason != ConditionReason::Progressing;
    reasons().find(is_fault).or_else(|| reasons().next())
}

/// What is wrong in the first [`ACCOUNTS_SAID`] accounts, the names of the [`ACCOUNTS_NAMED`] after them, and how many more there are.
fn listed(wrong: &[(ObjectName, Complaint)]) -> String {
    let mut lines: Vec<String> = wrong
        .iter()
        .take(ACCOUNTS_SAID)
        .map(|(account, Complaint { message, .. })| {
            // One that is alone may say all that it has to.
            let most = if wrong.len() == 1 {
                usize::MAX
            } else {
                ACCOUNT_CHARS
            };
            match message.char_indices().nth(most) {
                Some((end, _)) => format!("{account}: {}…", message.get(..end).unwrap_or_default()),
                None => format!("{account}: {message}"),
            }
        })
        .collect();
    let others: Vec<&str> = wrong
        .iter()
        .skip(ACCOUNTS_SAID)
        .take(ACCOUNTS_NAMED)
        .map(|(account, _)| account.as_ref())
        .collect();
    if !others.is_empty() {
        lines.push(others.join(", "));
    }
    let more = wrong.len().saturating_sub(ACCOUNTS_SAID + ACCOUNTS_NAMED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// The status `old` with what the limit means for the grants under it.
#[must_use]
pub fn counted(
    old: &DelegationLimitStatus,
    ceiling: &Document,
    is_dry_run: bool,
    grants: Option<&LimitGrants>,
) -> DelegationLimitStatus {
    let mut new = old.clone();
    new.grants = grants.map(|grants| GrantCounts {
        accepted: number(grants.accepted),
        suspended: number(grants.suspended),
    });
    new.would_refuse = grants.filter(|_| is_dry_run).map(|grants| WouldRefuse {
        count: number(grants.would_refuse),
        grants: grants.refusals.iter().map(refused).collect(),
    });
    new.ceiling_use = grants
        .filter(|_| !is_dry_run)
        .map(|grants| ceiling_use(ceiling, grants))
        .unwrap_or_default();
    new
}

pub(super) fn refused((grant, why): (&GrantRef, &WouldBeRefused)) -> RefusedGrant {
    let (kind, namespace, name) = match grant {
        GrantRef::Role(id) => (Kind::from(&id.kind).as_str(), &id.namespace, &id.name),
        GrantRef::Binding(id) => ("AWSRoleBinding", &id.namespace, &id.name),
        GrantRef::FederatedUser(id) => ("AWSFederatedUserBinding", &id.namespace, &id.name),
        GrantRef::Statement(id) => ("AWSResourcePolicyStatement", &id.namespace, &id.name),
    };
    let mut message = String::new();
    if why.by_role {
        message.push_str("its role would be refused: ");
    }
    message.push_str(&format!("{}: {}", why.first.field, why.first.message));
    if let Some((end, _)) = message.char_indices().nth(REFUSAL_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    if why.more > 0 {
        let whose = if why.by_role { "its role's" } else { "its" };
        message.push_str(&format!(
            " (and {} more: {whose} condition Accepted has all)",
            why.more
        ));
    }
    RefusedGrant {
        kind: kind.to_owned(),
        namespace: namespace.to_string(),
        name: name.to_string(),
        reason: why.first.reason.to_string(),
        message,
    }
}

fn ceiling_use(ceiling: &Document, grants: &LimitGrants) -> Vec<StatementUse> {
    let statements = ceiling.statements().iter().enumerate();
    statements
        .filter(|(_, statement)| statement.effect == Effect::Allow)
        .take(STATEMENTS_SHOWN)
        .map(|(index, statement)| StatementUse {
            statement: number(index),
            sid: statement
                .sid
                .as_ref()
                .map(|sid| sid.chars().take(SID_CHARS).collect()),
            grants: number(grants.ceiling_use.get(&index).copied().unwrap_or_default()),
        })
        .collect()
}

fn number(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
