//! Behind a session of GetFederationToken: which binding of a federated user it is, and what its session policy says.

use std::sync::Arc;

use deputy_delegation::{
    decide::KnownTags,
    model::{BindingRef, FederatedBinding},
};
use deputy_index::FederatedDecision;

use super::{
    answer::DenialCause,
    change::{propose_for_user, takes_no_resource},
    conclusion::to_look_at_binding,
    layers::{DeniedRequest, LayerSays, of_federated},
    message::{DenialLayer, DenialMessage},
};
use crate::{
    asked::{bindings_of_user, decision_words, federated_subjects},
    objects::AskedWorld,
};

/// What is behind a denial of the federated user `message` names.
///
/// # Errors
/// When a policy can't name what was asked.
pub fn federated_cause(
    world: &AskedWorld,
    message: &DenialMessage,
    asked: &DeniedRequest,
    mut found: DenialCause,
) -> Result<DenialCause, String> {
    let all = bindings_of_user(world, &message.caller);
    let accepted = all.iter().find(|one| one.decision.is_accepted());
    for one in all.iter().filter(|one| !one.decision.is_accepted()) {
        let binding = BindingRef::federated_user(one.binding.id.clone());
        let said = decision_words(&one.decision);
        found
            .advice
            .push(format!("{binding} gives no session now: {said}"));
    }
    let Some(decided) = accepted.or_else(|| all.first()) else {
        found.advice.extend(without_account(world, &message.caller));
        found.advice.push(format!(
            "no AWSFederatedUserBinding among what was looked at is {}: look at the objects of the cluster that made it",
            message.caller
        ));
        return Ok(found);
    };
    let binding = &decided.binding;
    found.binding = Some(BindingRef::federated_user(binding.id.clone()).to_string());
    found.subject = Some(federated_subjects(binding).join(" or "));
    found.advice.extend(others(&all, binding));
    found.layers = of_federated(binding, &tags(world, binding), asked)?;
    if found.decisive.is_some() {
        return Ok(found);
    }
    concluded(world, message, asked, binding, &mut found);
    Ok(found)
}

/// Bindings of a federated user of this name whose account is not there, so that its ARN is not known.
fn without_account(world: &AskedWorld, arn: &str) -> Vec<String> {
    let user = arn.rsplit('/').next().unwrap_or_default();
    let ids = world.index.federated_bindings().into_iter();
    let decided = ids.filter_map(|id| world.index.decide_federated(&id));
    let near = decided.filter(|one| one.account.known().is_none() && one.binding.user.as_str() == user);
    near.map(|one| {
        format!(
            "{} may be it, and its AWSAccount \"{}\" is not among what was looked at, or can't be read: look at that, too",
            BindingRef::federated_user(one.binding.id.clone()),
            one.binding.account
        )
    })
    .collect()
}

fn tags<'a>(world: &'a AskedWorld, binding: &'a FederatedBinding) -> KnownTags<'a> {
    KnownTags::of_session(world.index.cluster(), &binding.id.namespace)
}

/// That other bindings have the name, too: the ARN does not say by which one a session was made.
fn others(all: &[FederatedDecision], binding: &Arc<FederatedBinding>) -> Option<String> {
    let others: Vec<String> = all
        .iter()
        .filter(|one| one.binding.id != binding.id && one.decision.is_accepted())
        .map(|one| BindingRef::federated_user(one.binding.id.clone()).to_string())
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "{} gives sessions of the same name, and the ARN does not say by which binding this one was made",
            others.join(" and ")
        )
    })
}

fn concluded(
    world: &AskedWorld,
    message: &DenialMessage,
    asked: &DeniedRequest,
    binding: &Arc<FederatedBinding>,
    found: &mut DenialCause,
) {
    let session: Option<&LayerSays> = found.layers.iter().find(|one| one.of == DenialLayer::Session);
    let (says, can_deny) = session.map_or(("unknown", false), |one| (one.says, one.can_deny));
    if matches!(message.layer, DenialLayer::Identity | DenialLayer::Boundary) {
        found.decisive = Some(format!(
            "it is the {} of the account's federation user, whose sessions these are: whoever administers AWSAccount {} has to be asked",
            message.layer.words(),
            binding.account
        ));
        return;
    }
    let look = to_look_at_binding(&binding.id);
    if message.explicit {
        match (can_deny, message.layer) {
            (true, _) => found.advice.push(
                "no Allow helps against a Deny: the statement of the session policy has to go, or to become narrower".to_owned(),
            ),
            (false, DenialLayer::Session) => {
                found.differs = true;
                found.decisive = Some(format!(
                    "no Deny of the session policy that was looked at matches it. The session may have been made with a former one: a new \
                     session has what the binding says now. Else {look}"
                ));
            }
            (false, _) => {
                found.decisive = Some(
                    "AWS does not say which policy denies it, and no Deny of the session policy matches it: that of the federation user, of \
                     the resource, of the organisation or of a VPC endpoint may"
                        .to_owned(),
                );
            }
        }
        return;
    }
    match (says, message.layer) {
        ("allows", DenialLayer::Session) => {
            found.differs = true;
            found.decisive = Some(format!(
                "AWS and what was looked at differ: AWS says that no session policy allows it, and here it does. So {look}"
            ));
        }
        ("allows", _) => {
            found.decisive = Some(
                "the session policy allows it, and AWS does not say which policy decided: that of the federation user or of the resource may \
                 not allow it"
                    .to_owned(),
            );
        }
        ("denies", _) => {}
        _ if binding.share.policy().is_none() => found.advice.push(
            "its sessions have nothing but what policies of resources grant it by name (resourcePolicyOnly): of a bucket, queue or topic an \
             AWSResourcePolicyStatement can, and a session.policy in place of resourcePolicyOnly"
                .to_owned(),
        ),
        _ => change(world, message, asked, binding, found),
    }
}

/// The smallest change of the session policy by which it would allow it.
fn change(
    world: &AskedWorld,
    message: &DenialMessage,
    asked: &DeniedRequest,
    binding: &FederatedBinding,
    found: &mut DenialCause,
) {
    let Some(resource) = &asked.resource else {
        found.advice.push(format!(
            "{}, so no change is proposed: say it by --resource ARN",
            message.unnamed()
        ));
        return;
    };
    let (change, limits) = propose_for_user(world, &binding.id, (&asked.action, resource));
    found
        .advice
        .extend(takes_no_resource(&asked.action, resource, &change));
    (found.change, found.limits) = (change, limits);
}
