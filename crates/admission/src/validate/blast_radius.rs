//! The guard of the blast radius: a change of a limit that would suspend many grants at once has to be meant.

use super::object::ReviewedObject;
use crate::{
    facts::{Impact, SUSPENDED_SHOWN, SuspendedGrant},
    review::{ObjectWarning, Verdict, cut},
};

/// The annotation that says how many suspended grants are meant.
pub const ACCEPT_SUSPENDING: &str = "deputy.dev/accept-suspending";
/// So many may be suspended without being asked, …
const FREE: usize = 5;
/// … or this part of the grants that the limit applies to and that are accepted now, in percent.
const FREE_PERCENT: usize = 5;
/// Of why a grant would be suspended, in a refusal, in characters.
const WHY_CHARS: usize = 512;
/// Instead of names, for who has not shown that names may be told.
pub(super) const WHERE: &str = "kubectl get awsroles,awsrolebindings -A shows which there are";

/// Whether a change of a limit that suspends `impact` may be made without being meant.
///
/// What was not counted to the end is not small.
pub(super) fn is_small(impact: &Impact) -> bool {
    let suspended = impact.suspended.len();
    impact.is_complete()
        && (suspended <= FREE
            || suspended.saturating_mul(100) <= impact.accepted.saturating_mul(FREE_PERCENT))
}

/// How many suspended grants whoever writes the limit accepts, if that is said.
pub(super) fn accepted(reviewed: &ReviewedObject<'_>) -> Option<usize> {
    reviewed.annotation(ACCEPT_SUSPENDING)?.trim().parse().ok()
}

/// `verdict`, unless more would be suspended than `small` allows and the annotation does not say that it is meant.
pub(super) fn guard(
    reviewed: &ReviewedObject<'_>,
    what: &str,
    impact: &Impact,
    small: bool,
    verdict: Verdict,
) -> Verdict {
    let count = impact.suspended.len();
    let said = reviewed.annotation(ACCEPT_SUSPENDING);
    let accepted = accepted(reviewed);
    if count == 0 && impact.is_complete() {
        return match said {
            // It would accept a later change too.
            Some(_) => verdict.warn_of(not_needed()),
            None => verdict,
        };
    }
    // More than all there are can't be suspended: whoever accepts so many need not wait until they are counted.
    let most = if impact.is_complete() {
        count
    } else {
        impact.concerned
    };
    let meant = accepted.is_some_and(|n| n >= most);
    let counted = if impact.is_complete() {
        count.to_string()
    } else {
        format!("at least {count}")
    };
    let verdict = if small || meant {
        verdict
    } else {
        return Verdict::forbidden(refusal(reviewed, what, impact, said))
            .audit("decision", "refused")
            .audit("suspends", counted);
    };
    let verdict = if impact.is_complete() {
        verdict.warn_of(would_suspend(format!(
            "suspends {count} of {} grants",
            impact.accepted
        )))
    } else {
        verdict.warn_of(would_suspend(format!(
            "suspends at least {count} grants; {} of the {} under it were looked at in the time there is",
            impact.looked_at, impact.concerned
        )))
    };
    named(reviewed, impact, verdict.audit("suspends", counted))
}

/// `verdict` with the names of what would be suspended as warnings.
fn named(reviewed: &ReviewedObject<'_>, impact: &Impact, verdict: Verdict) -> Verdict {
    if !reviewed.tells_names {
        return verdict.warn_of(would_suspend(format!("suspends grants; {WHERE}")));
    }
    let shown = impact.suspended.iter().take(SUSPENDED_SHOWN);
    shown.fold(verdict, |verdict, grant| {
        verdict.warn_of(would_suspend(format!("suspends {}", with_reason(grant))))
    })
}

/// A warning of what the change takes away from what is there.
pub(super) fn would_suspend(message: String) -> ObjectWarning {
    ObjectWarning::new(Some(ObjectWarning::WOULD_SUSPEND), "spec", message)
}

/// A warning of the annotation where the change takes nothing away.
fn not_needed() -> ObjectWarning {
    let field = format!("metadata.annotations.{ACCEPT_SUSPENDING}");
    let message = format!("annotation {ACCEPT_SUSPENDING} is not needed; remove it");
    ObjectWarning::new(Some(ObjectWarning::NOT_NEEDED), field, message)
}

/// A grant, and why it would be suspended.
fn with_reason(grant: &SuspendedGrant) -> String {
    match &grant.why {
        Some(why) => format!("{}: {}", grant.title, cut(why, WHY_CHARS)),
        None => grant.title.clone(),
    }
}

/// `verdict` with a warning for each grant that a change of something else than a limit would suspend.
pub(super) fn warn(reviewed: &ReviewedObject<'_>, impact: &Impact, verdict: Verdict) -> Verdict {
    match impact.suspended.len() {
        0 => verdict,
        count => named(reviewed, impact, verdict.audit("suspends", count.to_string())),
    }
}

fn refusal(reviewed: &ReviewedObject<'_>, what: &str, impact: &Impact, said: Option<&str>) -> String {
    let count = impact.suspended.len();
    let mut text = if impact.is_complete() {
        format!(
            "{} {what} {count} of the {} grants under it. If that is meant, annotate it with {ACCEPT_SUSPENDING}: \"{count}\"",
            reviewed.title(),
            impact.accepted,
        )
    } else {
        format!(
            "{} {what} at least {count} grants: {} of the {} under it were looked at in the time there is. If any number is meant, \
             annotate it with {ACCEPT_SUSPENDING}: \"{}\"",
            reviewed.title(),
            impact.looked_at,
            impact.concerned,
            impact.concerned,
        )
    };
    if let Some(said) = said {
        let said: String = said.chars().take(20).collect();
        text.push_str(&format!(" (it says {said:?})"));
    }
    if count == 0 {
        return text;
    }
    if !reviewed.tells_names {
        return format!("{text}. {WHERE}");
    }
    text.push_str(". Suspended would be:");
    for grant in impact.suspended.iter().take(SUSPENDED_SHOWN) {
        text.push_str("\n- ");
        text.push_str(&with_reason(grant));
    }
    if let Some(more) = count.checked_sub(SUSPENDED_SHOWN).filter(|n| *n > 0) {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}
