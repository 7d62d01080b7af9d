//! Commands that documents tell people to type: `deputy`, `make`, scripts, cargo, helm.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    sync::OnceLock,
};

use super::{
    exceptions::is_excepted,
    manifests::manifests_have,
    names::chart_has,
    page::{Page, pages, tracked},
    paths::is_there,
};
use crate::files::root;

/// The subcommands of a command, and its flags.
type Help = (BTreeSet<String>, BTreeSet<String>);

/// The words of one command of a document, placeholders as they stand.
type Words<'a> = Vec<&'a str>;

#[test]
fn the_commands_of_the_documents_exist() {
    let mut wrong = Vec::new();
    let mut found = BTreeMap::<&str, usize>::new();
    for page in pages() {
        for line in lines(page) {
            for command in commands(&line) {
                let Some(checked) = check(&command) else { continue };
                *found.entry(checked.0).or_default() += 1;
                if let Err(why) = checked.1
                    && !is_excepted(&page.path, line.trim())
                {
                    wrong.push(format!("{}: `{}`: {why}", page.path, command.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (program, least) in [
        ("deputy", 30),
        ("make", 25),
        ("helm", 2),
        ("script", 10),
        ("kubectl", 5),
    ] {
        assert!(
            found.get(program).is_some_and(|n| *n >= least),
            "{program}: {found:?}"
        );
    }
}

/// Lines that may be commands: code in text, and of shell blocks and answers each line, continued ones as one.
fn lines(page: &Page) -> Vec<String> {
    let shell = page
        .blocks
        .iter()
        .filter(|b| ["sh", "bash", "console", ""].contains(&b.language.as_str()))
        .flat_map(|b| {
            let joined = b.code.replace("\\\n", " ");
            joined.lines().map(str::to_owned).collect::<Vec<_>>()
        });
    page.spans.iter().map(|s| s.code.clone()).chain(shell).collect()
}

/// The commands of a line, without prompt, comment and variables in front.
fn commands(line: &str) -> Vec<Words<'_>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or(line);
    line.split([';'])
        .flat_map(|part| part.split(" | "))
        .flat_map(|part| part.split(" && "))
        .map(|part| part.split_whitespace().collect())
        .collect()
}

/// Which program a command is of, and whether it can be called so. None: of none that is looked at.
fn check(words: &[&str]) -> Option<(&'static str, Result<(), String>)> {
    let settings: Vec<_> = words.iter().take_while(|w| setting(w).is_some()).collect();
    let rest = words.get(settings.len()..)?;
    let (program, rest) = rest.split_first()?;
    if settings.is_empty() && rest.is_empty() && *program == "make" {
        return None;
    }
    let program = program
        .trim_start_matches("target/release/")
        .trim_start_matches("target/debug/");
    let checked = match program {
        "deputy" => ("deputy", deputy(rest)),
        "deputy-agent" => ("deputy-agent", agent(rest)),
        "make" => ("make", make(rest)),
        "cargo" => ("cargo", cargo(rest)),
        "helm" => ("helm", helm(rest)),
        "kubectl" => ("kubectl", kubectl(rest)),
        script if is_script(script) => ("script", run(script)),
        _ => return None,
    };
    let settings = settings
        .iter()
        .filter_map(|w| setting(w))
        .try_for_each(read_somewhere);
    Some((checked.0, checked.1.and(settings)))
}

/// The name of `NAME=value`.
fn setting<'a>(word: &&'a str) -> Option<&'a str> {
    let (name, _) = word.split_once('=')?;
    name.chars()
        .all(|c| c.is_ascii_uppercase() || c == '_')
        .then_some(name)
}

/// Whether something of ours reads a variable of the environment.
fn read_somewhere(name: &str) -> Result<(), String> {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let is_code = |p: &&String| {
            !p.ends_with(".md") && !p.starts_with("fuzz/corpus") && !p.starts_with("tests/architecture")
        };
        let text = |p: &String| fs::read_to_string(root().join(p)).unwrap_or_default();
        tracked().iter().filter(is_code).map(text).collect()
    });
    // Of the programs that ours call.
    let foreign = ["PROPTEST_CASES", "DOCKER_BUILDKIT"];
    if text.contains(name) || foreign.contains(&name) {
        Ok(())
    } else {
        Err(format!("nothing reads {name}"))
    }
}

/// Whether a word stands for something that people fill in.
fn is_placeholder(word: &str) -> bool {
    word.starts_with(['…', '<', '['])
        || word
            .chars()
            .all(|c| c.is_ascii_uppercase() || "-_./…".contains(c))
}

fn deputy(words: &[&str]) -> Result<(), String> {
    let mut paths = vec![String::new()];
    let mut words = words.iter().peekable();
    while let Some(word) = words.next_if(|w| !is_placeholder(w) && !w.starts_with('-')) {
        if commands_of(&paths[0]).0.is_empty() {
            continue;
        }
        // `contains|evaluate`: both.
        let below = |path: &String| -> Vec<String> {
            word.split('|')
                .map(|name| format!("{path} {name}").trim().to_owned())
                .collect()
        };
        let next: Vec<String> = paths.iter().flat_map(below).collect();
        for path in &next {
            let (above, name) = path.rsplit_once(' ').unwrap_or(("", path));
            if !commands_of(above).0.contains(name) {
                return Err(format!("deputy {above} has no {name}"));
            }
        }
        paths = next;
    }
    let flags = words.filter(|w| w.starts_with('-') && **w != "-");
    for flag in flags.map(|f| f.split('=').next().unwrap()) {
        for path in &paths {
            if !commands_of(path).1.contains(flag) {
                return Err(format!("deputy {path} has no {flag}"));
            }
        }
    }
    Ok(())
}

/// The subcommands and flags of `deputy PATH`, by its own help.
pub fn commands_of(path: &str) -> Help {
    static HELP: OnceLock<BTreeMap<String, Help>> = OnceLock::new();
    let all = HELP.get_or_init(|| {
        let mut all = BTreeMap::new();
        let mut open = vec![String::new()];
        while let Some(path) = open.pop() {
            let help = help(&path);
            let below = |name: &String| format!("{path} {name}").trim().to_owned();
            open.extend(help.0.iter().filter(|n| *n != "help").map(below));
            all.insert(path, help);
        }
        all
    });
    all.get(path).cloned().unwrap_or_default()
}

fn help(path: &str) -> Help {
    let done = Command::new(env!("CARGO_BIN_EXE_deputy"))
        .args(path.split_whitespace())
        .arg("--help")
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let (mut names, mut flags) = (BTreeSet::new(), BTreeSet::new());
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line;
        } else if section == "Commands:" {
            names.extend(line.split_whitespace().next().map(str::to_owned));
        } else if line.trim_start().starts_with('-') {
            let words = line.split([' ', ',', '=']).filter(|w| w.starts_with('-'));
            flags.extend(words.map(str::to_owned));
        }
    }
    (names, flags)
}

fn agent(words: &[&str]) -> Result<(), String> {
    let known = [
        "serve",
        "ready",
        "node",
        "node-address",
        "node-ready",
        "--version",
    ];
    let usage = fs::read_to_string(root().join("crates/agent/src/main.rs")).unwrap();
    assert!(known.iter().all(|k| usage.contains(k)));
    match words.first() {
        Some(word) if !known.contains(word) => Err(format!("deputy-agent has no {word}")),
        _ => Ok(()),
    }
}

fn make(words: &[&str]) -> Result<(), String> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for word in words {
        if let Some(name) = setting(word) {
            read_somewhere(name)?;
        } else if !word.starts_with('-') && !makefile.lines().any(|l| l.starts_with(&format!("{word}:"))) {
            return Err(format!("the Makefile has no target {word}"));
        }
    }
    Ok(())
}

/// Whether a word is a program of ours, and no file that is read.
fn is_script(word: &str) -> bool {
    let (folder, name) = word.rsplit_once('/').unwrap_or(("", word));
    let of_ours = ["hack", ".ci", "tests"]
        .iter()
        .any(|f| folder.split('/').next() == Some(f));
    of_ours && !name.is_empty() && !name.contains(['.', '*', '<']) && !root().join(word).is_dir()
}

fn run(script: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    if !is_there(script) {
        return Err("no such file".into());
    }
    let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
    if mode & 0o111 == 0 {
        return Err("it can't be executed".into());
    }
    Ok(())
}

fn cargo(words: &[&str]) -> Result<(), String> {
    let mut words = words.iter().take_while(|w| **w != "--");
    while let Some(word) = words.next() {
        let value = match *word {
            "--manifest-path" | "-p" | "--package" | "--test" => *words.next().unwrap_or(&"FILE"),
            _ => continue,
        };
        let is_ok = is_placeholder(value)
            || match *word {
                "--manifest-path" => is_there(value),
                "--test" => tracked().iter().any(|t| {
                    t.ends_with(&format!("tests/{value}.rs"))
                        || t.ends_with(&format!("tests/{value}/main.rs"))
                }),
                _ => tracked().iter().filter(|t| t.ends_with("Cargo.toml")).any(|t| {
                    let text = fs::read_to_string(root().join(t)).unwrap_or_default();
                    text.contains(&format!("\nname = \"{value}\"\n"))
                }),
            };
        if !is_ok {
            return Err(format!("there is no {value} for {word}"));
        }
    }
    Ok(())
}

fn helm(words: &[&str]) -> Result<(), String> {
    for pair in words.windows(2).filter(|p| p[0] == "--set") {
        let name = pair[1].split('=').next().unwrap();
        if !chart_has(name) {
            return Err(format!("the chart has no value {name}"));
        }
    }
    let charts = words.iter().filter(|w| w.starts_with("charts/"));
    match charts.copied().find(|c| !is_there(c)) {
        Some(chart) => Err(format!("there is no {chart}")),
        None => Ok(()),
    }
}

fn kubectl(words: &[&str]) -> Result<(), String> {
    let files = words.windows(2).filter(|p| p[0] == "-f" && p[1].contains('/'));
    for file in files.map(|p| p[1]) {
        if !is_there(file) {
            return Err(format!("there is no {file}"));
        }
    }
    let ours = |name: &&str| name.starts_with("aws") || name.contains("limit");
    for name in words.iter().flat_map(|w| w.split(',')).filter(ours) {
        let name = name.split('/').next().unwrap();
        // The API for people is of that group, and of one resource.
        let name = name.strip_suffix(".credentials.deputy.dev").unwrap_or(name);
        if !manifests_have(name) {
            return Err(format!("no kind is called {name}"));
        }
    }
    Ok(())
}

#[test]
fn a_flag_by_itself_is_one_of_deputys() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let (names, flags) = commands_of(&path);
        known.extend(flags);
        open.extend(
            names
                .iter()
                .filter(|n| *n != "help")
                .map(|n| format!("{path} {n}").trim().to_owned()),
        );
    }
    assert!(
        known.contains("--batch") && known.contains("--cluster-name"),
        "{known:?}"
    );
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.spans.iter().filter(|s| s.code.starts_with("--")) {
            let flag = span.code.split([' ', '=']).next().unwrap();
            if !known.contains(flag) && !is_excepted(&page.path, &span.code) {
                wrong.push(format!("{} names {flag}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_is_not_there_is_noticed() {
    let is_wrong = |line: &str| {
        commands(line)
            .iter()
            .any(|c| check(c).is_some_and(|(_, checked)| checked.is_err()))
    };
    for line in [
        "deputy check --colour x.yaml",
        "deputy policy contains|explain",
        "deputy policy lint --colour FILE",
        "SOAK_HOURS=1 make soak",
        "make soak SOAK_HOURS=1",
        "make everything",
        "hack/no-such-thing",
        "cargo test -p deputy-nothing",
        "cargo test --test nothing",
        "cargo run --manifest-path benches/nothing/Cargo.toml",
        "helm install deputy charts/deputy --set cluster=x",
        "helm install deputy charts/other",
        "kubectl get awspolicies -A",
        "kubectl apply -f examples/none.yaml",
    ] {
        assert!(is_wrong(line), "{line}");
    }
    for line in [
        "$ deputy policy contains|evaluate|lint --batch FILE   # an answer each",
        "target/release/deputy policy lint --format json FILE",
        "deputy … | head -1",
        "deputy policy …",
        "SOAK_ONE=5 SOAK_PROFILE=trust make soak",
        "cargo test -p deputy --test architecture",
        "cargo run --manifest-path benches/Cargo.toml -- -p x",
        "kubectl get awsroles,awsrb -A && make check",
    ] {
        assert!(!is_wrong(line), "{line}");
    }
}
