//! How the candidate's layers may allow together.

use crate::contain::cover::StatementElements;

/// So many combinations of Allows of several layers are searched.
const MAX_COMBINATIONS: usize = 4096;

/// One Allow of each of the other layers, by index; `None` when there are too many combinations.
pub(in crate::contain) fn combinations(layers: &[Vec<StatementElements<'_>>]) -> Option<Vec<Vec<usize>>> {
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
