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
mod certificate;
mod check;
pub(crate) mod cover;
mod probe;
mod prove;
mod search;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::{Containment, UnknownKind, UnknownReason, Witness};
pub use certificate::Certificate;
pub use check::{CheckError, check};

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{ast::PolicyKind, document::Document, work::Work};

/// How much work an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    updates: u64,
}

impl Budget {
    /// At most so many updates of positions in patterns, or as much other work; a few nanoseconds each. As much again may be
    /// spent on verifying what was found.
    pub const fn updates(updates: u64) -> Self {
        Self { updates }
    }
}

impl Default for Budget {
    /// Some ten milliseconds, and no input that is known takes 50: fit for an admission webhook.
    fn default() -> Self {
        Self::updates(3_000_000)
    }
}

/// Whether the union of the candidate's documents (one layer: the Denys of each hold for all) stays within the ceiling.
///
/// Exact within the default [`Budget`], apart from what AWS does not define: see the crate's README.
pub fn contains(candidate: &[&Document], ceiling: &Document) -> Containment {
    contains_layers(&[candidate], ceiling)
}

/// Whether what all layers allow together stays within the ceiling: identity policies ∩ permissions boundary ∩ session
/// policies. Each layer is the union of its documents. Without layers nothing is allowed, and nothing exceeds.
pub fn contains_layers(layers: &[&[&Document]], ceiling: &Document) -> Containment {
    contains_within(layers, ceiling, Budget::default())
}

/// The same with another budget.
pub fn contains_within(layers: &[&[&Document]], ceiling: &Document, budget: Budget) -> Containment {
    let of_candidate = layers.iter().flat_map(|layer| layer.iter());
    if !of_candidate
        .clone()
        .all(|document| comparable(document.kind(), ceiling.kind()))
    {
        return Containment::Unknown(UnknownReason {
            kind: UnknownKind::Unsupported,
            candidate: (0, 0),
            ceiling: None,
            construct: "the policy".to_owned(),
            keys: Vec::new(),
        });
    }
    verified(
        prove::contains(layers, ceiling, &mut Work::limited(budget.updates)),
        layers,
        ceiling,
        budget,
    )
}

static UNVERIFIED: AtomicU64 = AtomicU64::new(0);

/// How many proofs this process found that did not verify. Each one is a fault of this crate, and was answered *unknown*.
pub fn unverified_certificates() -> u64 {
    UNVERIFIED.load(Ordering::Relaxed)
}

/// The answer, when the checker agrees: nothing is *contained* because the search says so.
fn verified(answer: Containment, layers: &[&[&Document]], ceiling: &Document, budget: Budget) -> Containment {
    let Containment::Contained(certificate) = &answer else {
        return answer;
    };
    let kind = match check::check_within(certificate, layers, ceiling, &mut Work::limited(budget.updates)) {
        Ok(()) => return answer,
        Err(error) if error.is_budget() => UnknownKind::Budget,
        Err(_) => {
            UNVERIFIED.fetch_add(1, Ordering::Relaxed);
            UnknownKind::Unverified
        }
    };
    Containment::Unknown(UnknownReason {
        kind,
        candidate: (0, 0),
        ceiling: None,
        construct: "the policy".to_owned(),
        keys: Vec::new(),
    })
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
