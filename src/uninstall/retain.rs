//! `Retain`: IAM roles stay, shut. It is done where it is sure for each of them, and else nothing is.

use deputy_admission::DeputyKind;
use deputy_controller::ROLE_FINALIZER;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::json;

use super::{
    hindrance::{hindrance, limits},
    left::{LeftObjects, in_aws},
    objects::{ChangeAnswer, ClusterObjects, place},
    steps::{SHOWN, WITH_FINALIZERS, is_released, take_away, until},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::Output,
};

/// Nothing is changed before it is known that every role stays, and is shut.
///
/// # Errors
/// When the API server does not answer, and when time is over.
pub async fn retain(cluster: &ClusterObjects, left: &LeftObjects, out: &mut Output) -> CommandResult {
    if left.orphans() > 0 {
        out.write(orphans_may_be_open(left))?;
        return Ok(CommandAnswer::No);
    }
    let limits = limits(left)?;
    let roles = roles(left);
    let stay = json!({"spec": {"deletionPolicy": "Retain"}});
    let mut refused = Vec::new();
    for (kind, object) in &roles {
        let why = match hindrance(&limits, left.accounts(), *kind, object) {
            Some(why) => Some(why),
            None => match cluster.patch(*kind, object, &stay, true).await? {
                ChangeAnswer::Refused(why) => Some(why),
                ChangeAnswer::Done | ChangeAnswer::Gone => None,
            },
        };
        if let Some(why) = why {
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
                "{kind} {place} was let stay, and is not now: {why}. Nothing was deleted; those before it say deletionPolicy: Retain"
            )));
        }
    }
    out.line(format_args!("{} objects say deletionPolicy: Retain", roles.len()))?;
    take_away(cluster, left, &WITH_FINALIZERS, out).await?;
    let now = until(cluster, is_released).await?;
    // One that could not be shut is noted down before its object goes.
    if !now.sweeps().all(|sweep| sweep.is_none()) {
        return Err(Failure::process(format!(
            "the objects are gone, and not every IAM role is known to be shut:\n{}Deputy is not removed: look at these roles, and uninstall again \
             when status.orphans is gone",
            now.lines_of_orphans()
        )));
    }
    out.line(
        "Their IAM roles stay in AWS, shut. DelegationLimits, bindings and AWSAccounts stay in the cluster.",
    )?;
    Ok(CommandAnswer::Yes)
}

/// All that may have an IAM role. One that is being deleted has no say any more: it has to be able to stay all the same, or it goes by what it
/// says itself.
fn roles(left: &LeftObjects) -> Vec<(DeputyKind, &DynamicObject)> {
    let is_begun = |kind: DeputyKind, object: &DynamicObject| {
        let is_existing = object.data.pointer("/spec/existing").is_some();
        kind == DeputyKind::Role
            && !is_existing
            && object
                .finalizers()
                .iter()
                .any(|finalizer| finalizer == ROLE_FINALIZER)
    };
    [DeputyKind::Role, DeputyKind::ClusterRole]
        .into_iter()
        .flat_map(|kind| left.of_kind(kind).iter().map(move |object| (kind, object)))
        .filter(|(kind, object)| in_aws(*kind, object) > 0 || is_begun(*kind, object))
        .filter(|(_, object)| object.metadata.deletion_timestamp.is_none())
        .collect()
}

fn orphans_may_be_open(left: &LeftObjects) -> String {
    format!(
        "Deputy is not removed: IAM roles have no object, so they can't be told to stay, and whether each is shut is not sure:\n{}Nothing was \
         changed. Restore their objects; or have them deleted: annotate the AWSAccount with deputy.dev/accept-removing-orphans and their number, \
         and uninstall again when status.orphans is gone (they go in a round of `deputy controller`, every 30 minutes)\n",
        left.lines_of_orphans()
    )
}

fn not_all_may_stay(refused: &[String], of: usize) -> String {
    let shown = refused
        .iter()
        .take(SHOWN)
        .map(|line| format!("- {line}\n"))
        .collect::<String>();
    format!(
        "Deputy is not removed: {} of {of} objects with IAM roles may not say deletionPolicy: Retain:\n{shown}Nothing was changed. A role stays \
         where a DelegationLimit applies, and every one that does says roles.allowRetain: true. Let the limits say so, delete these objects, or \
         choose uninstall.policy=Delete (--policy Delete by hand)\n",
        refused.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_is_begun_is_one() {
        let of = |role: &DynamicObject| LeftObjects::of_objects(DeputyKind::Role, vec![role.clone()]);
        let role = json!({"metadata": {"name": "uploader", "namespace": "shop"}, "spec": {}});
        let mut begun: DynamicObject = serde_json::from_value(role).unwrap();
        let none = of(&begun);
        assert_eq!(roles(&none).len(), 0);
        begun.metadata.finalizers = Some(vec![ROLE_FINALIZER.to_owned()]);
        assert_eq!(roles(&of(&begun)).len(), 1);
        begun.data["spec"]["existing"] = json!({"roleARN": "arn"});
        assert_eq!(roles(&of(&begun)).len(), 0);
    }
}
