//! Verifies a case distinction: in every node, every choice must be one of the branches, or keep more than one of them.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashSet},
};

use super::{
    branches::Branches,
    error::{CheckResult, TOO_MUCH, ensure},
    part::{CheckedDimension, CheckedPart, items, looks_at},
    principals::{self, Person},
    product,
    shared::SharedBeliefs,
    source::{CandidateLayers, SourceStatement, statements},
    values::question::KeyQuestion,
};
use crate::{
    ast::Effect,
    condition::atom::Atom,
    contain::certificate::{
        CaseEvidence, CaseNode, CaseTree, Combination, Indices, NextCase, Picks, ProductState,
    },
    document::{Document, place::StatementRef},
    keys::lasting_arity,
    pattern::{
        arn::ResourcePattern,
        elements::Language,
        track::{Track, VariableCase, VariableCases, VariableReading},
    },
    reference::condition_key::Arity,
    work::Work,
};

struct Question<'a> {
    positive: Vec<CheckedPart<'a>>,
    negative: Vec<CheckedPart<'a>>,
    dimensions: Vec<CheckedDimension<'a>>,
    whole: &'a SharedBeliefs<'a>,
    people: OnceCell<Option<Vec<Person>>>,
}

/// A walk through a tree in one case of the variables.
struct Walk<'t> {
    tree: &'t CaseTree,
    cases: &'t VariableCases,
    /// The nodes that were verified.
    known: HashSet<u32>,
}

/// What a proof by case distinction is about: elements of an Allow, and the ceiling's Deny in question.
pub(super) struct Claim<'a> {
    pub(super) allow: SourceStatement<'a>,
    pub(super) actions: &'a Indices,
    pub(super) resources: &'a Indices,
    pub(super) deny: Option<SourceStatement<'a>>,
    pub(super) whole: &'a SharedBeliefs<'a>,
}

pub(super) fn check(
    trees: &[Combination],
    layers: CandidateLayers<'_>,
    ceiling: &Document,
    claim: &Claim<'_>,
    work: &mut Work,
) -> CheckResult {
    let deny = claim.deny;
    let combinations = combinations(layers, work)?;
    let denies = layers
        .iter()
        .flat_map(|layer| layer.iter())
        .flat_map(|d| statements(d, Effect::Deny));
    let ceiling_allows = statements(ceiling, Effect::Allow).filter(|_| deny.is_none());
    let negative: Vec<SourceStatement<'_>> = denies
        .chain(ceiling_allows)
        .map(|(_, statement)| statement)
        .collect();
    // INVARIANT: the combinations are made here, from the documents: a request needs an Allow of every layer, so it needs one
    // of these combinations.
    for combination in combinations {
        let of_combination = |proved: &&Combination| {
            proved
                .allows
                .iter()
                .eq(combination.iter().map(|(place, _)| place))
        };
        let Combination { used, tree, .. } = trees
            .iter()
            .find(of_combination)
            .ok_or("a combination of layers is not proved")?;
        let allow = claim.allow.compiled;
        let mine = CheckedPart::new(
            claim.allow,
            claim.actions.picks(allow.actions.negated),
            claim
                .resources
                .picks(allow.resources.as_ref().is_some_and(|list| list.negated)),
        );
        let others = combination
            .iter()
            .map(|(_, statement)| CheckedPart::whole(*statement));
        let positive: Vec<CheckedPart<'_>> = std::iter::once(mine)
            .chain(others)
            .chain(deny.map(CheckedPart::whole))
            .collect();
        ensure(
            used.len() == negative.len(),
            "it does not say which patterns it uses",
        )?;
        let negative = negative.iter().zip(used).map(|(source, (actions, resources))| {
            CheckedPart::new(*source, actions.clone(), resources.clone())
        });
        Question::new(positive, negative.collect(), claim.whole)?.check(tree, work)?;
    }
    Ok(())
}

/// An Allow of one of the other layers, and where it stands.
type PlacedAllow<'a> = (StatementRef, SourceStatement<'a>);

/// Every way to take one Allow of each of the other layers.
fn combinations<'a>(
    layers: CandidateLayers<'a>,
    work: &mut Work,
) -> Result<Vec<Vec<PlacedAllow<'a>>>, &'static str> {
    let mut combinations: Vec<Vec<PlacedAllow<'a>>> = vec![Vec::new()];
    for layer in layers.iter().skip(1) {
        let allows: Vec<_> = layer
            .iter()
            .enumerate()
            .flat_map(|(d, document)| {
                statements(document, Effect::Allow).map(move |(s, allow)| {
                    (
                        StatementRef {
                            document: d,
                            statement: s,
                        },
                        allow,
                    )
                })
            })
            .collect();
        let count = combinations.len().saturating_mul(allows.len());
        ensure(count <= 1 << 13 && work.charge(count), TOO_MUCH)?;
        combinations = combinations
            .iter()
            .flat_map(|some| {
                allows
                    .iter()
                    .map(move |allow| [some.as_slice(), &[*allow]].concat())
            })
            .collect();
    }
    Ok(combinations)
}

impl<'a> Question<'a> {
    fn new(
        positive: Vec<CheckedPart<'a>>,
        negative: Vec<CheckedPart<'a>>,
        whole: &'a SharedBeliefs<'a>,
    ) -> Result<Self, &'static str> {
        // Some patterns of a list are less than all; of a negated list they would be more.
        let may_pick = |part: &CheckedPart<'a>| {
            let negated = part.statement.resources.as_ref().is_some_and(|list| list.negated);
            (part.actions == Picks::All || !part.statement.actions.negated)
                && (part.resources == Picks::All || !negated)
        };
        ensure(negative.iter().all(may_pick), "it uses a part of a negated list")?;
        let counting = || negative.iter().filter(|part| part.may_match());
        let all = || positive.iter().chain(counting()).map(|part| part.statement);
        let keys: BTreeSet<&str> = all()
            .flat_map(|s| &s.atoms)
            .map(|atom| atom.key.as_str())
            .collect();
        let mut dimensions = vec![CheckedDimension::Action];
        dimensions.extend(
            all()
                .any(|s| s.resources.is_some())
                .then_some(CheckedDimension::Resource),
        );
        dimensions.extend(
            all()
                .any(|s| s.principal.is_some())
                .then_some(CheckedDimension::Caller),
        );
        dimensions.extend(keys.into_iter().map(CheckedDimension::Key));
        Ok(Self {
            positive,
            negative,
            dimensions,
            whole,
            people: OnceCell::new(),
        })
    }

    /// Whether requests are believed to have one value of the key at most.
    fn is_single(&self, key: &str) -> bool {
        lasting_arity(key, self.whole.listed.contains(key)) == Arity::Single
    }

    fn parts(&self) -> impl Iterator<Item = &CheckedPart<'a>> {
        let counting = self.negative.iter().filter(|part| part.may_match());
        self.positive.iter().chain(counting)
    }

    fn check(&self, tree: &CaseTree, work: &mut Work) -> CheckResult {
        let mut every: Vec<Vec<(String, VariableCase)>> = vec![Vec::new()];
        for key in self.variables() {
            let of_key: &[VariableCase] = if self.is_single(key) {
                &[VariableCase::Present, VariableCase::Absent]
            } else {
                &[VariableCase::Present, VariableCase::Absent, VariableCase::List]
            };
            ensure(every.len() <= 1 << 8 && work.charge(every.len()), TOO_MUCH)?;
            let with =
                |cases: &Vec<_>, case: &VariableCase| [cases.as_slice(), &[(key.to_owned(), *case)]].concat();
            every = every
                .iter()
                .flat_map(|some| of_key.iter().map(|case| with(some, case)).collect::<Vec<_>>())
                .collect();
        }
        let counting = self
            .negative
            .iter()
            .enumerate()
            .filter(|(_, part)| part.may_match());
        let all: Vec<usize> = counting.map(|(i, _)| i).collect();
        // INVARIANT: the cases are made here, from the documents. A certificate that leaves one out proves nothing.
        for cases in every {
            let root = tree.roots.iter().find(|(case, _)| *case == cases);
            let (_, root) = root.ok_or("a case of the variables is not proved")?;
            let mut walk = Walk {
                tree,
                cases: &cases,
                known: HashSet::new(),
            };
            self.follow(*root, 0, &all, &mut walk, work)?;
        }
        Ok(())
    }

    /// The keys used as variables, sorted.
    fn variables(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for part in self.parts() {
            if let Some(list) = &part.statement.resources {
                let arns = items(list, &part.resources).filter_map(|pattern| pattern.arn());
                keys.extend(arns.flat_map(|arn| arn.variables()).map(|v| v.key.as_str()));
            }
            keys.extend(
                part.statement
                    .atoms
                    .iter()
                    .flat_map(Atom::variables)
                    .map(|v| v.key.as_str()),
            );
        }
        keys
    }

    /// Whether what follows holds when these negative statements matched in all dimensions before `depth`.
    fn follow(
        &self,
        next: NextCase,
        depth: usize,
        kept: &[usize],
        walk: &mut Walk<'_>,
        work: &mut Work,
    ) -> CheckResult {
        ensure(work.charge(1 + kept.len()), TOO_MUCH)?;
        match next {
            // The statement matched in every dimension before, and looks at none of those that are left: it matches, and the
            // request is not one that exceeds.
            NextCase::Covered(sure) => {
                let sure = usize::try_from(sure).unwrap_or(usize::MAX);
                let rest = self.dimensions.get(depth..).unwrap_or_default();
                let part = self.negative.get(sure).filter(|_| kept.contains(&sure));
                let part = part.ok_or(MAY_NOT_MATCH)?;
                ensure(
                    work.charge(rest.len() * (1 + part.statement.atoms.len())),
                    TOO_MUCH,
                )?;
                let matches = rest.iter().all(|dimension| !looks_at(part, dimension));
                ensure(matches, MAY_NOT_MATCH)
            }
            NextCase::Node(id) => {
                let node = usize::try_from(id).ok().and_then(|id| walk.tree.nodes.get(id));
                let node = node.ok_or("it leads nowhere")?;
                ensure(work.charge(node.alive.len()), TOO_MUCH)?;
                // INVARIANT: a node is verified for the statements that it lists, and here at least these have matched. What
                // else has matched only helps.
                let all: HashSet<&usize> = kept.iter().collect();
                let fits = usize::try_from(node.dimension) == Ok(depth)
                    && node.alive.iter().all(|i| all.contains(i));
                ensure(fits, "it leads to a node that is about something else")?;
                // A node that was verified in this case of the variables stays so. A cycle can't be a proof by itself: a
                // node is of one dimension, and `fits` lets each way go on to the next dimension only.
                if !walk.known.insert(id) {
                    return Ok(());
                }
                self.check_node(node, depth, walk.cases, work)?;
                for (kept, next) in &node.branches {
                    self.follow(*next, depth + 1, kept, walk, work)?;
                }
                Ok(())
            }
        }
    }

    /// Whether every choice in the node's dimension keeps all that one of its branches keeps.
    fn check_node(
        &self,
        node: &CaseNode,
        depth: usize,
        cases: &VariableCases,
        work: &mut Work,
    ) -> CheckResult {
        let parts: Option<Vec<(usize, &CheckedPart<'a>)>> = node
            .alive
            .iter()
            .map(|i| Some((*i, self.negative.get(*i)?)))
            .collect();
        let alive = parts.ok_or("it names a statement that is not there")?;
        let branches = Branches::new(node.branches.iter().map(|(kept, _)| kept.clone()));
        let dimension = self.dimensions.get(depth).ok_or("it has too many dimensions")?;
        match (dimension, &node.evidence) {
            (CheckedDimension::Action, CaseEvidence::Words(states)) => {
                let clause = |part: &CheckedPart<'a>| {
                    let list = &part.statement.actions;
                    let tracks = items(list, &part.actions)
                        .filter_map(|p| Track::text(p, &[], VariableReading::Exact));
                    vec![product::ProductLiteral::new(tracks.collect(), !list.negated)]
                };
                let positive = self.positive.iter().map(clause);
                let well_formed = vec![product::ProductLiteral::new(vec![Track::any_action()], true)];
                let positive = positive.chain([well_formed]).collect();
                let negative = alive.iter().map(|(i, part)| (*i, clause(part))).collect();
                product::check(positive, negative, states, &branches, work)
            }
            (CheckedDimension::Resource, CaseEvidence::Words(states)) => {
                self.check_resources(&alive, states, &branches, cases, work)
            }
            (CheckedDimension::Caller, CaseEvidence::Cases) => self.check_callers(&alive, &branches, work),
            (CheckedDimension::Key(key), CaseEvidence::Key(evidence)) => {
                let on_key = |part: &CheckedPart<'a>| {
                    let atoms = part.statement.atoms.iter().filter(|atom| atom.key == *key);
                    atoms.collect::<Vec<&Atom>>()
                };
                let atoms: usize = self.parts().map(|part| 1 + part.statement.atoms.len()).sum();
                ensure(work.charge(atoms), TOO_MUCH)?;
                KeyQuestion {
                    key,
                    single: self.is_single(key),
                    positive: self.positive.iter().flat_map(on_key).collect(),
                    negative: alive.iter().map(|(i, part)| (*i, on_key(part))).collect(),
                    cases,
                    branches: &branches,
                }
                .check(evidence, work)
            }
            _ => Err("its evidence is about something else"),
        }
    }

    fn check_resources(
        &self,
        alive: &[(usize, &CheckedPart<'a>)],
        states: &[ProductState],
        branches: &Branches,
        cases: &VariableCases,
        work: &mut Work,
    ) -> CheckResult {
        let negated =
            |part: &CheckedPart<'a>| part.statement.resources.as_ref().is_some_and(|list| list.negated);
        let clause = |part: &CheckedPart<'a>, reading| {
            let list = part.statement.resources.as_ref();
            list.map_or_else(Vec::new, |list| {
                let tracks = items(list, &part.resources).filter_map(|p| Track::resource(p, cases, reading));
                vec![product::ProductLiteral::new(tracks.collect(), !list.negated)]
            })
        };
        // The variables of one pattern list are letters of the word; the rest is read to the candidate's favour.
        let is_exact = |part: &CheckedPart<'a>| {
            let list = part.statement.resources.as_ref().filter(|list| !list.negated);
            list.is_some_and(|list| items(list, &part.resources).any(ResourcePattern::has_variables))
        };
        let exact = self.positive.iter().position(is_exact);
        let positive = self.positive.iter().enumerate().map(|(i, part)| {
            let other = if negated(part) {
                VariableReading::Surely
            } else {
                VariableReading::Maybe
            };
            clause(
                part,
                if exact == Some(i) {
                    VariableReading::Exact
                } else {
                    other
                },
            )
        });
        let well_formed = vec![product::ProductLiteral::new(vec![Track::any_arn()], true)];
        let negative = alive.iter().map(|(i, part)| {
            let reading = if negated(part) {
                VariableReading::Maybe
            } else {
                VariableReading::Surely
            };
            (*i, clause(part, reading))
        });
        product::check(
            positive.chain([well_formed]).collect(),
            negative.collect(),
            states,
            branches,
            work,
        )?;
        // A request without a resource: only the pattern * matches.
        let matches = |part: &CheckedPart<'a>| {
            let list = part.statement.resources.as_ref();
            list.is_none_or(|list| items(list, &part.resources).any(Language::is_everything) != list.negated)
        };
        let kept = alive.iter().filter(|(_, part)| matches(part)).map(|(i, _)| *i);
        ensure(
            !self.positive.iter().all(matches) || branches.allow(kept),
            "a request without a resource is left out",
        )
    }

    fn check_callers(
        &self,
        alive: &[(usize, &CheckedPart<'a>)],
        branches: &Branches,
        work: &mut Work,
    ) -> CheckResult {
        let elements = || {
            self.parts()
                .filter_map(|part| part.source.written.principal.as_ref())
        };
        let SharedBeliefs {
            partitions,
            wandering,
            ..
        } = self.whole;
        let people = self
            .people
            .get_or_init(|| principals::everybody(elements(), (partitions, wandering)));
        let people = people.as_deref().ok_or(TOO_MUCH)?;
        let lists = self.parts().filter_map(CheckedPart::lists);
        let size: usize = lists.map(|lists| 1 + lists.len()).sum();
        ensure(work.charge(64 * people.len() + 16 * size), TOO_MUCH)?;
        for person in people {
            let looks = (self.positive.len() + alive.len()) * (4 + person.cost());
            ensure(work.charge(8 * looks + branches.size()), TOO_MUCH)?;
            let meant =
                |part: &CheckedPart<'a>| part.lists().map_or((true, true), |lists| person.is_meant(lists));
            if !self.positive.iter().all(|part| meant(part).0) {
                continue;
            }
            let kept = alive.iter().filter(|(_, part)| meant(part).1).map(|(i, _)| *i);
            ensure(branches.allow(kept), "a caller is left out")?;
        }
        Ok(())
    }
}

const MAY_NOT_MATCH: &str = "a statement that should match may not";
