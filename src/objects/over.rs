//! Objects of files over those of the cluster that they are applied to.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::ReadObject;

/// What the cluster would hold: of two of one name that of the files.
pub fn over(mut stored: Vec<ReadObject>, mut files: Vec<ReadObject>) -> Vec<ReadObject> {
    take_over(&mut files, &stored);
    let ids: HashSet<_> = files.iter().map(ReadObject::id).collect();
    stored.retain(|object| !ids.contains(&object.id()));
    stored.extend(files);
    stored
}

/// Has each of `files` be as old as the cluster says, which holds `stored`, and of the same uid. Whatever its file says, one that is not
/// there yet would be made now.
pub fn take_over(files: &mut [ReadObject], stored: &[ReadObject]) {
    let stored: HashMap<_, _> = stored.iter().map(|object| (object.id(), object)).collect();
    for file in files {
        let there = stored.get(&file.id()).map(|stored| &stored.value);
        let kept =
            ["creationTimestamp", "uid"].map(|key| (key, there.and_then(|value| value["metadata"].get(key))));
        let Some(metadata) = file.value.get_mut("metadata").and_then(Value::as_object_mut) else {
            continue;
        };
        for (key, value) in kept {
            match value {
                Some(value) => metadata.insert(key.to_owned(), value.clone()),
                None => metadata.remove(key),
            };
        }
    }
}
