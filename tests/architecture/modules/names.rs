//! One word, one meaning: the names of types.

use std::collections::BTreeMap;

use super::{Graph, crates};

/// Names that several types may have, and why.
const SHARED: &[(&str, &str)] = &[];

#[test]
fn no_public_type_has_the_name_of_another_one() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sources in crates() {
        for (name, path) in Graph::of(&sources).types() {
            places.entry(name.to_owned()).or_default().push(path.to_owned());
        }
    }
    for (name, why) in SHARED {
        let found = places.remove(*name).map_or(0, |p| p.len());
        assert!(found > 1, "{name} is not the name of several types: {why}");
    }
    let twice: Vec<_> = places
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
