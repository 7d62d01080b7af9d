//! Containment: is everything that a candidate allows allowed by a ceiling?

mod contexts;
pub(crate) mod cover;
mod names;
mod probe;
mod values;

use std::fmt;

use self::{
    cover::{Parts, conditions_imply, denied_anyway, denied_wholly, parts},
    probe::{Probe, Question},
};
use crate::{
    document::{Document, Effect, PolicyKind},
    evaluate::Context,
    work::Work,
};

/// Glob-position updates of a proof, and of the search for a witness; a few milliseconds each.
const BUDGET: u64 = 2_000_000;

/// The answer of [`contains`]. There is no default: what is not known is not contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Containment {
    /// Every request that the candidate allows is allowed by the ceiling.
    Contained,
    /// This request is allowed by the candidate and not by the ceiling; the evaluator confirmed both.
    Exceeds(Witness),
    /// Neither could be shown.
    Unknown(UnknownReason),
}

/// A request that the candidate allows and the ceiling does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// `service:Action`.
    pub action: String,
    /// ARN of the resource.
    pub resource: String,
    /// Context keys that the request has; all others are absent.
    pub context: Context,
    /// Index of the candidate's document and of its statement that allows the request.
    pub candidate: (usize, usize),
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        if self.context.is_empty() {
            Ok(())
        } else {
            write!(f, " with {}", self.context)
        }
    }
}

/// The class of an [`UnknownReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnknownKind {
    /// The work limit ran out.
    Budget,
    /// No single statement of the ceiling covers the candidate's, and no request was found that exceeds it.
    Undecided,
    /// Policies with a Principal are not compared.
    Unsupported,
}

/// Why there is no answer, with the statements that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReason {
    /// The class.
    pub kind: UnknownKind,
    /// Index of the candidate's document and of its statement.
    pub candidate: (usize, usize),
    /// Index of the ceiling's Deny statement, when the question was about one.
    pub ceiling: Option<usize>,
    /// The construct, such as `s3:Get* on arn:aws:s3:::a/*`.
    pub construct: String,
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (document, statement) = self.candidate;
        write!(
            f,
            "it could not be decided whether {} (statement {statement} of document {document})",
            self.construct
        )?;
        match (self.kind, self.ceiling) {
            (UnknownKind::Budget, _) => {
                f.write_str(" stays within the ceiling: the policies take too much work to compare")
            }
            (UnknownKind::Undecided, Some(deny)) => {
                write!(f, " avoids what statement {deny} of the ceiling denies")
            }
            (UnknownKind::Undecided, None) => {
                f.write_str(" stays within the ceiling: no single statement of the ceiling covers it")
            }
            (UnknownKind::Unsupported, _) => {
                f.write_str(" stays within the ceiling: policies with principals are not compared")
            }
        }
    }
}

/// Whether the union of the candidate's documents (one layer: the Denys of each hold for all) stays within the ceiling.
///
/// `Contained` rests on single covers: for every action and resource element of every Allow, one Allow statement of the
/// ceiling includes it with conditions that follow, and what the ceiling denies is disjoint or denied by the candidate
/// itself. `Exceeds` rests on a request that [`crate::evaluate()`] confirmed. The work is limited; pathological policies
/// end in `Unknown`.
pub fn contains(candidate: &[&Document], ceiling: &Document) -> Containment {
    let mut work = Work::limited(BUDGET);
    let with_principals =
        |document: &&Document| matches!(document.kind(), PolicyKind::Resource | PolicyKind::Trust);
    if candidate
        .iter()
        .copied()
        .chain([ceiling])
        .any(|document| with_principals(&document))
    {
        return Containment::Unknown(UnknownReason {
            kind: UnknownKind::Unsupported,
            candidate: (0, 0),
            ceiling: None,
            construct: "the policy".to_owned(),
        });
    }
    let (allows, denies) = split(candidate);
    let (limits, limit_denies) = split(&[ceiling]);
    let mut open = Vec::new();
    for allow in &allows {
        let (more, enough) = open_questions(allow, &denies, &limits, &limit_denies, &mut work);
        open.extend(more);
        if enough || open.len() >= MAX_QUESTIONS {
            break;
        }
    }
    let exhausted = work.exhausted();
    if open.is_empty() && !exhausted {
        return Containment::Contained;
    }
    let mut probe = Probe::new(candidate, ceiling, Work::limited(BUDGET));
    for question in &open {
        if let Some(witness) = probe.search(question) {
            return Containment::Exceeds(witness);
        }
    }
    let kind = if exhausted || probe.exhausted() {
        UnknownKind::Budget
    } else {
        UnknownKind::Undecided
    };
    let first = open.first();
    Containment::Unknown(UnknownReason {
        kind,
        candidate: first.map_or((0, 0), |question| question.statement),
        ceiling: first.and_then(|question| question.deny),
        construct: first.map_or_else(
            || "the policy".to_owned(),
            |question| question.describe(candidate),
        ),
    })
}

/// So many elements that are not proved are looked at; one witness is enough, and one unknown refuses.
const MAX_QUESTIONS: usize = 64;

/// The Allow and the Deny statements of a layer.
fn split<'a>(documents: &[&'a Document]) -> (Vec<Parts<'a>>, Vec<Parts<'a>>) {
    let (mut allows, mut denies) = (Vec::new(), Vec::new());
    for (d, document) in documents.iter().enumerate() {
        for (s, statement) in document.compiled().statements.iter().enumerate() {
            let Some(parts) = Parts::new((d, s), statement) else {
                continue;
            };
            match statement.effect {
                Effect::Allow => allows.push(parts),
                Effect::Deny => denies.push(parts),
            }
        }
    }
    (allows, denies)
}

/// One bit for each statement of the ceiling.
struct Bits(Vec<u64>);

impl Bits {
    fn collect(flags: impl Iterator<Item = bool>) -> Self {
        let mut words = Vec::new();
        for (i, flag) in flags.enumerate() {
            if i % 64 == 0 {
                words.push(0);
            }
            if let Some(word) = words.last_mut() {
                *word |= u64::from(flag) << (i % 64);
            }
        }
        Self(words)
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn common(&self, other: &Self) -> Vec<usize> {
        let words = self.0.iter().zip(&other.0).map(|(a, b)| a & b);
        words
            .enumerate()
            .flat_map(|(w, word)| {
                (0..64)
                    .filter(move |bit| word >> bit & 1 == 1)
                    .map(move |bit| w * 64 + bit)
            })
            .collect()
    }
}

/// The elements of an Allow that no single cover proves; the flag says that the work or the list is at its limit.
fn open_questions(
    allow: &Parts<'_>,
    denies: &[Parts<'_>],
    limits: &[Parts<'_>],
    limit_denies: &[Parts<'_>],
    work: &mut Work,
) -> (Vec<Question>, bool) {
    let mut open = Vec::new();
    if allow.conditions_contradict(allow, work) {
        return (open, false);
    }
    let limits: Vec<&Parts<'_>> = limits
        .iter()
        .filter(|n| conditions_imply(&[allow.atoms], n.atoms, work))
        .collect();
    let hits: Vec<&Parts<'_>> = limit_denies
        .iter()
        .filter(|e| !allow.conditions_contradict(e, work))
        .collect();
    let actions = parts(allow.actions);
    let resources = parts(allow.resources);
    let mut action_bits = Vec::with_capacity(actions.len());
    for action in &actions {
        let covers = Bits::collect(limits.iter().map(|n| action.within(n.actions, work)));
        let hits = Bits::collect(hits.iter().map(|e| !action.apart_from(e.actions, work)));
        action_bits.push((covers, hits));
    }
    let mut resource_bits = Vec::with_capacity(resources.len());
    for resource in &resources {
        let covers = Bits::collect(limits.iter().map(|n| resource.within(n.resources, work)));
        let hits = Bits::collect(hits.iter().map(|e| !resource.apart_from(e.resources, work)));
        resource_bits.push((covers, hits));
    }
    for (i, (action, (action_covers, action_hits))) in actions.iter().zip(&action_bits).enumerate() {
        for (j, (resource, (resource_covers, resource_hits))) in
            resources.iter().zip(&resource_bits).enumerate()
        {
            if !work.step() || open.len() >= MAX_QUESTIONS {
                return (open, true);
            }
            let question = |deny| Question {
                statement: allow.position,
                action: i,
                resource: j,
                deny,
            };
            if !action_covers.meets(resource_covers)
                && !denied_wholly(allow, *action, *resource, denies, work)
            {
                open.push(question(None));
                continue;
            }
            if !action_hits.meets(resource_hits) {
                continue;
            }
            for e in action_hits.common(resource_hits) {
                let Some(e) = hits.get(e) else { continue };
                let harmless = denied_wholly(allow, *action, *resource, denies, work)
                    || denied_anyway(allow, *action, *resource, e, denies, work);
                if !harmless {
                    open.push(question(Some(e.position.1)));
                    break;
                }
            }
        }
    }
    (open, work.exhausted())
}
