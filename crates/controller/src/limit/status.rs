//! *Status*: what is said about a limit, and when it is looked at again. Pure.

use deputy_api::{
    DelegationLimitStatus, GrantCounts, RefusedGrant, StatementUse, WouldRefuse,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::AwsError;
use deputy_delegation::{model::Kind, quota::STATEMENTS_SHOWN};
use deputy_index::{GrantRef, LimitGrants, WouldBeRefused};
use deputy_policy::{Document, Effect};
use jiff::Timestamp;

use super::{
    apply::AppliedLimit,
    dereference::{LimitInputs, ReadableLimit},
};
use crate::{
    queue::Requeue,
    report::{ConditionValue, LOOK_AGAIN, tagged},
    verified::DRIFT_INTERVAL,
};

/// Characters of a message in `wouldRefuse`.
const REFUSAL_CHARS: usize = 256;
/// Characters of a `Sid` in `ceilingUse`.
const SID_CHARS: usize = 128;

/// When the limit is looked at again.
#[must_use]
pub fn next_requeue(applied: &AppliedLimit) -> Requeue {
    let is_transient = applied.problems.iter().any(|p| p.is_transient);
    if is_transient || applied.untagged.iter().any(AwsError::is_retryable) {
        Requeue::Retry
    } else if !applied.untagged.is_empty() {
        Requeue::After(LOOK_AGAIN)
    } else if let Some(interval) = applied.read_again {
        Requeue::After(interval)
    } else {
        Requeue::After(DRIFT_INTERVAL)
    }
}

/// The status of a limit whose status was `old`.
#[must_use]
pub fn updated(
    old: &DelegationLimitStatus,
    inputs: &LimitInputs,
    applied: &AppliedLimit,
    now: Timestamp,
) -> DelegationLimitStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    if let Some(boundaries) = &applied.boundaries {
        new.boundaries.clone_from(boundaries);
    }
    if let Ok(readable) = &inputs.limit {
        write_grants(&mut new, readable);
    }
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    if !new.boundaries.is_empty() {
        tagged(&applied.untagged).write(&mut conditions, ConditionType::Tagged);
    }
    ready(inputs, applied).write(&mut conditions, ConditionType::Ready);
    new
}

/// What the limit means for the grants under it.
fn write_grants(status: &mut DelegationLimitStatus, readable: &ReadableLimit) {
    let grants = readable.grants.as_ref();
    status.grants = grants.map(|grants| GrantCounts {
        accepted: number(grants.accepted),
        suspended: number(grants.suspended),
    });
    status.would_refuse = grants
        .filter(|_| readable.is_dry_run())
        .map(|grants| WouldRefuse {
            count: number(grants.would_refuse),
            grants: grants.refusals.iter().map(refused).collect(),
        });
    status.ceiling_use = grants
        .filter(|_| !readable.is_dry_run())
        .map(|grants| ceiling_use(&readable.limit.ceiling, grants))
        .unwrap_or_default();
}

fn refused((grant, why): (&GrantRef, &WouldBeRefused)) -> RefusedGrant {
    let (kind, namespace, name) = match grant {
        GrantRef::Role(id) => (Kind::from(&id.kind).as_str(), &id.namespace, &id.name),
        GrantRef::Binding(id) => ("AWSRoleBinding", &id.namespace, &id.name),
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
        message.push_str(&format!(" (and {} more)", why.more));
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

fn ready(inputs: &LimitInputs, applied: &AppliedLimit) -> ConditionValue {
    match applied.problems.first() {
        None if inputs.limit.as_ref().is_ok_and(ReadableLimit::is_dry_run) => ConditionValue::new(
            Status::True,
            ConditionReason::Ready,
            "a dry run: nothing is refused by it, and nothing is granted by it; wouldRefuse says what it would refuse",
        ),
        None => ConditionValue::new(Status::True, ConditionReason::Ready, "the limit is in force"),
        Some(first) => {
            let all: Vec<&str> = applied.problems.iter().map(|p| p.message.as_str()).collect();
            ConditionValue::new(Status::False, first.reason, all.join("\n"))
        }
    }
}
