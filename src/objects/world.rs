//! An index of objects.

use std::sync::Arc;

use deputy_admission::DeputyKind;
use deputy_delegation::ClusterName;
use deputy_index::Index;
use kube::api::DynamicObject;

use super::ReadObject;

/// The index of a cluster that holds these objects and no others. Of two of one name the last one counts. What does not even have the
/// shape of an object is left out, and given back with the reason.
pub fn world<'a>(
    cluster: ClusterName,
    objects: impl IntoIterator<Item = &'a ReadObject>,
) -> (Arc<Index>, Vec<(&'a ReadObject, String)>) {
    let index = Arc::new(Index::new(cluster));
    for kind in DeputyKind::ALL {
        index.reset(kind.resource(), []);
    }
    let mut wrong = Vec::new();
    for object in objects {
        match serde_json::from_value::<DynamicObject>(object.value.clone()) {
            Ok(dynamic) => index.apply(object.kind.resource(), dynamic),
            Err(error) => wrong.push((object, error.to_string())),
        }
    }
    (index, wrong)
}
