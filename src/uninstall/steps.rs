//! What `Retain` and `Delete` do, in an order in which each step is allowed.

use deputy_admission::DeputyKind;
use deputy_api::ACCEPT_REMOVING;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    left::{LeftObjects, in_aws, names},
    objects::{ChangeAnswer, ClusterObjects, place},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::Output,
};

/// Whoever may say so accepts that any number of grants is suspended, or of IAM roles deleted.
const ANY: &str = "1000000";
const ACCEPT_SUSPENDING: &str = "deputy.dev/accept-suspending";
/// Refusals that are shown.
const SHOWN: usize = 5;
/// What keeps an object until its part in AWS is gone.
const WITH_FINALIZERS: [DeputyKind; 3] = [DeputyKind::Role, DeputyKind::ClusterRole, DeputyKind::Statement];
/// So many looks after the last limit, Deputy goes: `deputy limits` deletes boundary policies a second after their limit is gone, and
/// nothing in the cluster says that it has.
const BOUNDARY_LOOKS: u32 = 30;

/// IAM roles stay, shut. Nothing is changed before it is known that every limit lets them stay.
///
/// # Errors
/// When the API server does not answer, and when time is over.
pub async fn retain(cluster: &ClusterObjects, left: &LeftObjects, out: &mut Output) -> CommandResult {
    let roles: Vec<_> = [DeputyKind::Role, DeputyKind::ClusterRole]
        .into_iter()
        .flat_map(|kind| left.of_kind(kind).iter().map(move |object| (kind, object)))
        .filter(|(kind, object)| in_aws(*kind, object) > 0 && object.metadata.deletion_timestamp.is_none())
        .collect();
    let stay = json!({"spec": {"deletionPolicy": "Retain"}});
    let mut refused = Vec::new();
    for (kind, object) in &roles {
        let answer = match held_to_delete(object) {
            Some(message) => ChangeAnswer::Refused(message),
            None => cluster.patch(*kind, object, &stay, true).await?,
        };
        if let ChangeAnswer::Refused(why) = answer {
            refused.push(format!("{} {}: {why}", kind.name(), place(object)));
        }
    }
    if !refused.is_empty() {
        out.write(not_all_may_stay(&refused, roles.len()))?;
        return Ok(CommandAnswer::No);
    }
    for (kind, object) in &roles {
        if let ChangeAnswer::Refused(why) = cluster.patch(*kind, object, &stay, false).await? {
            let (kind, place) = (kind.name(), place(object));
            return Err(Failure::process(format!(
                "{kind} {place} was let stay, and is not now: {why}"
            )));
        }
    }
    out.line(format_args!("{} objects say deletionPolicy: Retain", roles.len()))?;
    take_away(cluster, left, &WITH_FINALIZERS, out).await?;
    until_gone(cluster, false).await?;
    out.line(
        "Their IAM roles stay in AWS, shut. DelegationLimits, bindings and AWSAccounts stay in the cluster.",
    )?;
    Ok(CommandAnswer::Yes)
}

/// Everything goes: what grants first, and what limits it last.
///
/// # Errors
/// When the API server does not answer, and when time is over.
pub async fn delete(cluster: &ClusterObjects, left: &LeftObjects, out: &mut Output) -> CommandResult {
    annotate(
        cluster,
        DeputyKind::Account,
        left.accounts(),
        ACCEPT_REMOVING,
        |_| json!(ANY),
    )
    .await?;
    // The first one alone: where that is gone, `deputy controller` has most likely heard that all may go at once.
    if let Some((first, kind)) = first_role(left) {
        delete_one(cluster, kind, first).await?;
        while cluster.list(kind).await?.iter().any(|o| o.uid() == first.uid()) {
            if !cluster.pause().await {
                return Err(late(cluster, &LeftObjects::of(cluster).await?));
            }
        }
    }
    let bindings = [DeputyKind::Binding, DeputyKind::FederatedBinding];
    take_away(
        cluster,
        left,
        &[WITH_FINALIZERS.as_slice(), &bindings].concat(),
        out,
    )
    .await?;
    until_gone(cluster, true).await?;
    out.line("No IAM role and no statement of Deputy's is left in AWS, but those that were to stay by their deletionPolicy.")?;
    take_away(cluster, left, &[DeputyKind::Limit], out).await?;
    for _ in 0..BOUNDARY_LOOKS {
        if !cluster.pause().await {
            break;
        }
    }
    annotate(
        cluster,
        DeputyKind::Account,
        left.accounts(),
        ACCEPT_REMOVING,
        former,
    )
    .await?;
    out.line(
        "The boundary policies of limits are deleted a second after their limit; nothing in the cluster says so. To see that none is left:\n\
         aws iam list-policies --scope Local --path-prefix /deputy/",
    )?;
    Ok(CommandAnswer::Yes)
}

/// The value that an annotation had before this command.
fn former(account: &DynamicObject) -> Value {
    account
        .annotations()
        .get(ACCEPT_REMOVING)
        .map_or(Value::Null, |value| json!(value))
}

async fn annotate(
    cluster: &ClusterObjects,
    kind: DeputyKind,
    objects: &[DynamicObject],
    key: &str,
    value: impl Fn(&DynamicObject) -> Value,
) -> Result<(), Failure> {
    for object in objects {
        let change = json!({"metadata": {"annotations": {key: value(object)}}});
        if let ChangeAnswer::Refused(why) = cluster.patch(kind, object, &change, false).await? {
            let (kind, place) = (kind.name(), place(object));
            return Err(Failure::process(format!(
                "{kind} {place} can't be annotated with {key}: {why}"
            )));
        }
    }
    Ok(())
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

/// Deletes all objects of these kinds.
async fn take_away(
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
async fn delete_one(
    cluster: &ClusterObjects,
    kind: DeputyKind,
    object: &DynamicObject,
) -> Result<(), Failure> {
    if matches!(kind, DeputyKind::ClusterRole | DeputyKind::Limit) {
        let one = std::slice::from_ref(object);
        annotate(cluster, kind, one, ACCEPT_SUSPENDING, |_| json!(ANY)).await?;
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

/// Waits until no finalizer keeps anything, and, if asked, until no IAM role is left without an object.
async fn until_gone(cluster: &ClusterObjects, orphans: bool) -> Result<(), Failure> {
    loop {
        let left = LeftObjects::of(cluster).await?;
        let is_gone = WITH_FINALIZERS.iter().all(|kind| left.of_kind(*kind).is_empty());
        if is_gone && !(orphans && left.orphans() > 0) {
            return Ok(());
        }
        if !cluster.pause().await {
            return Err(late(cluster, &left));
        }
    }
}

fn late(cluster: &ClusterObjects, left: &LeftObjects) -> Failure {
    let mut reasons = String::new();
    let waiting = WITH_FINALIZERS
        .into_iter()
        .flat_map(|kind| left.of_kind(kind).iter().map(move |object| (kind, object)));
    for (kind, object) in waiting.take(SHOWN) {
        let said = condition(object, "Ready").map_or("says nothing", |said| said.1);
        reasons.push_str(&format!("- {} {}: {said}\n", kind.name(), place(object)));
    }
    let seconds = cluster.allowed().as_secs();
    Failure::process(format!(
        "in {seconds} s not everything was gone:\n{}{reasons}What is being deleted goes on while Deputy runs. Deputy is not removed: look at what \
         these say, and uninstall again",
        left.lines()
    ))
}

/// A role that says `Retain` and that a limit does not let stay: it would be deleted.
fn held_to_delete(object: &DynamicObject) -> Option<String> {
    let says = object
        .data
        .pointer("/spec/deletionPolicy")
        .and_then(Value::as_str);
    let (reason, message) = condition(object, "Accepted")?;
    (says == Some("Retain") && reason == "Retain").then(|| message.to_owned())
}

/// Reason and message of a condition.
fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|c| c.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
    Some((text("reason"), text("message")))
}

fn not_all_may_stay(refused: &[String], of: usize) -> String {
    let shown = refused
        .iter()
        .take(SHOWN)
        .map(|line| format!("- {line}\n"))
        .collect::<String>();
    format!(
        "Deputy is not removed: {} of {of} objects with IAM roles may not say deletionPolicy: Retain:\n{shown}Nothing was changed. A role stays \
         where every DelegationLimit of its namespace says roles.allowRetain: true. Let the limits say so, delete these objects, or choose \
         uninstall.policy=Delete\n",
        refused.len()
    )
}
