//! The order of the calls that change a role of ours.

use std::collections::BTreeMap;

use deputy_policy::Document;

use crate::{
    names::{RoleName, TagKey, TagValue},
    naming::TAG_CLUSTER_UID,
    tags::TagChanges,
    trust,
};

use super::{
    call::{IamCall, Step},
    compare::{TrustChange, common_trust, is_closed, trust_change},
    cut::cut,
    permissions::permissions,
    role::{DesiredRole, ObservedRole},
};

/// The steps for a role that is there and ours: what takes away, what has to be in place, what gives, tags.
pub(super) fn update(desired: &DesiredRole, observed: &ObservedRole) -> Vec<Step> {
    let role = &desired.name;
    let set_trust = |document: &Document| IamCall::UpdateAssumeRolePolicy {
        role: role.clone(),
        document: document.to_json(),
    };
    let tags = TagChanges::between(&desired.tags, &observed.tags);
    let permissions = permissions(desired, observed, own_tags(role, &tags));

    let (before, after) = match trust_change(&observed.trust, &desired.trust) {
        TrustChange::None => (None, None),
        TrustChange::Shrinks => (Some(set_trust(&desired.trust)), None),
        TrustChange::Grows => (None, Some(set_trust(&desired.trust))),
        // Those trusted now must not get the new permissions, nor those trusted then the old ones; who is both stays.
        TrustChange::Other if !permissions.is_empty() => {
            let closed = trust::closed(&observed.trust);
            // Where somebody was replaced, that is what has to be noted down until all is done.
            let is_noted = trust::without_record(&closed).as_ref() != Some(&closed);
            let common = common_trust(&observed.trust, &desired.trust).filter(|_| !is_noted);
            let between = common.unwrap_or(closed);
            (Some(set_trust(&between)), Some(set_trust(&desired.trust)))
        }
        // It takes the role from those who should not have it; the others get what is there.
        TrustChange::Other => (Some(set_trust(&desired.trust)), None),
    };
    let mut steps: Vec<Step> = before.into_iter().map(Step::shrinks).collect();
    let wanted = desired.max_session_duration.as_seconds();
    let lasts = IamCall::UpdateRole {
        role: role.clone(),
        max_session_duration: desired.max_session_duration,
    };
    if observed.max_session_seconds > wanted {
        steps.push(Step::shrinks(lasts.clone()));
    }
    steps.extend(permissions);
    steps.extend(after.into_iter().map(Step::grows));
    if observed.max_session_seconds < wanted {
        steps.push(Step::grows(lasts));
    }
    steps.extend(account_tags(role, tags));
    steps
}

/// Makes a role unusable: everything is denied to its sessions, and nobody can become it. Nothing if it is so already. Users and roles that
/// were deleted stay known. That it is of another cluster than `tags` say ends with that.
pub(super) fn close(
    role: &RoleName,
    tags: &BTreeMap<TagKey, TagValue>,
    observed: &ObservedRole,
) -> Vec<Step> {
    cut(role, observed)
        .into_iter()
        .chain(close_trust(role, observed))
        .chain(own_cluster(role, tags, observed))
        .collect()
}

/// The tag that says whose cluster's the role is.
fn own_cluster(role: &RoleName, tags: &BTreeMap<TagKey, TagValue>, observed: &ObservedRole) -> Option<Step> {
    let (key, uid) = tags.get_key_value(TAG_CLUSTER_UID)?;
    let is_own = observed.tags.get(TAG_CLUSTER_UID).map(String::as_str) == Some(uid.as_str());
    (!is_own).then(|| {
        Step::shrinks(IamCall::TagRole {
            role: role.clone(),
            tags: BTreeMap::from([(key.clone(), uid.clone())]),
        })
    })
}

/// Lets nobody become a role, and leaves everything else.
pub(super) fn close_trust(role: &RoleName, observed: &ObservedRole) -> Option<Step> {
    let closed = trust::closed(&observed.trust);
    (!is_closed(&observed.trust, &closed)).then(|| {
        Step::shrinks(IamCall::UpdateAssumeRolePolicy {
            role: role.clone(),
            document: closed.to_json(),
        })
    })
}

/// The tags that say whose the role is.
fn own_tags(role: &RoleName, changes: &TagChanges) -> Vec<Step> {
    let mut steps = Vec::new();
    if !changes.remove_own.is_empty() {
        steps.push(Step::shrinks(IamCall::UntagRole {
            role: role.clone(),
            keys: changes.remove_own.clone(),
        }));
    }
    if !changes.set_own.is_empty() {
        steps.push(Step::shrinks(IamCall::TagRole {
            role: role.clone(),
            tags: changes.set_own.clone(),
        }));
    }
    steps
}

/// The tags that the account asks for, and those that it asks for no more.
fn account_tags(role: &RoleName, changes: TagChanges) -> Vec<Step> {
    let mut steps = Vec::new();
    if !changes.remove.is_empty() {
        steps.push(Step::cosmetic(IamCall::UntagRole {
            role: role.clone(),
            keys: changes.remove,
        }));
    }
    if !changes.set.is_empty() {
        steps.push(Step::cosmetic(IamCall::TagRole {
            role: role.clone(),
            tags: changes.set,
        }));
    }
    steps
}
