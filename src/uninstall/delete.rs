//! `Delete`: everything goes, what grants first and what limits it last.

use std::time::Duration;

use deputy_admission::DeputyKind;
use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};

use super::{
    former,
    left::{LeftObjects, in_aws},
    objects::ClusterObjects,
    steps::{WITH_FINALIZERS, delete_one, is_released, take_away, until},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::Output,
};

/// So long after the last limit, Deputy goes: `deputy limits` deletes boundary policies a second after their limit is gone, and nothing in the
/// cluster says that it has.
const FOR_BOUNDARIES: Duration = Duration::from_secs(30);
/// What is deleted itself takes about so long, beside the rounds in which orphans go.
const FOR_THE_REST: Duration = Duration::from_secs(60);

/// # Errors
/// When the API server does not answer, and when time is over.
pub async fn delete(cluster: &ClusterObjects, left: &LeftObjects, out: &mut Output) -> CommandResult {
    if let Some(why) = too_long(left, cluster.remaining(), Timestamp::now()) {
        out.write(why)?;
        return Ok(CommandAnswer::No);
    }
    former::accept(cluster, DeputyKind::Account, left.accounts(), former::REMOVING).await?;
    // The first one alone: where that is gone, `deputy controller` has most likely heard that all may go at once.
    if let Some((first, kind)) = first_role(left) {
        delete_one(cluster, kind, first).await?;
        until(cluster, |left| {
            left.of_kind(kind).iter().all(|o| o.uid() != first.uid())
        })
        .await?;
    }
    let bindings = [DeputyKind::Binding, DeputyKind::FederatedBinding];
    take_away(
        cluster,
        left,
        &[WITH_FINALIZERS.as_slice(), &bindings].concat(),
        out,
    )
    .await?;
    until(cluster, |left| {
        is_released(left) && left.sweeps().all(|sweep| sweep.is_none())
    })
    .await?;
    out.line("No IAM role and no statement of Deputy's is left in AWS, but those that were to stay by their deletionPolicy.")?;
    delete_limits(cluster, left, out).await?;
    Ok(CommandAnswer::Yes)
}

async fn delete_limits(
    cluster: &ClusterObjects,
    left: &LeftObjects,
    out: &mut Output,
) -> Result<(), Failure> {
    if left.of_kind(DeputyKind::Limit).is_empty() {
        return Ok(());
    }
    // A limit that is gone is not seen any more: the next run could not wait for its boundary policies.
    if cluster.remaining() <= FOR_BOUNDARIES {
        return Err(boundaries_late(cluster, "The limits are there still"));
    }
    take_away(cluster, left, &[DeputyKind::Limit], out).await?;
    until(cluster, |left| left.of_kind(DeputyKind::Limit).is_empty()).await?;
    let begun = cluster.remaining();
    while begun.saturating_sub(cluster.remaining()) < FOR_BOUNDARIES {
        if !cluster.pause().await {
            return Err(boundaries_late(
                cluster,
                "The limits are gone, and their boundary policies may not be",
            ));
        }
    }
    out.line(
        "The boundary policies of limits are deleted a second after their limit; nothing in the cluster says so. To see that none is left:\n\
         aws iam list-policies --scope Local --path-prefix /deputy/",
    )
}

fn boundaries_late(cluster: &ClusterObjects, so_far: &str) -> Failure {
    let (seconds, wait) = (cluster.allowed().as_secs(), FOR_BOUNDARIES.as_secs());
    Failure::process(format!(
        "in {seconds} s not everything was gone. {so_far}: Deputy deletes those a second after their limit, and has to run for {wait} s after the \
         last one. Deputy is not removed: see what AWS has (aws iam list-policies --scope Local --path-prefix /deputy/), and uninstall again"
    ))
}

/// Why it can't be done in time, where IAM roles have no object.
fn too_long(left: &LeftObjects, remaining: Duration, now: Timestamp) -> Option<String> {
    let end = left
        .sweeps()
        .filter(|sweep| sweep.count() > 0)
        .map(|sweep| sweep.earliest_end(now))
        .max()?;
    let needed = Duration::try_from(end.duration_since(now)).unwrap_or_default() + FOR_THE_REST;
    if needed <= remaining {
        return None;
    }
    let end = end.strftime("%H:%M");
    let (needed, remaining) = (needed.as_secs(), remaining.as_secs());
    Some(format!(
        "Deputy is not removed: IAM roles have no object, and go in the rounds of `deputy controller` alone, every 30 minutes, when they have had \
         none for 30 minutes:\n{}Nothing was changed. They are told to be gone at {end} UTC at the earliest, in {needed} s; there are {remaining} s. \
         Restore their objects, or annotate the AWSAccount with deputy.dev/accept-removing-orphans and their number, and uninstall again when \
         status.orphans is gone; or give it that time (uninstall.timeoutSeconds, and --timeout of helm uninstall)\n",
        left.lines_of_orphans()
    ))
}

fn first_role(left: &LeftObjects) -> Option<(&DynamicObject, DeputyKind)> {
    [DeputyKind::Role, DeputyKind::ClusterRole]
        .into_iter()
        .find_map(|kind| {
            left.of_kind(kind)
                .iter()
                .find(|o| in_aws(kind, o) > 0)
                .map(|o| (o, kind))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn left(orphans: &Value) -> LeftObjects {
        let swept = json!({"type": "Swept", "status": "False", "reason": "OrphansHeld", "message": ""});
        let account = json!({
            "metadata": {"name": "production"},
            "status": {"conditions": [swept], "orphans": orphans, "lastListed": "2026-01-01T11:50:00Z"},
        });
        LeftObjects::of_accounts(vec![serde_json::from_value(account).unwrap()])
    }

    #[test]
    fn whoever_has_not_the_time_for_orphans_hears_so_before_anything_is_deleted() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        // The next round is at 12:20, and the one that says so at 12:50.
        let needed = 50 * 60 + 60;
        let two = left(&json!({"count": 2}));
        let long = |seconds: u64| too_long(&two, Duration::from_secs(seconds), now);
        assert_eq!(long(needed), None);
        for seconds in [10, 240, needed - 1] {
            let why = long(seconds).unwrap();
            for part in [
                "2 IAM roles without an object, in AWSAccount production",
                "at 12:50 UTC at the earliest, in 3060 s",
                &format!("there are {seconds} s"),
                "Nothing was changed",
            ] {
                assert!(why.contains(part), "{part}: {why}");
            }
        }
        assert_eq!(
            too_long(&left(&json!({"count": 0})), Duration::from_secs(10), now),
            None
        );
    }
}
