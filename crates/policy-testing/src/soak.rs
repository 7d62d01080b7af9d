//! The long run: pairs without end, each *contained* held against requests, each *exceeds* against both evaluators.

use std::{fmt, ops::AddAssign};

use deputy_policy::{Context, Document};
use serde_json::Value;

use crate::generate::{
    identities::CallerNames,
    keys::GeneratedKey,
    pairs::{PairDraft, pair},
    profiles::{SoakProfile, Thresholds},
    requests::{GroupSize, RequestGroup, group, keys_of, neighbours},
};
use crate::{
    choices::Choices,
    engine::{CheckedVerdict, KnownRequest, confirm, contain, decide, keys},
    forge::{Forgeries, forge},
    naive::{
        NaiveDecision, OpenQuestions, Readings,
        grid::{self, GridQuestions, GridSide},
    },
    situations::scene,
};

/// What a run of one profile has seen.
#[derive(Debug, Default, Clone, Copy)]
pub struct SoakCounts {
    pub policies: u64,
    pub pairs: u64,
    /// Pairs with a document that the dialect refuses.
    pub refused: u64,
    pub contained: u64,
    pub exceeds: u64,
    pub unknown: u64,
    /// Requests held against a *contained*, each in one world.
    pub checks: u64,
    /// Of these, allowed by the candidate.
    pub allowed: u64,
    /// Contained pairs of which no request was allowed.
    pub idle: u64,
    /// Requests looked at for nearness, and those of which one edit changes the ceiling's decision.
    pub measured: u64,
    pub near: u64,
    /// Decisions of the crate's evaluator compared with the second one's.
    pub compared: u64,
    /// Answers to many requests at once compared with the second evaluator's plain ones.
    pub plain: u64,
    /// Whole decisions (accounts, organisation, resource policy) compared with it.
    pub situations: u64,
    pub forgeries: Forgeries,
}

/// So many groups of requests for one contained pair.
const GROUPS: usize = 6;
/// In each context the requests are decided in so many worlds, when there are several.
const WORLDS: usize = 2;
/// One pair in so many is measured and compared with the crate's evaluator.
const SAMPLE: u64 = 8;

/// A pair with what is asked about it again and again.
struct Case<'a> {
    pair: &'a PairDraft,
    layers: Vec<Vec<Value>>,
    ceiling: Value,
    keys: Vec<GeneratedKey>,
    names: CallerNames,
    open: OpenQuestions,
}

impl SoakCounts {
    /// Takes one pair through everything; the error says what contradicts what.
    pub fn trial(&mut self, seed: u64, profile: SoakProfile) -> Result<(), String> {
        let mut c = Choices::seeded(seed);
        let pair = pair(&mut c, profile);
        let with_seed = |e: String| format!("profile {}, seed {seed}: {e}", profile.name());
        self.pair(&mut c, &pair)
            .map_err(|e| with_seed(format!("{e}\n{pair}")))?;
        if self.pairs.is_multiple_of(8 * SAMPLE) {
            let (scene, group) = scene(&mut c, profile);
            let (_, count) = scene.compare(&group).map_err(with_seed)?;
            self.situations += count;
        }
        Ok(())
    }

    pub fn pair(&mut self, c: &mut Choices<'_>, pair: &PairDraft) -> Result<(), String> {
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
        let verdict = contain(&documents.candidate(), &documents.ceiling);
        let case = Case::of(pair);
        let sampled = self.pairs.is_multiple_of(SAMPLE);
        match &verdict {
            CheckedVerdict::Contained => {
                self.contained += 1;
                self.hold(c, &case, sampled)?;
                if sampled {
                    forge(c, pair, &mut self.forgeries)?;
                }
            }
            CheckedVerdict::Exceeds(witness, bounded) => {
                self.exceeds += 1;
                confirm(pair.kind(), &case.layers, &case.ceiling, witness, *bounded)?;
            }
            CheckedVerdict::Unproved(why) => return Err(why.clone()),
            CheckedVerdict::Unknown(_) => self.unknown += 1,
        }
        if sampled {
            let group = group(c, pair, &case.keys, &case.names, GroupSize::SMALL);
            for asked in group.requests() {
                self.compare(pair, &case.names, &documents.ceiling, &layers, &asked)?;
            }
        }
        Ok(())
    }

    /// Holds a contained pair against requests.
    fn hold(&mut self, c: &mut Choices<'_>, case: &Case<'_>, sampled: bool) -> Result<(), String> {
        let before = self.allowed;
        for i in 0..GROUPS {
            let group = group(c, case.pair, &case.keys, &case.names, GroupSize::LARGE);
            self.hold_group(c, case, &group, sampled && i == 0)?;
        }
        self.idle += u64::from(self.allowed == before);
        Ok(())
    }

    fn hold_group(
        &mut self,
        c: &mut Choices<'_>,
        case: &Case<'_>,
        group: &RequestGroup,
        sampled: bool,
    ) -> Result<(), String> {
        let questions = GridQuestions {
            actions: &group.actions,
            resources: &group.resources,
            callers: &group.callers,
        };
        let layers: Vec<Vec<&Value>> = case.layers.iter().map(|layer| layer.iter().collect()).collect();
        let candidate = GridSide::new(&layers, &questions);
        let ceiling = GridSide::new(&[vec![&case.ceiling]], &questions);
        let size = grid::size(&questions);
        for context in &group.contexts {
            let keys = keys(context);
            for _ in 0..WORLDS.min(case.open.worlds()) {
                let readings = Readings::draw(c, &case.open);
                let allowed = candidate.allowed(&questions, &keys, &readings);
                let limit = ceiling.allowed(&questions, &keys, &readings);
                for (i, (allowed, limit)) in allowed.iter().zip(&limit).enumerate() {
                    self.checks += size;
                    self.allowed += u64::from(allowed.count_ones());
                    let asked = |bit| asked_at(group, context, i, bit);
                    let wrong = allowed & !limit;
                    if wrong != 0 {
                        let asked = asked(wrong.trailing_zeros());
                        return Err(format!(
                            "contained, but the ceiling does not allow {asked:?} with {readings:?}"
                        ));
                    }
                }
                if sampled {
                    let i = c.below(group.callers.len());
                    let bits = (allowed[i], limit[i]);
                    self.look_closer(c, case, (group, context, i), bits, &readings)?;
                }
            }
        }
        Ok(())
    }

    /// Compares one request of a grid with the plain answers, and measures how near it is to the edge.
    fn look_closer(
        &mut self,
        c: &mut Choices<'_>,
        case: &Case<'_>,
        (group, context, caller): (&RequestGroup, &Context, usize),
        (allowed, limit): (u64, u64),
        readings: &Readings,
    ) -> Result<(), String> {
        let (action, resource) = (c.below(group.actions.len()), c.below(group.resources.len()));
        let bit = grid::bit_of(action, resource);
        let asked = asked_at(group, context, caller, bit);
        let only = [vec![case.ceiling.clone()]];
        for (what, layers, bits) in [
            ("candidate", &case.layers[..], allowed),
            ("ceiling", &only, limit),
        ] {
            self.plain += 1;
            let plain = asked.decide(layers, readings) == NaiveDecision::Allowed;
            if plain != (bits >> bit & 1 == 1) {
                return Err(format!(
                    "the grid and the plain evaluator differ on the {what}: {asked:?} with {readings:?}"
                ));
            }
        }
        self.measured += 1;
        let here = limit >> bit & 1 == 1;
        let other = |near: &KnownRequest| (near.decide(&only, readings) == NaiveDecision::Allowed) != here;
        let all = neighbours(c, &asked, case.pair, &case.keys, &case.names);
        self.near += u64::from(all.iter().any(other));
        Ok(())
    }

    /// Both evaluators on the candidate and the ceiling. The crate's does not know every id of the caller: what it allows is
    /// allowed whatever they are, and where none is listed both say the same.
    pub fn compare(
        &mut self,
        pair: &PairDraft,
        names: &CallerNames,
        ceiling: &Document,
        layers: &[&[&Document]],
        asked: &KnownRequest,
    ) -> Result<(), String> {
        let limit = [vec![pair.ceiling.to_value()]];
        let request = asked.request();
        let variants = asked.variants(names);
        for (ours, layers) in [
            (decide(layers, &request), &pair.values()[..]),
            (decide(&[&[ceiling]], &request), &limit),
        ] {
            self.compared += 1;
            for variant in &variants {
                let second = variant.decide(layers, &Readings::EVALUATOR);
                if ours != second && (variants.len() == 1 || ours == NaiveDecision::Allowed) {
                    return Err(format!(
                        "the evaluator says {ours:?}, the second one {second:?} to {variant:?}"
                    ));
                }
            }
        }
        Ok(())
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
    pub fn vacuous(&self, thresholds: Thresholds) -> Option<String> {
        let Thresholds {
            allowed,
            near,
            contained,
            exceeds,
        } = thresholds;
        let least = [
            (
                "of the requests are allowed by the candidate",
                self.allowed_percent(),
                allowed,
            ),
            (
                "of the requests are one edit from the ceiling's edge",
                self.near_percent(),
                near,
            ),
            (
                "of the pairs are contained",
                percent(self.contained, self.pairs),
                contained,
            ),
            ("of the pairs exceed", percent(self.exceeds, self.pairs), exceeds),
            (
                "of the pairs are read by the dialect",
                percent(self.pairs - self.refused, self.pairs),
                95.0,
            ),
        ];
        least
            .iter()
            .find(|(_, reached, least)| reached < least)
            .map(|(what, reached, least)| format!("only {reached:.1} % {what}, not {least} %"))
    }
}

fn asked_at(group: &RequestGroup, context: &Context, caller: usize, bit: u32) -> KnownRequest {
    let (action, resource) = grid::pair_at(bit);
    KnownRequest {
        action: group.actions[action].clone(),
        resource: group.resources[resource].clone(),
        who: group.callers[caller].clone(),
        context: context.clone(),
    }
}

impl<'a> Case<'a> {
    fn of(pair: &'a PairDraft) -> Self {
        let layers = pair.values();
        let ceiling = pair.ceiling.to_value();
        Self {
            keys: keys_of(pair),
            names: pair.names(),
            open: OpenQuestions::of(layers.iter().flatten().chain([&ceiling])),
            pair,
            layers,
            ceiling,
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl AddAssign for SoakCounts {
    fn add_assign(&mut self, other: Self) {
        self.policies += other.policies;
        self.pairs += other.pairs;
        self.refused += other.refused;
        self.contained += other.contained;
        self.exceeds += other.exceeds;
        self.unknown += other.unknown;
        self.checks += other.checks;
        self.allowed += other.allowed;
        self.idle += other.idle;
        self.measured += other.measured;
        self.near += other.near;
        self.compared += other.compared;
        self.plain += other.plain;
        self.situations += other.situations;
        self.forgeries.tried += other.forgeries.tried;
        self.forgeries.refused += other.forgeries.refused;
        self.forgeries.on_exceeding += other.forgeries.on_exceeding;
    }
}

impl fmt::Display for SoakCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decided = self.contained + self.exceeds + self.unknown;
        writeln!(
            f,
            "  pairs        {} ({} contained, {} exceed, {} unknown = {:.2} %, {} refused by the dialect)",
            self.pairs,
            self.contained,
            self.exceeds,
            self.unknown,
            percent(self.unknown, decided),
            self.refused
        )?;
        writeln!(
            f,
            "  requests     {} ({:.1} % allowed by the candidate; of {:.1} % of the contained pairs none is)",
            self.checks,
            self.allowed_percent(),
            percent(self.idle, self.contained)
        )?;
        writeln!(
            f,
            "  near         {:.1} % of {} measured are one edit from the ceiling's edge",
            self.near_percent(),
            self.measured
        )?;
        writeln!(
            f,
            "  certificates {} forged ({} refused; {} on pairs that exceed, all refused)",
            self.forgeries.tried, self.forgeries.refused, self.forgeries.on_exceeding
        )?;
        write!(
            f,
            "  compared     {} decisions of both evaluators, {} whole situations, {} answers of the grid",
            self.compared, self.situations, self.plain
        )
    }
}
