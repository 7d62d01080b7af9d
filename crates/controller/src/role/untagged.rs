//! Sessions without Deputy's tags, of a role whose owner has them cut: those of AWS principals, of identity providers and of pods that call
//! STS themselves. Pure.
//!
//! They can't be told apart, so a time decides: whoever had one before it has to assume the role again. As a principal may be let in for a
//! while after the trust policy was closed to him, they are cut a second time then. Sessions that the broker made have tags, which nobody else
//! can give a session, and go on.

use std::time::Duration;

use deputy_api::{RemainingReason, RoleSessionsStatus, UntaggedSessionsStatus, conditions::ConditionReason};
use deputy_delegation::model::Revocation;
use jiff::Timestamp;

use super::{
    outcome::RoleOutcome,
    times::{after, all_over, second_of},
};

/// So long after a trust policy was written AWS may still go by the one of before.
const SPREADS_WITHIN: Duration = Duration::from_secs(60);
/// They are cut so often while AWS is not known to have the trust policy: it may let in whom it should not.
const AS_LONG_AS_OPEN: Duration = Duration::from_secs(3600);

/// Decides about them in `record`, which says whether some remain. Until now it was `old`; `is_known` says whether anybody knows who had some.
pub fn step(
    old: Option<&UntaggedSessionsStatus>,
    is_known: bool,
    record: &mut RoleSessionsStatus,
    revocation: Revocation,
    now: Timestamp,
) {
    let remain = record
        .remain
        .iter()
        .any(|entry| entry.reason == RemainingReason::NotTagged);
    if revocation == Revocation::All && (remain || !is_known) {
        record
            .remain
            .retain(|entry| entry.reason != RemainingReason::NotTagged);
        record.untagged = Some(until_now(now));
        return;
    }
    record.untagged = old.filter(|old| old.until.0 > now).map(|old| {
        if next(old) <= now {
            UntaggedSessionsStatus {
                closed: old.closed.clone(),
                ..until_now(now)
            }
        } else {
            old.clone()
        }
    });
}

fn until_now(now: Timestamp) -> UntaggedSessionsStatus {
    UntaggedSessionsStatus {
        before: second_of(now),
        until: all_over(now),
        closed: None,
    }
}

/// When something is to be done about them: they are cut once more, or over.
pub fn next(cut: &UntaggedSessionsStatus) -> Timestamp {
    let again = match &cut.closed {
        Some(closed) => Some(after(closed.0, SPREADS_WITHIN).0).filter(|again| cut.before.0 < *again),
        None => Some(after(cut.before.0, AS_LONG_AS_OPEN).0),
    };
    again.unwrap_or(cut.until.0).min(cut.until.0)
}

/// AWS was brought to `outcome`: notes down since when it has the trust policy.
pub fn reached(record: &mut RoleSessionsStatus, outcome: &RoleOutcome, now: Timestamp) {
    let has_trust = matches!(
        outcome,
        RoleOutcome::Provisioned { .. }
            // What shrinks waits for no boundary.
            | RoleOutcome::Waiting {
                reason: ConditionReason::BoundaryNotReady,
                ..
            }
    );
    if let Some(cut) = record
        .untagged
        .as_mut()
        .filter(|cut| has_trust && cut.closed.is_none())
    {
        cut.closed = Some(after(now, Duration::ZERO));
    }
}
