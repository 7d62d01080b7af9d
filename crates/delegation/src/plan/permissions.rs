//! The order of the calls on boundary, inline policies and attachments.
//!
//! What the role may do is all of its policies together, and a deny in one of them holds against the others. So between the first call
//! and the last one the role has every deny that it had and every deny of the inline policy that it shall have, for as long as policies
//! come and go: if that is not so anyway, the inline policy is written with the denies of the other state beside its own, and once more
//! at the end. What managed policies deny is not known here. One that denies what another one of the same change allows does so from
//! when it is attached; until then only the boundary holds.

use std::collections::BTreeMap;

use deputy_policy::{Candidate, Document, PolicyKind, contains};

use crate::{
    cut_sessions,
    names::{IamPath, ManagedPolicyArn, PolicyArn, RoleName},
    naming::{self, INLINE_POLICY},
    quota::{MANAGED_POLICIES_OF_ROLE, ROLE_INLINE_POLICIES},
};

use super::{
    call::{IamCall, Nature, Step},
    compare::{denies_missing, same},
    role::{DesiredRole, ObservedRole},
};

/// The steps that give a new role its policies.
pub(super) fn first(desired: &DesiredRole) -> Vec<Step> {
    let none = BTreeMap::new();
    let inline = InlinePolicy::new(desired, &none, &[]);
    inline.exchange(
        Attachments::new(desired, &[]),
        Vec::new(),
        Foreign::default(),
        None,
    )
}

/// The steps on boundary, ownership and policies.
///
/// A boundary that is missing or not one of Deputy's comes first: nothing may grow without it. One of Deputy's that is
/// replaced by another comes last: the new policy is within the new ceiling and so safe under either, while the old
/// policy is not known to be within the new ceiling's reach.
///
/// What gives comes before what takes away: what both grant is never missing, and what a foreign policy denies stays denied. Unless
/// they would not fit into IAM's quota together, or the boundary moves to that of another limit: what a managed policy grants within
/// the former one is not to be granted any more, so whatever gives them more waits until it has moved: they are attached, and denies go,
/// afterwards. An inline policy that certainly allows less, when nothing is attached, is written
/// before the tags say whose the role is; all else afterwards.
pub(super) fn permissions(desired: &DesiredRole, observed: &ObservedRole, ownership: Vec<Step>) -> Vec<Step> {
    let role = &desired.name;
    let mut steps = Vec::new();
    let mut moves = None;
    if let Some(boundary) = &desired.boundary
        && observed.boundary.as_deref() != Some(boundary.to_string().as_str())
    {
        let set = Step::shrinks(IamCall::PutRolePermissionsBoundary {
            role: role.clone(),
            boundary: boundary.clone(),
        });
        if is_held(desired, observed) {
            moves = Some(set);
        } else {
            steps.push(set);
        }
    }
    let inline = InlinePolicy::new(desired, &observed.inline, &observed.attached);
    steps.extend(inline.cut_first());
    let mut attachments = Attachments::new(desired, &observed.attached);
    let mut foreign = Foreign::new(role, observed);
    if inline.is_changed() && !inline.fits(desired.inline.as_ref()) {
        steps.extend(std::mem::take(&mut foreign).all());
    }
    steps.append(&mut attachments.make_room(observed.attached.len()));
    steps.extend(inline.exchange(attachments, ownership, foreign, moves));
    steps
}

/// Managed policies on their way.
struct Attachments {
    attach: Vec<Step>,
    detach: Vec<Step>,
}

impl Attachments {
    fn new(desired: &DesiredRole, attached: &[String]) -> Self {
        let role = &desired.name;
        let wanted = |arn: &String| desired.attached.iter().any(|a| a.to_string() == *arn);
        let missing = desired
            .attached
            .iter()
            .filter(|arn| !attached.contains(&arn.to_string()));
        Self {
            attach: missing
                .map(|arn| {
                    Step::grows(IamCall::AttachRolePolicy {
                        role: role.clone(),
                        policy_arn: arn.clone(),
                    })
                })
                .collect(),
            detach: detach(role, attached.iter().filter(|arn| !wanted(arn))),
        }
    }

    /// The detaches without which not all could be attached.
    fn make_room(&mut self, attached: usize) -> Vec<Step> {
        let together = attached + self.attach.len();
        let too_many = together.saturating_sub(MANAGED_POLICIES_OF_ROLE);
        if self.attach.is_empty() {
            return Vec::new();
        }
        self.detach.drain(..too_many.min(self.detach.len())).collect()
    }
}

/// Deputy's inline policy, as it is and as it should be.
struct InlinePolicy<'a> {
    role: &'a RoleName,
    text: Option<&'a str>,
    /// As AWS has it; `None` also when that can't be read.
    observed: Option<Document>,
    desired: Option<&'a Document>,
    /// Characters of the inline policies beside it.
    foreign_size: usize,
    /// Whether managed policies stay attached or are to be: what a deny takes from them, its end gives back.
    has_attached: bool,
}

impl<'a> InlinePolicy<'a> {
    fn new(desired: &'a DesiredRole, inline: &'a BTreeMap<String, String>, attached: &[String]) -> Self {
        let text = inline.get(INLINE_POLICY).map(String::as_str);
        let foreign = inline.iter().filter(|(name, _)| *name != INLINE_POLICY);
        Self {
            role: &desired.name,
            text,
            observed: text.and_then(|text| Document::parse(text, PolicyKind::Identity).ok()),
            desired: desired.inline.as_ref(),
            foreign_size: foreign
                .map(|(_, text)| text.chars().filter(|c| !c.is_whitespace()).count())
                .sum(),
            has_attached: !attached.is_empty() || !desired.attached.is_empty(),
        }
    }

    fn is_changed(&self) -> bool {
        match (self.text, self.desired) {
            (None, None) => false,
            (Some(text), Some(desired)) => !same(text, desired, PolicyKind::Identity),
            _ => true,
        }
    }

    fn fits(&self, document: Option<&Document>) -> bool {
        let size = document.map_or(0, Document::size);
        self.foreign_size.saturating_add(size) <= ROLE_INLINE_POLICIES
    }

    /// Brings it to `document`. Nothing if it is so.
    fn write(&self, document: Option<&Document>) -> Option<Step> {
        let call = match (document, self.text) {
            (None, None) => return None,
            (None, Some(_)) => delete_inline(self.role),
            (Some(document), Some(text)) if same(text, document, PolicyKind::Identity) => return None,
            (Some(document), _) => put_inline(self.role, document),
        };
        let nature = if self.shrinks_to(document) {
            Nature::Shrinks
        } else {
            Nature::Grows
        };
        Some(Step { call, nature })
    }

    /// Whether `document` certainly allows nothing that is not allowed now.
    fn shrinks_to(&self, document: Option<&Document>) -> bool {
        let Some((old, text)) = self.observed.as_ref().zip(self.text) else {
            // It can't be read, so what it denied is not known.
            return document.is_none() && !self.has_attached;
        };
        if self.has_attached && !denies_missing(old, document).is_empty() {
            return false;
        }
        document.is_none_or(|document| {
            // What it is measured by is a ceiling.
            let ceiling = Document::parse(text, PolicyKind::Boundary);
            ceiling.is_ok_and(|c| contains(&Candidate::new(&[document]), &c).is_contained())
        })
    }

    /// The deny of [`crate::cut_sessions`] beside what is there: where the policy becomes something that is not known to be less, sessions
    /// are ended before that, so that no call that gives is in its way.
    fn cut_first(&self) -> Option<Step> {
        let deny = cut_sessions::deny_in(self.desired?)?;
        let written = self.write(self.desired)?;
        if written.nature == Nature::Shrinks || (self.text.is_some() && self.observed.is_none()) {
            return None;
        }
        match self.beside(self.observed.as_ref(), &deny) {
            Beside::Written(both) => Some(Step::shrinks(put_inline(self.role, &both))),
            Beside::Nothing | Beside::Impossible => None,
        }
    }

    /// `base` with the denies of `denying` beside it.
    fn beside(&self, base: Option<&Document>, denying: &Document) -> Beside {
        let denies = denies_missing(denying, base);
        if denies.is_empty() {
            return Beside::Nothing;
        }
        let denies = Document::new(denying.version(), denies, PolicyKind::Identity).ok();
        let both = match (base, denies) {
            (Some(base), Some(denies)) => Document::merge([base, &denies]).ok(),
            (None, denies) => denies,
            (Some(_), None) => None,
        };
        both.filter(|document| self.fits(Some(document)))
            .map_or(Beside::Impossible, Beside::Written)
    }

    /// What is written before anything is attached: what is there, with the denies that are to be.
    fn before_attaching(&self) -> Beside {
        match self.desired {
            // Nothing can be put beside what can't be read.
            Some(_) if self.text.is_some() && self.observed.is_none() => Beside::Impossible,
            Some(desired) => self.beside(self.observed.as_ref(), desired),
            None => Beside::Nothing,
        }
    }

    /// What is written until all is gone that goes: what is to be, with the denies that were there.
    fn while_taking_away(&self) -> Beside {
        match &self.observed {
            Some(observed) => self.beside(self.desired, observed),
            None if self.text.is_some() => Beside::Impossible,
            None => Beside::Nothing,
        }
    }

    /// The steps on ownership and policies, and on a boundary that moves from one limit to another.
    fn exchange(
        &self,
        attachments: Attachments,
        ownership: Vec<Step>,
        foreign: Foreign,
        moves: Option<Step>,
    ) -> Vec<Step> {
        let Attachments { attach, detach } = attachments;
        let gives = !detach.is_empty() || !foreign.is_empty() || (moves.is_some() && self.has_attached);
        let meanwhile = if gives {
            self.while_taking_away()
        } else {
            Beside::Nothing
        };
        let written = match &meanwhile {
            Beside::Written(document) => Some(document),
            Beside::Nothing | Beside::Impossible => self.desired,
        };
        let mut put = self.write(written);
        let (mut goes, denies) = (detach, foreign.denies);
        goes.extend(foreign.grants);
        let mut steps = Vec::new();
        // A shrink waits for nothing; but what is granted by an attachment instead is attached first.
        let goes_first = meanwhile == Beside::Impossible;
        if !goes_first && (attach.is_empty() || moves.is_some()) {
            steps.extend(put.take_if(|step| step.nature == Nature::Shrinks));
        }
        steps.extend(ownership);
        if goes_first {
            steps.append(&mut goes);
        }
        let attach_last = match moves {
            None => {
                match if attach.is_empty() {
                    Beside::Nothing
                } else {
                    self.before_attaching()
                } {
                    Beside::Nothing => {}
                    Beside::Written(document) => steps.push(Step::grows(put_inline(self.role, &document))),
                    Beside::Impossible => steps.extend(put.take()),
                }
                steps.extend(attach);
                Vec::new()
            }
            Some(_) => attach,
        };
        steps.extend(put);
        steps.extend(goes);
        steps.extend(moves);
        steps.extend(denies);
        if matches!(meanwhile, Beside::Written(_)) {
            steps.push(Step::grows(self.desired.map_or_else(
                || delete_inline(self.role),
                |desired| put_inline(self.role, desired),
            )));
        }
        steps.extend(attach_last);
        steps
    }
}

/// An inline policy with the denies of another one beside its own.
#[derive(Debug, PartialEq, Eq)]
enum Beside {
    /// It has them.
    Nothing,
    /// This is both.
    Written(Document),
    /// Both can't be one policy, or would be too large. Then what denies comes first, and what it is denied to goes first: less may be
    /// allowed for a moment than before and afterwards, and never more.
    Impossible,
}

/// Writes the one inline policy.
pub(super) fn put_inline(role: &RoleName, document: &Document) -> IamCall {
    IamCall::PutRolePolicy {
        role: role.clone(),
        policy: INLINE_POLICY.to_owned(),
        document: document.to_json(),
    }
}

fn delete_inline(role: &RoleName) -> IamCall {
    IamCall::DeleteRolePolicy {
        role: role.clone(),
        policy: INLINE_POLICY.to_owned(),
    }
}

/// The steps that take every policy from a role. What Deputy's inline policy denies is denied until nothing is left that it would be
/// denied to; foreign inline policies that deny go last of theirs.
pub(super) fn take_all(role: &RoleName, observed: &ObservedRole) -> Vec<Step> {
    let mut goes = detach(role, observed.attached.iter());
    goes.extend(Foreign::new(role, observed).all());
    let Some(text) = observed.inline.get(INLINE_POLICY) else {
        return goes;
    };
    let delete = Step::shrinks(delete_inline(role));
    let inline = Document::parse(text, PolicyKind::Identity).ok();
    let denies = inline.and_then(|inline| {
        let denies = denies_missing(&inline, None);
        Document::new(inline.version(), denies, PolicyKind::Identity).ok()
    });
    match denies {
        Some(denies) if !goes.is_empty() => {
            let only = Step::shrinks(put_inline(role, &denies));
            let only = (!same(text, &denies, PolicyKind::Identity)).then_some(only);
            only.into_iter().chain(goes).chain([delete]).collect()
        }
        _ => [delete].into_iter().chain(goes).collect(),
    }
}

/// Whether the inline policy that is there is certainly within all of these ceilings. None is within everything. What managed
/// policies say is not asked: they were accepted by name, and the boundary holds them.
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

/// Whether the role has the boundary that it should have, or one that Deputy writes for another limit.
pub(super) fn is_held(desired: &DesiredRole, observed: &ObservedRole) -> bool {
    let (Some(wanted), Some(there)) = (&desired.boundary, &observed.boundary) else {
        return false;
    };
    wanted.to_string() == *there || is_one_of_deputys(there, &desired.path)
}

/// Whether managed policies stay attached that only the boundary of another limit holds.
pub(super) fn is_held_by_another(desired: &DesiredRole, observed: &ObservedRole) -> bool {
    let wanted = desired.boundary.as_ref().map(ToString::to_string);
    let stays = |arn: &ManagedPolicyArn| observed.attached.contains(&arn.to_string());
    is_held(desired, observed) && observed.boundary != wanted && desired.attached.iter().any(stays)
}

/// Whether a boundary is one that Deputy writes: its path is below that of the roles of this cluster. It is of the role's own account,
/// as AWS takes no other.
fn is_one_of_deputys(boundary: &str, roles: &IamPath) -> bool {
    PolicyArn::parse(boundary).is_ok_and(|arn| naming::is_limit_path(arn.path(), roles))
}

/// Deletes of the inline policies that Deputy did not write.
#[derive(Default)]
struct Foreign {
    grants: Vec<Step>,
    /// Of those that deny something: last, so that they deny it until whatever would grant it is gone.
    denies: Vec<Step>,
}

impl Foreign {
    fn new(role: &RoleName, observed: &ObservedRole) -> Self {
        let mut foreign = Self::default();
        for (name, text) in observed.inline.iter().filter(|(name, _)| *name != INLINE_POLICY) {
            let delete = Step::shrinks(IamCall::DeleteRolePolicy {
                role: role.clone(),
                policy: name.clone(),
            });
            if text.contains("Deny") {
                foreign.denies.push(delete);
            } else {
                foreign.grants.push(delete);
            }
        }
        foreign
    }

    fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.denies.is_empty()
    }

    fn all(self) -> impl Iterator<Item = Step> {
        self.grants.into_iter().chain(self.denies)
    }
}

fn detach<'a>(role: &RoleName, arns: impl Iterator<Item = &'a String>) -> Vec<Step> {
    arns.map(|arn| {
        Step::shrinks(IamCall::DetachRolePolicy {
            role: role.clone(),
            policy_arn: arn.clone(),
        })
    })
    .collect()
}
