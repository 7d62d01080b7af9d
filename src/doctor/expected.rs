//! The definitions as this program has them.

use std::sync::LazyLock;

use deputy_api::crds::crds;
use serde_json::Value;

/// Name and object of each; made once, because that takes a while.
pub fn definitions() -> &'static [(String, Value)] {
    static ALL: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
        let all = crds().into_iter().map(|crd| {
            let name = format!("{}.{}", crd.spec.names.plural, crd.spec.group);
            // What can't be written is null, from which everything differs.
            (name, serde_json::to_value(crd).unwrap_or_default())
        });
        all.collect()
    });
    &ALL
}
