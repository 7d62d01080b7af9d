//! *Status*: what is said about a role, and when it is looked at again. Pure.

use std::collections::BTreeSet;

use deputy_api::{
    AWSRoleStatus,
    conditions::{self, ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::AwsError;
use deputy_delegation::{
    Decision, ManagedPolicyArn, foreign_trust::statements_to_add, naming, trust::LeftOutPrincipal,
};
use jiff::Timestamp;

use super::{
    capped::{self, CappedRole},
    dereference::{RoleInputs, RoleStage},
    outcome::{AppliedRole, RoleOutcome},
    target::boundary_arn,
};
use crate::{
    left_out,
    orphans::TriedFor,
    queue::Requeue,
    report::{LOOK_AGAIN, not_accepted, tagged, within},
};

/// When the role is looked at again.
#[must_use]
pub fn next_requeue(applied: &AppliedRole) -> Requeue {
    match (outcome_requeue(applied), applied.capped.look_again()) {
        (Requeue::After(time), Some(at_most)) => Requeue::After(time.min(at_most)),
        (requeue, _) => requeue,
    }
}

fn outcome_requeue(applied: &AppliedRole) -> Requeue {
    match &applied.outcome {
        RoleOutcome::Provisioned { untagged, .. } if untagged.iter().any(AwsError::is_retryable) => {
            Requeue::Retry
        }
        RoleOutcome::Provisioned {
            untagged,
            absent,
            left_out,
            ..
        } if !untagged.is_empty() || !absent.is_empty() || !left_out.is_empty() => Requeue::After(LOOK_AGAIN),
        RoleOutcome::Provisioned { .. } | RoleOutcome::Existing { .. } | RoleOutcome::Suspended { .. } => {
            applied.trusted_for.map_or(Requeue::Retry, Requeue::After)
        }
        RoleOutcome::Waiting { reason, .. } if waits_for_others(*reason) => Requeue::After(LOOK_AGAIN),
        RoleOutcome::Waiting { .. } => Requeue::Retry,
        RoleOutcome::Deleting {
            ended: TriedFor::Hidden(left),
            ..
        } => Requeue::RetryWithin(*left),
        // Without its AWSAccount it is not noted down, and its object stays.
        RoleOutcome::Deleting { .. } | RoleOutcome::Held(_) => Requeue::Retry,
        RoleOutcome::Deleted | RoleOutcome::Retained | RoleOutcome::Orphaned { .. } => Requeue::AwaitChange,
    }
}

/// Whether it takes somebody else, and not another try, to get on: a change of another object, which brings the role back, or something
/// in AWS, of which nothing tells us. Which of the two it is decides how soon the role is looked at again, so every reason is here.
fn waits_for_others(reason: ConditionReason) -> bool {
    use ConditionReason as Reason;
    match reason {
        Reason::AccountNotFound
        | Reason::AccountInvalid
        | Reason::BoundaryNotReady
        | Reason::BoundaryExceedsLimit
        | Reason::BoundaryNotFound
        | Reason::Conflict
        | Reason::PolicyNotFound
        | Reason::NotInAWS
        | Reason::TrustMissing
        | Reason::QuotaExceeded => true,
        Reason::WithinLimits
        | Reason::UpToDate
        | Reason::Ready
        | Reason::Progressing
        | Reason::Invalid
        | Reason::NoLimit
        | Reason::LimitInvalid
        | Reason::BoundaryOverlap
        | Reason::NoBoundary
        | Reason::RoleInvalid
        | Reason::NamespaceNotAllowed
        | Reason::InstancesNotReady
        | Reason::TooManyInstances
        | Reason::ExceedsLimit
        | Reason::ContainmentUnknown
        | Reason::TooLarge
        | Reason::Duration
        | Reason::SessionTag
        | Reason::Method
        | Reason::Escalation
        | Reason::TenantVariable
        | Reason::Subject
        | Reason::Partition
        | Reason::ManagedPolicy
        | Reason::ExistingRole
        | Reason::Retain
        | Reason::FederatedUser
        | Reason::ResourcePolicy
        | Reason::ResourceNotFound
        | Reason::PrincipalNotReady
        | Reason::Suspended
        | Reason::NotAccepted
        | Reason::RoleNotFound
        | Reason::RoleNotReady
        | Reason::TrustPolicyFull
        | Reason::PrincipalReplaced
        | Reason::InvalidPrincipal
        | Reason::NotServed
        | Reason::Shadowed
        | Reason::Capped
        | Reason::NotCapped
        | Reason::AccessDenied
        | Reason::Throttled
        | Reason::Unavailable
        | Reason::AWSError
        | Reason::AccountMismatch
        | Reason::IdentityMismatch
        | Reason::NoCredentials
        | Reason::PreviousIssuer
        | Reason::IssuerNotReady
        | Reason::PackedPolicyTooLarge
        | Reason::RegionDisabled
        | Reason::DuplicateAccount
        | Reason::Orphaned
        | Reason::OrphansHeld
        | Reason::DeletionsHeld
        | Reason::Deleting => false,
    }
}

/// The status of a role whose status was `old`.
#[must_use]
pub fn updated(
    old: &AWSRoleStatus,
    inputs: &RoleInputs,
    applied: &AppliedRole,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSRoleStatus {
    let mut new = old.clone();
    if let RoleStage::Present(role) = &inputs.stage {
        write_decision(&mut new, &role.decision, generation, now);
        if let Some(account) = inputs.account.usable.known() {
            let existing = role.role.as_ref().filter(|role| role.existing().is_some());
            new.role_arn = Some(match existing {
                Some(role) => naming::arn_of(&inputs.cluster, account, role).to_string(),
                None => naming::role_arn(&inputs.cluster, account, &inputs.id).to_string(),
            });
            new.trust_statement = existing.map(|role| statements_to_add(&inputs.cluster, account, &role.id));
            if let Decision::Accepted(accepted) = &role.decision {
                // A role that exists carries none of Deputy's.
                let boundary = accepted.boundary.as_ref().filter(|_| existing.is_none());
                let arn = |name| boundary_arn(&inputs.cluster, account, &role.limits, name).to_string();
                new.boundary_arn = boundary.map(arn);
            }
        }
    }
    write_outcome(&mut new, &applied.outcome, generation, now);
    write_capped(&mut new, &applied.capped, generation, now);
    new
}

/// Writes the condition about what the boundary cuts off.
pub fn write_capped(
    status: &mut AWSRoleStatus,
    capped: &CappedRole,
    generation: Option<i64>,
    now: Timestamp,
) {
    let mut conditions = Conditions::new(&mut status.conditions, generation, now);
    match capped {
        CappedRole::NothingToCap => conditions.remove(ConditionType::CappedByBoundary),
        CappedRole::NotLookedAt => {}
        CappedRole::Found(found) => {
            capped::condition(found).write(&mut conditions, ConditionType::CappedByBoundary);
        }
    }
}

/// Writes the condition about the decision.
pub fn write_decision(
    status: &mut AWSRoleStatus,
    decision: &Decision,
    generation: Option<i64>,
    now: Timestamp,
) {
    let (holds, reason, message) = match decision {
        Decision::Accepted(accepted) => {
            status.limits = accepted.limits.iter().map(ToString::to_string).collect();
            (Status::True, ConditionReason::WithinLimits, within(accepted))
        }
        Decision::Refused(violations) => (Status::False, violations.into(), format!("{violations:#}")),
        Decision::Undecided(missing) => (
            Status::Unknown,
            ConditionReason::AccountNotFound,
            missing.to_string(),
        ),
    };
    Conditions::new(&mut status.conditions, generation, now).set(
        ConditionType::Accepted,
        holds,
        reason,
        message,
    );
}

/// Writes which role it is in AWS, and what is known of it there.
fn write_identity(status: &mut AWSRoleStatus, outcome: &RoleOutcome) {
    match outcome {
        RoleOutcome::Provisioned {
            role_id, trust_hash, ..
        } => {
            status.role_id.clone_from(role_id);
            status.trust_hash.clone_from(trust_hash);
        }
        RoleOutcome::Suspended { role_id } => {
            status.role_id.clone_from(role_id);
            status.trust_hash = None;
        }
        // What has its name is somebody else's: nobody gets a session of that by this object.
        RoleOutcome::Waiting {
            reason: ConditionReason::Conflict,
            ..
        } => {
            status.role_id = None;
            status.trust_hash = None;
        }
        RoleOutcome::Existing {
            role_id,
            longest_session,
            ..
        } => {
            status.role_id = Some(role_id.clone());
            status.max_session_duration = Some(longest_session.to_string());
        }
        _ => {}
    }
}

/// Writes whom the trust policy leaves out, where one is written that trusts anybody: what was known before stays known until then.
fn write_left_out(
    status: &mut AWSRoleStatus,
    outcome: &RoleOutcome,
    generation: Option<i64>,
    now: Timestamp,
) {
    let RoleOutcome::Provisioned { left_out, .. } = outcome else {
        return;
    };
    status.left_out_principals = left_out::shown(left_out);
    let mut conditions = Conditions::new(&mut status.conditions, generation, now);
    let reason = ConditionReason::PrincipalReplaced;
    match left_out::sentences(&status.left_out_principals, reason) {
        Some(message) => {
            conditions.set(ConditionType::PrincipalReplaced, Status::True, reason, &message);
        }
        None => {
            conditions.remove(ConditionType::PrincipalReplaced);
        }
    }
}

/// Whether AWS has all of the role but for those whom its trust policy leaves out.
fn provisioned(left_out: &[LeftOutPrincipal]) -> (Status, ConditionReason, String) {
    let left_out = left_out::shown(left_out);
    let incomplete = [
        ConditionReason::InvalidPrincipal,
        ConditionReason::TrustPolicyFull,
    ];
    let missing = incomplete.into_iter().find_map(|reason| {
        let message = left_out::sentences(&left_out, reason)?;
        Some((Status::False, reason, message))
    });
    missing.unwrap_or_else(|| {
        let message = "AWS has the role as it should be".to_owned();
        (Status::True, ConditionReason::UpToDate, message)
    })
}

/// Writes the conditions about AWS, and what is known of the role there.
pub fn write_outcome(
    status: &mut AWSRoleStatus,
    outcome: &RoleOutcome,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    write_identity(status, outcome);
    write_left_out(status, outcome, generation, now);
    let accepted = conditions::find(&status.conditions, ConditionType::Accepted);
    let why_not_made = not_accepted(accepted.and_then(|c| ConditionReason::from_word(&c.reason)));
    let mut conditions = Conditions::new(&mut status.conditions, generation, now);
    let mut set = |type_, holds, reason, message: &str| {
        conditions.set(type_, holds, reason, message);
    };
    match outcome {
        RoleOutcome::Provisioned {
            bound,
            untagged,
            absent,
            left_out,
            ..
        } => {
            let usable = usable(*bound);
            if absent.is_empty() {
                // Whom AWS does not know is no reason to keep the others from it.
                let (provisioned, reason, message) = provisioned(left_out);
                set(ConditionType::Provisioned, provisioned, reason, &message);
                set(ConditionType::Ready, Status::True, ConditionReason::Ready, usable);
            } else {
                let message = without(absent, usable);
                for type_ in [ConditionType::Provisioned, ConditionType::Ready] {
                    set(type_, Status::False, ConditionReason::PolicyNotFound, &message);
                }
            }
            let tagged = tagged(untagged);
            set(
                ConditionType::Tagged,
                tagged.status,
                tagged.reason,
                &tagged.message,
            );
        }
        RoleOutcome::Existing {
            bound, depends_on, ..
        } => {
            let (is_there, up_to_date) = (there(depends_on), ConditionReason::UpToDate);
            set(ConditionType::Provisioned, Status::True, up_to_date, &is_there);
            let (ready, usable) = (ConditionReason::Ready, usable(*bound));
            set(ConditionType::Ready, Status::True, ready, usable);
        }
        RoleOutcome::Suspended { role_id } => {
            let (reason, message) = if role_id.is_some() {
                (
                    ConditionReason::Suspended,
                    "not accepted: the role stays, and nobody can become it",
                )
            } else {
                (why_not_made, "not accepted: nothing is made in AWS")
            };
            set(ConditionType::Provisioned, Status::False, reason, message);
            set(ConditionType::Ready, Status::False, reason, message);
        }
        RoleOutcome::Waiting { reason, message } => {
            set(ConditionType::Provisioned, Status::False, *reason, message);
            set(ConditionType::Ready, Status::False, *reason, message);
        }
        RoleOutcome::Deleting { message, .. } => {
            set(
                ConditionType::Ready,
                Status::False,
                ConditionReason::Deleting,
                message,
            );
        }
        // The object goes with it.
        RoleOutcome::Deleted
        | RoleOutcome::Retained
        | RoleOutcome::Held(_)
        | RoleOutcome::Orphaned { .. } => {}
    }
}

/// That managed policies of a role do not exist.
fn without(absent: &[ManagedPolicyArn], usable: &str) -> String {
    let absent: Vec<String> = absent.iter().map(ToString::to_string).collect();
    format!(
        "{usable}, without managed policies that do not exist: {}; all else is as it should be",
        absent.join(", ")
    )
}

fn usable(bound: bool) -> &'static str {
    if bound {
        "usable by its bindings"
    } else {
        "no accepted binding: nobody can become it"
    }
}

/// That a role that exists is there, and what its trust policy rests on that only AWS knows.
fn there(depends_on: &BTreeSet<String>) -> String {
    let there = "AWS has the role, and its trust policy lets the broker in; Deputy does not write it";
    if depends_on.is_empty() {
        return there.to_owned();
    }
    let keys: Vec<&str> = depends_on.iter().map(String::as_str).collect();
    format!("{there}. That depends on {}", keys.join(", "))
}
