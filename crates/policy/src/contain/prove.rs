//! The candidate's Allows, one by one: a proof or a witness for every element.

use super::{
    answer::{Containment, UnknownKind, UnknownReason, Witness},
    bits::Bits,
    certificate::{Certificate, CertificateEntry, Combination, Goal, LayerStatementRef, Proof},
    cover::{StatementElements, denied_anyway, denied_wholly, implied, parts},
    probe::{confirm::Probe, first::first_look, question::UnprovedElement, variables::VariableValues},
    search::{
        cells::{Cells, Overlaps, classes},
        combinations::combinations,
        facts::SharedFacts,
        part::{StatementPart, used},
        query::Query,
        question::CellQuestion,
        solve::{self, Solution},
    },
};
use crate::{
    ast::Effect,
    document::{Document, place::StatementRef},
    work::Work,
};

/// What the proof of one pair of policies works with.
struct Prover<'a> {
    /// The Allows of the candidate's first layer: each of their elements is proved.
    candidate_allows: Vec<StatementElements<'a>>,
    /// The Allows of each of the candidate's other layers: a request needs one of every layer.
    other_layers: Vec<Vec<StatementElements<'a>>>,
    /// The Denys of all layers of the candidate, layer by layer.
    candidate_denies: Vec<StatementElements<'a>>,
    /// For each of the candidate's Denys, the index of its layer.
    layer_of_deny: Vec<usize>,
    ceiling_allows: Vec<StatementElements<'a>>,
    ceiling_denies: Vec<StatementElements<'a>>,
    /// What all layers and the ceiling together say of keys and callers.
    facts: SharedFacts<'a>,
    probe: Probe<'a>,
    certificate: Certificate,
    /// The first element without answer. The proof goes on after it, because another element may exceed.
    open: Option<Stop>,
}

/// There is an answer before everything is proved.
enum Stop {
    Exceeds(Box<Witness>),
    Unknown(UnknownKind, UnprovedElement, Vec<String>),
}

pub(super) fn contains<'a>(
    layers: &'a [Vec<&'a Document>],
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
    let (ceiling_allows, ceiling_denies) = split(&[ceiling]);
    let (candidate_allows, mut candidate_denies) = split(first);
    let mut layer_of_deny = vec![0; candidate_denies.len()];
    let mut other_layers = Vec::new();
    for (i, layer) in layers.iter().enumerate().skip(1) {
        let (allows, denies) = split(layer);
        other_layers.push(allows);
        layer_of_deny.extend(denies.iter().map(|_| i));
        candidate_denies.extend(denies);
    }
    let documents = layers.iter().flat_map(|layer| layer.iter()).chain([&ceiling]);
    let mut prover = Prover {
        candidate_allows,
        other_layers,
        candidate_denies,
        layer_of_deny,
        ceiling_allows,
        ceiling_denies,
        facts: SharedFacts::new(documents.map(|document| document.compiled())),
        probe,
        certificate: Certificate::default(),
        open: None,
    };
    match prover.prove(work) {
        // INVARIANT: answers that were given after the work ran out mean nothing, so nothing is contained then.
        Ok(()) if !work.exhausted() => Containment::Contained(prover.certificate),
        Err(Stop::Exceeds(witness)) => Containment::Exceeds(*witness),
        Ok(()) => Containment::Unknown(UnknownReason::of_policy(UnknownKind::Budget)),
        Err(Stop::Unknown(kind, element, keys)) => unknown(kind, &element, keys, first),
    }
}

fn unknown(
    kind: UnknownKind,
    element: &UnprovedElement,
    keys: Vec<String>,
    candidate: &[&Document],
) -> Containment {
    Containment::Unknown(UnknownReason {
        kind,
        candidate: element.statement,
        ceiling: element.deny,
        construct: element.describe(candidate),
        keys,
    })
}

/// The Allow and the Deny statements of a layer.
fn split<'a>(documents: &[&'a Document]) -> (Vec<StatementElements<'a>>, Vec<StatementElements<'a>>) {
    let (mut allows, mut denies) = (Vec::new(), Vec::new());
    for (d, document) in documents.iter().enumerate() {
        for (s, statement) in document.compiled().statements.iter().enumerate() {
            let parts = StatementElements::new(
                StatementRef {
                    document: d,
                    statement: s,
                },
                statement,
            );
            match statement.effect {
                Effect::Allow => allows.push(parts),
                Effect::Deny => denies.push(parts),
            }
        }
    }
    (allows, denies)
}

impl<'a> Prover<'a> {
    /// Proves, for every Allow of the first layer, that the ceiling allows it and that no Deny of the ceiling denies it.
    fn prove(&mut self, work: &mut Work) -> Result<(), Stop> {
        let allows = std::mem::take(&mut self.candidate_allows);
        for allow in &allows {
            self.prove_allowed(allow, work)?;
            for e in 0..self.ceiling_denies.len() {
                self.prove_not_denied(allow, e, work)?;
            }
        }
        self.open.take().map_or(Ok(()), Err)
    }

    /// Notes an element without answer. The first one is what is answered in the end, unless a later one exceeds; when no
    /// work is left, it is answered at once.
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

    fn record(&mut self, allow: &StatementElements<'a>, cells: Cells, goal: Goal, proof: Proof) {
        self.certificate.entries.push(CertificateEntry {
            allow: allow.position,
            actions: cells.actions,
            resources: cells.resources,
            goal,
            proof,
        });
    }

    /// That the ceiling allows what an Allow of the first layer allows.
    fn prove_allowed(&mut self, allow: &StatementElements<'a>, work: &mut Work) -> Result<(), Stop> {
        let actions = parts(allow.actions);
        let resources = parts(allow.resources);
        // The ceiling's Allows whose principal and conditions hold whenever those of the Allow do. Only they can include
        // an element alone.
        let useful: Vec<usize> = (0..self.ceiling_allows.len())
            .filter(|n| {
                self.ceiling_allows
                    .get(*n)
                    .is_some_and(|n| implied(&[allow.statement], n.statement, work))
            })
            .collect();
        let covers = |prover: &Self, test: &mut dyn FnMut(&StatementElements<'a>) -> bool| {
            Bits::collect(
                useful
                    .iter()
                    .map(|n| prover.ceiling_allows.get(*n).is_some_and(&mut *test)),
            )
        };
        // For every action, and for every resource, the useful ones that include it: an action and a resource are proved
        // together where one statement includes both.
        let by_action: Vec<Bits> = actions
            .iter()
            .map(|action| covers(self, &mut |n| action.within(n.actions, work)))
            .collect();
        let by_resource: Vec<Bits> = resources
            .iter()
            .map(|resource| covers(self, &mut |n| resource.within(n.resources, work)))
            .collect();
        let first_of = |prover: &Self, bits: &Bits| {
            let n = useful.get(bits.iter().next()?)?;
            prover.ceiling_allows.get(*n).map(|n| n.position.statement)
        };
        let of_all_resources = by_resource
            .iter()
            .fold(Bits::full(useful.len()), |all, bits| all.and(bits));
        let of_all = by_action
            .iter()
            .fold(of_all_resources.clone(), |all, bits| all.and(bits));
        if let Some(n) = first_of(self, &of_all) {
            let whole = Cells::all(&actions, &resources);
            self.record(allow, whole, Goal::Allowed, Proof::ByAllow(n));
            return Ok(());
        }
        // Elements that the same statements include share one entry: rows of actions first, then the columns of resources
        // that no statement includes with the whole row.
        let opponents = self.candidate_denies.iter().chain(&self.ceiling_allows);
        let mut overlaps = Overlaps::new(allow, opponents.cloned().collect());
        let columns = classes(&by_resource, work);
        for (bits, rows) in classes(&by_action, work) {
            if let Some(n) = first_of(self, &bits.and(&of_all_resources)) {
                let row = Cells::of(rows, 0..resources.len());
                self.record(allow, row, Goal::Allowed, Proof::ByAllow(n));
                continue;
            }
            for (of_column, columns) in &columns {
                if let Some(n) = first_of(self, &bits.and(of_column)) {
                    let cells = Cells::of(rows.clone(), columns.iter().copied());
                    self.record(allow, cells, Goal::Allowed, Proof::ByAllow(n));
                    continue;
                }
                // To find out how all of them overlap with all statements takes long, and what exceeds is often seen at
                // once.
                if let (Some(i), Some(j)) = (rows.first(), columns.first())
                    && rows.len() * columns.len() > 1
                    && let Some(witness) = self.probe.guess(&unproved(allow, *i, *j, None), work)
                {
                    return Err(Stop::Exceeds(Box::new(witness)));
                }
                for cells in overlaps.groups(&rows, columns, work) {
                    self.prove_cells(allow, cells, None, &mut overlaps, work)?;
                }
            }
        }
        Ok(())
    }

    /// That what an Allow of the first layer allows is not denied by the ceiling's Deny `e`.
    fn prove_not_denied(
        &mut self,
        allow: &StatementElements<'a>,
        e: usize,
        work: &mut Work,
    ) -> Result<(), Stop> {
        let Some(deny) = self.ceiling_denies.get(e) else {
            return Ok(());
        };
        let (deny, goal) = (deny.clone(), Goal::NotDenied(deny.position.statement));
        let actions = parts(allow.actions);
        let resources = parts(allow.resources);
        let (hit, missed): (Vec<usize>, Vec<usize>) = (0..actions.len())
            .partition(|i| actions.get(*i).is_some_and(|a| !a.apart_from(deny.actions, work)));
        if hit.is_empty() {
            let whole = Cells::all(&actions, &resources);
            self.record(allow, whole, goal, Proof::OtherActions);
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
            self.record(allow, whole, goal, Proof::OtherResources);
            return Ok(());
        }
        if !missed.is_empty() {
            let cells = Cells::of(missed, 0..resources.len());
            self.record(allow, cells, goal, Proof::OtherActions);
        }
        if !missed_resources.is_empty() {
            let cells = Cells::of(hit.clone(), missed_resources);
            self.record(allow, cells, goal, Proof::OtherResources);
        }
        let mut overlaps = Overlaps::new(allow, self.candidate_denies.clone());
        for cells in overlaps.groups(&hit, &hit_resources, work) {
            self.prove_cells(allow, cells, Some(&deny), &mut overlaps, work)?;
        }
        Ok(())
    }

    /// Cells that overlap alike with all statements: by one Deny of the candidate, or by case distinction.
    fn prove_cells(
        &mut self,
        allow: &StatementElements<'a>,
        cells: Cells,
        deny: Option<&StatementElements<'a>>,
        overlaps: &mut Overlaps<'a>,
        work: &mut Work,
    ) -> Result<(), Stop> {
        let (Some(i), Some(j)) = (cells.actions.first(), cells.resources.first()) else {
            return Ok(());
        };
        let element = unproved(allow, i, j, deny);
        if !work.step() {
            return self.leave_open(Stop::Unknown(UnknownKind::Budget, element, Vec::new()), work);
        }
        let (actions, resources) = (parts(allow.actions), parts(allow.resources));
        let (Some(action), Some(resource)) = (actions.get(i), resources.get(j)) else {
            return Ok(());
        };
        // INVARIANT: the cells are alike for every statement that may remove them, so the first one speaks for all.
        let removed_by = match deny {
            None => denied_wholly(allow, *action, *resource, &self.candidate_denies, work),
            Some(deny) => denied_anyway(allow, *action, *resource, deny, &self.candidate_denies, work),
        };
        let proof = match removed_by {
            Some(d) => Proof::ByDeny(self.place(d)),
            None => match self.prove_by_cases(allow, &cells, element, deny, overlaps, work) {
                Ok(proof) => proof,
                Err(Stop::Exceeds(witness)) => return Err(Stop::Exceeds(witness)),
                Err(stop) => return self.leave_open(stop, work),
            },
        };
        let goal = deny.map_or(Goal::Allowed, |deny| Goal::NotDenied(deny.position.statement));
        self.record(allow, cells, goal, proof);
        Ok(())
    }

    fn place(&self, deny: &StatementElements<'_>) -> LayerStatementRef {
        let index = self
            .candidate_denies
            .iter()
            .position(|known| std::ptr::eq(known.statement, deny.statement));
        LayerStatementRef {
            layer: index
                .and_then(|i| self.layer_of_deny.get(i))
                .copied()
                .unwrap_or(0),
            statement: deny.position,
        }
    }

    /// What no single statement proves: one tree of cases for every way in which the other layers may allow.
    fn prove_by_cases(
        &self,
        allow: &StatementElements<'a>,
        cells: &Cells,
        element: UnprovedElement,
        deny: Option<&StatementElements<'a>>,
        overlaps: &mut Overlaps<'a>,
        work: &mut Work,
    ) -> Result<Proof, Stop> {
        // A request that exceeds is often close to what is written, and a guess costs less than the search.
        if let Some(witness) = self.probe.guess(&element, work) {
            return Err(Stop::Exceeds(Box::new(witness)));
        }
        let question = CellQuestion::new(allow, cells, deny, overlaps, work);
        let Some(combinations) = combinations(&self.other_layers) else {
            return Err(Stop::Unknown(UnknownKind::Budget, element, Vec::new()));
        };
        let mut trees = Vec::new();
        let (mut unanswered, mut keys) = (None, Vec::new());
        for combination in combinations {
            let others: Vec<&StatementElements<'a>> = combination
                .iter()
                .zip(&self.other_layers)
                .filter_map(|(c, layer)| layer.get(*c))
                .collect();
            match self.solve(&question, &others, &element, work) {
                Ok(tree) => trees.push(tree),
                Err(Unproved::Exceeds(witness)) => return Err(Stop::Exceeds(witness)),
                // The other combinations are still looked at: one of them may exceed.
                Err(Unproved::Undecided(in_question)) => {
                    unanswered = Some(UnknownKind::Undecided);
                    keys = in_question;
                }
                Err(Unproved::Exhausted) => {
                    unanswered = Some(UnknownKind::Budget);
                    break;
                }
            }
        }
        match unanswered {
            None => Ok(Proof::ByCases(trees)),
            Some(kind) => Err(self.last_try(kind, element, keys, work)),
        }
    }

    /// The search for one combination of Allows of the other layers.
    fn solve(
        &self,
        question: &CellQuestion<'a>,
        others: &[&StatementElements<'a>],
        element: &UnprovedElement,
        work: &mut Work,
    ) -> Result<Combination, Unproved> {
        let positive = std::iter::once(question.own.clone())
            .chain(others.iter().map(|other| StatementPart::whole(other.statement)))
            .chain(question.deny.clone())
            .collect();
        let query = Query::new(&self.facts, positive, question.negative.clone());
        let dimensions = query.dimensions();
        let probe = &self.probe;
        let mut confirm = |parts: &[_], cases: &_| {
            let values = VariableValues::choose(parts, dimensions, cases);
            probe.confirm_parts(parts, dimensions, cases, &values, element)
        };
        match solve::solve(&query, &question.alive, work, &mut confirm) {
            Solution::Proved(tree) => {
                let allows = others.iter().map(|other| other.position).collect();
                let used = used(&query.negative);
                Ok(Combination { allows, used, tree })
            }
            Solution::Found(witness) => {
                // A request that is made of usual names may read better than the shortest one.
                let readable = probe.search(element, &mut Work::limited(READABLE));
                Err(Unproved::Exceeds(Box::new(readable.unwrap_or(witness))))
            }
            Solution::Open(doubts) => Err(Unproved::Undecided(
                probe.keys_in_question(&query, doubts.as_ref()),
            )),
            Solution::Exhausted => Err(Unproved::Exhausted),
        }
    }

    /// A search for a witness behind a question that has no answer.
    fn last_try(
        &self,
        kind: UnknownKind,
        element: UnprovedElement,
        keys: Vec<String>,
        work: &mut Work,
    ) -> Stop {
        // Only the first one has work of its own: there may be many such questions.
        let mut last = if self.open.is_none() {
            Work::limited(LAST_TRY)
        } else {
            work.take(LAST_TRY)
        };
        let found = self.probe.search(&element, &mut last);
        if self.open.is_some() {
            work.give_back(last);
        }
        match found {
            Some(witness) => Stop::Exceeds(Box::new(witness)),
            None => Stop::Unknown(kind, element, keys),
        }
    }
}

/// Why one combination is not proved.
enum Unproved {
    Exceeds(Box<Witness>),
    /// The condition keys on which it depends.
    Undecided(Vec<String>),
    Exhausted,
}

/// Work for making a witness read well, and for finding one at all when the search ended without.
const READABLE: u64 = 100_000;
/// What may be spent behind the first question without answer: there are few more, or many alike.
const GO_ON: u64 = 1_000_000;
const LAST_TRY: u64 = 1_000_000;

fn unproved(
    allow: &StatementElements<'_>,
    action: usize,
    resource: usize,
    deny: Option<&StatementElements<'_>>,
) -> UnprovedElement {
    UnprovedElement {
        statement: allow.position,
        action,
        resource,
        deny: deny.map(|e| e.position.statement),
    }
}
