//! Which crate may use which.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::files::root;

/// What every package of the graph needs to run: its normal dependencies, without those for tests and build scripts.
struct Graph {
    names: BTreeMap<String, String>,
    needs: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn get() -> &'static Self {
        static GRAPH: OnceLock<Graph> = OnceLock::new();
        GRAPH.get_or_init(|| {
            let host = host();
            let done = Command::new(env!("CARGO"))
                .args([
                    "metadata",
                    "--format-version=1",
                    "--locked",
                    "--offline",
                    "--filter-platform",
                    &host,
                ])
                .current_dir(root())
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Self::read(&serde_json::from_slice(&done.stdout).unwrap())
        })
    }

    fn read(metadata: &Value) -> Self {
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let names = metadata["packages"].as_array().unwrap();
        let names = names.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let is_normal = |d: &&Value| {
            d["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|k| k["kind"].is_null())
        };
        let needs = |n: &Value| {
            n["deps"]
                .as_array()
                .unwrap()
                .iter()
                .filter(is_normal)
                .map(|d| text(&d["pkg"]))
                .collect()
        };
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        Self {
            names,
            needs: nodes.iter().map(|n| (text(&n["id"]), needs(n))).collect(),
        }
    }

    /// The names of the packages that the package `name` declares.
    fn direct(&self, name: &str) -> BTreeSet<&str> {
        self.needs[self.id(name)]
            .iter()
            .map(|id| self.names[id].as_str())
            .collect()
    }

    /// The names of all packages that end up in a program with the package `name`.
    fn all(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.id(name)];
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.needs[id].iter().map(String::as_str));
            }
        }
        found
            .into_iter()
            .map(|id| self.names[id].as_str())
            .filter(|n| *n != name)
            .collect()
    }

    fn id(&self, name: &str) -> &str {
        self.names
            .iter()
            .find(|(_, n)| *n == name)
            .map(|(id, _)| id)
            .unwrap()
    }

    fn ours(&self) -> impl Iterator<Item = &str> {
        self.names
            .values()
            .map(String::as_str)
            .filter(|n| *n == "deputy" || n.starts_with("deputy-"))
    }
}

fn host() -> String {
    let done = Command::new("rustc")
        .arg("-vV")
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines()
        .find_map(|l| l.strip_prefix("host: "))
        .unwrap()
        .to_owned()
}

fn is_kubernetes(name: &str) -> bool {
    name == "kube" || name.starts_with("kube-") || name == "k8s-openapi"
}

fn is_aws(name: &str) -> bool {
    name.starts_with("aws-")
}

#[test]
fn the_pure_crates_depend_on_nothing_that_touches_the_world() {
    let graph = Graph::get();
    assert_eq!(
        graph.direct("deputy-policy"),
        BTreeSet::from(["serde", "serde_json", "thiserror"])
    );
    assert_eq!(
        graph.direct("deputy-delegation"),
        BTreeSet::from([
            "deputy-policy",
            "thiserror",
            "sha2",
            "data-encoding",
            "serde",
            "serde_json",
        ])
    );
    let worldly = [
        "tokio",
        "mio",
        "hyper",
        "axum",
        "rustls",
        "ring",
        "jiff",
        "chrono",
        "time",
        "rand",
        "getrandom",
        "rustix",
        "tracing",
    ];
    for name in graph.all("deputy-delegation") {
        assert!(
            !is_kubernetes(name) && !is_aws(name) && !worldly.contains(&name),
            "deputy-delegation reaches {name}"
        );
    }
}

#[test]
fn only_the_crate_for_aws_reaches_the_sdk() {
    let graph = Graph::get();
    for name in graph.ours().filter(|n| *n != "deputy-aws") {
        let direct: Vec<_> = graph.direct(name).into_iter().filter(|n| is_aws(n)).collect();
        assert!(
            direct.is_empty(),
            "{name} depends on {direct:?}; that is for deputy-aws"
        );
    }
    let users: BTreeSet<_> = graph
        .ours()
        .filter(|n| graph.direct(n).contains("deputy-aws"))
        .collect();
    assert_eq!(
        users,
        BTreeSet::from(["deputy", "deputy-broker", "deputy-controller"])
    );
}

#[test]
fn the_webhook_cannot_reach_aws() {
    let all = Graph::get().all("deputy-admission");
    assert!(
        !all.contains("deputy-aws") && !all.iter().any(|n| is_aws(n)),
        "{all:?}"
    );
}

#[test]
fn the_agent_stands_alone() {
    let all = Graph::get().all("deputy-agent");
    let foreign: Vec<_> = all
        .iter()
        .filter(|n| is_kubernetes(n) || is_aws(n) || (n.starts_with("deputy-") && **n != "deputy-token"))
        .collect();
    assert!(foreign.is_empty(), "deputy-agent reaches {foreign:?}");
}

#[test]
fn the_crates_are_in_layers() {
    let below = BTreeMap::from([
        ("deputy-policy", vec![]),
        // These three are of tests alone: no other line has them.
        ("deputy-policy-testing", vec!["policy"]),
        ("deputy-log-testing", vec![]),
        ("deputy-token-testing", vec![]),
        ("deputy-token", vec![]),
        ("deputy-delegation", vec!["policy"]),
        ("deputy-api", vec!["policy", "delegation"]),
        ("deputy-index", vec!["policy", "delegation", "api"]),
        ("deputy-aws", vec!["policy", "delegation", "api"]),
        ("deputy-runtime", vec![]),
        (
            "deputy-admission",
            vec!["policy", "delegation", "api", "index", "runtime"],
        ),
        (
            "deputy-controller",
            vec!["policy", "delegation", "api", "index", "aws", "runtime"],
        ),
        (
            "deputy-broker",
            vec!["policy", "delegation", "api", "index", "aws", "runtime", "token"],
        ),
        ("deputy-agent", vec!["token"]),
    ]);
    let graph = Graph::get();
    for (name, allowed) in &below {
        let allowed: BTreeSet<_> = allowed.iter().map(|n| format!("deputy-{n}")).collect();
        let wrong: Vec<_> = graph
            .direct(name)
            .into_iter()
            .filter(|n| n.starts_with("deputy-") && !allowed.contains(*n))
            .collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
    let unknown: Vec<_> = graph
        .ours()
        .filter(|n| *n != "deputy" && !below.contains_key(n))
        .collect();
    assert!(unknown.is_empty(), "say here which layer {unknown:?} is in");
}

#[test]
fn there_is_one_tls_stack_and_one_crypto_provider() {
    let graph = Graph::get();
    for program in ["deputy", "deputy-agent"] {
        let all = graph.all(program);
        for name in [
            "openssl",
            "openssl-sys",
            "native-tls",
            "aws-lc-rs",
            "aws-lc-sys",
            "schannel",
            "security-framework",
        ] {
            assert!(!all.contains(name), "{program} reaches {name}");
        }
        assert!(all.contains("rustls") && all.contains("ring"));
    }
    let count = |name: &str| graph.names.values().filter(|n| *n == name).count();
    assert_eq!(
        (count("rustls"), count("ring"), count("hyper")),
        (1, 1, 1),
        "one version of each"
    );
}
