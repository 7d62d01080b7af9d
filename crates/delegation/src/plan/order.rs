//! The order of the calls that change a role of ours.

use std::collections::BTreeMap;

use deputy_policy::{Document, Effect, PolicyKind, Statement};

use crate::{
    decide::ROLE_POLICIES_QUOTA,
    names::{PolicyArn, RoleName, TagKey, TagValue},
    naming::INLINE_POLICY,
    trust,
};

use super::{DesiredRole, IamCall, ObservedRole, put_inline};

/// How a change of the trust policy relates to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrustChange {
    None,
    /// Trusts nobody that is not trusted now.
    Shrinks,
    /// Trusts everybody that is trusted now.
    Grows,
    /// Neither is known.
    Other,
}

/// The calls for a role that is there and ours.
pub(super) fn update(desired: &DesiredRole, observed: &ObservedRole) -> Vec<IamCall> {
    let role = &desired.name;
    let permissions = permissions(desired, observed);
    let set_trust = |document: &Document| IamCall::UpdateAssumeRolePolicy {
        role: role.clone(),
        document: document.to_json(),
    };

    // Ownership first: whatever happens later, the tags say whose role it is.
    let mut calls = tags(desired, observed);
    let (before, after) = match trust_change(&observed.trust, &desired.trust) {
        TrustChange::None => (None, None),
        TrustChange::Shrinks => (Some(set_trust(&desired.trust)), None),
        TrustChange::Grows => (None, Some(set_trust(&desired.trust))),
        // Those trusted now must not get the new permissions, nor those trusted then the old ones.
        TrustChange::Other if !permissions.is_empty() => (
            Some(set_trust(&trust::deny_all())),
            Some(set_trust(&desired.trust)),
        ),
        TrustChange::Other => (Some(set_trust(&desired.trust)), None),
    };
    calls.extend(before);
    calls.extend(permissions);
    if observed.max_session_seconds != desired.max_session_duration.as_seconds() {
        calls.push(IamCall::UpdateRole {
            role: role.clone(),
            max_session_duration: desired.max_session_duration,
        });
    }
    calls.extend(after);
    calls
}

/// The calls on boundary and policies.
///
/// A boundary that is missing or not one of Deputy's comes first: nothing may grow without it. One of Deputy's that is
/// replaced by another comes last: the new policy is within the new ceiling and so safe under either, while the old
/// policy is not known to be within the new ceiling's reach.
///
/// The inline policy is written before foreign policies go: what both grant is never missing, and what a foreign policy
/// denies stays denied. Unless they would not fit into IAM's quota together.
fn permissions(desired: &DesiredRole, observed: &ObservedRole) -> Vec<IamCall> {
    let role = &desired.name;
    let mut first = Vec::new();
    let mut last = Vec::new();
    if let Some(boundary) = &desired.boundary
        && observed.boundary.as_deref() != Some(boundary.to_string().as_str())
    {
        let set = IamCall::PutRolePermissionsBoundary {
            role: role.clone(),
            boundary: boundary.clone(),
        };
        if is_one_of_deputys(observed.boundary.as_deref(), boundary) {
            last.push(set);
        } else {
            first.push(set);
        }
    }

    let mut calls = first;
    let mut foreign = delete_foreign_inline(role, observed);
    let written = observed
        .inline
        .get(INLINE_POLICY)
        .is_some_and(|text| same(text, &desired.inline, PolicyKind::Identity));
    if !written {
        let foreign_size: usize = observed
            .inline
            .iter()
            .filter(|(name, _)| *name != INLINE_POLICY)
            .map(|(_, text)| text.chars().filter(|c| !c.is_whitespace()).count())
            .sum();
        if foreign_size.saturating_add(desired.inline.size()) > ROLE_POLICIES_QUOTA {
            calls.append(&mut foreign);
        }
        calls.push(put_inline(desired));
    }
    calls.extend(detach_all(role, observed));
    calls.extend(foreign);
    calls.extend(last);
    calls
}

/// Whether `observed` is the boundary policy of another limit: same account, same path.
fn is_one_of_deputys(observed: Option<&str>, desired: &PolicyArn) -> bool {
    observed
        .and_then(|arn| PolicyArn::parse(arn).ok())
        .is_some_and(|arn| arn.account() == desired.account() && arn.path() == desired.path())
}

/// Deletes of the inline policies that Deputy did not write; those that deny something last, so that they deny it until
/// whatever would grant it is gone.
pub(super) fn delete_foreign_inline(role: &RoleName, observed: &ObservedRole) -> Vec<IamCall> {
    let mut foreign: Vec<_> = observed
        .inline
        .iter()
        .filter(|(name, _)| *name != INLINE_POLICY)
        .collect();
    foreign.sort_by_key(|(_, text)| text.contains("Deny"));
    foreign
        .into_iter()
        .map(|(name, _)| IamCall::DeleteRolePolicy {
            role: role.clone(),
            policy: name.clone(),
        })
        .collect()
}

/// Detaches of the managed policies: Deputy attaches none.
pub(super) fn detach_all(role: &RoleName, observed: &ObservedRole) -> Vec<IamCall> {
    observed
        .attached
        .iter()
        .map(|arn| IamCall::DetachRolePolicy {
            role: role.clone(),
            policy_arn: arn.clone(),
        })
        .collect()
}

/// Tags of others are left alone unless they have the key of one of ours in another spelling, which AWS takes for the
/// same key.
fn tags(desired: &DesiredRole, observed: &ObservedRole) -> Vec<IamCall> {
    let mut calls = Vec::new();
    let colliding: Vec<_> = observed
        .tags
        .keys()
        .filter(|key| {
            !desired.tags.contains_key(key.as_str())
                && desired
                    .tags
                    .keys()
                    .any(|ours| ours.as_str().eq_ignore_ascii_case(key))
        })
        .cloned()
        .collect();
    if !colliding.is_empty() {
        calls.push(IamCall::UntagRole {
            role: desired.name.clone(),
            keys: colliding,
        });
    }
    let differing: BTreeMap<TagKey, TagValue> = desired
        .tags
        .iter()
        .filter(|(key, value)| observed.tags.get(key.as_str()).map(String::as_str) != Some(value.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !differing.is_empty() {
        calls.push(IamCall::TagRole {
            role: desired.name.clone(),
            tags: differing,
        });
    }
    calls
}

/// Whether the text that AWS returned means the same as `document`. Text that can't be read is something else.
fn same(text: &str, document: &Document, kind: PolicyKind) -> bool {
    Document::parse(text, kind).is_ok_and(|observed| observed.semantically_eq(document))
}

/// Whether the trust policy text that AWS returned means the same as `trust`.
pub(super) fn same_trust(text: &str, trust: &Document) -> bool {
    same(text, trust, PolicyKind::Trust)
}

fn trust_change(observed: &str, desired: &Document) -> TrustChange {
    let observed = match Document::parse(observed, PolicyKind::Trust) {
        Ok(observed) => observed,
        // Nobody is trusted then: whoever is trusted now, it shrinks.
        Err(_) if !has_allow(desired) => return TrustChange::Shrinks,
        Err(_) => return TrustChange::Other,
    };
    if observed.semantically_eq(desired) {
        TrustChange::None
    } else if within(desired, &observed) {
        TrustChange::Shrinks
    } else if within(&observed, desired) {
        TrustChange::Grows
    } else {
        TrustChange::Other
    }
}

fn has_allow(document: &Document) -> bool {
    document.statements().iter().any(|s| s.effect == Effect::Allow)
}

/// Whether `small` certainly trusts nobody whom `large` does not: it allows nothing at all, or every allow of it is one of
/// `large` and every deny of `large` is one of it.
fn within(small: &Document, large: &Document) -> bool {
    let with = |effect| move |statement: &&Statement| statement.effect == effect;
    !has_allow(small)
        || (small
            .statements()
            .iter()
            .filter(with(Effect::Allow))
            .all(|s| says(large, s))
            && large
                .statements()
                .iter()
                .filter(with(Effect::Deny))
                .all(|s| says(small, s)))
}

/// Whether one of the document's statements means the same as `statement`.
fn says(document: &Document, statement: &Statement) -> bool {
    let alone = |statement: &Statement| {
        Document::new(document.version(), vec![statement.clone()], document.kind()).ok()
    };
    let Some(wanted) = alone(statement) else {
        return false;
    };
    document
        .statements()
        .iter()
        .filter_map(alone)
        .any(|one| one.semantically_eq(&wanted))
}
