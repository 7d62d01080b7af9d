//! The long run: pairs without end, each *contained* held against requests, each *exceeds* against both evaluators.

use std::fmt;

use deputy_policy::{Document, Request};

use super::{
    certificates::{Forgeries, forge},
    choices::Choices,
    engine::{Verdict, contain, decide, decide_naively},
    flow::scene,
    naive::Answer,
    pairs::{Pair, pair},
    possible::impossible,
    requests::{empty_request, group, keys_of, neighbours},
};

/// What a run has seen.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub policies: u64,
    pub pairs: u64,
    /// Pairs with a document that the dialect refuses.
    pub refused: u64,
    pub contained: u64,
    pub exceeds: u64,
    pub unknown: u64,
    /// Requests held against a *contained*.
    pub checks: u64,
    /// Of these, allowed by the candidate.
    pub allowed: u64,
    /// Requests looked at for nearness, and those of which one edit changes the ceiling's decision.
    pub measured: u64,
    pub near: u64,
    /// Decisions compared with the second evaluator.
    pub compared: u64,
    /// Whole decisions (accounts, organisation, resource policy) compared with it.
    pub situations: u64,
    pub forgeries: Forgeries,
}

/// So many groups of requests for one contained pair; a dozen requests each, three dozen with callers.
const GROUPS: usize = 48;
/// One group in so many is measured and compared with the second evaluator.
const SAMPLE: u64 = 64;

impl Counts {
    /// Takes one pair through everything; the error says what contradicts what.
    pub fn trial(&mut self, seed: u64) -> Result<(), String> {
        let mut c = Choices::seeded(seed);
        let pair = pair(&mut c);
        self.pair(&mut c, &pair)
            .map_err(|e| format!("seed {seed}: {e}\n{pair}"))?;
        if self.pairs.is_multiple_of(SAMPLE) {
            let (scene, group) = scene(&mut c);
            let (_, count) = scene.compare(&group).map_err(|e| format!("seed {seed}: {e}"))?;
            self.situations += count;
        }
        Ok(())
    }

    pub fn pair(&mut self, c: &mut Choices<'_>, pair: &Pair) -> Result<(), String> {
        self.pairs += 1;
        self.policies += pair.policies().count() as u64;
        let Ok(documents) = pair.documents() else {
            self.refused += 1;
            return Ok(());
        };
        let layers: Vec<Vec<&Document>> = documents
            .layers
            .iter()
            .map(|layer| layer.iter().collect())
            .collect();
        let layers: Vec<&[&Document]> = layers.iter().map(Vec::as_slice).collect();
        let ceiling = &documents.ceiling;
        let verdict = contain(&layers, ceiling);
        let keys = keys_of(pair);
        let sampled = self.pairs.is_multiple_of(SAMPLE / 8);
        let groups = match &verdict {
            Verdict::Contained => {
                self.contained += 1;
                GROUPS
            }
            Verdict::Exceeds(witness, bounded) => {
                self.exceeds += 1;
                confirm(pair, witness, *bounded)?;
                usize::from(sampled)
            }
            Verdict::Unproved(why) => return Err(why.clone()),
            Verdict::Unknown(_) => {
                self.unknown += 1;
                usize::from(sampled)
            }
        };
        let contained = verdict == Verdict::Contained;
        if contained && sampled {
            forge(c, pair, &mut self.forgeries)?;
        }
        let mut request = empty_request();
        for i in 0..groups {
            let group = group(c, pair, &keys);
            let sampled = sampled && i == 0;
            let mut wrong = None;
            let mut pick = c.below(group.len());
            group.visit(&mut request, &mut |request| {
                let allowed = decide(&layers, request) == Answer::Allowed;
                if contained {
                    self.checks += 1;
                    self.allowed += u64::from(allowed);
                    if allowed && decide(&[&[ceiling]], request) != Answer::Allowed {
                        wrong = Some(format!("contained, but the ceiling does not allow {request:?}"));
                    }
                }
                if sampled {
                    wrong = wrong
                        .take()
                        .or_else(|| self.compare(pair, &documents.ceiling, &layers, request));
                    if contained && pick == 0 {
                        self.measure(pair, ceiling, request, &keys);
                    }
                    pick = pick.wrapping_sub(1);
                }
            });
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// Both evaluators on the candidate and the ceiling.
    pub fn compare(
        &mut self,
        pair: &Pair,
        ceiling: &Document,
        layers: &[&[&Document]],
        request: &Request,
    ) -> Option<String> {
        self.compared += 2;
        let values = pair.values();
        let limit = [vec![pair.ceiling.to_value()]];
        let answers = [
            (decide(layers, request), decide_naively(&values, request, false)),
            (
                decide(&[&[ceiling]], request),
                decide_naively(&limit, request, false),
            ),
        ];
        answers
            .iter()
            .find(|(a, b)| a != b)
            .map(|(a, b)| format!("the evaluator says {a:?}, the second one {b:?} to {request:?}"))
    }

    fn measure(
        &mut self,
        pair: &Pair,
        ceiling: &Document,
        request: &Request,
        keys: &[&'static super::model::Key],
    ) {
        self.measured += 1;
        let here = decide(&[&[ceiling]], request) == Answer::Allowed;
        let other = |near: &Request| (decide(&[&[ceiling]], near) == Answer::Allowed) != here;
        self.near += u64::from(neighbours(request, pair, keys).iter().any(other));
    }

    /// Percent of the checked requests that the candidate allows.
    pub fn allowed_percent(&self) -> f64 {
        percent(self.allowed, self.checks)
    }

    /// Percent of the measured requests that are one edit from the ceiling's edge.
    pub fn near_percent(&self) -> f64 {
        percent(self.near, self.measured)
    }

    /// Whether the run says something.
    pub fn vacuous(&self) -> Option<String> {
        let wrong = |what: &str| Some(format!("the run says too little: {what}"));
        if self.allowed_percent() < 30.0 {
            wrong("less than 30 % of the requests are allowed by the candidate")
        } else if self.near_percent() < 10.0 {
            wrong("less than 10 % of the requests are one edit from the ceiling's edge")
        } else if self.refused * 20 > self.pairs {
            wrong("more than 5 % of the pairs have a document that the dialect refuses")
        } else if self.contained * 10 < self.pairs || self.exceeds * 10 < self.pairs {
            wrong("less than 10 % of the pairs are contained, or exceed")
        } else {
            None
        }
    }
}

/// A witness must be possible, and convince both evaluators.
pub fn confirm(pair: &Pair, request: &Request, bounded: bool) -> Result<(), String> {
    if let Some(why) = impossible(pair.kind(), request) {
        return Err(format!("the witness {request:?} is impossible: {why}"));
    }
    let candidate = decide_naively(&pair.values(), request, bounded);
    let ceiling = decide_naively(&[vec![pair.ceiling.to_value()]], request, bounded);
    if (candidate == Answer::Allowed) && (ceiling != Answer::Allowed) {
        Ok(())
    } else {
        Err(format!(
            "the second evaluator says {candidate:?} for the candidate and {ceiling:?} for the ceiling to the witness {request:?}"
        ))
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "policies               {}", self.policies)?;
        writeln!(
            f,
            "pairs                  {} ({} contained, {} exceed, {} unknown, {} refused by the dialect)",
            self.pairs, self.contained, self.exceeds, self.unknown, self.refused
        )?;
        writeln!(f, "request checks         {}", self.checks)?;
        writeln!(f, "allowed by candidate   {:.1} %", self.allowed_percent())?;
        writeln!(
            f,
            "one edit from the edge {:.1} % of {} measured",
            self.near_percent(),
            self.measured
        )?;
        writeln!(
            f,
            "forged certificates    {} ({} refused; {} on pairs that exceed, all refused)",
            self.forgeries.tried, self.forgeries.refused, self.forgeries.on_exceeding
        )?;
        write!(
            f,
            "decisions compared with the second evaluator {}, whole situations {}",
            self.compared, self.situations
        )
    }
}
