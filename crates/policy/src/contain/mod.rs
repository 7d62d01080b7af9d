//! Containment: is everything that a candidate allows allowed by a ceiling?
//!
//! [`prove`] goes through the candidate's elements. Three ways lead to an answer, cheapest first. Most elements are
//! included by a single statement of the ceiling ([`cover`]). Of most others a request that exceeds is easily guessed
//! ([`probe`]). What is left is searched exactly ([`search`]).
//!
//! [`certificate`] is the wall: what was found out leaves the search as a certificate, and [`check()`] verifies it from the
//! documents alone. Nothing is *contained* that the checker refuses.

pub(crate) mod answer;
mod bits;
pub(crate) mod candidate;
mod certificate;
mod check;
pub(crate) mod cover;
mod probe;
mod prove;
mod search;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::{Containment, UnknownKind, UnknownReason, Witness};
pub use candidate::{Budget, Candidate};
pub use certificate::Certificate;
pub use check::{CheckError, check};

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{ast::PolicyKind, document::Document, work::Work};

/// Whether everything that the candidate allows is allowed by the ceiling.
///
/// Exact within the default [`Budget`], apart from what AWS does not define: see the crate's README.
pub fn contains(candidate: &Candidate<'_>, ceiling: &Document) -> Containment {
    let mut documents = candidate.layers().iter().flatten();
    if !documents.all(|document| comparable(document.kind(), ceiling.kind())) {
        return unknown(UnknownKind::Unsupported);
    }
    let answer = prove::contains(candidate.layers(), ceiling, &mut Work::limited(candidate.work()));
    verified(answer, candidate, ceiling)
}

/// No answer about the policy as a whole.
fn unknown(kind: UnknownKind) -> Containment {
    Containment::Unknown(UnknownReason::of_policy(kind))
}

static UNVERIFIED: AtomicU64 = AtomicU64::new(0);

/// How many proofs this process found that did not verify. Each one is a fault of this crate, and was answered *unknown*.
pub fn unverified_certificates() -> u64 {
    UNVERIFIED.load(Ordering::Relaxed)
}

/// The answer, when the checker agrees: nothing is *contained* because the search says so.
fn verified(answer: Containment, candidate: &Candidate<'_>, ceiling: &Document) -> Containment {
    let Containment::Contained(certificate) = &answer else {
        return answer;
    };
    let mut work = Work::limited(candidate.work());
    match check::check_within(certificate, candidate.layers(), ceiling, &mut work) {
        Ok(()) => answer,
        Err(error) if error.is_budget() => unknown(UnknownKind::Budget),
        Err(_) => {
            UNVERIFIED.fetch_add(1, Ordering::Relaxed);
            unknown(UnknownKind::Unverified)
        }
    }
}

/// Whether policies of these kinds speak of the same requests.
fn comparable(candidate: PolicyKind, ceiling: PolicyKind) -> bool {
    let sort = |kind| match kind {
        PolicyKind::Identity | PolicyKind::Session | PolicyKind::Boundary | PolicyKind::ServiceControl => 0,
        PolicyKind::Resource | PolicyKind::ResourceControl => 1,
        PolicyKind::Trust => 2,
    };
    sort(candidate) == sort(ceiling)
}
