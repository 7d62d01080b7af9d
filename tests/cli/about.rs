//! What the command says of itself: help, completion, manual, version; and colours.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::run::{File, deputy};

/// The subcommands that a help lists.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Each command that does something, with its help.
fn commands() -> Vec<(Vec<String>, String)> {
    let (mut open, mut found) = (vec![Vec::new()], Vec::new());
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let done = deputy(&[&words[..], &["--help"]].concat(), "");
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{path:?}");
        let names = below(&done.out);
        if names.is_empty() {
            found.push((path, done.out));
            continue;
        }
        open.extend(names.into_iter().map(|name| [&path[..], &[name]].concat()));
    }
    found
}

#[test]
fn the_help_of_every_command_has_an_example_of_it() {
    let all = commands();
    assert!(all.len() >= 18, "{}", all.len());
    for (path, help) in all {
        let example = help.split("\nExample").nth(1).unwrap_or_default();
        let is_it = format!("deputy {}", path.join(" "));
        assert!(example.contains(&is_it), "{is_it}:\n{help}");
        assert!(!help.contains('\u{1b}'), "{is_it}");
    }
}

#[test]
fn a_script_completes_every_command_in_every_shell() {
    let all = commands();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let done = deputy(&["completion", shell], "");
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{shell}");
        for (path, _) in &all {
            assert!(done.out.contains(path.last().unwrap()), "{shell}: {path:?}");
        }
    }
    let other = deputy(&["completion", "tcsh"], "");
    assert_eq!((other.code, other.out.as_str()), (2, ""));
}

/// The syntax alone: `bash` is there wherever the tests run, other shells are not.
#[test]
fn bash_takes_its_script() {
    let script = File::new("completion", deputy(&["completion", "bash"], "").out);
    let check = "source \"$1\" && complete -p deputy";
    let done = Command::new("bash")
        .args(["-euc", check, "bash", script.path()])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("_deputy"), "{said}");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let page = deputy(&["man"], "");
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    assert!(page.out.contains(".TH deputy 1"), "{}", page.out);
    let folder = std::env::temp_dir().join(format!("deputy-man-{}", std::process::id()));
    let done = deputy(&["man", folder.join("new/man1").to_str().unwrap()], "");
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
    for (path, _) in commands() {
        let name = format!("deputy-{}.1", path.join("-"));
        let page = fs::read_to_string(folder.join("new/man1").join(&name)).unwrap_or_default();
        assert!(page.contains("SYNOPSIS") && page.contains("deputy"), "{name}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_version_names_the_commit_and_what_others_build_on() {
    let line = deputy(&["version"], "").out;
    assert!(
        line.starts_with(concat!("deputy ", env!("CARGO_PKG_VERSION"), " (commit ")),
        "{line}"
    );
    let done = deputy(&["version", "-o", "json"], "");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let all: Value = serde_json::from_str(&done.out).unwrap();
    let fields: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "apis",
            "commit",
            "formats",
            "protocols",
            "serviceReference",
            "version"
        ]
    );
    assert_eq!(all["version"], env!("CARGO_PKG_VERSION"));
    // Each is what the code has that speaks it.
    let has = |file: &str, text: String| {
        let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(code.contains(&text), "{file} has no {text}");
    };
    let text = |pointer: &str| all.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    has(
        "crates/broker/src/http/mod.rs",
        format!("\"/{}/credentials\"", text("/protocols/agent")),
    );
    has(
        "crates/broker/src/people/discovery.rs",
        format!("VERSION: &str = \"{}\"", text("/apis/credentials.deputy.dev")),
    );
    has(
        "crates/admission/src/inject/patch.rs",
        format!("INJECTED: &str = \"{}\"", text("/formats/injected")),
    );
    assert!(all["formats"]["auditLog"].is_u64());
}

#[test]
fn no_color_is_kept_where_colours_are_asked_for() {
    for (name, is_coloured) in [("OTHER", true), ("NO_COLOR", false)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_deputy"))
            .args(["policy", "lnit"])
            .env_clear()
            .env("CLICOLOR_FORCE", "1")
            .env(name, "1")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdin.take().unwrap().write_all(b""));
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(said.contains('\u{1b}'), is_coloured, "{name}: {said}");
        assert_eq!(done.status.code(), Some(2));
    }
}
