//! Worlds small enough to ask every question: all policies of one or two of some statements against each other, held against
//! every request there is, in every way in which the policies may be read.

use std::collections::{BTreeSet, HashMap};

use deputy_policy::{Candidate, Context, Document, PolicyKind, Request};
use serde_json::{Value, json};

use crate::generate::identities::CallerNames;
use crate::{
    engine::{CheckedVerdict, KnownRequest, contain, meant},
    naive::{NaiveDecision, OpenQuestions, Readings},
    possible::impossible,
};

type Bits = Vec<u64>;

/// Everybody who may be meant by a witness, with what each statement says, by world and statement.
type Column = Vec<(KnownRequest, Vec<Vec<bool>>)>;

/// Statements, requests, and what each statement says of each request in each world.
pub struct SmallWorld {
    kind: PolicyKind,
    requests: Vec<KnownRequest>,
    /// Requests that a witness can't tell apart, because it shows only a part of who asks.
    described_alike: Vec<Vec<usize>>,
    readings: Vec<Readings>,
    names: CallerNames,
    statements: Vec<Value>,
    /// By statement and reading.
    about: Vec<Vec<Bits>>,
}

/// Some of the statements, each with whether it denies.
pub type ChosenStatements = Vec<(bool, usize)>;

/// What there is to say of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// In every world.
    Contained,
    /// By one request, in every world.
    Exceeds,
    /// It depends.
    Depends,
}

/// How often what was answered.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub contained: u64,
    pub exceeds: u64,
    pub unknown: u64,
    /// *Unknown* where one answer holds in every world, for a reason that the README names.
    pub named: u64,
    /// *Unknown* where one request exceeds in every world, for no reason that it names.
    pub missed: u64,
}

fn with_effect(statement: &Value, deny: bool) -> Value {
    let mut statement = statement.clone();
    statement["Effect"] = json!(if deny { "Deny" } else { "Allow" });
    statement
}

impl SmallWorld {
    /// `statements` have no Effect. `alike` says what a witness can show of a request.
    pub fn new(
        kind: PolicyKind,
        statements: Vec<Value>,
        requests: Vec<KnownRequest>,
        alike: impl Fn(&KnownRequest) -> Vec<String>,
    ) -> Self {
        let documents: Vec<Value> = statements
            .iter()
            .map(|statement| document(&[with_effect(statement, false)]))
            .collect();
        let readings = Readings::all(&OpenQuestions::of(&documents));
        let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, request) in requests.iter().enumerate() {
            for shown in alike(request) {
                groups.entry(shown).or_default().push(i);
            }
        }
        let mut world = Self {
            kind,
            requests,
            described_alike: groups.into_values().collect(),
            readings,
            names: CallerNames::of(&documents),
            statements,
            about: Vec::new(),
        };
        let about = documents
            .iter()
            .map(|document| world.matches(document, &world.requests));
        world.about = about.collect();
        world
    }

    /// For each world the requests that the document allows.
    fn matches(&self, document: &Value, requests: &[KnownRequest]) -> Vec<Bits> {
        let layers = [vec![document.clone()]];
        let in_world = |readings: &Readings| {
            let mut bits = vec![0; requests.len().div_ceil(64)];
            for (i, request) in requests.iter().enumerate() {
                if request.decide(&layers, readings) == NaiveDecision::Allowed {
                    bits[i / 64] |= 1 << (i % 64);
                }
            }
            bits
        };
        self.readings.iter().map(in_world).collect()
    }

    fn value(&self, policy: &ChosenStatements) -> Value {
        let statements = policy
            .iter()
            .map(|(deny, i)| with_effect(&self.statements[*i], *deny));
        document(&statements.collect::<Vec<_>>())
    }

    /// The requests that a policy allows in a world.
    fn allowed(&self, policy: &ChosenStatements, world: usize) -> Bits {
        let mut sums = [vec![0; self.requests.len().div_ceil(64)], Vec::new()];
        sums[1] = sums[0].clone();
        for (deny, i) in policy {
            let sum = &mut sums[usize::from(*deny)];
            sum.iter_mut()
                .zip(&self.about[*i][world])
                .for_each(|(sum, bits)| *sum |= bits);
        }
        let [allowed, denied] = sums;
        allowed.iter().zip(denied).map(|(a, d)| a & !d).collect()
    }

    pub fn documents(&self, policies: Vec<ChosenStatements>) -> Vec<JudgedPolicy> {
        policies
            .into_iter()
            .map(|policy| {
                let value = self.value(&policy);
                let document =
                    Document::from_value(&value, self.kind).unwrap_or_else(|e| panic!("{value}: {e}"));
                let allowed = (0..self.readings.len()).map(|world| self.allowed(&policy, world));
                JudgedPolicy {
                    roles: CallerNames::of([&value]).roles,
                    allowed: allowed.collect(),
                    document,
                    value,
                    policy,
                }
            })
            .collect()
    }

    /// The requests that there can be when a pair lists these roles.
    fn possible(&self, names: &CallerNames) -> Bits {
        let mut bits = vec![0; self.requests.len().div_ceil(64)];
        for (i, request) in self.requests.iter().enumerate() {
            if fits(request, names) {
                bits[i / 64] |= 1 << (i % 64);
            }
        }
        bits
    }

    /// What is true of a pair.
    fn truth(
        &self,
        candidate: &JudgedPolicy,
        ceiling: &JudgedPolicy,
        possible: &Bits,
    ) -> (Truth, Option<&KnownRequest>) {
        let mut some = None;
        let mut every: Option<Bits> = None;
        for (candidate, ceiling) in candidate.allowed.iter().zip(&ceiling.allowed) {
            let both = candidate.iter().zip(ceiling);
            let over: Bits = both.zip(possible).map(|((a, l), p)| a & !l & p).collect();
            if some.is_none() {
                let first = over.iter().enumerate().find(|(_, bits)| **bits != 0);
                some = first.map(|(word, bits)| word * 64 + bits.trailing_zeros() as usize);
            }
            every = Some(match every {
                None => over,
                Some(every) => every.iter().zip(over).map(|(a, b)| a & b).collect(),
            });
        }
        let every = every.unwrap_or_default();
        let bit = |bits: &Bits, i: usize| bits[i / 64] >> (i % 64) & 1 == 1;
        let holds = |i: &usize| bit(&every, *i) || !bit(possible, *i);
        let shows = |group: &&Vec<usize>| group.iter().any(|i| bit(possible, *i));
        let mut groups = self.described_alike.iter().filter(shows);
        let truth = match some {
            None => Truth::Contained,
            Some(_) if groups.any(|group| group.iter().all(holds)) => Truth::Exceeds,
            Some(_) => Truth::Depends,
        };
        (truth, some.map(|i| &self.requests[i]))
    }

    /// Holds the verdicts on some pairs against the truth. `named` says whether the README names why it may be unknown.
    pub fn check(
        &self,
        candidates: &[JudgedPolicy],
        ceilings: &[JudgedPolicy],
        mut take: impl FnMut() -> bool,
        named: impl Fn(&JudgedPolicy, &JudgedPolicy) -> Option<&'static str>,
    ) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let mut witnesses: HashMap<String, Column> = HashMap::new();
        let mut possible: HashMap<BTreeSet<String>, (CallerNames, Bits)> = HashMap::new();
        for candidate in candidates {
            for ceiling in ceilings {
                if !take() {
                    continue;
                }
                let verdict = contain(&Candidate::new(&[&candidate.document]), &ceiling.document);
                let roles: BTreeSet<String> = candidate.roles.union(&ceiling.roles).cloned().collect();
                let (names, possible) = possible.entry(roles.clone()).or_insert_with(|| {
                    let names = CallerNames {
                        roles,
                        ..CallerNames::default()
                    };
                    let possible = self.possible(&names);
                    (names, possible)
                });
                let (truth, counterexample) = self.truth(candidate, ceiling, possible);
                let fail = |what: String| {
                    Err(format!(
                        "{what}\ncandidate {}\nceiling   {}",
                        candidate.value, ceiling.value
                    ))
                };
                match verdict {
                    CheckedVerdict::Contained if truth == Truth::Contained => tally.contained += 1,
                    CheckedVerdict::Contained => return fail(format!("contained, but {counterexample:?}")),
                    CheckedVerdict::Exceeds(witness, bounded) => {
                        tally.exceeds += 1;
                        let seen = witnesses
                            .entry(format!("{witness:?} {bounded}"))
                            .or_insert_with(|| self.column(&witness, bounded));
                        if let Err(why) = self.confirm(seen, candidate, ceiling, &witness, names) {
                            return fail(why);
                        }
                    }
                    CheckedVerdict::Unproved(why) => return fail(why),
                    CheckedVerdict::Unknown(_) if truth == Truth::Depends => tally.unknown += 1,
                    CheckedVerdict::Unknown(why) => match named(candidate, ceiling) {
                        Some(_) => tally.named += 1,
                        None if truth == Truth::Exceeds => {
                            tally.missed += 1;
                            if tally.missed == 1 {
                                eprintln!(
                                    "candidate {}\nceiling   {}\n{counterexample:?}",
                                    candidate.value, ceiling.value
                                );
                            }
                        }
                        None => {
                            return fail(format!("unknown, but {truth:?} by {counterexample:?}: {why}"));
                        }
                    },
                }
            }
        }
        Ok(tally)
    }

    /// What each statement says of a witness: by everybody who may be meant, world and statement.
    fn column(&self, witness: &Request, bounded: bool) -> Column {
        let asked: Vec<KnownRequest> = meant(witness, bounded, &self.names)
            .into_iter()
            .map(|who| KnownRequest {
                action: witness.action.clone(),
                resource: witness.resource.clone(),
                who,
                context: witness.context.clone(),
            })
            .collect();
        let by_statement: Vec<Vec<Bits>> = self
            .statements
            .iter()
            .map(|statement| self.matches(&document(&[with_effect(statement, false)]), &asked))
            .collect();
        let one = |i: usize, world: usize| {
            let bit = |of: &Vec<Bits>| of[world][i / 64] >> (i % 64) & 1 == 1;
            by_statement.iter().map(bit).collect()
        };
        let in_worlds = |i| (0..self.readings.len()).map(|world| one(i, world)).collect();
        let answers = (0..asked.len()).map(in_worlds).collect::<Vec<_>>();
        asked.into_iter().zip(answers).collect()
    }

    fn confirm(
        &self,
        column: &Column,
        candidate: &JudgedPolicy,
        ceiling: &JudgedPolicy,
        witness: &Request,
        names: &CallerNames,
    ) -> Result<(), String> {
        if let Some(why) = impossible(self.kind, witness) {
            return Err(format!("the witness {witness:?} is impossible: {why}"));
        }
        if !column.iter().any(|(asked, _)| fits(asked, names)) {
            return Err(format!("nobody can be the caller of {witness:?}"));
        }
        let worlds = self.readings.len();
        for (_, answers) in column.iter().filter(|(asked, _)| fits(asked, names)) {
            for (world, about) in (0..worlds).zip(answers) {
                let allowed = |policy: &ChosenStatements| {
                    let some = |effect| policy.iter().any(|(deny, i)| *deny == effect && about[*i]);
                    some(false) && !some(true)
                };
                if !allowed(&candidate.policy) || allowed(&ceiling.policy) {
                    return Err(format!(
                        "exceeds, but not by {witness:?} with {:?}",
                        self.readings[world]
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether there can be such a caller when a pair lists these roles.
fn fits(asked: &KnownRequest, names: &CallerNames) -> bool {
    let role = asked.who.as_ref().and_then(|who| who.role.as_ref());
    role.is_none_or(|role| names.may_exist(role))
}

/// A policy with what it allows in every world.
pub struct JudgedPolicy {
    /// The ARNs of roles that it lists.
    roles: BTreeSet<String>,
    pub policy: ChosenStatements,
    pub value: Value,
    document: Document,
    allowed: Vec<Bits>,
}

pub fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A request without caller.
pub fn request(action: &str, resource: &str, context: Context) -> KnownRequest {
    KnownRequest {
        action: action.to_owned(),
        resource: resource.to_owned(),
        who: None,
        context,
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.contained += other.contained;
        self.exceeds += other.exceeds;
        self.unknown += other.unknown;
        self.named += other.named;
        self.missed += other.missed;
    }
}

/// Takes all pairs when `PROPTEST_CASES` is large, else every so-manieth one, from another one on in each call.
pub fn some_of(pairs: usize, at_most: usize) -> impl FnMut() -> bool {
    let step = pairs.div_ceil(at_most).max(1);
    // A step that shares no factor with the rows walks through all columns.
    let step = if step > 1 { step | 1 } else { 1 };
    let mut i = step / 2;
    move || {
        i += 1;
        i % step == 0
    }
}
