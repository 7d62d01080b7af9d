//! What somebody should look at, with what to do.

mod acceptance;
mod basis;
mod escalations;
mod orphans;
mod reach;
mod status;
mod unused;
mod wide;
mod written;

use std::collections::{HashMap, HashSet};

pub use self::basis::Estate;

use self::written::PolicyHolder;
use super::model::AccessFinding;

/// All of them, the weightiest first.
pub fn findings(estate: &Estate<'_>) -> Vec<AccessFinding> {
    let holders = PolicyHolder::all(estate.world);
    let mut found = acceptance::findings(estate);
    found.extend(escalations::findings(estate, &holders));
    found.extend(wide::findings(estate, &holders));
    found.extend(orphans::findings(estate));
    found.extend(unused::findings(estate));
    // What the decision says is not said once more by the condition that has it.
    let decided: HashSet<_> = found
        .iter()
        .map(|one| (one.object.clone(), one.reason.clone()))
        .collect();
    let is_told = |one: &AccessFinding| {
        one.field.starts_with(status::CONDITIONS)
            && decided.contains(&(one.object.clone(), one.reason.clone()))
    };
    found.extend(status::findings(estate).into_iter().filter(|one| !is_told(one)));
    found.sort();
    found.dedup();
    grouped(found)
}

/// One finding for all objects of a namespace of which the same is said: a limit that can't be read is one thing to mend, however many
/// roles wait for it.
fn grouped(found: Vec<AccessFinding>) -> Vec<AccessFinding> {
    let mut kept: Vec<AccessFinding> = Vec::with_capacity(found.len());
    let mut places = HashMap::new();
    for one in found {
        let key = (
            (one.weight, one.topic, one.reason.clone(), one.namespace.clone()),
            (one.field.clone(), one.message.clone(), one.advice.clone()),
        );
        match places.get(&key).and_then(|at: &usize| kept.get_mut(*at)) {
            Some(first) => first.also.push(one.object),
            None => {
                places.insert(key, kept.len());
                kept.push(one);
            }
        }
    }
    kept
}
