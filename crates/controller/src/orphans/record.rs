//! What the status of an AWSAccount says of roles without an object. The words are made purely; writing them is all that is not.

use deputy_api::{
    AWSAccount, AWSAccountStatus, AccountOrphans, OrphanedRole,
    conditions::{ConditionReason, ConditionType, Status},
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

/// On an AWSAccount: so many roles without an object may be removed at once. A contract.
const ACCEPT_REMOVING: &str = "deputy.dev/accept-removing-orphans";

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
    let annotations = metadata.annotations.as_ref();
    let accepted = annotations.and_then(|all| all.get(ACCEPT_REMOVING));
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
        accepted: accepted.and_then(|said| said.trim().parse().ok()).unwrap_or(0),
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
    let value = condition(plan, count, round);
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
                "{orphans} IAM roles have no object; each is deleted when that has been so for {GRACE:#}"
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
