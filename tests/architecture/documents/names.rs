//! Names that documents take from elsewhere: chart values, variables, metrics, kinds, fields and reasons.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{
    exceptions::is_excepted,
    page::{page, pages, tracked},
};
use crate::files::root;

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

/// Whether the chart takes a value, such as `agent.mesh.istioExcludedPorts`.
pub fn chart_has(name: &str) -> bool {
    let schema = fs::read_to_string(root().join("charts/deputy/values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    // What a reference stands for, alone or with further rules beside it.
    let resolve = |node: &Value| -> Value {
        let reference = node.get("$ref").or_else(|| node.pointer("/allOf/0/$ref"));
        reference.map_or_else(
            || node.clone(),
            |r| {
                schema
                    .pointer(r.as_str().unwrap().trim_start_matches('#'))
                    .unwrap()
                    .clone()
            },
        )
    };
    let mut node = schema.clone();
    for key in name.split('.') {
        let Some(inner) = node.pointer(&format!("/properties/{key}")).map(resolve) else {
            // Labels, annotations and the like: any key.
            return node.get("additionalProperties").is_some_and(Value::is_object);
        };
        node = inner;
    }
    true
}

/// The definitions of our kinds.
fn definitions() -> Vec<Value> {
    let files = tracked().iter().filter(|t| t.starts_with("crds/"));
    let definitions: Vec<_> = files.map(|f| yaml(f)).collect();
    assert_eq!(definitions.len(), 5);
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

#[test]
fn the_manifests_in_documents_are_whole_and_fit_the_definitions() {
    let kinds = definitions();
    let (mut found, mut wrong) = (0, Vec::new());
    for page in pages() {
        for block in page.blocks.iter().filter(|b| b.language == "yaml") {
            let documents: Vec<Value> = serde_saphyr::from_multiple(&block.code).unwrap();
            for document in documents {
                let Some(kind) = document.get("kind").and_then(Value::as_str) else {
                    wrong.push(format!("{}: a manifest without kind: {document}", page.path));
                    continue;
                };
                found += 1;
                if document.get("apiVersion").and_then(Value::as_str).is_none() {
                    wrong.push(format!(
                        "{}: {kind} without apiVersion can't be applied",
                        page.path
                    ));
                }
                let Some(crd) = kinds
                    .iter()
                    .find(|c| c.pointer("/spec/names/kind") == document.get("kind"))
                else {
                    continue;
                };
                let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
                let mut misfits = Vec::new();
                compare(schema, &document, kind, &mut misfits);
                wrong.extend(misfits.iter().map(|m| format!("{}: {m}", page.path)));
            }
        }
    }
    assert!(found >= 4, "{found} manifests were found");
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
    assert_eq!(blocks.len(), files.len());
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
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&path, &block.code).unwrap();
        written.push(path);
    }
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_deputy"))
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

#[test]
fn the_readme_asks_for_the_versions_that_are_needed() {
    let text = &page("README.md").text;
    let cargo = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let rust = cargo
        .split("\nrust-version = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(text.contains(&format!("Rust ≥ {rust},")), "{rust}");
    let go = tracked()
        .iter()
        .filter(|t| t.ends_with("/go.mod"))
        .map(|t| fs::read_to_string(root().join(t)).unwrap())
        .filter_map(|t| {
            t.split("\ngo 1.")
                .nth(1)?
                .split(['.', '\n'])
                .next()?
                .parse::<u32>()
                .ok()
        })
        .max()
        .unwrap();
    assert!(text.contains(&format!("Go ≥ 1.{go} ")), "{go}");
    let chart = fs::read_to_string(root().join("charts/deputy/Chart.yaml")).unwrap();
    let kubernetes = chart
        .split("kubeVersion: \">=")
        .nth(1)
        .unwrap()
        .split(".0-0")
        .next()
        .unwrap();
    assert!(
        text.contains(&format!("Kubernetes {kubernetes} or newer")),
        "{kubernetes}"
    );
}

#[test]
fn the_chart_values_that_documents_name_exist() {
    let top = yaml("charts/deputy/values.yaml");
    let sections: BTreeSet<&str> = top
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| v.is_object())
        .map(|(k, _)| k.as_str())
        .collect();
    let mut wrong = Vec::new();
    for page in pages() {
        for span in &page.spans {
            let name = span.code.split([' ', ':', '=']).next().unwrap();
            let is_value = name.split_once('.').is_some_and(|(first, rest)| {
                sections.contains(first) && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
            });
            // `limits.cpu` is Kubernetes' own.
            let is_file =
                [".rs", ".md", ".yaml"].iter().any(|e| name.ends_with(e)) || name.starts_with("limits.");
            if is_value && !is_file && !chart_has(name) && !is_excepted(&page.path, &span.code) {
                wrong.push(format!("{} names {name}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(chart_has("webhook.podLabels.team") && !chart_has("webhook.pods.team"));
}

#[test]
fn the_variables_and_metrics_that_documents_name_exist() {
    let code: String = tracked()
        .iter()
        .filter(|p| {
            !p.ends_with(".md") && !p.starts_with("fuzz/corpus") && !p.starts_with("tests/architecture")
        })
        .filter_map(|p| fs::read_to_string(root().join(p)).ok())
        .collect();
    let contracts = &page("docs/contracts.md").section("Metrics");
    let mut wrong = Vec::new();
    let (mut variables, mut metrics) = (0, 0);
    for page in pages() {
        for code_of_page in page.code() {
            let words = code_of_page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words {
                if word.starts_with("DEPUTY_") {
                    variables += 1;
                    if !code.contains(word) {
                        wrong.push(format!("{}: nothing reads {word}", page.path));
                    }
                } else if word.starts_with("deputy_") && !word.starts_with("deputy_policy::") {
                    let name = word.trim_end_matches("_total");
                    let is_crate = tracked()
                        .iter()
                        .any(|t| t.starts_with(&format!("crates/{}/", word.trim_start_matches("deputy_"))));
                    metrics += usize::from(!is_crate);
                    let prefix = name == "deputy_";
                    if !is_crate && !prefix && !contracts.contains(&format!("`{name}`")) {
                        wrong.push(format!("{}: {word} is no metric of docs/contracts.md", page.path));
                    }
                }
            }
        }
    }
    assert!(
        variables > 10 && metrics > 25,
        "{variables} variables, {metrics} metrics"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What conditions say is explained where people look for what to do.
#[test]
fn the_reasons_of_operations_are_those_of_the_contracts() {
    let codes =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let reasons: BTreeSet<String> = page("docs/contracts.md")
        .section("Conditions")
        .lines()
        .filter(|l| l.starts_with("| `"))
        .flat_map(|l| codes(l.split(" | ").next().unwrap()))
        .collect();
    assert!(
        reasons.contains("ExceedsLimit") && reasons.len() > 30,
        "{reasons:?}"
    );
    let mut found = 0;
    for line in page("docs/operations.md").section("What to do when").lines() {
        let Some(cell) = line.strip_prefix("| ").and_then(|l| l.split(" | ").next()) else {
            continue;
        };
        let is_reason = |c: &String| {
            c.starts_with(|c: char| c.is_ascii_uppercase()) && c.chars().all(char::is_alphanumeric)
        };
        for reason in codes(cell).into_iter().filter(is_reason).filter(|r| r != "Init") {
            found += 1;
            assert!(reasons.contains(&reason), "docs/operations.md speaks of {reason}");
        }
    }
    assert!(found > 15, "{found} reasons were found");
}

/// What `/readyz` lists is explained.
#[test]
fn the_readiness_conditions_are_those_of_operations() {
    let code: String = tracked()
        .iter()
        .filter(|t| {
            t.ends_with(".rs")
                && !t.contains("/tests/")
                && !t.ends_with("tests.rs")
                && !t.starts_with("tests/")
        })
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .map(|t| t.split("#[cfg(test)]").next().unwrap().to_owned())
        .collect();
    let mut registered = BTreeSet::new();
    for call in ["readiness.register(", "readiness.check("] {
        for (at, _) in code.match_indices(call) {
            let argument = code[at + call.len()..].trim_start();
            let argument = argument.strip_prefix("format!(").unwrap_or(argument);
            if let Some(name) = argument
                .strip_prefix('"')
                .and_then(|a| a.split(['"', '/', '{']).next())
            {
                registered.insert(name.to_owned());
            }
        }
    }
    let listed: BTreeSet<String> = page("docs/operations.md")
        .section("Does it work?")
        .lines()
        .filter_map(|l| l.strip_prefix("| `"))
        .flat_map(|l| {
            let cell = l.split(" | ").next().unwrap();
            let names = cell
                .split("`, `")
                .map(|n| n.trim_end_matches('`').split('/').next().unwrap().to_owned());
            names.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(listed, registered, "left: docs/operations.md, right: the code");
}
