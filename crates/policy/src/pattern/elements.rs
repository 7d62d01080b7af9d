//! Lists of action or resource patterns, indexed by service so that long lists are not compared pair by pair.

use super::{
    arn::ResourcePattern,
    fnv::Fnv,
    glob::{Pattern, fold},
};
use crate::work::Work;

/// A set of texts given by a pattern.
pub(crate) trait Language {
    /// Whether everything in `other` is in `self`; `true` is certain.
    fn includes(&self, other: &Self, work: &mut Work) -> bool;
    /// Whether something may be in both; `false` is certain.
    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool;
    /// Whether every text is in it.
    fn is_everything(&self) -> bool;
    /// A hash of the service; 0 for the pattern `*`. Patterns of different services have nothing in common.
    fn group(&self) -> u64;
    /// A hash of the only text, when there is only one.
    fn literal(&self) -> Option<u64>;
    /// A hash of the pattern itself.
    fn whole(&self) -> u64;
}

impl Language for Pattern {
    fn includes(&self, other: &Self, work: &mut Work) -> bool {
        Self::includes(self, other, work)
    }

    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        Self::may_intersect(self, other, work)
    }

    fn is_everything(&self) -> bool {
        self.is_universal()
    }

    fn group(&self) -> u64 {
        if self.is_universal() {
            0
        } else {
            self.hash_until(Some(':')).map_or(0, |hash| hash | 1)
        }
    }

    fn literal(&self) -> Option<u64> {
        self.hash_until(None)
    }

    fn whole(&self) -> u64 {
        self.hash_whole()
    }
}

impl Language for ResourcePattern {
    fn includes(&self, other: &Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Arn(_), Self::Any) => false,
            (Self::Arn(a), Self::Arn(b)) => a.includes(b, work),
        }
    }

    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Arn(a), Self::Arn(b)) => a.may_intersect(b, work),
        }
    }

    fn is_everything(&self) -> bool {
        matches!(self, Self::Any)
    }

    fn group(&self) -> u64 {
        let Self::Arn(arn) = self else { return 0 };
        let [_, _, service, ..] = &arn.head;
        service.hash_until(None).map_or(0, |hash| hash | 1)
    }

    fn literal(&self) -> Option<u64> {
        let Self::Arn(arn) = self else { return None };
        let mut hash = Fnv::default();
        for part in arn.parts() {
            hash.add(u32::try_from(part.hash_until(None)? & 0xffff_ffff).ok()?);
        }
        Some(hash.0)
    }

    fn whole(&self) -> u64 {
        let Self::Arn(arn) = self else { return 0 };
        arn.parts().fold(1, |hash, part| {
            hash.rotate_left(7).wrapping_mul(0x0000_0100_0000_01b3) ^ part.hash_whole()
        })
    }
}

/// What it costs to look a pattern up in a list, and to compare it with one of the list, in updates of positions.
const LOOK_UP: usize = 8;
pub(crate) const COMPARISON: usize = 8;

/// What is known of a pattern without looking at it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatternKey {
    group: u64,
    literal: Option<u64>,
    whole: u64,
}

impl PatternKey {
    /// Whether patterns with these keys are of two services, so that they have nothing in common.
    pub(crate) fn is_of_another_service(self, other: Self) -> bool {
        self.group != 0 && other.group != 0 && self.group != other.group
    }
}

/// A list of patterns or everything outside of it.
#[derive(Debug, Clone)]
pub(crate) struct Elements<P> {
    /// `NotAction` or `NotResource`.
    pub(crate) negated: bool,
    pub(crate) items: Vec<P>,
    /// For each item.
    pub(crate) keys: Vec<PatternKey>,
    /// Group and index of the items with wildcards or variables, sorted; group 0 is `*`.
    open: Vec<(u64, usize)>,
    /// Group, hash and index of the others, sorted.
    literals: Vec<(u64, u64, usize)>,
    /// Hash and index of the items with wildcards or variables, sorted: policies often repeat each other's patterns.
    wholes: Vec<(u64, usize)>,
}

impl<P: Language> Elements<P> {
    pub(crate) fn new(negated: bool, items: Vec<P>) -> Self {
        let (mut open, mut literals, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
        let keys: Vec<PatternKey> = items
            .iter()
            .map(|item| PatternKey {
                group: item.group(),
                literal: item.literal(),
                whole: item.whole(),
            })
            .collect();
        for (i, key) in keys.iter().enumerate() {
            match key.literal {
                Some(hash) => literals.push((key.group, hash, i)),
                None => {
                    open.push((key.group, i));
                    wholes.push((key.whole, i));
                }
            }
        }
        open.sort_unstable();
        wholes.sort_unstable();
        literals.sort_unstable();
        Self {
            negated,
            items,
            keys,
            open,
            literals,
            wholes,
        }
    }

    /// The pattern itself, when it is in the list and has wildcards or variables.
    fn same(&self, key: PatternKey) -> Option<&P> {
        if key.literal.is_some() {
            return None;
        }
        let at = self.wholes.partition_point(|(hash, _)| *hash < key.whole);
        let (_, i) = self.wholes.get(at).filter(|(hash, _)| *hash == key.whole)?;
        self.items.get(*i)
    }

    /// Whether a pattern of the list includes the element (`negated` is not looked at).
    pub(crate) fn covers(&self, element: &P, key: PatternKey, work: &mut Work) -> bool {
        if !work.charge(LOOK_UP) {
            return false;
        }
        if self.same(key).is_some_and(|item| item.includes(element, work)) {
            return true;
        }
        self.near(key.group, key.literal)
            .any(|item| item.includes(element, work))
    }

    /// Whether a pattern of the list may have something in common with the element (`negated` is not looked at).
    pub(crate) fn meets(&self, element: &P, key: PatternKey, work: &mut Work) -> bool {
        if !work.charge(LOOK_UP) {
            return true;
        }
        self.candidates(key).any(|i| self.meets_at(i, element, work))
    }

    /// The indices of the patterns that may have something in common with the element, in order (`negated` is not looked at);
    /// when the work runs out, some that do not.
    pub(crate) fn meeting(&self, element: &P, key: PatternKey, work: &mut Work) -> Vec<usize> {
        let meeting = self.candidates(key);
        let mut meeting: Vec<usize> = meeting.filter(|i| self.meets_at(*i, element, work)).collect();
        meeting.sort_unstable();
        meeting
    }

    /// Whether the pattern with this index may have something in common with the element, or the work has run out.
    fn meets_at(&self, i: usize, element: &P, work: &mut Work) -> bool {
        let item = self.items.get(i);
        item.is_some_and(|item| !work.charge(COMPARISON) || item.may_intersect(element, work))
    }

    /// The indices of the patterns that are not of another service or another text than a pattern with this key.
    fn candidates(&self, key: PatternKey) -> impl Iterator<Item = usize> {
        let of_service = key.group != 0;
        let all = if of_service { 0..0 } else { 0..self.items.len() };
        let near = of_service.then(|| self.near_indices(key.group, key.literal));
        let literals = (of_service && key.literal.is_none()).then(|| self.literal_indices(key.group));
        all.chain(near.into_iter().flatten())
            .chain(literals.into_iter().flatten())
    }

    /// Whether a pattern of the list includes each pattern of `others`.
    pub(crate) fn covers_all(&self, others: &Self, work: &mut Work) -> bool {
        others
            .items
            .iter()
            .zip(&others.keys)
            .all(|(item, key)| self.covers(item, *key, work))
    }

    /// Whether the list has the pattern `*`.
    pub(crate) fn has_everything(&self) -> bool {
        self.open.first().is_some_and(|(group, _)| *group == 0)
            && self.items.iter().any(Language::is_everything)
    }

    /// The patterns that could include or match a text or pattern of a service: `*`, those of the service with
    /// wildcards, and the literals with that hash.
    pub(crate) fn near(&self, group: u64, literal: Option<u64>) -> impl Iterator<Item = &P> {
        self.near_indices(group, literal)
            .filter_map(|i| self.items.get(i))
    }

    fn near_indices(&self, group: u64, literal: Option<u64>) -> impl Iterator<Item = usize> {
        let equal = literal.map(|hash| {
            let from = self
                .literals
                .partition_point(|(g, h, _)| (*g, *h) < (group, hash));
            let rest = self.literals.get(from..).unwrap_or_default();
            rest.iter()
                .take_while(move |(g, h, _)| (*g, *h) == (group, hash))
                .map(|(_, _, i)| *i)
        });
        let everything = self.open.iter().take_while(|(g, _)| *g == 0).map(|(_, i)| *i);
        let from = self.open.partition_point(|(g, _)| *g < group);
        let same = self.open.get(from..).unwrap_or_default().iter();
        let same = same
            .take_while(move |(g, _)| *g == group && group != 0)
            .map(|(_, i)| *i);
        equal.into_iter().flatten().chain(everything).chain(same)
    }

    fn literal_indices(&self, group: u64) -> impl Iterator<Item = usize> {
        let from = self.literals.partition_point(|(g, _, _)| *g < group);
        let rest = self.literals.get(from..).unwrap_or_default().iter();
        rest.take_while(move |(g, _, _)| *g == group).map(|(_, _, i)| *i)
    }
}

/// An action in lower case, with the hashes by which patterns for it are found.
#[derive(Debug, Clone)]
pub(crate) struct ActionText {
    pub(crate) chars: Vec<char>,
    pub(crate) group: u64,
    pub(crate) literal: u64,
}

impl ActionText {
    pub(crate) fn new(action: &str) -> Self {
        let mut chars = Vec::with_capacity(action.len());
        chars.extend(action.chars().map(fold));
        let mut hash = Fnv::default();
        let mut group = 0;
        for c in &chars {
            if *c == ':' && group == 0 {
                group = hash.0 | 1;
            }
            hash.add(u32::from(*c));
        }
        Self {
            chars,
            group,
            literal: hash.0,
        }
    }
}
