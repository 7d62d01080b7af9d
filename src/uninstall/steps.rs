//! Steps of both `Retain` and `Delete`: what is deleted, and how it is seen that it is gone.

use deputy_admission::DeputyKind;
use kube::api::DynamicObject;

use super::{
    former,
    left::{LeftObjects, names},
    objects::{ChangeAnswer, ClusterObjects, condition, place},
};
use crate::{exit::Failure, output::Output};

/// Reasons and refusals that are shown.
pub const SHOWN: usize = 5;
/// What keeps an object until its part in AWS is gone.
pub const WITH_FINALIZERS: [DeputyKind; 3] =
    [DeputyKind::Role, DeputyKind::ClusterRole, DeputyKind::Statement];

/// Deletes all objects of these kinds.
///
/// # Errors
/// When one can't be deleted, and when time is over.
pub async fn take_away(
    cluster: &ClusterObjects,
    left: &LeftObjects,
    kinds: &[DeputyKind],
    out: &mut Output,
) -> Result<(), Failure> {
    for kind in kinds {
        let objects = left.of_kind(*kind);
        if objects.is_empty() {
            continue;
        }
        out.line(format_args!(
            "deleting {} {}: {}",
            objects.len(),
            kind.plural(),
            names(objects)
        ))?;
        out.flush()?;
        for object in objects {
            delete_one(cluster, *kind, object).await?;
        }
    }
    Ok(())
}

/// Asks for a deletion until the webhook lets it be: what it knows of the other objects is a moment old.
///
/// # Errors
/// When it can't be deleted, and when time is over.
pub async fn delete_one(
    cluster: &ClusterObjects,
    kind: DeputyKind,
    object: &DynamicObject,
) -> Result<(), Failure> {
    if matches!(kind, DeputyKind::ClusterRole | DeputyKind::Limit) {
        let one = std::slice::from_ref(object);
        former::accept(cluster, kind, one, former::SUSPENDING).await?;
    }
    loop {
        let ChangeAnswer::Refused(why) = cluster.delete(kind, object).await? else {
            return Ok(());
        };
        if !cluster.pause().await {
            let (kind, place) = (kind.name(), place(object));
            return Err(Failure::process(format!(
                "{kind} {place} can't be deleted: {why}"
            )));
        }
    }
}

/// Waits until what is left is as it should be, and gives it.
///
/// # Errors
/// When it is not in time.
pub async fn until(
    cluster: &ClusterObjects,
    is_done: impl Fn(&LeftObjects) -> bool,
) -> Result<LeftObjects, Failure> {
    loop {
        let left = LeftObjects::of(cluster).await?;
        if is_done(&left) {
            return Ok(left);
        }
        if !cluster.pause().await {
            return Err(late(cluster, &left));
        }
    }
}

/// Whether no finalizer keeps anything.
pub fn is_released(left: &LeftObjects) -> bool {
    WITH_FINALIZERS.iter().all(|kind| left.of_kind(*kind).is_empty())
}

/// That time is over, and what is left.
pub fn late(cluster: &ClusterObjects, left: &LeftObjects) -> Failure {
    let mut reasons = String::new();
    let waiting = WITH_FINALIZERS
        .into_iter()
        .flat_map(|kind| left.of_kind(kind).iter().map(move |object| (kind, object)));
    for (kind, object) in waiting.take(SHOWN) {
        let said = condition(object, "Ready").map_or("says nothing", |said| said.message);
        reasons.push_str(&format!("- {} {}: {said}\n", kind.name(), place(object)));
    }
    let seconds = cluster.allowed().as_secs();
    Failure::process(format!(
        "in {seconds} s not everything was gone:\n{}{reasons}What is being deleted goes on while Deputy runs, but no more IAM roles at once than \
         AWSAccounts accepted before: others are left, shut, in status.orphans. Deputy is not removed: look at what these say, and uninstall again",
        left.lines()
    ))
}
