//! The first look at two policies.

use super::{confirm::Probe, question::UnprovedElement};
use crate::{
    ast::Effect,
    contain::{
        answer::Witness,
        cover::{Element, first_part},
    },
    document::{Document, place::StatementRef},
    work::Work,
};

/// So many elements are looked at in advance: enough for most pairs that differ, little for those that do not.
const FIRST_LOOK: usize = 8;

/// Two policies that have little to do with each other differ somewhere that is soon found.
pub(in crate::contain) fn first_look(
    documents: &[&Document],
    ceiling: &Document,
    probe: &Probe<'_>,
    work: &mut Work,
) -> Option<Witness> {
    let (mut looked, mut guesses) = (0, 0);
    let of_ceiling = &ceiling.compiled().statements;
    let places = documents.iter().enumerate().flat_map(|(d, document)| {
        let statements = document.compiled().statements.iter().enumerate();
        statements.map(move |(s, statement)| {
            (
                StatementRef {
                    document: d,
                    statement: s,
                },
                statement,
            )
        })
    });
    let allows = places.filter(|(_, statement)| statement.effect == Effect::Allow);
    for (position, allow) in allows.take(FIRST_LOOK) {
        let resource = allow.resources.as_ref().and_then(first_part);
        let mut actions = allow.actions.items.iter().zip(&allow.actions.keys).enumerate();
        while let Some((i, (action, key))) = actions
            .next()
            .filter(|_| looked < FIRST_LOOK && !allow.actions.negated)
        {
            looked += 1;
            let action = Element::One(action, *key);
            let mut covers = of_ceiling.iter().filter(|n| n.effect == Effect::Allow);
            if covers.any(|n| {
                let resources = n.resources.as_ref().zip(resource);
                action.within(&n.actions, work)
                    && resources.is_none_or(|(resources, resource)| resource.within(resources, work))
            }) {
                continue;
            }
            let question = UnprovedElement {
                statement: position,
                action: i,
                resource: 0,
                deny: None,
            };
            if let Some(witness) = probe.guess(&question, work) {
                return Some(witness);
            }
            guesses += 1;
            if guesses == 3 {
                return None;
            }
        }
    }
    None
}
