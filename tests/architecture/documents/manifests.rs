//! Manifests in documents and in `examples/`.

use std::{fs, path::Path, process::Command, sync::Arc};

use deputy_delegation::{ClusterName, NamespaceName, ObjectName, model::ObjectId};
use deputy_index::{Index, ResourceKind};
use serde_json::{Value, json};

use super::page::{page, pages, tracked};
use crate::files::root;

/// The definitions of our kinds.
fn definitions() -> Vec<Value> {
    let files = tracked().iter().filter(|t| t.starts_with("crds/"));
    let definitions: Vec<_> = files
        .flat_map(|f| documents(&fs::read_to_string(root().join(f)).unwrap()))
        .collect();
    assert_eq!(definitions.len(), 8);
    definitions
}

/// Whether kubectl knows a kind of ours by this name.
pub fn manifests_have(name: &str) -> bool {
    definitions().iter().any(|crd| {
        let names = crd.pointer("/spec/names").unwrap();
        let short = names["shortNames"].as_array().into_iter().flatten();
        short
            .chain([&names["plural"], &names["singular"]])
            .any(|n| n == name)
    })
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// What is wrong with manifests, so that they could not be applied.
fn misfits(from: &str, text: &str) -> Vec<String> {
    let kinds = definitions();
    let mut wrong = Vec::new();
    for document in documents(text) {
        let Some(kind) = document.get("kind").and_then(Value::as_str) else {
            wrong.push(format!("{from}: a manifest without kind: {document}"));
            continue;
        };
        if document.get("apiVersion").and_then(Value::as_str).is_none() {
            wrong.push(format!("{from}: {kind} without apiVersion can't be applied"));
        }
        let named = |c: &&Value| c.pointer("/spec/names/kind") == document.get("kind");
        if let Some(crd) = kinds.iter().find(named) {
            let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
            let mut found = Vec::new();
            compare(schema, &document, kind, &mut found);
            wrong.extend(found.iter().map(|m| format!("{from}: {m}")));
        }
    }
    wrong
}

#[test]
fn the_manifests_in_documents_are_whole_and_fit_the_definitions() {
    let (mut found, mut wrong) = (0, Vec::new());
    for page in pages() {
        for block in page.blocks.iter().filter(|b| b.language == "yaml") {
            found += 1;
            wrong.extend(misfits(&page.path, &block.code));
        }
    }
    assert!(found >= 2, "{found} blocks were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files of the folders of `examples`, by folder.
fn examples() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
    for file in tracked()
        .iter()
        .filter(|t| t.starts_with("examples/") && t.ends_with(".yaml"))
    {
        let folder = file.rsplit_once('/').unwrap().0;
        match folders.iter_mut().find(|(f, _)| *f == folder) {
            Some((_, files)) => files.push(file),
            None => folders.push((folder, vec![file])),
        }
    }
    assert!(folders.len() >= 5, "{folders:?}");
    folders
}

#[test]
fn the_examples_fit_the_definitions_and_have_no_findings() {
    let mut wrong = Vec::new();
    for file in examples().iter().flat_map(|(_, files)| files) {
        wrong.extend(misfits(file, &fs::read_to_string(root().join(file)).unwrap()));
        let done = Command::new(env!("CARGO_BIN_EXE_deputy"))
            .args(["policy", "lint", file])
            .current_dir(root())
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        let has_no_policy = said.contains("no policy");
        if done.status.code() != Some(0) && !has_no_policy {
            wrong.push(format!("{file}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fields that the schema does not have, and those that it demands and that are missing.
fn compare(schema: &Value, value: &Value, at: &str, misfits: &mut Vec<String>) {
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (i, value) in values.iter().enumerate() {
            compare(items, value, &format!("{at}[{i}]"), misfits);
        }
    }
    let (Some(properties), Some(fields)) = (schema.get("properties"), value.as_object()) else {
        return;
    };
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for name in required
        .filter_map(Value::as_str)
        .filter(|n| !fields.contains_key(*n))
    {
        misfits.push(format!("{at} has no {name}"));
    }
    for (name, value) in fields {
        match properties.get(name) {
            Some(inner) => compare(inner, value, &format!("{at}.{name}"), misfits),
            None if schema.get("x-kubernetes-preserve-unknown-fields").is_some() => {}
            // Every object has these, and definitions say nothing of them.
            None if !at.contains('.') && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) => {}
            None => misfits.push(format!("{at} has an unknown field {name}")),
        }
    }
}

/// What the README shows of the example is in its files, and the role is within the limit.
#[test]
fn the_manifests_of_the_readme_are_those_of_the_example() {
    let blocks: Vec<_> = page("README.md")
        .blocks
        .iter()
        .filter(|b| b.language == "yaml")
        .collect();
    let files = ["10-platform.yaml", "20-application.yaml"];
    assert!(blocks.len() >= files.len(), "the example comes first");
    let mut written = Vec::new();
    for (block, file) in blocks.iter().zip(files) {
        let text = fs::read_to_string(root().join("examples/productionapp").join(file)).unwrap();
        let whole: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let shown: Vec<Value> = serde_saphyr::from_multiple(&block.code).unwrap();
        for document in shown {
            let same = whole.iter().find(|w| w["kind"] == document["kind"]).unwrap();
            assert!(
                is_part(&document, same),
                "README.md has {document}, {file} has {same}"
            );
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&path, &block.code).unwrap();
        written.push(path);
    }
    let done = Command::new(env!("CARGO_BIN_EXE_deputy"))
        .args(["policy", "contains"])
        .args(written.iter().rev())
        .output()
        .unwrap();
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
}

/// Whether every field of `part` is so in `whole`.
fn is_part(part: &Value, whole: &Value) -> bool {
    match part.as_object() {
        Some(fields) => fields
            .iter()
            .all(|(k, v)| whole.get(k).is_some_and(|w| is_part(v, w))),
        None => part == whole,
    }
}

/// What is decided about the examples, each folder in a cluster of its own beside the account and limit of the first one; a
/// folder `refused` beside what it is in, one file at a time.
#[test]
fn what_the_examples_grant_is_accepted_and_what_is_refused_is_not() {
    let read = |file: &&str| documents(&fs::read_to_string(root().join(file)).unwrap());
    let platform = read(&"examples/productionapp/10-platform.yaml");
    let folders = examples();
    let mut decided = 0;
    for (folder, files) in &folders {
        let parent = folder.strip_suffix("/refused");
        let beside: Vec<Value> = folders
            .iter()
            .filter(|(f, _)| parent == Some(f))
            .flat_map(|(_, files)| files.iter().flat_map(read))
            .chain(platform.iter().cloned())
            .collect();
        // What is granted comes together, what is refused is refused by itself.
        let groups: Vec<&[&str]> = match parent {
            Some(_) => files.chunks(1).collect(),
            None => vec![files],
        };
        for group in groups {
            let objects: Vec<Value> = group.iter().flat_map(read).collect();
            for (what, accepted) in decisions(&objects, &beside) {
                decided += 1;
                assert_eq!(accepted, parent.is_none(), "{group:?}: {what}");
            }
        }
    }
    assert!(decided >= 25, "{decided} grants");
}

/// Whether each role and binding of `objects` is accepted in a cluster with these and, where they are not the same objects,
/// those of `beside`.
fn decisions(objects: &[Value], beside: &[Value]) -> Vec<(String, bool)> {
    let named = |o: &Value| (o["kind"].clone(), o.pointer("/metadata/name").cloned());
    let mut all = objects.to_vec();
    for object in beside {
        if !all.iter().any(|o| named(o) == named(object)) {
            all.push(object.clone());
        }
    }
    let index = Arc::new(Index::new(ClusterName::new("demo").unwrap()));
    let kinds = [
        ("AWSAccount", ResourceKind::Accounts),
        ("DelegationLimit", ResourceKind::Limits),
        ("AWSRole", ResourceKind::Roles),
        ("ClusterAWSRole", ResourceKind::ClusterRoles),
        ("AWSRoleBinding", ResourceKind::Bindings),
        ("AWSFederatedUserBinding", ResourceKind::FederatedBindings),
    ];
    for (kind, resource) in kinds {
        let of_kind = all.iter().filter(|o| o["kind"] == kind).cloned();
        let stored = of_kind.enumerate().map(|(i, mut object)| {
            object["metadata"]["uid"] = json!(format!("{}-{i}", kind.to_lowercase()));
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
            serde_json::from_value(object).unwrap()
        });
        index.reset(resource, stored.collect::<Vec<_>>());
    }
    let mut decided = Vec::new();
    for object in objects {
        let id = || ObjectId {
            namespace: NamespaceName::new(object["metadata"]["namespace"].as_str().unwrap()).unwrap(),
            name: ObjectName::new(object["metadata"]["name"].as_str().unwrap()).unwrap(),
        };
        let accepted = match object["kind"].as_str().unwrap() {
            // One that can't be read is decided about by nobody, and refused.
            "AWSRole" => index
                .decide_role(&id().into())
                .is_some_and(|(_, decision)| decision.is_accepted()),
            "AWSRoleBinding" => index.decide_binding(&id()).is_some_and(|d| d.is_accepted()),
            _ => continue,
        };
        decided.push((id().to_string(), accepted));
    }
    decided
}
