//! The order of the calls that change a role of ours.

use deputy_policy::{Candidate, Document, Effect, PolicyKind, Statement, contains};

use crate::{
    names::{PolicyArn, RoleName},
    naming::INLINE_POLICY,
    quota::ROLE_INLINE_POLICIES,
    tags::TagChanges,
    trust,
};

use super::{
    call::{IamCall, Step},
    role::{DesiredRole, ObservedRole},
};

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

/// How a change of the inline policy relates to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InlineChange {
    None,
    /// It certainly allows nothing that is not allowed now.
    Shrinks,
    /// It may allow more.
    Grows,
}

/// Writes the one inline policy.
pub(super) fn put_inline(desired: &DesiredRole) -> IamCall {
    IamCall::PutRolePolicy {
        role: desired.name.clone(),
        policy: INLINE_POLICY.to_owned(),
        document: desired.inline.to_json(),
    }
}

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
        // Those trusted now must not get the new permissions, nor those trusted then the old ones.
        TrustChange::Other if !permissions.is_empty() => (
            Some(set_trust(&trust::deny_all())),
            Some(set_trust(&desired.trust)),
        ),
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

/// Makes a role unusable, and leaves everything else. Nothing if it is so already.
pub(super) fn close(role: &RoleName, observed: &ObservedRole) -> Vec<Step> {
    let closed = trust::deny_all();
    if same(&observed.trust, &closed, PolicyKind::Trust) {
        return Vec::new();
    }
    vec![Step::shrinks(IamCall::UpdateAssumeRolePolicy {
        role: role.clone(),
        document: closed.to_json(),
    })]
}

/// The steps on boundary, ownership and policies.
///
/// A boundary that is missing or not one of Deputy's comes first: nothing may grow without it. One of Deputy's that is
/// replaced by another comes last: the new policy is within the new ceiling and so safe under either, while the old
/// policy is not known to be within the new ceiling's reach.
///
/// An inline policy that certainly allows less is written before the tags say whose the role is, any other afterwards. It is written
/// before foreign policies go: what both grant is never missing, and what a foreign policy denies stays denied. Unless they would not
/// fit into IAM's quota together.
fn permissions(desired: &DesiredRole, observed: &ObservedRole, ownership: Vec<Step>) -> Vec<Step> {
    let role = &desired.name;
    let mut steps = Vec::new();
    let mut last = None;
    if let Some(boundary) = &desired.boundary
        && observed.boundary.as_deref() != Some(boundary.to_string().as_str())
    {
        let set = Step::shrinks(IamCall::PutRolePermissionsBoundary {
            role: role.clone(),
            boundary: boundary.clone(),
        });
        if is_held(desired, observed) {
            last = Some(set);
        } else {
            steps.push(set);
        }
    }

    let mut foreign = delete_foreign_inline(role, observed);
    let change = inline_change(desired, observed);
    if change != InlineChange::None {
        let foreign_size: usize = observed
            .inline
            .iter()
            .filter(|(name, _)| *name != INLINE_POLICY)
            .map(|(_, text)| text.chars().filter(|c| !c.is_whitespace()).count())
            .sum();
        if foreign_size.saturating_add(desired.inline.size()) > ROLE_INLINE_POLICIES {
            steps.append(&mut foreign);
        }
    }
    match change {
        InlineChange::None => steps.extend(ownership),
        InlineChange::Shrinks => {
            steps.push(Step::shrinks(put_inline(desired)));
            steps.extend(ownership);
        }
        InlineChange::Grows => {
            steps.extend(ownership);
            steps.push(Step::grows(put_inline(desired)));
        }
    }
    steps.extend(detach_all(role, observed));
    steps.extend(foreign);
    steps.extend(last);
    steps
}

fn inline_change(desired: &DesiredRole, observed: &ObservedRole) -> InlineChange {
    let Some(text) = observed.inline.get(INLINE_POLICY) else {
        return InlineChange::Grows;
    };
    if same(text, &desired.inline, PolicyKind::Identity) {
        return InlineChange::None;
    }
    // What it is measured by is a ceiling.
    let ceiling = Document::parse(text, PolicyKind::Boundary);
    match ceiling.is_ok_and(|ceiling| contains(&Candidate::new(&[&desired.inline]), &ceiling).is_contained())
    {
        true => InlineChange::Shrinks,
        false => InlineChange::Grows,
    }
}

/// Whether the inline policy that is there is certainly within all of these ceilings. None is within everything.
pub(super) fn is_within(observed: &ObservedRole, ceilings: &[&Document]) -> bool {
    let Some(text) = observed.inline.get(INLINE_POLICY) else {
        return true;
    };
    Document::parse(text, PolicyKind::Identity).is_ok_and(|inline| {
        ceilings
            .iter()
            .all(|ceiling| contains(&Candidate::new(&[&inline]), ceiling).is_contained())
    })
}

/// Whether the role has a boundary of Deputy's: the one that it should have, or one of another limit.
pub(super) fn is_held(desired: &DesiredRole, observed: &ObservedRole) -> bool {
    let Some(boundary) = &desired.boundary else {
        return false;
    };
    is_one_of_deputys(observed.boundary.as_deref(), boundary)
}

/// Whether `observed` is the boundary policy of another limit: same account, same path.
fn is_one_of_deputys(observed: Option<&str>, desired: &PolicyArn) -> bool {
    observed
        .and_then(|arn| PolicyArn::parse(arn).ok())
        .is_some_and(|arn| arn.account() == desired.account() && arn.path() == desired.path())
}

/// Deletes of the inline policies that Deputy did not write; those that deny something last, so that they deny it until
/// whatever would grant it is gone.
pub(super) fn delete_foreign_inline(role: &RoleName, observed: &ObservedRole) -> Vec<Step> {
    let mut foreign: Vec<_> = observed
        .inline
        .iter()
        .filter(|(name, _)| *name != INLINE_POLICY)
        .collect();
    foreign.sort_by_key(|(_, text)| text.contains("Deny"));
    foreign
        .into_iter()
        .map(|(name, _)| {
            Step::shrinks(IamCall::DeleteRolePolicy {
                role: role.clone(),
                policy: name.clone(),
            })
        })
        .collect()
}

/// Detaches of the managed policies: Deputy attaches none.
pub(super) fn detach_all(role: &RoleName, observed: &ObservedRole) -> Vec<Step> {
    observed
        .attached
        .iter()
        .map(|arn| {
            Step::shrinks(IamCall::DetachRolePolicy {
                role: role.clone(),
                policy_arn: arn.clone(),
            })
        })
        .collect()
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

/// Whether the text that AWS returned means the same as `document`. Text that can't be read is something else.
fn same(text: &str, document: &Document, kind: PolicyKind) -> bool {
    Document::parse(text, kind).is_ok_and(|observed| observed.semantically_eq(document))
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
