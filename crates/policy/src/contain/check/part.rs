//! Statements with the patterns that count, and what they look at.

use std::cell::OnceCell;

use super::{principals::Lists, source::SourceStatement};
use crate::{
    compiled::CompiledStatement,
    contain::certificate::Picks,
    pattern::elements::{Elements, Language},
};

/// A statement with the patterns of it that count.
pub(super) struct CheckedPart<'a> {
    pub(super) source: SourceStatement<'a>,
    pub(super) statement: &'a CompiledStatement,
    pub(super) actions: Picks,
    pub(super) resources: Picks,
    pub(super) lists: OnceCell<Option<Lists>>,
}

impl<'a> CheckedPart<'a> {
    pub(super) fn whole(source: SourceStatement<'a>) -> Self {
        Self::new(source, Picks::All, Picks::All)
    }

    pub(super) fn new(source: SourceStatement<'a>, actions: Picks, resources: Picks) -> Self {
        Self {
            source,
            statement: source.compiled,
            actions,
            resources,
            lists: OnceCell::new(),
        }
    }

    /// Whether the statement can match at all with the patterns that count. Of one that must not match and cannot nothing
    /// else needs to be looked at.
    pub(super) fn may_match(&self) -> bool {
        let s = self.statement;
        let some = |picks: &Picks| !matches!(picks, Picks::Only(list) if list.is_empty());
        let by_resource = s
            .resources
            .as_ref()
            .is_none_or(|list| list.negated || some(&self.resources));
        by_resource && (s.actions.negated || some(&self.actions))
    }

    /// Whom the statement is about.
    pub(super) fn lists(&self) -> Option<&Lists> {
        let read = || self.source.written.principal.as_ref().map(Lists::new);
        self.lists.get_or_init(read).as_ref()
    }
}

pub(super) fn items<'a, P>(list: &'a Elements<P>, picks: &'a Picks) -> impl Iterator<Item = &'a P> {
    list.items
        .iter()
        .enumerate()
        .filter_map(move |(i, item)| match picks {
            Picks::All => Some(item),
            Picks::Only(some) => u32::try_from(i)
                .is_ok_and(|i| some.binary_search(&i).is_ok())
                .then_some(item),
        })
}

/// What a dimension is about.
pub(super) enum CheckedDimension<'a> {
    Action,
    Resource,
    Caller,
    Key(&'a str),
}

pub(super) fn looks_at(part: &CheckedPart<'_>, dimension: &CheckedDimension<'_>) -> bool {
    let s = part.statement;
    match dimension {
        CheckedDimension::Action => {
            s.actions.negated || !items(&s.actions, &part.actions).any(Language::is_everything)
        }
        CheckedDimension::Resource => s
            .resources
            .as_ref()
            .is_some_and(|list| list.negated || !items(list, &part.resources).any(Language::is_everything)),
        CheckedDimension::Caller => s.principal.is_some(),
        CheckedDimension::Key(key) => s.atoms.iter().any(|atom| atom.key == *key),
    }
}
