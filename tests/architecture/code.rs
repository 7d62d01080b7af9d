//! What sources may not say.

use std::{fs, path::Path};

use crate::files::{attributes_of, manifests, root, rust_files, sources, tracked};

#[test]
fn the_pure_crates_ask_no_clock_file_or_socket() {
    let words = [
        "std::fs",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "TcpStream",
        "UdpSocket",
        "Instant",
        "SystemTime",
    ];
    for source in sources("crates/policy")
        .into_iter()
        .chain(sources("crates/delegation"))
    {
        for (number, line) in source.code() {
            let word = words.iter().find(|w| line.contains(*w));
            assert!(word.is_none(), "{}:{number}: {line}", source.path);
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for lint in [
        "unsafe_code = \"forbid\"",
        "unwrap_used = \"deny\"",
        "expect_used = \"deny\"",
        "panic = \"deny\"",
        "indexing_slicing = \"deny\"",
        "string_slice = \"deny\"",
    ] {
        assert!(workspace.contains(lint), "{lint}");
    }
    let of_root = lint_tables(&workspace);
    assert_eq!(of_root.len(), 2, "{of_root:?}");
    for manifest in tracked("Cargo.toml") {
        let text = fs::read_to_string(&manifest).unwrap();
        let path = manifest.display();
        assert!(text.contains("[lints]\nworkspace = true"), "{path}");
        // The workspaces of the benchmarks and of the fuzz targets have copies.
        if text.lines().any(|line| line == "[workspace]") {
            assert_eq!(
                lint_tables(&text),
                of_root,
                "{path} has other lints than the root"
            );
        }
    }
}

/// The tables of `[workspace.lints]`, without comments.
fn lint_tables(manifest: &str) -> Vec<String> {
    let tables = manifest
        .split("\n[")
        .filter(|t| t.starts_with("workspace.lints."));
    let lines = |table: &str| {
        let kept = table.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        kept.collect::<Vec<_>>().join("\n")
    };
    tables.map(lines).collect()
}

#[test]
fn webhook_controller_and_broker_decide_through_the_index() {
    for part in ["admission", "controller", "broker"] {
        let own = sources(&format!("crates/{part}"));
        assert!(
            own.iter().any(|s| s.text.contains("deputy_index")),
            "crates/{part} does not use deputy_index"
        );
        for source in &own {
            for (number, line) in source.code() {
                let own_decision = line.contains("delegation::decide(")
                    || line.contains("Candidate::new(")
                    || line.contains("DecisionInput");
                assert!(
                    !own_decision,
                    "{}:{number}: decisions come from deputy_index: {line}",
                    source.path
                );
            }
        }
    }
}

#[test]
fn admission_writes_nothing_but_events() {
    let verbs = [
        "create",
        "replace",
        "patch",
        "patch_status",
        "delete",
        "delete_collection",
        "replace_status",
        "create_subresource",
    ];
    for source in sources("crates/admission") {
        for (number, line) in source.code() {
            let writes = ["api.", ".await"].iter().any(|w| line.contains(w))
                && verbs.iter().any(|v| line.contains(&format!(".{v}(")));
            let event = source.path.ends_with("admission/src/events.rs")
                && line.contains("api.create(&params, &event)");
            assert!(!writes || event, "{}:{number}: {line}", source.path);
        }
    }
}

/// Each is a folder of `crates/controller/src`, and has the same files.
const CONTROLLERS: [&str; 8] = [
    "role",
    "cluster_role",
    "limit",
    "boundary",
    "account",
    "binding",
    "federated",
    "statement",
];

#[test]
fn the_pure_steps_of_a_controller_hold_no_client() {
    let steps = CONTROLLERS.iter().flat_map(|controller| {
        ["assess.rs", "status.rs"].map(|step| format!("crates/controller/src/{controller}/{step}"))
    });
    for path in steps.chain(["crates/controller/src/role/target.rs".to_owned()]) {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for word in [
            "kube::Client",
            "Client,",
            "ControllerContext",
            "Api<",
            "async fn",
            ".await",
            "Timestamp::now",
        ] {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn a_reconciliation_is_the_same_five_steps_in_every_controller() {
    for controller in CONTROLLERS {
        let folder = root().join("crates/controller/src").join(controller);
        let text = fs::read_to_string(folder.join("mod.rs")).unwrap();
        let body: Vec<_> = text
            .lines()
            .skip_while(|l| !l.contains("pub async fn reconcile("))
            .take_while(|l| *l != "    }")
            .map(str::trim)
            .collect();
        assert!(!body.is_empty(), "{controller} has no `reconcile`");
        assert!(body.len() <= 40, "{controller}: {} lines", body.len());
        let steps: Vec<_> = body
            .iter()
            .filter_map(|l| l.strip_prefix("// "))
            .filter(|l| l.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert_eq!(steps.len(), 5, "{controller}: {steps:?}");
        for (step, expected) in steps.iter().zip([
            &["1. dereference (clients)"][..],
            &["2. assess (pure)"],
            // Where there is no such step, the comment says why.
            &["3. finalizer (client)", "3. finalizer: none"],
            &["4. apply (client)", "4. apply: nothing"],
            &["5. report (client)"],
        ]) {
            assert!(
                expected.iter().any(|e| step.starts_with(e)),
                "{controller}: {step:?} is none of {expected:?}"
            );
        }
        for file in ["dereference.rs", "assess.rs", "status.rs"] {
            assert!(folder.join(file).exists(), "{controller} has no {file}");
        }
        assert_eq!(
            folder.join("apply.rs").exists(),
            steps[3].starts_with("4. apply (client)"),
            "{controller}: {}",
            steps[3]
        );
    }
}

#[test]
fn no_controller_uses_another_one() {
    for source in sources("crates/controller") {
        let own = source.path.split('/').nth(3).unwrap_or_default();
        if !CONTROLLERS.contains(&own) {
            continue;
        }
        let mut is_import = false;
        for (number, line) in source.code() {
            // Crates have modules of these names too.
            is_import = line.starts_with("use crate::{") || is_import && !line.starts_with('}');
            let other = CONTROLLERS.iter().find(|other| {
                **other != own
                    && ([":", ";"]
                        .iter()
                        .any(|end| line.contains(&format!("crate::{other}{end}")))
                        || is_import && line.trim_start().starts_with(&format!("{other}::")))
            });
            assert!(other.is_none(), "{}:{number}: {line}", source.path);
        }
    }
}

#[test]
fn every_write_to_aws_asks_the_lease_first() {
    // The calls of the traits `Roles` and `Policies` that change something.
    let writes = [
        ".execute(",
        ".create_policy(",
        ".create_policy_version(",
        ".delete_policy_version(",
        ".tag_policy(",
        ".delete_policy(",
    ];
    let mut found = 0;
    for source in sources("crates/controller") {
        let lines: Vec<_> = source.text.lines().collect();
        for (number, _) in source
            .code()
            .into_iter()
            .filter(|(_, l)| writes.iter().any(|w| l.contains(w)))
        {
            found += 1;
            let before = &lines[number.saturating_sub(6)..number];
            assert!(
                before
                    .iter()
                    .any(|l| l.contains("may_write()") || l.contains("fence()?")),
                "{}:{number}: no `may_write` or `fence` before it",
                source.path
            );
        }
    }
    assert!(found > 0, "where does the controller write?");
}

#[test]
fn no_decision_has_a_default() {
    for (path, types) in [
        (
            "crates/delegation/src/decision.rs",
            &["Decision", "Accepted", "Violations", "Fact"][..],
        ),
        ("crates/delegation/src/decide/input.rs", &["GrantSpec"][..]),
        ("crates/policy/src/contain/answer.rs", &["Containment"][..]),
        ("crates/policy/src/evaluate/request.rs", &["AccessDecision"][..]),
        (
            "crates/policy/src/evaluate/reason.rs",
            &["Evaluation", "EvaluationReason", "Layer"][..],
        ),
        ("crates/policy/src/evaluate/assume.rs", &["CallEvaluation"][..]),
        ("crates/policy/src/session/begin.rs", &["SessionStart"][..]),
    ] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        for name in types {
            let derives = attributes_of(&text, name).unwrap_or_else(|| panic!("{path} has no {name}"));
            assert!(!derives.contains("Default"), "{name} in {path}");
            assert!(
                !text.contains(&format!("impl Default for {name}")),
                "{name} in {path}"
            );
        }
    }
}

#[test]
fn types_with_secrets_cannot_be_printed() {
    for (path, name) in [
        ("crates/aws/src/traits.rs", "Credentials"),
        ("crates/aws/src/traits.rs", "Session"),
        ("crates/aws/src/people/mod.rs", "PersonalKeys"),
        ("crates/aws/src/people/mod.rs", "PersonalSession"),
        ("crates/aws/src/people/mod.rs", "MfaDevice"),
        ("crates/aws/src/people/mod.rs", "ProviderCall"),
        ("src/credentials/answer.rs", "ProcessCredentials"),
        ("src/credentials/assertion.rs", "Assertion"),
        ("src/credentials/prompt.rs", "Device"),
        ("crates/agent/src/credential.rs", "Credential"),
    ] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let derives = attributes_of(&text, name).unwrap_or_else(|| panic!("{path} has no {name}"));
        for word in ["Debug", "Serialize", "Display"] {
            assert!(!derives.contains(word), "{name} in {path} has {word}");
            assert!(
                !text.contains(&format!("{word} for {name} ")),
                "{name} in {path} has {word}"
            );
        }
    }
}

/// The agent's listener on loopback has limits of its own.
#[test]
fn every_listener_of_a_process_is_an_endpoint() {
    let mut found = Vec::new();
    for part in ["runtime", "admission", "controller", "broker", "index", "aws"] {
        for source in sources(&format!("crates/{part}")) {
            let listens = |line: &str| line.contains("TcpListener::bind") || line.contains(".listen(");
            let lines = source.code();
            if lines.iter().any(|(_, line)| listens(line)) && !source.path.contains("fake_server") {
                found.push(source.path);
            }
        }
    }
    assert_eq!(found, ["crates/runtime/src/serve/listen.rs"]);
}

#[test]
fn files_are_short_enough_to_be_read() {
    let is_test = |path: &Path| {
        path.components().any(|c| c.as_os_str() == "tests") || path.to_string_lossy().ends_with("tests.rs")
    };
    for path in manifests().iter().flat_map(|m| rust_files(m.parent().unwrap())) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        // Tables of cases read well at any length; code does not.
        let limit = if is_test(&path) { 800 } else { 500 };
        assert!(
            lines <= limit,
            "{} has {lines} lines, more than {limit}",
            path.display()
        );
    }
}
