//! Conditions, metrics and the audit log.

use std::collections::BTreeSet;

use deputy_api::conditions::{ConditionReason, ConditionType};

use crate::page::{codes, literals, rows, section, source};

#[test]
fn the_reasons_are_those_of_the_code() {
    let wanted: BTreeSet<&str> = ConditionReason::ALL.iter().map(|r| r.as_str()).collect();
    let rows = rows("Conditions");
    let listed: BTreeSet<&str> = rows
        .iter()
        .filter(|r| !is_about_a_kind(r))
        .flat_map(|r| codes(&r[0]))
        .collect();
    assert_eq!(listed, wanted, "left: docs/contracts.md, right: ConditionReason");
}

#[test]
fn the_types_of_conditions_are_those_of_the_code() {
    let wanted: BTreeSet<&str> = ConditionType::ALL.iter().map(|t| t.as_str()).collect();
    let rows = rows("Conditions");
    let listed: BTreeSet<&str> = rows
        .iter()
        .filter(|r| is_about_a_kind(r))
        .flat_map(|r| codes(&r[1]))
        .filter(|word| !word.starts_with("deputy "))
        .collect();
    assert_eq!(listed, wanted, "left: docs/contracts.md, right: ConditionType");
}

/// Whether a row says which conditions a kind has, and not what a reason means.
fn is_about_a_kind(row: &[String]) -> bool {
    ["AWS", "DelegationLimit"]
        .iter()
        .any(|kind| row[0].starts_with(kind))
}

#[test]
fn the_metrics_are_those_of_the_code() {
    let listed: BTreeSet<String> = rows("Metrics")
        .iter()
        .map(|r| codes(&r[0])[0].to_owned())
        .collect();
    let mut registered = BTreeSet::new();
    for part in ["runtime", "admission", "controller", "broker", "aws"] {
        let text = source(&format!("crates/{part}"));
        let mut prefix = "deputy_".to_owned();
        for (at, call) in text
            .match_indices("r.register(")
            .chain(text.match_indices("registry.register("))
            .chain(text.match_indices("sub_registry("))
            .chain(text.match_indices("encode_descriptor("))
            .collect::<std::collections::BTreeMap<_, _>>()
        {
            let Some(name) = text[at + call.len()..]
                .trim_start()
                .strip_prefix('"')
                .and_then(|t| t.split('"').next())
            else {
                continue;
            };
            if call.starts_with("sub_registry") {
                prefix = format!("deputy_{name}_");
            } else if call.starts_with("encode_descriptor") {
                registered.insert(format!("deputy_{name}"));
            } else {
                registered.insert(format!("{prefix}{name}"));
            }
        }
    }
    let of_processes = source("src");
    for (at, call) in of_processes.match_indices("register_count(") {
        let name = of_processes[at + call.len()..].trim_start();
        let name = name.strip_prefix('"').and_then(|t| t.split('"').next());
        registered.extend(name.map(|name| format!("deputy_{name}")));
    }
    assert_eq!(listed, registered, "left: docs/contracts.md, right: the crates");
}

#[test]
fn the_audit_fields_are_those_of_the_code() {
    let page = section("Audit log");
    let (_, fields) = page.split_once("Fields:").unwrap();
    let fields: BTreeSet<_> = codes(fields).into_iter().collect();
    let broker = source("crates/broker");
    let mut events = BTreeSet::new();
    for call in broker
        .split("audit!(")
        .skip(1)
        .filter_map(|c| c.split(");").next())
    {
        for line in call.lines().map(str::trim).filter(|l| l.contains(" = ")) {
            let name = line.split(" = ").next().unwrap();
            assert!(
                fields.contains(name),
                "the audit field {name} is not in docs/contracts.md"
            );
            if name == "event" {
                events.extend(literals(line).into_iter().map(str::to_owned));
            }
        }
    }
    let listed: BTreeSet<String> = page
        .split("\"event\":\"")
        .skip(1)
        .filter_map(|e| e.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, events);
}
