//! Objects of files over those of the cluster that they are applied to.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::ReadObject;

/// What the cluster would hold: of two of one name that of the files.
pub fn over(mut stored: Vec<ReadObject>, mut files: Vec<ReadObject>) -> Vec<ReadObject> {
    take_ages(&mut files, &stored);
    let ids: HashSet<_> = files.iter().map(ReadObject::id).collect();
    stored.retain(|object| !ids.contains(&object.id()));
    stored.extend(files);
    stored
}

/// Has each of `files` be as old as the cluster says, which holds `stored`. Whatever its file says, one that is not there yet would be made
/// now.
pub fn take_ages(files: &mut [ReadObject], stored: &[ReadObject]) {
    let stored: HashMap<_, _> = stored.iter().map(|object| (object.id(), object)).collect();
    for file in files {
        let made = stored.get(&file.id()).and_then(|stored| made(stored)).cloned();
        let Some(metadata) = file.value.get_mut("metadata").and_then(Value::as_object_mut) else {
            continue;
        };
        match made {
            Some(made) => metadata.insert("creationTimestamp".to_owned(), made),
            None => metadata.remove("creationTimestamp"),
        };
    }
}

fn made(object: &ReadObject) -> Option<&Value> {
    object.value.pointer("/metadata/creationTimestamp")
}
