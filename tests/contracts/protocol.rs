//! What a pod gets, and what agent and broker say to each other.

use std::collections::BTreeSet;

use crate::page::{codes, literals, row, rows, section, source};

#[test]
fn the_pods_environment_is_in_the_webhook_and_in_the_agent() {
    let webhook = source("crates/admission/src/inject");
    let agent = source("crates/agent");
    for row in rows("What a pod gets") {
        let name = codes(&row[0])[0];
        assert!(
            literals(&webhook).contains(&name),
            "the webhook does not set {name}"
        );
        if name.starts_with("DEPUTY_") {
            assert!(literals(&agent).contains(&name), "the agent does not read {name}");
        }
    }
    let listed: BTreeSet<_> = [section("What a pod gets"), section("The agent of a node")]
        .concat()
        .split('`')
        .filter(|w| w.starts_with("DEPUTY_"))
        .map(str::to_owned)
        .collect();
    let read: BTreeSet<_> = literals(&agent)
        .into_iter()
        .filter(|l| l.starts_with("DEPUTY_"))
        .filter(|l| l.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, read, "left: docs/contracts.md, right: crates/agent");
}

#[test]
fn the_fixed_values_of_a_pod_are_in_the_webhook() {
    let webhook = source("crates/admission/src/inject");
    let values = codes(&row("What a pod gets", "`AWS_CONTAINER_CREDENTIALS_FULL_URI`")[1])[0].to_owned();
    assert!(
        values.starts_with(&format!("http://{}", deputy_agent::config::DEFAULT_LISTEN)),
        "{values}"
    );
    let port = deputy_agent::config::DEFAULT_LISTEN.rsplit_once(':').unwrap().1;
    let golden =
        std::fs::read_to_string(crate::page::root().join("tests/chart/golden/minimal.yaml")).unwrap();
    assert!(
        golden.contains(&format!(
            "- name: DEPUTY_AGENT_PORT\n              value: \"{port}\""
        )),
        "the chart sends pods elsewhere"
    );
    let token = row("What a pod gets", "`AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`");
    assert_eq!(codes(&token[1]), [deputy_agent::config::DEFAULT_TOKEN_FILE]);
    let folder = deputy_agent::config::DEFAULT_TOKEN_FILE.trim_end_matches("/token");
    assert!(webhook.contains(folder), "the webhook mounts the token elsewhere");
}

#[test]
fn the_audience_is_the_brokers() {
    assert_eq!(
        codes(&row("Names in Kubernetes", "token audience")[1]),
        [deputy_token::AUDIENCE]
    );
}

#[test]
fn the_brokers_codes_are_those_of_the_page() {
    // Of agents, and of people.
    let agents = rows("Agent–broker protocol, version 1 (HTTPS, JSON)");
    let people = rows("The API for people");
    let listed: BTreeSet<String> = agents
        .iter()
        .chain(&people)
        .filter(|r| {
            r[0].parse::<u16>()
                .is_ok_and(|status| status > 400 || r[1].contains("BadRequest"))
        })
        .flat_map(|r| {
            codes(&r[1])
                .into_iter()
                .filter(|c| c.starts_with(|x: char| x.is_ascii_uppercase()))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|c| c != "Code" && !c.contains('-'))
        .collect();
    let broker = source("crates/broker");
    for code in &listed {
        assert!(
            literals(&broker).contains(&code.as_str()),
            "the broker never says {code}"
        );
    }
    // Every constructor of a problem, and every code of a refusal.
    let said: BTreeSet<String> = broker
        .split("Problem::retry(")
        .chain(broker.split("Self::retry("))
        .skip(1)
        .filter_map(|rest| {
            rest.trim_start()
                .strip_prefix('"')
                .and_then(|r| r.split('"').next())
                .map(str::to_owned)
        })
        .collect();
    let refusals = arms_of(&broker, "impl RefusalCode");
    let said = &said | &refusals;
    let unlisted: Vec<_> = said.difference(&listed).collect();
    assert!(unlisted.is_empty(), "not in docs/contracts.md: {unlisted:?}");
}

/// The strings that the arms of the first `match` after `start` give.
fn arms_of(text: &str, start: &str) -> BTreeSet<String> {
    let (_, rest) = text.split_once(start).unwrap();
    let (_, arms) = rest.split_once("match self {").unwrap();
    let arms = arms.split("\n        }").next().unwrap();
    let found: BTreeSet<_> = literals(arms).into_iter().map(str::to_owned).collect();
    assert!(!found.is_empty(), "{start}");
    found
}

#[test]
fn the_ports_and_paths_are_in_the_code_and_in_the_chart() {
    let sources = [
        "src",
        "crates/admission",
        "crates/broker",
        "crates/runtime",
        "crates/agent",
    ]
    .map(source)
    .concat();
    for row in rows("Ports and URLs of the processes") {
        for path in codes(&row[2])
            .iter()
            .filter_map(|c| c.split(' ').next_back())
            .filter(|c| c.starts_with('/'))
        {
            assert!(literals(&sources).contains(&path), "nobody serves {path}");
        }
    }
    let golden =
        std::fs::read_to_string(crate::page::root().join("tests/chart/golden/minimal.yaml")).unwrap();
    for (process, port) in [("webhook", "9443"), ("broker", "7418")] {
        assert!(row("Ports and URLs of the processes", &format!("`deputy {process}`"))[1].starts_with(port));
        assert!(
            golden.contains(&format!("{{name: https, containerPort: {port}}}")),
            "{process} in the chart"
        );
    }
    for (port, number) in [("admin", 8080), ("probes", 8081)] {
        assert!(golden.contains(&format!("{{name: {port}, containerPort: {number}}}")));
    }
}

#[test]
fn a_pod_has_as_many_bindings_for_webhook_agent_and_page() {
    let most = deputy_delegation::quota::BINDINGS_OF_POD;
    let listed = row("What a pod gets", "`DEPUTY_BINDINGS`");
    assert!(listed[1].contains(&format!("at most {most};")), "{listed:?}");
    // The agent stands alone, so it has the number itself.
    let own = format!("const MAX_BINDINGS: usize = {most};");
    assert!(source("crates/agent").contains(&own), "the agent lacks {own}");
}
