//! Ends the sessions of a role that run.
//!
//! A closed trust policy makes no new session and leaves those that run, for hours. What a session may do is looked up at each request,
//! so the sessions of a role whose own policy denies everything can do nothing. AWS's own remedy, a deny for tokens issued before a
//! time, would need that time to be right, and to go when the last of them is over; this one needs neither. It stands where Deputy's one
//! inline policy stands, so it has room, and what opens the role again writes what is asked for in its place.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>

use deputy_policy::PolicyKind;

use crate::{names::RoleName, naming::INLINE_POLICY, trust};

use super::{call::Step, compare::same, permissions::put_inline, role::ObservedRole};

/// Denies everything to every session of the role. Nothing if it is so already.
pub(super) fn cut(role: &RoleName, observed: &ObservedRole) -> Option<Step> {
    let denied = trust::deny_everything(PolicyKind::Identity);
    let text = observed.inline.get(INLINE_POLICY);
    let is_cut = text.is_some_and(|text| same(text, &denied, PolicyKind::Identity));
    (!is_cut).then(|| Step::shrinks(put_inline(role, &denied)))
}
