//! Names that documents take from elsewhere: chart values, variables, metrics, versions, reasons and readiness conditions.

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

/// Whether a chart takes a value, such as `agent.mesh.istioExcludedPorts`.
pub fn chart_has(name: &str) -> bool {
    ["charts/deputy", "charts/deputy-agent"]
        .iter()
        .any(|chart| takes(chart, name))
}

fn takes(chart: &str, name: &str) -> bool {
    let schema = fs::read_to_string(root().join(chart).join("values.schema.json")).unwrap();
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

/// The text of every file but documents, inputs of the fuzz targets and these tests.
fn all_but_documents() -> String {
    let is_read = |path: &&String| {
        !path.ends_with(".md") && !path.starts_with("fuzz/corpus") && !path.starts_with("tests/architecture")
    };
    let files = tracked();
    let texts = files
        .iter()
        .filter(is_read)
        .filter_map(|path| fs::read_to_string(root().join(path)).ok());
    texts.collect()
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
    let code = all_but_documents();
    let contracts = &page("docs/contracts.md").section("Metrics");
    let mut wrong = Vec::new();
    let (mut variables, mut metrics) = (0, 0);
    for page in pages() {
        for code_of_page in page.code() {
            let words = code_of_page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words {
                let is_variable = word.contains('_')
                    && word.starts_with(|c: char| c.is_ascii_uppercase())
                    && word
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
                if is_variable {
                    variables += 1;
                    if !code.contains(word) && !is_excepted(&page.path, word) {
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
        variables > 60 && metrics > 25,
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
    let cells: String = page("docs/operations.md")
        .section("What to do when")
        .lines()
        .filter_map(|l| l.strip_prefix("| ")?.split(" | ").next())
        .collect();
    let is_reason =
        |c: &String| c.starts_with(|c: char| c.is_ascii_uppercase()) && c.chars().all(char::is_alphanumeric);
    // The state of a pod, as kubectl shows it.
    let explained: BTreeSet<String> = codes(&cells)
        .into_iter()
        .filter(is_reason)
        .filter(|r| r != "Init")
        .collect();
    // Of these there is nothing to do.
    let fine = ["WithinLimits", "UpToDate", "Ready", "Progressing", "Deleting"];
    let wanted = reasons
        .into_iter()
        .filter(|r| !fine.contains(&r.as_str()))
        .collect();
    assert_eq!(
        explained, wanted,
        "left: docs/operations.md, right: docs/contracts.md"
    );
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

/// Types, kinds and reasons, such as `Index` or `plan::Nature`: what was renamed has its new name in documents, too.
#[test]
fn the_words_in_capitals_that_documents_name_exist() {
    let code = all_but_documents();
    let words: BTreeSet<&str> = code
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.chars().any(|c| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let (mut found, mut wrong) = (0, Vec::new());
    for page in pages() {
        for span in &page.spans {
            let parts: Vec<_> = span.code.split("::").collect();
            if !parts.iter().any(|p| is_name(p))
                || span.code.contains([' ', '/', '.', ':']) && parts.len() == 1
            {
                continue;
            }
            let is_path = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !parts.iter().all(|p| is_path(p)) {
                continue;
            }
            found += 1;
            let unknown = parts.iter().find(|p| !words.contains(*p));
            if unknown.is_some() && !is_excepted(&page.path, &span.code) {
                wrong.push(format!("{} names {}, and no code does", page.path, span.code));
            }
        }
    }
    assert!(found > 300, "{found} names");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
