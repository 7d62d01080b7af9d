//! The README's list of what is not there: each line says so of something that can be looked for.

use std::fs;

use serde_json::Value;

use super::{
    commands::commands_of,
    names::chart_has,
    page::{page, tracked},
};
use crate::files::{root, sources};

/// What a line of the list says is not there.
enum Absent {
    /// A kind of custom resource.
    Kind(&'static str),
    /// A field of a kind, by its path in the schema.
    Field(&'static str, &'static str),
    /// A value of a field with a fixed list of values.
    Value(&'static str, &'static str, &'static str),
    /// A subcommand of `deputy`.
    Command(&'static str),
    /// A text in the sources of a crate.
    Code(&'static str, &'static str),
    /// A text in the templates of the chart.
    Chart(&'static str),
    /// A value of the chart.
    ChartValue(&'static str),
    /// A default of a value of the chart.
    Default(&'static str),
    /// A text anywhere in the tests.
    Test(&'static str),
}

use Absent::{Chart, ChartValue, Code, Command, Default, Field, Kind, Test, Value as Choice};

/// Words of the list, and what is not there by them.
const ABSENT: &[(&str, &[Absent])] = &[
    ("A published image", &[Default("image.repository")]),
    (
        "Windows",
        &[
            Code("admission", "PodDelivery::Windows"),
            Chart("kubernetes.io/os: windows"),
        ],
    ),
    ("Fargate", &[Test("fargate")]),
];

#[test]
fn what_is_not_there_yet_is_not_there() {
    for (words, absent) in ABSENT {
        for what in *absent {
            if let Some(where_) = present(what) {
                panic!("README.md says that {words} is not there yet, and it is: {where_}");
            }
        }
    }
}

#[test]
fn every_line_of_what_is_not_there_yet_can_be_looked_for() {
    let section = page("README.md").section("What is not there yet");
    for (words, absent) in ABSENT {
        assert!(
            section.contains(words),
            "the list does not say {words:?} any more"
        );
        assert!(!absent.is_empty());
    }
    let lines: Vec<_> = section.split("\n- ").skip(1).collect();
    assert!(!lines.is_empty(), "{section}");
    for line in &lines {
        assert!(
            ABSENT.iter().any(|(words, _)| line.contains(words)),
            "nothing looks for what this line says is not there: {line}"
        );
        // And each thing that has a name is looked for by it.
        let named = line.split('`').skip(1).step_by(2);
        for name in named.filter(|n| *n != "AssumeRole") {
            let is_looked_for = ABSENT
                .iter()
                .any(|(words, _)| words.contains(&format!("`{name}`")));
            assert!(is_looked_for, "nothing looks for `{name}`");
        }
    }
}

/// Where something is, if it is there.
fn present(what: &Absent) -> Option<String> {
    match what {
        Kind(kind) => definition(kind).map(|_| format!("kind {kind}")),
        Field(kind, path) => field(kind, path).map(|_| format!("{kind} {path}")),
        Choice(kind, path, value) => {
            let field = field(kind, path).unwrap_or_else(|| panic!("{kind} has no {path}"));
            let choices = field["enum"]
                .as_array()
                .unwrap_or_else(|| panic!("{kind} {path} is free"));
            choices
                .iter()
                .any(|c| c == value)
                .then(|| format!("{kind} {path}: {value}"))
        }
        Command(name) => commands_of("")
            .0
            .contains(*name)
            .then(|| format!("deputy {name}")),
        Code(part, text) => sources(&format!("crates/{part}"))
            .into_iter()
            .find(|s| s.code().iter().any(|(_, line)| line.contains(text)))
            .map(|s| s.path),
        Chart(text) => find("charts/deputy/templates/", text),
        ChartValue(name) => chart_has(name).then(|| format!("{name} in the chart")),
        Default(name) => {
            let text = fs::read_to_string(root().join("charts/deputy/values.yaml")).unwrap();
            let values: Value = serde_saphyr::from_str(&text).unwrap();
            let pointer = format!("/{}", name.replace('.', "/"));
            values.pointer(&pointer).map(|v| format!("{name}: {v}"))
        }
        Test(text) => find("tests/e2e/", text),
    }
}

/// The tracked file below a folder that has a text, in small letters or not.
fn find(folder: &str, text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let has = |path: &&String| {
        let read = fs::read_to_string(root().join(path)).unwrap_or_default();
        path.starts_with(folder) && read.to_lowercase().contains(&text)
    };
    tracked().iter().find(has).cloned()
}

fn definition(kind: &str) -> Option<Value> {
    tracked()
        .iter()
        .filter(|t| t.starts_with("crds/"))
        .find_map(|path| {
            let text = fs::read_to_string(root().join(path)).unwrap();
            let crd: Value = serde_saphyr::from_str(&text).unwrap();
            (crd.pointer("/spec/names/kind")? == kind).then_some(crd)
        })
}

/// The schema of a field, such as `spec.subjects[].kind`.
fn field(kind: &str, path: &str) -> Option<Value> {
    let crd = definition(kind).unwrap_or_else(|| panic!("there is no {kind}"));
    let pointer: String = path
        .split('.')
        .map(|name| match name.strip_suffix("[]") {
            Some(name) => format!("/properties/{name}/items"),
            None => format!("/properties/{name}"),
        })
        .collect();
    crd.pointer(&format!("/spec/versions/0/schema/openAPIV3Schema{pointer}"))
        .cloned()
}

#[test]
fn what_is_there_is_found() {
    for what in [
        Kind("AWSRole"),
        Field("AWSRole", "spec.policies"),
        Choice("AWSRoleBinding", "spec.subjects[].kind", "ServiceAccount"),
        Command("crds"),
        Code("delegation", "PrincipalTag"),
        Chart("kind: Deployment"),
        ChartValue("webhook.replicas"),
        Default("webhook.replicas"),
        Test("kubelet"),
    ] {
        assert!(present(&what).is_some());
    }
}
