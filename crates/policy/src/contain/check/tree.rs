//! Verifies a case distinction: in every node, every choice must be one of the branches, or keep more than one of them.

use std::collections::{BTreeSet, HashSet};

use super::{Checked, ensure, product, statements, values};
use crate::{
    compiled::CompiledStatement,
    condition::atom::Atom,
    contain::{
        certificate::Combination,
        query::{Evidence, Picks},
        solve::{Next, Node, Tree},
    },
    document::{Document, Effect, Principal, PrincipalElement},
    elements::{Elements, Language},
    keys::{Arity, arity},
    positions::{Reading, Track, VariableCase, World},
    principal::{Account, Caller},
};

/// A statement with the patterns of it that count.
struct Part<'a> {
    statement: &'a CompiledStatement,
    actions: Picks,
    resources: Picks,
}

/// What a dimension is about.
enum Dimension<'a> {
    Action,
    Resource,
    Caller,
    Key(&'a str),
}

struct Question<'a> {
    positive: Vec<Part<'a>>,
    negative: Vec<Part<'a>>,
    dimensions: Vec<Dimension<'a>>,
}

pub(super) fn check(
    trees: &[Combination],
    layers: &[&[&Document]],
    ceiling: &Document,
    allow: &CompiledStatement,
    (action, resource): (usize, usize),
    deny: Option<&CompiledStatement>,
) -> Checked {
    let mut combinations: Vec<Vec<((usize, usize), &CompiledStatement)>> = vec![Vec::new()];
    for layer in layers.iter().skip(1) {
        let allows: Vec<_> = layer
            .iter()
            .enumerate()
            .flat_map(|(d, document)| {
                statements(document, Effect::Allow).map(move |(s, allow)| ((d, s), allow))
            })
            .collect();
        combinations = combinations
            .iter()
            .flat_map(|some| {
                allows
                    .iter()
                    .map(move |allow| [some.as_slice(), &[*allow]].concat())
            })
            .collect();
    }
    let denies = layers
        .iter()
        .flat_map(|layer| layer.iter())
        .flat_map(|d| statements(d, Effect::Deny));
    let limits = statements(ceiling, Effect::Allow).filter(|_| deny.is_none());
    let negative: Vec<&CompiledStatement> = denies.chain(limits).map(|(_, statement)| statement).collect();
    for combination in combinations {
        let of_combination =
            |tree: &&Combination| tree.0.iter().eq(combination.iter().map(|(place, _)| place));
        let (_, used, tree) = trees
            .iter()
            .find(of_combination)
            .ok_or("a combination of layers is not proved")?;
        let whole = |statement| Part {
            statement,
            actions: Picks::All,
            resources: Picks::All,
        };
        let mine = Part {
            statement: allow,
            actions: one(action, allow.actions.negated),
            resources: one(
                resource,
                allow.resources.as_ref().is_some_and(|list| list.negated),
            ),
        };
        let others = combination.iter().map(|(_, statement)| whole(*statement));
        let positive: Vec<Part<'_>> = std::iter::once(mine)
            .chain(others)
            .chain(deny.map(whole))
            .collect();
        ensure(
            used.len() == negative.len(),
            "it does not say which patterns it uses",
        )?;
        let negative = negative
            .iter()
            .zip(used)
            .map(|(statement, (actions, resources))| Part {
                statement,
                actions: actions.clone(),
                resources: resources.clone(),
            });
        Question::new(positive, negative.collect())?.check(tree)?;
    }
    Ok(())
}

fn one(element: usize, negated: bool) -> Picks {
    if negated {
        Picks::All
    } else {
        Picks::Only(u32::try_from(element).into_iter().collect())
    }
}

fn items<'a, P>(list: &'a Elements<P>, picks: &'a Picks) -> impl Iterator<Item = &'a P> {
    list.items
        .iter()
        .enumerate()
        .filter_map(move |(i, item)| match picks {
            Picks::All => Some(item),
            Picks::Only(some) => some
                .iter()
                .any(|pick| usize::try_from(*pick) == Ok(i))
                .then_some(item),
        })
}

impl<'a> Question<'a> {
    fn new(positive: Vec<Part<'a>>, negative: Vec<Part<'a>>) -> Result<Self, &'static str> {
        // Some patterns of a list are less than all; of a negated list they would be more.
        let may_pick = |part: &Part<'a>| {
            let negated = part.statement.resources.as_ref().is_some_and(|list| list.negated);
            (part.actions == Picks::All || !part.statement.actions.negated)
                && (part.resources == Picks::All || !negated)
        };
        ensure(negative.iter().all(may_pick), "it uses a part of a negated list")?;
        let all = || positive.iter().chain(&negative).map(|part| part.statement);
        let keys: BTreeSet<&str> = all()
            .flat_map(|s| &s.atoms)
            .map(|atom| atom.key.as_str())
            .collect();
        let mut dimensions = vec![Dimension::Action];
        dimensions.extend(
            all()
                .any(|s| s.resources.is_some())
                .then_some(Dimension::Resource),
        );
        dimensions.extend(all().any(|s| s.principal.is_some()).then_some(Dimension::Caller));
        dimensions.extend(keys.into_iter().map(Dimension::Key));
        Ok(Self {
            positive,
            negative,
            dimensions,
        })
    }

    fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        self.positive.iter().chain(&self.negative)
    }

    fn check(&self, tree: &Tree) -> Checked {
        let mut worlds: Vec<Vec<(String, VariableCase)>> = vec![Vec::new()];
        for key in self.variables() {
            let cases: &[VariableCase] = match arity(key) {
                Arity::Single => &[VariableCase::Present, VariableCase::Absent],
                _ => &[VariableCase::Present, VariableCase::Absent, VariableCase::List],
            };
            let with =
                |world: &Vec<_>, case: &VariableCase| [world.as_slice(), &[(key.to_owned(), *case)]].concat();
            worlds = worlds
                .iter()
                .flat_map(|w| cases.iter().map(|case| with(w, case)).collect::<Vec<_>>())
                .collect();
        }
        let all: Vec<usize> = (0..self.negative.len()).collect();
        for world in worlds {
            let root = tree.worlds.iter().find(|(case, _)| *case == world);
            let (_, root) = root.ok_or("a case of the variables is not proved")?;
            self.follow(*root, 0, &all, tree, &world, &mut HashSet::new())?;
        }
        Ok(())
    }

    /// The keys used as variables, sorted.
    fn variables(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for part in self.parts() {
            if let Some(list) = &part.statement.resources {
                let arns = items(list, &part.resources).filter_map(|pattern| pattern.arn());
                keys.extend(arns.flat_map(|arn| arn.rest.variables()).map(|v| v.key.as_str()));
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
        next: Next,
        depth: usize,
        kept: &[usize],
        tree: &Tree,
        world: &World,
        known: &mut HashSet<u32>,
    ) -> Checked {
        match next {
            Next::Covered(sure) => {
                let sure = usize::try_from(sure).unwrap_or(usize::MAX);
                let rest = self.dimensions.get(depth..).unwrap_or_default();
                let matches = |part: &Part<'a>| rest.iter().all(|dimension| !looks_at(part, dimension));
                let holds = kept.contains(&sure) && self.negative.get(sure).is_some_and(matches);
                ensure(holds, "a statement that should match may not")
            }
            Next::Node(id) => {
                let node = usize::try_from(id).ok().and_then(|id| tree.nodes.get(id));
                let node = node.ok_or("it leads nowhere")?;
                let fits = usize::try_from(node.dimension) == Ok(depth)
                    && node.alive.iter().all(|i| kept.contains(i));
                ensure(fits, "it leads to a node that is about something else")?;
                if !known.insert(id) {
                    return Ok(());
                }
                self.check_node(node, depth, world)?;
                for (kept, next) in &node.branches {
                    self.follow(*next, depth + 1, kept, tree, world, known)?;
                }
                Ok(())
            }
        }
    }

    /// Whether every choice in the node's dimension keeps all that one of its branches keeps.
    fn check_node(&self, node: &Node, depth: usize, world: &World) -> Checked {
        let parts: Option<Vec<(usize, &Part<'a>)>> = node
            .alive
            .iter()
            .map(|i| Some((*i, self.negative.get(*i)?)))
            .collect();
        let alive = parts.ok_or("it names a statement that is not there")?;
        let branches: Vec<&[usize]> = node.branches.iter().map(|(kept, _)| kept.as_slice()).collect();
        let dimension = self.dimensions.get(depth).ok_or("it has too many dimensions")?;
        match (dimension, &node.evidence) {
            (Dimension::Action, Evidence::Words(states)) => {
                let clause = |part: &Part<'a>| {
                    let list = &part.statement.actions;
                    let tracks =
                        items(list, &part.actions).filter_map(|p| Track::text(p, &[], Reading::Exact));
                    vec![product::Literal::new(tracks.collect(), !list.negated)]
                };
                let positive = self.positive.iter().map(clause);
                let well_formed = vec![product::Literal::new(vec![Track::any_action()], true)];
                let positive = positive.chain([well_formed]).collect();
                let negative = alive.iter().map(|(i, part)| (*i, clause(part))).collect();
                product::check(positive, negative, states, &branches)
            }
            (Dimension::Resource, Evidence::Words(states)) => {
                self.check_resources(&alive, states, &branches, world)
            }
            (Dimension::Caller, Evidence::Cases) => self.check_callers(&alive, &branches),
            (Dimension::Key(key), Evidence::Key(evidence)) => {
                let on_key = |part: &Part<'a>| {
                    let atoms = part.statement.atoms.iter().filter(|atom| atom.key == *key);
                    atoms.collect::<Vec<&Atom>>()
                };
                values::Question {
                    key,
                    positive: self.positive.iter().flat_map(on_key).collect(),
                    negative: alive.iter().map(|(i, part)| (*i, on_key(part))).collect(),
                    world,
                    branches: &branches,
                }
                .check(evidence)
            }
            _ => Err("its evidence is about something else"),
        }
    }

    fn check_resources(
        &self,
        alive: &[(usize, &Part<'a>)],
        states: &[product::State],
        branches: &[&[usize]],
        world: &World,
    ) -> Checked {
        let negated = |part: &Part<'a>| part.statement.resources.as_ref().is_some_and(|list| list.negated);
        let clause = |part: &Part<'a>, reading| {
            let list = part.statement.resources.as_ref();
            list.map_or_else(Vec::new, |list| {
                let tracks = items(list, &part.resources).filter_map(|p| Track::resource(p, world, reading));
                vec![product::Literal::new(tracks.collect(), !list.negated)]
            })
        };
        // The variables of one pattern list are letters of the word; the rest is read to the candidate's favour.
        let is_exact = |part: &Part<'a>| {
            let list = part.statement.resources.as_ref().filter(|list| !list.negated);
            list.is_some_and(|list| items(list, &part.resources).any(|pattern| pattern.has_variables()))
        };
        let exact = self.positive.iter().position(is_exact);
        let positive = self.positive.iter().enumerate().map(|(i, part)| {
            let other = if negated(part) {
                Reading::Surely
            } else {
                Reading::Maybe
            };
            clause(part, if exact == Some(i) { Reading::Exact } else { other })
        });
        let well_formed = vec![product::Literal::new(vec![Track::any_arn()], true)];
        let negative = alive.iter().map(|(i, part)| {
            let reading = if negated(part) {
                Reading::Maybe
            } else {
                Reading::Surely
            };
            (*i, clause(part, reading))
        });
        product::check(
            positive.chain([well_formed]).collect(),
            negative.collect(),
            states,
            branches,
        )?;
        // A request without a resource: only the pattern * matches.
        let matches = |part: &Part<'a>| {
            let list = part.statement.resources.as_ref();
            list.is_none_or(|list| items(list, &part.resources).any(Language::is_everything) != list.negated)
        };
        let kept = alive.iter().filter(|(_, part)| matches(part)).map(|(i, _)| *i);
        ensure(
            !self.positive.iter().all(matches) || allowed(&kept.collect::<Vec<_>>(), branches),
            "a request without a resource is left out",
        )
    }

    fn check_callers(&self, alive: &[(usize, &Part<'a>)], branches: &[&[usize]]) -> Checked {
        let elements: Vec<&PrincipalElement> = self
            .parts()
            .filter_map(|p| p.statement.principal.as_ref())
            .collect();
        for caller in callers(&elements) {
            for bounded in [false, true] {
                let about = |part: &Part<'a>| {
                    part.statement
                        .principal
                        .as_ref()
                        .is_none_or(|element| element.is_about(&caller, bounded))
                };
                let surely = |part: &Part<'a>| {
                    let element = part.statement.principal.as_ref();
                    element.is_none_or(|element| element.is_surely_about(&caller, bounded))
                };
                let kept = alive.iter().filter(|(_, part)| surely(part)).map(|(i, _)| *i);
                if self.positive.iter().all(about) && !allowed(&kept.collect::<Vec<_>>(), branches) {
                    return Err("a caller is left out");
                }
            }
        }
        Ok(())
    }
}

/// Whether some branch keeps no more than was kept.
pub(super) fn allowed(kept: &[usize], branches: &[&[usize]]) -> bool {
    branches
        .iter()
        .any(|branch| branch.iter().all(|i| kept.contains(i)))
}

fn looks_at(part: &Part<'_>, dimension: &Dimension<'_>) -> bool {
    let s = part.statement;
    match dimension {
        Dimension::Action => {
            s.actions.negated || !items(&s.actions, &part.actions).any(Language::is_everything)
        }
        Dimension::Resource => s
            .resources
            .as_ref()
            .is_some_and(|list| list.negated || !items(list, &part.resources).any(Language::is_everything)),
        Dimension::Caller => s.principal.is_some(),
        Dimension::Key(key) => s.atoms.iter().any(|atom| atom.key == *key),
    }
}

/// The callers that are named, in all their forms, and some of every sort that are not.
fn callers(elements: &[&PrincipalElement]) -> Vec<Caller> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for element in elements {
        let (PrincipalElement::Principal(principal) | PrincipalElement::NotPrincipal(principal)) = element;
        if let Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        } = principal
        {
            names.extend(
                [aws, service, federated, canonical_user]
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
    }
    // Longer than every name, so equal to none and part of none.
    let stranger = "z".repeat(1 + names.iter().map(|name| name.len()).max().unwrap_or(0));
    let mut accounts = BTreeSet::from([("aws".to_owned(), stranger.clone())]);
    let mut callers = vec![Caller::Anonymous];
    for name in names.iter().copied().chain([stranger.as_str()]) {
        callers.extend(
            [Caller::Service, Caller::Federated, Caller::CanonicalUser].map(|make| make(name.to_owned())),
        );
        let Ok(caller) = Caller::parse(name) else { continue };
        if let Some(account) = caller.account() {
            accounts.insert((account.partition.clone(), account.id.clone()));
            // An account's number means it in any partition.
            accounts.insert((stranger.clone(), account.id.clone()));
        }
        if let Caller::RoleSession { account, role, .. } = &caller {
            callers.push(Caller::RoleSession {
                account: account.clone(),
                role: role.clone(),
                session: Some(stranger.clone()),
            });
        }
        callers.push(caller);
    }
    // Sessions that users made, with every name that one may have.
    let of_users: Vec<Caller> = callers
        .iter()
        .filter_map(|caller| match caller {
            Caller::User { account, name } => Some((account, name)),
            _ => None,
        })
        .flat_map(|(account, user)| {
            let named = callers.iter().filter_map(|caller| match caller {
                Caller::FederatedUser { name, .. } => Some(name),
                _ => None,
            });
            named.chain([&stranger]).map(move |name| Caller::FederatedUser {
                account: account.clone(),
                name: name.clone(),
                of_user: Some(user.clone()),
            })
        })
        .collect();
    callers.extend(of_users);
    for (partition, id) in accounts {
        let account = || Account {
            partition: partition.clone(),
            id: id.clone(),
        };
        callers.extend([
            Caller::Root(account()),
            Caller::User {
                account: account(),
                name: stranger.clone(),
            },
            Caller::RoleSession {
                account: account(),
                role: stranger.clone(),
                session: Some(stranger.clone()),
            },
            Caller::FederatedUser {
                account: account(),
                name: stranger.clone(),
                of_user: None,
            },
        ]);
    }
    callers
}
