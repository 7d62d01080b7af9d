//! Verifies the case distinction on one condition key: absent, every kind of value, every list of such kinds.

mod kinds;
pub(super) mod question;

use std::collections::{HashMap, HashSet};

use self::{kinds::KindPlaces, question::KeyQuestion};
use super::{
    conditions::{ALIEN, Places, TYPES, Way, holds, type_of, ways, ways_of_absence},
    error::{CheckResult, TOO_MUCH, ensure},
};
use crate::{
    ast::SetOperator,
    condition::{
        atom::{Atom, Predicate},
        values::Values,
    },
    contain::certificate::KeyEvidence,
    pattern::track::VariableCase,
    work::Work,
};

/// A condition with the index of its value set.
type Placed<'a> = (&'a Atom, Option<usize>);

/// The conditions with their value sets, each set once.
struct Conditions<'a> {
    sets: Vec<&'a Values>,
    positive: Vec<Placed<'a>>,
    negative: Vec<(usize, Vec<Placed<'a>>)>,
    count: usize,
}

/// So many lists of kinds are looked at.
const MAX_LISTS: usize = 8192;

impl<'a> Conditions<'a> {
    fn of(question: &KeyQuestion<'a>) -> Self {
        let mut sets: Vec<&Values> = Vec::new();
        let mut index: HashMap<&Values, usize> = HashMap::new();
        let mut place = |atom: &&'a Atom| {
            let Predicate::Compare { values, .. } = &atom.predicate else {
                return (*atom, None);
            };
            let i = *index.entry(values).or_insert_with(|| {
                sets.push(values);
                sets.len() - 1
            });
            (*atom, Some(i))
        };
        let positive: Vec<Placed<'a>> = question.positive.iter().map(&mut place).collect();
        let negative: Vec<(usize, Vec<Placed<'a>>)> = question
            .negative
            .iter()
            .map(|(i, atoms)| (*i, atoms.iter().map(&mut place).collect()))
            .collect();
        let count = positive.len() + negative.iter().map(|(_, atoms)| 1 + atoms.len()).sum::<usize>();
        Self {
            sets,
            positive,
            negative,
            count,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Placed<'a>> {
        self.positive
            .iter()
            .chain(self.negative.iter().flat_map(|(_, atoms)| atoms))
    }

    /// The types of which a value that is of another one makes a condition undefined.
    fn undefined(&self, kind: Option<&KindPlaces>) -> [bool; TYPES] {
        let mut types = [false; TYPES];
        for (atom, set) in self.all() {
            let Predicate::Compare {
                negated: true,
                values,
                ..
            } = &atom.predicate
            else {
                continue;
            };
            let place = kind
                .zip(*set)
                .and_then(|(kind, set)| kind.get(set))
                .copied()
                .unwrap_or(0);
            if let Some(matters) = type_of(values).and_then(|of| types.get_mut(of)) {
                *matters |= place & ALIEN != 0;
            }
        }
        types
    }
}

impl KeyQuestion<'_> {
    pub(super) fn check(&self, evidence: &KeyEvidence, work: &mut Work) -> CheckResult {
        let conditions = Conditions::of(self);
        let case = self
            .cases
            .iter()
            .find(|(key, _)| key == self.key)
            .map(|(_, case)| *case);
        let plain = conditions
            .all()
            .any(|(atom, _)| matches!(&atom.predicate, Predicate::Compare { set: None, .. }));
        let open = conditions.all().any(|(atom, _)| {
            !matches!(
                atom.predicate,
                Predicate::Compare { .. } | Predicate::Presence { .. }
            )
        });
        let of_all = conditions.all().any(|(atom, _)| {
            let set = Some(SetOperator::ForAllValues);
            matches!(&atom.predicate, Predicate::Compare { set: asked, .. } if *asked == set)
        });
        if matches!(case, None | Some(VariableCase::Absent)) {
            self.keeps(&conditions, None, 0, &ways_of_absence(), work)?;
        }
        if case == Some(VariableCase::Absent) {
            return Ok(());
        }
        let kinds = kinds::kinds(self, &conditions.sets, evidence, work)?;
        if case != Some(VariableCase::List) {
            for kind in &kinds {
                let ways = ways(false, conditions.undefined(Some(kind)), open);
                self.keeps(&conditions, Some(kind), 1, &ways, work)?;
            }
        }
        let is_list = !self.single && case != Some(VariableCase::Present);
        // One empty value, or several.
        let may_be = |kind: &&KindPlaces| of_all && kinds::may_be_empty(self.key, &conditions.sets, kind);
        for kind in kinds.iter().filter(may_be) {
            for count in 1..=2 {
                let is_so = if count == 1 {
                    case != Some(VariableCase::List)
                } else {
                    is_list
                };
                if !is_so {
                    continue;
                }
                let mut ways = ways(count > 1 && plain, conditions.undefined(Some(kind)), open);
                ways.iter_mut().for_each(|way| way.empty = true);
                self.keeps(&conditions, Some(kind), count, &ways, work)?;
            }
        }
        if !is_list {
            return Ok(());
        }
        // Every list is one kind after the other.
        let mut seen: HashSet<KindPlaces> = kinds.iter().cloned().collect();
        let mut next: Vec<KindPlaces> = kinds.clone();
        while let Some(list) = next.pop() {
            let ways = ways(plain, conditions.undefined(Some(&list)), open);
            self.keeps(&conditions, Some(&list), 2, &ways, work)?;
            for kind in &kinds {
                ensure(work.charge(8 + list.len()) && seen.len() <= MAX_LISTS, TOO_MUCH)?;
                let longer: KindPlaces = list.iter().zip(kind).map(|(a, b)| a | b).collect();
                if seen.insert(longer.clone()) {
                    next.push(longer);
                }
            }
        }
        Ok(())
    }

    /// Whether in every way of reading a request with such values keeps a branch, or is none that is asked for.
    fn keeps(
        &self,
        conditions: &Conditions<'_>,
        kind: Option<&KindPlaces>,
        count: usize,
        ways: &[Way],
        work: &mut Work,
    ) -> CheckResult {
        let places = |set: &Option<usize>| -> Places {
            kind.zip(*set)
                .and_then(|(kind, set)| kind.get(set))
                .copied()
                .unwrap_or(0)
        };
        for way in ways {
            ensure(work.charge(conditions.count + self.branches.size()), TOO_MUCH)?;
            let hold = |atoms: &[Placed<'_>]| {
                atoms
                    .iter()
                    .all(|(atom, set)| holds(atom, count, places(set), *way))
            };
            if !hold(&conditions.positive) {
                continue;
            }
            let kept = conditions
                .negative
                .iter()
                .filter(|(_, atoms)| hold(atoms))
                .map(|(i, _)| *i);
            ensure(
                self.branches.allow(kept),
                "a value of a condition key is left out",
            )?;
        }
        Ok(())
    }
}
