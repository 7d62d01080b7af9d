//! Parts of statements for a search: one element of the candidate, and what may have something in common with it.

use super::{
    cover::{Element, Parts},
    picks::Picks,
};
use crate::{
    pattern::elements::{Elements, Language},
    work::Work,
};

/// So many combinations of Allows of several layers are searched.
const MAX_COMBINATIONS: usize = 4096;

/// The element that stands first.
pub(super) fn first_part<P>(elements: &Elements<P>) -> Option<Element<'_, P>> {
    if elements.negated {
        Some(Element::Except(elements))
    } else {
        let (item, key) = (elements.items.first()?, elements.keys.first()?);
        Some(Element::One(item, *key))
    }
}

/// The patterns of a list that may have something in common with an element.
pub(super) fn near<P: Language>(elements: &Elements<P>, element: Element<'_, P>, work: &mut Work) -> Picks {
    let Element::One(one, key) = element else {
        return Picks::All;
    };
    if elements.negated {
        return Picks::All;
    }
    let meeting = elements.meeting(one, key, work).into_iter();
    Picks::Only(meeting.filter_map(|i| u32::try_from(i).ok()).collect())
}

/// One Allow of each of the other layers, by index; `None` when there are too many combinations.
pub(super) fn combinations(layers: &[Vec<Parts<'_>>]) -> Option<Vec<Vec<usize>>> {
    let count = layers
        .iter()
        .try_fold(1_usize, |count, layer| count.checked_mul(layer.len()))?;
    if count > MAX_COMBINATIONS {
        return None;
    }
    let mut all = vec![Vec::new()];
    for layer in layers {
        all = all
            .iter()
            .flat_map(|some: &Vec<usize>| {
                (0..layer.len()).map(move |i| {
                    let mut more = some.clone();
                    more.push(i);
                    more
                })
            })
            .collect();
    }
    Some(all)
}
