//! One question of containment: is there a request that some statements all match and none of some others does?

use std::collections::BTreeSet;

use super::{
    callers::{self, PossibleCaller},
    facts::SharedFacts,
    keys::{
        self,
        question::{KeyConditions, KeyTexts},
    },
    part::StatementPart,
    words,
};
use crate::{
    condition::atom::Atom,
    contain::{bits::Bits, certificate::CaseEvidence},
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        elements::{Elements, Language},
        track::{Letter, Track, VariableCase, VariableCases, VariableReading},
        variable::Variable,
    },
    principal::naming::{Match, Who},
    reference::condition_key::Arity,
    work::Work,
};

/// The question.
#[derive(Debug, Clone)]
pub(crate) struct Query<'a> {
    facts: &'a SharedFacts<'a>,
    /// All of these match.
    pub(crate) positive: Vec<StatementPart<'a>>,
    /// None of these does.
    pub(crate) negative: Vec<StatementPart<'a>>,
    /// What any statement looks at, in the order in which it is searched.
    dimensions: Vec<Dimension>,
    /// For each negative statement, the dimensions that it looks at.
    looks: Vec<Bits>,
}

/// What a request consists of, independent of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dimension {
    Action,
    Resource,
    Caller,
    /// A condition key, lower case.
    Key(String),
}

/// A choice in one dimension.
#[derive(Debug, Clone)]
pub(crate) enum RequestPart {
    Action(Vec<Letter>),
    /// `None`: the request has no resource.
    Resource(Option<Vec<Letter>>),
    Caller(PossibleCaller),
    Key(Option<KeyTexts>),
}

/// A choice with the negative statements that match it.
pub(crate) struct Branch {
    pub(crate) kept: Vec<usize>,
    pub(crate) part: RequestPart,
    pub(crate) doubtful: bool,
}

/// The cases of the variables: every key that is used as a variable is absent, has one value, or is a list.
pub(crate) const MAX_VARIABLES: usize = 4;

impl<'a> Query<'a> {
    pub(crate) fn new(
        facts: &'a SharedFacts<'a>,
        positive: Vec<StatementPart<'a>>,
        negative: Vec<StatementPart<'a>>,
    ) -> Self {
        // A statement of which no pattern counts matches nothing, so what it looks at does not matter.
        let live = || negative.iter().filter(|piece| !piece.is_void());
        let pieces = || positive.iter().chain(live()).map(|piece| piece.statement);
        let mut dimensions = vec![Dimension::Action];
        if pieces().any(|statement| statement.resources.is_some()) {
            dimensions.push(Dimension::Resource);
        }
        if pieces().any(|statement| statement.principal.is_some()) {
            dimensions.push(Dimension::Caller);
        }
        let keys: BTreeSet<&str> = pieces()
            .flat_map(|statement| &statement.atoms)
            .map(|atom| atom.key.as_str())
            .collect();
        dimensions.extend(keys.into_iter().map(|key| Dimension::Key(key.to_owned())));
        let looks = negative.iter().map(|piece| {
            let s = piece.statement;
            let own: BTreeSet<&str> = s.atoms.iter().map(|atom| atom.key.as_str()).collect();
            Bits::collect(dimensions.iter().map(|dimension| match dimension {
                Dimension::Action => !everything(&s.actions),
                Dimension::Resource => s.resources.as_ref().is_some_and(|r| !everything(r)),
                Dimension::Caller => s.principal.is_some(),
                Dimension::Key(key) => own.contains(key.as_str()),
            }))
        });
        let looks = looks.collect();
        Self {
            facts,
            positive,
            negative,
            dimensions,
            looks,
        }
    }

    /// Those that matter; of the others neither the keys nor the variables do.
    fn pieces(&self) -> impl Iterator<Item = &StatementPart<'a>> {
        let live = self.negative.iter().filter(|piece| !piece.is_void());
        self.positive.iter().chain(live)
    }

    /// The dimensions that any statement looks at, in the order in which they are searched.
    pub(crate) fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The keys that are used as variables, lower case.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        let mut variables: BTreeSet<&str> = BTreeSet::new();
        for piece in self.pieces() {
            let resources = piece.statement.resources.iter();
            let arns = resources
                .flat_map(|r| piece.resources.items(r))
                .filter_map(ResourcePattern::arn);
            let of_resources = arns.flat_map(ArnPattern::variables);
            let of_values = piece.statement.atoms.iter().flat_map(Atom::variables);
            variables.extend(of_resources.chain(of_values).map(|v: &Variable| v.key.as_str()));
        }
        variables
    }

    /// The cases of all variables; `None` when there are too many variables.
    pub(crate) fn variable_cases(&self) -> Option<Vec<Vec<(String, VariableCase)>>> {
        let variables = self.variables();
        if variables.len() > MAX_VARIABLES {
            return None;
        }
        let mut all = vec![Vec::new()];
        for key in variables {
            let mut of_key = vec![VariableCase::Present, VariableCase::Absent];
            if self.facts.of(key) != Arity::Single {
                of_key.push(VariableCase::List);
            }
            all = all
                .iter()
                .flat_map(|cases: &Vec<(String, VariableCase)>| {
                    of_key.iter().map(move |case| {
                        let mut cases = cases.clone();
                        cases.push((key.to_owned(), *case));
                        cases
                    })
                })
                .collect();
        }
        Some(all)
    }

    /// Whether a negative statement looks at the dimension with this index.
    fn looks_at(&self, negative: usize, dimension: usize) -> bool {
        self.looks
            .get(negative)
            .is_none_or(|looks| looks.contains(dimension))
    }

    /// One more than the last dimension that a negative statement looks at.
    pub(crate) fn looks_until(&self, negative: usize) -> usize {
        let last = |looks: &Bits| looks.iter().last().map_or(0, |last| last + 1);
        self.looks.get(negative).map_or(usize::MAX, last)
    }

    /// The choices in a dimension that leave out as many of the negative statements as possible.
    pub(crate) fn branches(
        &self,
        depth: usize,
        alive: &[usize],
        cases: &VariableCases,
        work: &mut Work,
    ) -> Result<(Vec<Branch>, CaseEvidence), words::Exhausted> {
        let Some(dimension) = self.dimensions.get(depth) else {
            return Ok((Vec::new(), CaseEvidence::Cases));
        };
        match dimension {
            // Each arm gives the smallest sets of statements that some choice keeps. What keeps more leads to nothing that
            // what keeps less does not lead to.
            Dimension::Action => {
                let answer = words::search(&self.action_words(alive), work)?;
                let branches = named(&answer.found, alive, RequestPart::Action);
                Ok((branches, CaseEvidence::Words(answer.states)))
            }
            Dimension::Resource => {
                let answer = words::search(&self.resource_words(alive, cases), work)?;
                let mut branches = named(&answer.found, alive, |word| RequestPart::Resource(Some(word)));
                if let Some(kept) = self.without_resource(alive) {
                    add_smallest(
                        &mut branches,
                        Branch {
                            kept,
                            part: RequestPart::Resource(None),
                            doubtful: false,
                        },
                    );
                }
                Ok((branches, CaseEvidence::Words(answer.states)))
            }
            Dimension::Caller => {
                let mut branches = Vec::new();
                for (kept, subject) in self.by_caller(alive, work)? {
                    let branch = Branch {
                        kept,
                        part: RequestPart::Caller(subject),
                        doubtful: false,
                    };
                    add_smallest(&mut branches, branch);
                }
                Ok((branches, CaseEvidence::Cases))
            }
            Dimension::Key(key) => {
                let atoms: usize = self.pieces().map(|piece| 1 + piece.statement.atoms.len()).sum();
                if !work.charge(atoms) {
                    return Err(words::Exhausted);
                }
                let (options, evidence) = keys::options(&self.key(key, alive, cases), work)?;
                if !work.charge(options.len() * alive.len()) {
                    return Err(words::Exhausted);
                }
                let branches = options.into_iter().map(|option| Branch {
                    kept: self.with_those_not_looking(depth, alive, &option.kept),
                    part: RequestPart::Key(option.texts),
                    doubtful: option.doubtful,
                });
                Ok((branches.collect(), CaseEvidence::Key(evidence)))
            }
        }
    }

    /// The actions as a question of words: all positive statements' patterns accept, those alive are asked for.
    fn action_words(&self, alive: &[usize]) -> words::WordQuestion {
        let clause = |piece: &StatementPart<'a>| {
            let actions = &piece.statement.actions;
            let tracks = piece.actions.items(actions);
            vec![words::WordLiteral {
                tracks: tracks
                    .filter_map(|p| Track::text(p, &[], VariableReading::Exact))
                    .collect(),
                accepted: !actions.negated,
            }]
        };
        let well_formed = vec![words::WordLiteral {
            tracks: vec![Track::any_action()],
            accepted: true,
        }];
        words::WordQuestion {
            positive: self.positive.iter().map(clause).chain([well_formed]).collect(),
            negative: alive
                .iter()
                .filter_map(|i| self.negative.get(*i))
                .map(clause)
                .collect(),
        }
    }

    /// The same for resources that are ARNs.
    fn resource_words(&self, alive: &[usize], cases: &VariableCases) -> words::WordQuestion {
        let clause = |piece: &StatementPart<'a>, reading: VariableReading| {
            let Some(resources) = &piece.statement.resources else {
                return Vec::new();
            };
            let tracks = piece.resources.items(resources);
            vec![words::WordLiteral {
                tracks: tracks
                    .filter_map(|p| Track::resource(p, cases, reading))
                    .collect(),
                accepted: !resources.negated,
            }]
        };
        // The one whose variables are letters of the word.
        let has_variables = |piece: &StatementPart<'a>| {
            piece.statement.resources.as_ref().is_some_and(|resources| {
                !resources.negated
                    && piece
                        .resources
                        .items(resources)
                        .any(ResourcePattern::has_variables)
            })
        };
        let exact = self.positive.iter().position(has_variables);
        // INVARIANT: a request that exceeds for some values of the variables is a word of this question. So what must match
        // is read as widely as some value allows, and what must not match as narrowly as all values demand; a negated list
        // turns that around.
        let negated =
            |piece: &StatementPart<'a>| piece.statement.resources.as_ref().is_some_and(|r| r.negated);
        let well_formed = vec![words::WordLiteral {
            tracks: vec![Track::any_arn()],
            accepted: true,
        }];
        let positive = self.positive.iter().enumerate().map(|(i, piece)| {
            let reading = match (exact == Some(i), negated(piece)) {
                (true, _) => VariableReading::Exact,
                (false, false) => VariableReading::Maybe,
                (false, true) => VariableReading::Surely,
            };
            clause(piece, reading)
        });
        let negative = alive.iter().filter_map(|i| self.negative.get(*i)).map(|piece| {
            clause(
                piece,
                if negated(piece) {
                    VariableReading::Maybe
                } else {
                    VariableReading::Surely
                },
            )
        });
        words::WordQuestion {
            positive: positive.chain([well_formed]).collect(),
            negative: negative.collect(),
        }
    }

    /// Those alive that match a request without a resource; `None` when the positive ones do not.
    fn without_resource(&self, alive: &[usize]) -> Option<Vec<usize>> {
        let matches = |piece: &StatementPart<'a>| {
            piece.statement.resources.as_ref().is_none_or(|resources| {
                piece.resources.items(resources).any(Language::is_everything) != resources.negated
            })
        };
        let kept = alive
            .iter()
            .filter(|i| self.negative.get(**i).is_some_and(matches))
            .copied();
        self.positive.iter().all(matches).then(|| kept.collect())
    }

    /// For each caller that the positive statements may be about, those alive that surely are about it, too.
    fn by_caller(
        &self,
        alive: &[usize],
        work: &mut Work,
    ) -> Result<Vec<(Vec<usize>, PossibleCaller)>, words::Exhausted> {
        let elements = || {
            self.pieces()
                .filter_map(|piece| piece.statement.principal.as_ref())
        };
        let mut all: Vec<(Vec<usize>, PossibleCaller, bool)> = Vec::new();
        let everywhere = &self.facts.everywhere;
        for subject in callers::subjects(elements(), everywhere).ok_or(words::Exhausted)? {
            let who = subject.who();
            let cost: usize = elements().map(|element| 4 + 2 * element.cost(who.caller)).sum();
            if !work.charge(4 * cost + alive.len() + all.len() + 16) {
                return Err(words::Exhausted);
            }
            let about = |piece: &StatementPart<'a>| {
                let principal = piece.statement.principal.as_ref();
                principal.map_or(Match::Yes, |element| element.about(&who))
            };
            if self.positive.iter().all(|piece| about(piece) != Match::No) {
                let surely = |i: &&usize| {
                    let piece = self.negative.get(**i);
                    piece.is_some_and(|piece| about(piece) == Match::Yes)
                };
                let kept: Vec<usize> = alive.iter().filter(surely).copied().collect();
                // Many callers keep the same. The first of whom a witness can say enough is the most telling.
                match all.iter_mut().find(|(known, ..)| *known == kept) {
                    Some((.., true)) => {}
                    Some(known) => {
                        if self.can_be_told(&subject, alive, &kept) {
                            *known = (kept, subject, true);
                        }
                    }
                    None => {
                        let told = self.can_be_told(&subject, alive, &kept);
                        all.push((kept, subject, told));
                    }
                }
            }
        }
        Ok(all
            .into_iter()
            .map(|(kept, subject, _)| (kept, subject))
            .collect())
    }

    /// Whether what a witness can say of a caller is enough: the positive statements are surely about them, and those alive that
    /// are not kept surely are not.
    fn can_be_told(&self, subject: &PossibleCaller, alive: &[usize], kept: &[usize]) -> bool {
        subject.descriptions().iter().any(|caller| {
            let who = Who {
                bounded: subject.is_bounded(),
                ..Who::new(caller)
            };
            let is = |piece: &StatementPart<'a>, wanted| {
                let principal = piece.statement.principal.as_ref();
                principal.map_or(Match::Yes, |element| element.about(&who)) == wanted
            };
            let mut others = alive.iter().filter(|i| !kept.contains(i));
            self.positive.iter().all(|piece| is(piece, Match::Yes))
                && others.all(|i| self.negative.get(*i).is_some_and(|piece| is(piece, Match::No)))
        })
    }

    /// The conditions on a key.
    fn key<'q>(&'q self, name: &'q str, alive: &[usize], cases: &'q VariableCases) -> KeyConditions<'q> {
        let on_key =
            |piece: &'q StatementPart<'a>| piece.statement.atoms.iter().filter(move |atom| atom.key == name);
        let negative = alive.iter().filter_map(|i| {
            let atoms: Vec<&Atom> = on_key(self.negative.get(*i)?).collect();
            (!atoms.is_empty()).then_some((*i, atoms))
        });
        KeyConditions {
            name,
            arity: self.facts.of(name),
            positive: self.positive.iter().flat_map(on_key).collect(),
            negative: negative.collect(),
            cases,
        }
    }

    /// Adds the statements that are alive and do not look at the dimension.
    fn with_those_not_looking(&self, depth: usize, alive: &[usize], kept: &[usize]) -> Vec<usize> {
        let mut kept = kept.iter().copied().peekable();
        // Both are in ascending order.
        alive
            .iter()
            .copied()
            .filter(|i| kept.next_if_eq(i).is_some() || !self.looks_at(*i, depth))
            .collect()
    }
}

fn everything<P: Language>(elements: &Elements<P>) -> bool {
    !elements.negated && elements.has_everything()
}

fn named(
    found: &[words::FoundWord],
    alive: &[usize],
    part: impl Fn(Vec<Letter>) -> RequestPart,
) -> Vec<Branch> {
    let branch = |f: &words::FoundWord| Branch {
        kept: f.kept.iter().filter_map(|i| alive.get(i).copied()).collect(),
        part: part(f.word.clone()),
        doubtful: false,
    };
    found.iter().map(branch).collect()
}

/// Adds a branch unless another one keeps no more.
fn add_smallest(branches: &mut Vec<Branch>, new: Branch) {
    let within = |a: &Branch, b: &Branch| a.kept.iter().all(|i| b.kept.contains(i));
    if !branches.iter().any(|branch| within(branch, &new)) {
        branches.retain(|branch| !within(&new, branch));
        branches.push(new);
    }
}
