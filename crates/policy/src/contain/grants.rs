//! The candidate's Allows, one by one: a proof or a witness for every element.

use super::{
    answer::{Containment, UnknownKind, UnknownReason, Witness},
    arities::Arities,
    bits::Bits,
    certificate::{Certificate, Entry, Proof, Target, used},
    cover::{Parts, denied_anyway, denied_wholly, implied, parts},
    near::{Cells, Near, classes},
    picks::{Picks, Piece},
    pieces::combinations,
    probe::{Probe, Question, first::first_look},
    query::Query,
    solve::{self, Answer, Values},
};
use crate::{ast::Effect, compiled::CompiledStatement, document::Document, work::Work};

/// Everything that a question needs.
struct Grants<'a> {
    /// Of the first layer.
    allows: Vec<Parts<'a>>,
    /// Of the other layers.
    others: Vec<Vec<Parts<'a>>>,
    /// Of all layers, with the index of the layer.
    denies: Vec<Parts<'a>>,
    deny_layers: Vec<usize>,
    limits: Vec<Parts<'a>>,
    limit_denies: Vec<Parts<'a>>,
    /// Of all layers, and the ceiling.
    arities: Arities<'a>,
    probe: Probe<'a>,
    certificate: Certificate,
    /// The first question that has no answer. The search goes on: another one may exceed.
    open: Option<Stop>,
}

/// There is an answer before everything is proved.
enum Stop {
    Exceeds(Box<Witness>),
    Unknown(UnknownKind, Question, Vec<String>),
}

pub(super) fn contains<'a>(
    layers: &'a [&'a [&'a Document]],
    ceiling: &'a Document,
    work: &mut Work,
) -> Containment {
    let Some(first) = layers.first() else {
        return Containment::Contained(Certificate::default());
    };
    let probe = Probe::new(layers, ceiling);
    if let Some(witness) = first_look(first, ceiling, &probe, work) {
        return Containment::Exceeds(witness);
    }
    let (limits, limit_denies) = split(&[ceiling]);
    let (allows, mut denies) = split(first);
    let mut deny_layers = vec![0; denies.len()];
    let mut others = Vec::new();
    for (i, layer) in layers.iter().enumerate().skip(1) {
        let (more, of_layer) = split(layer);
        others.push(more);
        deny_layers.extend(of_layer.iter().map(|_| i));
        denies.extend(of_layer);
    }
    let mut grants = Grants {
        allows,
        others,
        denies,
        deny_layers,
        limits,
        limit_denies,
        arities: Arities::new(
            layers
                .iter()
                .flat_map(|layer| layer.iter())
                .chain([&ceiling])
                .map(|document| document.compiled()),
        ),
        probe,
        certificate: Certificate::default(),
        open: None,
    };
    match grants.prove(work) {
        Ok(()) if !work.exhausted() => Containment::Contained(grants.certificate),
        Err(Stop::Exceeds(witness)) => Containment::Exceeds(*witness),
        Ok(()) => unknown(UnknownKind::Budget, None, Vec::new(), first),
        Err(Stop::Unknown(kind, question, keys)) => unknown(kind, Some(&question), keys, first),
    }
}

fn unknown(
    kind: UnknownKind,
    question: Option<&Question>,
    keys: Vec<String>,
    candidate: &[&Document],
) -> Containment {
    Containment::Unknown(UnknownReason {
        kind,
        candidate: question.map_or((0, 0), |question| question.statement),
        ceiling: question.and_then(|question| question.deny),
        construct: question.map_or_else(
            || "the policy".to_owned(),
            |question| question.describe(candidate),
        ),
        keys,
    })
}

/// The Allow and the Deny statements of a layer.
fn split<'a>(documents: &[&'a Document]) -> (Vec<Parts<'a>>, Vec<Parts<'a>>) {
    let (mut allows, mut denies) = (Vec::new(), Vec::new());
    for (d, document) in documents.iter().enumerate() {
        for (s, statement) in document.compiled().statements.iter().enumerate() {
            let parts = Parts::new((d, s), statement);
            match statement.effect {
                Effect::Allow => allows.push(parts),
                Effect::Deny => denies.push(parts),
            }
        }
    }
    (allows, denies)
}

impl<'a> Grants<'a> {
    fn prove(&mut self, work: &mut Work) -> Result<(), Stop> {
        let allows = std::mem::take(&mut self.allows);
        for allow in &allows {
            self.prove_granted(allow, work)?;
            for e in 0..self.limit_denies.len() {
                self.prove_spared(allow, e, work)?;
            }
        }
        self.open.take().map_or(Ok(()), Err)
    }

    /// A question without answer: the search ends with the first one when there is no work left.
    fn leave_open(&mut self, stop: Stop, work: &mut Work) -> Result<(), Stop> {
        if self.open.is_none() {
            work.cut(GO_ON);
        }
        let first = self.open.take().unwrap_or(stop);
        if work.exhausted() {
            return Err(first);
        }
        self.open = Some(first);
        Ok(())
    }

    fn entry(&mut self, allow: &Parts<'a>, cells: Cells, target: Target, proof: Proof) {
        self.certificate.entries.push(Entry {
            allow: allow.position,
            actions: cells.actions,
            resources: cells.resources,
            target,
            proof,
        });
    }

    /// That the ceiling allows what an Allow of the first layer allows.
    fn prove_granted(&mut self, allow: &Parts<'a>, work: &mut Work) -> Result<(), Stop> {
        let actions = parts(allow.actions);
        let resources = parts(allow.resources);
        let useful: Vec<usize> = (0..self.limits.len())
            .filter(|n| {
                self.limits
                    .get(*n)
                    .is_some_and(|n| implied(&[allow.statement], n.statement, work))
            })
            .collect();
        let covers = |grants: &Self, test: &mut dyn FnMut(&Parts<'a>) -> bool| {
            Bits::collect(
                useful
                    .iter()
                    .map(|n| grants.limits.get(*n).is_some_and(&mut *test)),
            )
        };
        let by_action: Vec<Bits> = actions
            .iter()
            .map(|action| covers(self, &mut |n| action.within(n.actions, work)))
            .collect();
        let by_resource: Vec<Bits> = resources
            .iter()
            .map(|resource| covers(self, &mut |n| resource.within(n.resources, work)))
            .collect();
        let limit = |grants: &Self, bits: &Bits| {
            let n = useful.get(bits.iter().next()?)?;
            grants.limits.get(*n).map(|n| n.position.1)
        };
        let of_all_resources = by_resource
            .iter()
            .fold(Bits::full(useful.len()), |all, bits| all.and(bits));
        let of_all = by_action
            .iter()
            .fold(of_all_resources.clone(), |all, bits| all.and(bits));
        if let Some(n) = limit(self, &of_all) {
            let whole = Cells::all(&actions, &resources);
            self.entry(allow, whole, Target::Granted, Proof::Allowed(n));
            return Ok(());
        }
        let mut near = Near::new(allow, self.denies.iter().chain(&self.limits).cloned().collect());
        let columns = classes(&by_resource, work);
        for (bits, rows) in classes(&by_action, work) {
            if let Some(n) = limit(self, &bits.and(&of_all_resources)) {
                let row = Cells::of(rows, 0..resources.len());
                self.entry(allow, row, Target::Granted, Proof::Allowed(n));
                continue;
            }
            for (of_column, columns) in &columns {
                if let Some(n) = limit(self, &bits.and(of_column)) {
                    let cells = Cells::of(rows.clone(), columns.iter().copied());
                    self.entry(allow, cells, Target::Granted, Proof::Allowed(n));
                    continue;
                }
                // How all of them lie to all statements takes long; what exceeds is often seen at once.
                if let (Some(i), Some(j)) = (rows.first(), columns.first())
                    && rows.len() * columns.len() > 1
                    && let Some(witness) = self.probe.guess(&question(allow, *i, *j, None), work)
                {
                    return Err(Stop::Exceeds(Box::new(witness)));
                }
                for cells in near.groups(&rows, columns, work) {
                    self.prove_cells(allow, cells, None, &mut near, work)?;
                }
            }
        }
        Ok(())
    }

    /// That what an Allow of the first layer allows is not denied by the ceiling's Deny `e`.
    fn prove_spared(&mut self, allow: &Parts<'a>, e: usize, work: &mut Work) -> Result<(), Stop> {
        let Some(deny) = self.limit_denies.get(e) else {
            return Ok(());
        };
        let (deny, target) = (deny.clone(), Target::Spared(deny.position.1));
        let actions = parts(allow.actions);
        let resources = parts(allow.resources);
        let (hit, missed): (Vec<usize>, Vec<usize>) = (0..actions.len())
            .partition(|i| actions.get(*i).is_some_and(|a| !a.apart_from(deny.actions, work)));
        if hit.is_empty() {
            let whole = Cells::all(&actions, &resources);
            self.entry(allow, whole, target, Proof::OtherActions);
            return Ok(());
        }
        let (hit_resources, missed_resources): (Vec<usize>, Vec<usize>) =
            (0..resources.len()).partition(|j| {
                resources
                    .get(*j)
                    .is_some_and(|r| !r.apart_from(deny.resources, work))
            });
        if hit_resources.is_empty() {
            let whole = Cells::all(&actions, &resources);
            self.entry(allow, whole, target, Proof::OtherResources);
            return Ok(());
        }
        if !missed.is_empty() {
            let cells = Cells::of(missed, 0..resources.len());
            self.entry(allow, cells, target, Proof::OtherActions);
        }
        if !missed_resources.is_empty() {
            let cells = Cells::of(hit.clone(), missed_resources);
            self.entry(allow, cells, target, Proof::OtherResources);
        }
        let mut near = Near::new(allow, self.denies.clone());
        for cells in near.groups(&hit, &hit_resources, work) {
            self.prove_cells(allow, cells, Some(&deny), &mut near, work)?;
        }
        Ok(())
    }

    /// Cells that lie alike to all statements: by one Deny of the candidate, or by a search.
    fn prove_cells(
        &mut self,
        allow: &Parts<'a>,
        cells: Cells,
        deny: Option<&Parts<'a>>,
        near: &mut Near<'a>,
        work: &mut Work,
    ) -> Result<(), Stop> {
        let (Some(i), Some(j)) = (cells.actions.first(), cells.resources.first()) else {
            return Ok(());
        };
        let question = question(allow, i, j, deny);
        if !work.step() {
            return self.leave_open(Stop::Unknown(UnknownKind::Budget, question, Vec::new()), work);
        }
        let (actions, resources) = (parts(allow.actions), parts(allow.resources));
        let (Some(action), Some(resource)) = (actions.get(i), resources.get(j)) else {
            return Ok(());
        };
        let denied = match deny {
            None => denied_wholly(allow, *action, *resource, &self.denies, work),
            Some(deny) => denied_anyway(allow, *action, *resource, deny, &self.denies, work),
        };
        let proof = match denied {
            Some(d) => Proof::Denied(self.place(d)),
            None => match self.search(allow, &cells, question, deny, near, work) {
                Ok(proof) => proof,
                Err(Stop::Exceeds(witness)) => return Err(Stop::Exceeds(witness)),
                Err(stop) => return self.leave_open(stop, work),
            },
        };
        let target = deny.map_or(Target::Granted, |deny| Target::Spared(deny.position.1));
        self.entry(allow, cells, target, proof);
        Ok(())
    }

    /// Layer, document and statement of one of the candidate's Denys.
    fn place(&self, deny: &Parts<'_>) -> (usize, usize, usize) {
        let (d, s) = deny.position;
        let index = self
            .denies
            .iter()
            .position(|known| std::ptr::eq(known.statement, deny.statement));
        let layer = index.and_then(|i| self.deny_layers.get(i)).copied().unwrap_or(0);
        (layer, d, s)
    }

    /// What no single statement proves.
    fn search(
        &self,
        allow: &Parts<'a>,
        cells: &Cells,
        question: Question,
        deny: Option<&Parts<'a>>,
        near: &mut Near<'a>,
        work: &mut Work,
    ) -> Result<Proof, Stop> {
        if let Some(witness) = self.probe.guess(&question, work) {
            return Err(Stop::Exceeds(Box::new(witness)));
        }
        let negative = near.negative(cells, work);
        let none = |picks: &Picks| *picks == Picks::Only(Vec::new());
        let alive: Vec<usize> = negative
            .iter()
            .enumerate()
            .filter(|(_, piece)| !none(&piece.actions) && !none(&piece.resources))
            .map(|(n, _)| n)
            .collect();
        let mine = Piece {
            statement: allow.statement,
            actions: cells.actions.picks(allow.actions.negated),
            resources: cells.resources.picks(allow.resources.negated),
        };
        let mut trees = Vec::new();
        let mut kind = None;
        let mut keys = Vec::new();
        for combination in combinations(&self.others)
            .ok_or_else(|| Stop::Unknown(UnknownKind::Budget, question.clone(), Vec::new()))?
        {
            let whole = |statement: &'a CompiledStatement| Piece {
                statement,
                actions: Picks::All,
                resources: Picks::All,
            };
            let others: Vec<&Parts<'a>> = combination
                .iter()
                .zip(&self.others)
                .filter_map(|(c, layer)| layer.get(*c))
                .collect();
            let positive = std::iter::once(mine.clone())
                .chain(others.iter().map(|o| whole(o.statement)))
                .chain(deny.map(|e| whole(e.statement)))
                .collect();
            let query = Query::new(&self.arities, positive, negative.clone());
            let dimensions = query.dimensions();
            let probe = &self.probe;
            let mut confirm = |parts: &[_], world: &_| {
                let values = Values::choose(parts, dimensions, world);
                probe.confirm_parts(parts, dimensions, world, &values, &question)
            };
            match solve::solve(&query, &alive, work, &mut confirm) {
                Answer::Proved(tree) => {
                    trees.push((
                        others.iter().map(|o| o.position).collect(),
                        used(&query.negative),
                        tree,
                    ));
                }
                Answer::Found(witness) => {
                    // A request made of other names may read better.
                    let nicer = self.probe.search(&question, &mut Work::limited(NICER));
                    return Err(Stop::Exceeds(Box::new(nicer.unwrap_or(witness))));
                }
                Answer::Open(doubts) => {
                    kind = Some(UnknownKind::Undecided);
                    keys = self.probe.keys_in_question(&query, doubts.as_ref());
                }
                Answer::Exhausted => {
                    kind = Some(UnknownKind::Budget);
                    break;
                }
            }
        }
        let Some(kind) = kind else {
            return Ok(Proof::Trees(trees));
        };
        // Only the first one has work of its own.
        let mut last = if self.open.is_none() {
            Work::limited(LAST_TRY)
        } else {
            work.take(LAST_TRY)
        };
        let found = self.probe.search(&question, &mut last);
        if self.open.is_some() {
            work.give_back(last);
        }
        match found {
            Some(witness) => Err(Stop::Exceeds(Box::new(witness))),
            None => Err(Stop::Unknown(kind, question, keys)),
        }
    }
}

/// Work for making a witness read well, and for finding one at all when the search ended without.
const NICER: u64 = 100_000;
/// What may be spent behind the first question without answer: there are few more, or many alike.
const GO_ON: u64 = 1_000_000;
const LAST_TRY: u64 = 1_000_000;

fn question(allow: &Parts<'_>, action: usize, resource: usize, deny: Option<&Parts<'_>>) -> Question {
    Question {
        statement: allow.position,
        action,
        resource,
        deny: deny.map(|e| e.position.1),
    }
}
