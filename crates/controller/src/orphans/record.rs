//! What the status of an AWSAccount says of roles without an object. The words are made purely; writing them is all that is not.

use deputy_api::{
    ACCEPT_REMOVING, AWSAccount, AWSAccountStatus, AccountOrphans, OrphanedRole, accepted_removing,
    conditions::{self, ConditionReason, ConditionType, Status},
};
use deputy_aws::AwsError;
use deputy_delegation::{
    ObjectName,
    model::{Kind, RoleId},
    quota::ORPHANS_SHOWN,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::sweep::{GRACE, Held, MOST, ObservedOrphan, OrphanFacts, SweepPlan};
use crate::{
    context::ControllerContext,
    error::ReconcileError,
    objects,
    report::{self, ConditionValue, account_with, reason_of},
};

/// Characters of the reason of one orphan.
const REASON_CHARS: usize = 512;

/// A role that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub role_arn: String,
    /// Its unique id, if AWS said it.
    pub role_id: Option<String>,
    /// What it was made for: kind and name.
    pub object: String,
    /// What kept it, and whether anybody can become it.
    pub reason: String,
}

/// A role that is left, shut, because more of its account were to be deleted than go at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDeletion {
    pub account: ObjectName,
    pub orphan: Orphan,
    /// How many go at once.
    pub most: usize,
}

/// Notes a role down that is left, in the status of its account; and says so as an event when it is the first one. Gives whether there is such
/// an account.
///
/// # Errors
/// [`ReconcileError`]: it is not noted down, and its object must stay.
pub async fn hold(ctx: &ControllerContext, held: &HeldDeletion) -> Result<bool, ReconcileError> {
    let api = objects::cluster_wide::<AWSAccount>(&ctx.client);
    let Some(object) = api.get_opt(held.account.as_str()).await? else {
        return Ok(false);
    };
    let old: AWSAccountStatus = objects::status_of(&object);
    let orphans = with(old.orphans.as_ref(), &held.orphan, ctx.now());
    let value = deletions_held(orphans.count);
    let (generation, now) = (object.metadata.generation, ctx.now());
    let new = AWSAccountStatus {
        orphans: Some(orphans),
        ..account_with(&old, ConditionType::Swept, &value, generation, now)
    };
    if old != new && !report::write_status::<AWSAccount, _>(ctx, &api, &object, &old, &new).await? {
        return Ok(false);
    }
    if !says_deletions_held(&old) {
        let note = format!(
            "more than {} IAM roles were to be deleted within 10 minutes: all others are shut, and left in AWS, so that each is the same one \
             when its object is restored. status.orphans names them, and the condition Swept says what to do",
            held.most
        );
        let about = report::reference::<AWSAccount>(&object);
        let reason = ConditionReason::DeletionsHeld.as_str();
        ctx.publish_event(&about, true, reason, &note).await;
    }
    Ok(true)
}

/// Whether an account says that roles were left.
fn says_deletions_held(status: &AWSAccountStatus) -> bool {
    conditions::find(&status.conditions, ConditionType::Swept)
        .is_some_and(|swept| swept.reason == ConditionReason::DeletionsHeld.as_str())
}

/// That roles were left, and what to do about the so many without an object.
fn deletions_held(orphans: i64) -> ConditionValue {
    let message = format!(
        "{orphans} IAM roles have no object: more than {MOST}, and than a tenth of all, were to be deleted within 10 minutes, so the others were \
         left in AWS, and nobody can become them. Restore their objects, and each has its role again, with the same unique id. If they are to \
         go: each does when it has had no object for {GRACE:#}, at most {MOST} and half of all at once, and none while no IAM role has one; \
         for all to go, annotate this AWSAccount with {ACCEPT_REMOVING}: \"{orphans}\""
    );
    ConditionValue::new(Status::False, ConditionReason::DeletionsHeld, message)
}

/// Notes a role down that is given up: in the status of its account and as an event about it, or where there is no such account as one about
/// the namespace, which is outside of it. Gives whether there is such an account.
///
/// # Errors
/// [`ReconcileError`]: it is not noted down, and must not be given up.
pub async fn note(
    ctx: &ControllerContext,
    id: &RoleId,
    account: Option<&ObjectName>,
    orphan: &Orphan,
) -> Result<bool, ReconcileError> {
    let words = format!("{} of {}: {}", orphan.role_arn, orphan.object, orphan.reason);
    let reason = ConditionReason::Orphaned.as_str();
    let api = objects::cluster_wide::<AWSAccount>(&ctx.client);
    let object = match account {
        Some(account) => api.get_opt(account.as_str()).await?,
        None => None,
    };
    let Some(object) = object else {
        let about = report::of_namespace(&id.namespace);
        ctx.publish_event(&about, true, reason, &words).await;
        return Ok(false);
    };
    let old: AWSAccountStatus = objects::status_of(&object);
    let new = AWSAccountStatus {
        orphans: Some(with(old.orphans.as_ref(), orphan, ctx.now())),
        ..old.clone()
    };
    report::write_status::<AWSAccount, _>(ctx, &api, &object, &old, &new).await?;
    let about = report::reference::<AWSAccount>(&object);
    ctx.publish_event(&about, true, reason, &words).await;
    Ok(true)
}

/// What is known, with one more.
fn with(old: Option<&AccountOrphans>, orphan: &Orphan, now: Timestamp) -> AccountOrphans {
    let mut all = old.cloned().unwrap_or_default();
    let is_it = |known: &&mut OrphanedRole| known.role_arn == orphan.role_arn;
    let entry = OrphanedRole {
        role_arn: orphan.role_arn.clone(),
        role_id: orphan.role_id.clone(),
        object: orphan.object.clone(),
        reason: orphan.reason.chars().take(REASON_CHARS).collect(),
        since: Time(now),
    };
    match all.oldest.iter_mut().find(is_it) {
        // Given up once more, after a try that did not get as far as its finalizer.
        Some(known) => {
            *known = OrphanedRole {
                since: known.since.clone(),
                ..entry
            }
        }
        None => {
            all.count += 1;
            if all.oldest.len() < ORPHANS_SHOWN {
                all.oldest.push(entry);
            }
        }
    }
    all
}

/// What an account says of roles that nothing explains: since when that is so, and how many may go.
#[must_use]
pub fn facts(
    status: &AWSAccountStatus,
    metadata: &ObjectMeta,
    unexplained: &[ObservedOrphan],
) -> OrphanFacts {
    let known = status.orphans.iter().flat_map(|orphans| &orphans.oldest);
    let since = known.filter_map(|known| {
        let is_it = |observed: &&ObservedOrphan| {
            let role = &observed.role;
            let is_one = match &known.role_id {
                Some(id) => *id == role.unique_id,
                None => role.created < known.since.0,
            };
            is_one && role.arn.to_string() == known.role_arn
        };
        let observed = unexplained.iter().find(is_it)?;
        Some((observed.role.unique_id.clone(), known.since.0))
    });
    OrphanFacts {
        since: since.collect(),
        accepted: accepted_removing(metadata),
    }
}

/// When a sweep was, and of how many roles.
#[derive(Debug, Clone, Copy)]
pub struct SweptRound {
    /// When AWS was asked.
    pub began: Timestamp,
    /// How many roles it has.
    pub roles: usize,
    /// How many a person accepts to lose.
    pub accepted: usize,
}

/// What a sweep found, in the status, which says `old`.
#[must_use]
pub fn swept(
    old: &AWSAccountStatus,
    plan: &SweepPlan,
    round: SweptRound,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSAccountStatus {
    let known = old
        .orphans
        .as_ref()
        .map(|orphans| orphans.oldest.as_slice())
        .unwrap_or_default();
    let mut all: Vec<OrphanedRole> = plan
        .orphans
        .iter()
        .map(|found| {
            let arn = found.role.arn.to_string();
            let before = known.iter().find(|known| known.role_arn == arn);
            OrphanedRole {
                role_id: Some(found.role.unique_id.clone()),
                object: format!("{} {}", Kind::from(&found.id.kind).as_str(), found.id),
                reason: before.map_or_else(
                    || "there is no such object".to_owned(),
                    |before| before.reason.clone(),
                ),
                since: Time(found.since),
                role_arn: arn,
            }
        })
        .collect();
    // Given up since AWS was asked.
    let is_new = |known: &&OrphanedRole| {
        known.since.0 >= round.began && all.iter().all(|found| found.role_arn != known.role_arn)
    };
    let noted: Vec<_> = known.iter().filter(is_new).cloned().collect();
    all.extend(noted);
    let count = all.len();
    all.truncate(ORPHANS_SHOWN);
    let orphans = (count > 0).then(|| AccountOrphans {
        count: i64::try_from(count).unwrap_or(i64::MAX),
        oldest: all,
    });
    let value = match &orphans {
        Some(found) if plan.held.is_none() && says_deletions_held(old) => deletions_held(found.count),
        _ => condition(plan, count, round),
    };
    AWSAccountStatus {
        orphans,
        ..account_with(old, ConditionType::Swept, &value, generation, now)
    }
}

/// That AWS does not list its roles: what there is of orphans is not known.
#[must_use]
pub fn not_listed(
    old: &AWSAccountStatus,
    error: &AwsError,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSAccountStatus {
    let (reason, message) = reason_of(error);
    let message = format!("whether AWS has IAM roles without an object is not known: {message}");
    let value = ConditionValue::new(Status::Unknown, reason, message);
    account_with(old, ConditionType::Swept, &value, generation, now)
}

fn condition(plan: &SweepPlan, orphans: usize, round: SweptRound) -> ConditionValue {
    let SweptRound { roles, accepted, .. } = round;
    let if_meant = |count: usize| {
        format!(
            "nothing is removed. If that is meant, annotate this AWSAccount with {ACCEPT_REMOVING}: \"{count}\""
        )
    };
    let (reason, message) = match &plan.held {
        Some((Held::NothingLeft, count)) => (
            ConditionReason::OrphansHeld,
            format!(
                "no IAM role that AWS has is that of an object, and {count} have had none for {GRACE:#}: their objects may be about to be \
                 restored, so {}",
                if_meant(*count)
            ),
        ),
        Some((Held::TooMany, count)) => (
            ConditionReason::OrphansHeld,
            format!(
                "{count} of {roles} IAM roles have no object, and at most {MOST} and half of all go at once: {}",
                if_meant(*count)
            ),
        ),
        Some((Held::OfAnotherCluster, count)) => (
            ConditionReason::OrphansHeld,
            format!(
                "{count} IAM roles have no object, and were made by a cluster from which this one takes over (spec.adoptFrom): their objects \
                 may be about to be restored, so {}",
                if_meant(*count)
            ),
        ),
        None if orphans > 0 => (
            ConditionReason::Orphaned,
            format!(
                "{orphans} IAM roles have no object; each is deleted when that has been so for {GRACE:#}, at most {MOST} and half of all at once, and \
                 none while no IAM role has an object"
            ),
        ),
        None => {
            let unneeded = if accepted > 0 {
                format!("; the annotation {ACCEPT_REMOVING} is not needed, remove it")
            } else {
                String::new()
            };
            return ConditionValue::new(
                Status::True,
                ConditionReason::UpToDate,
                format!("AWS has no IAM role of this cluster without an object{unneeded}"),
            );
        }
    };
    ConditionValue::new(Status::False, reason, message)
}
