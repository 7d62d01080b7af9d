//! Conditions, metrics and the audit log.

use std::collections::BTreeSet;

use crate::page::{codes, literals, rows, section, source};

#[test]
fn the_reasons_are_those_of_the_code() {
    let text = source("crates/api");
    let (_, conditions) = text.split_once("pub mod reason {").unwrap();
    let reasons: BTreeSet<String> = conditions
        .split("match reason {")
        .next()
        .into_iter()
        .flat_map(|consts| consts.split("pub const ").skip(1))
        .filter_map(|c| c.split('"').nth(1).map(str::to_owned))
        .take_while(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    let (_, decisions) = conditions.split_once("match reason {").unwrap();
    let decisions = decisions.split('}').next().unwrap();
    let wanted: BTreeSet<String> = reasons
        .into_iter()
        .chain(literals(decisions).into_iter().map(str::to_owned))
        .collect();
    let listed: BTreeSet<String> = rows("Conditions")
        .iter()
        .filter(|r| !r[0].starts_with("AWS"))
        .flat_map(|r| codes(&r[0]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(listed, wanted, "left: docs/contracts.md, right: crates/api");
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
