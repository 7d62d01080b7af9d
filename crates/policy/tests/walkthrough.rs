//! The pair that docs/containment.md takes through the engine: what the page shows is what the engine does.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{fmt::Write, fs, path::Path};

use deputy_policy::{
    AccessDecision, Candidate, Certificate, Containment, Context, Document, Layers, PolicyKind, Request,
    check,
    contain::testing::{CaseEvidence, CaseTree, NextCase, Proof},
    contains, evaluate,
};
use deputy_policy_testing::{
    engine::confirm,
    forge::claims::{claiming_more, lacking},
};
use serde_json::{Value, json};

/// The page, and what stands in its blocks: three backticks, the language and a name.
struct Page(String);

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/containment.md");
        Self(fs::read_to_string(path).unwrap())
    }

    fn block(&self, name: &str) -> &str {
        let mut fences = self.0.split("```").skip(1).step_by(2);
        let named = |block: &&str| {
            block
                .lines()
                .next()
                .is_some_and(|first| first.ends_with(&format!(" {name}")))
        };
        let found = fences.find(named);
        let block = found.unwrap_or_else(|| panic!("the page has no block {name}"));
        block.split_once('\n').unwrap().1
    }

    fn document(&self, name: &str, kind: PolicyKind) -> Document {
        Document::parse(self.block(name), kind).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn candidate(&self) -> Document {
        self.document("candidate", PolicyKind::Identity)
    }

    fn ceiling(&self) -> Document {
        self.document("ceiling", PolicyKind::Boundary)
    }

    fn certificate(&self) -> Certificate {
        match contains(&Candidate::new(&[&self.candidate()]), &self.ceiling()) {
            Containment::Contained(certificate) => certificate,
            other => panic!("{other:?}"),
        }
    }

    fn value(&self, name: &str) -> Value {
        serde_json::from_str(self.block(name)).unwrap()
    }
}

fn allows(document: &Document, request: &Request) -> bool {
    let layers = Layers {
        identity: &[document],
        ..Layers::default()
    };
    evaluate(&layers, request).decision == AccessDecision::Allowed
}

/// A certificate as the page shows it, roots first.
fn shown(certificate: &Certificate) -> String {
    let mut out = String::new();
    for (i, entry) in certificate.to_entries().iter().enumerate() {
        let (actions, resources): (Vec<_>, Vec<_>) =
            (entry.actions.iter().collect(), entry.resources.iter().collect());
        writeln!(
            out,
            "entry {i}: statement {}, actions {actions:?}, resources {resources:?}",
            entry.allow.statement
        )
        .unwrap();
        writeln!(out, "goal: {:?}", entry.goal).unwrap();
        let Proof::ByCases(trees) = &entry.proof else {
            writeln!(out, "proof: {:?}", entry.proof).unwrap();
            continue;
        };
        writeln!(out, "proof: by cases").unwrap();
        trees.iter().for_each(|of| show_tree(&of.tree, &mut out));
    }
    out
}

fn show_tree(tree: &CaseTree, out: &mut String) {
    let next = |next: &NextCase| match next {
        NextCase::Covered(statement) => format!("statement {statement} covers"),
        NextCase::Node(node) => format!("node {node}"),
    };
    for (cases, first) in &tree.roots {
        let cases: Vec<_> = cases
            .iter()
            .map(|(key, case)| format!("{key} {case:?}"))
            .collect();
        writeln!(out, "{}: {}", cases.join(", "), next(first)).unwrap();
    }
    for (n, node) in tree.nodes.iter().enumerate().rev() {
        let evidence = match &node.evidence {
            CaseEvidence::Words(states) => format!("{} states", states.len()),
            CaseEvidence::Key(key) => format!("{} questions about texts", key.texts.len()),
            CaseEvidence::Cases => "cases".to_owned(),
        };
        writeln!(
            out,
            "node {n}: dimension {}, alive {:?}, {evidence}",
            node.dimension, node.alive
        )
        .unwrap();
        for (kept, to) in &node.branches {
            writeln!(out, "  keeps {kept:?}: {}", next(to)).unwrap();
        }
    }
}

#[test]
fn the_page_shows_the_certificate() {
    let page = Page::read();
    let certificate = page.certificate();
    assert_eq!(shown(&certificate), page.block("certificate"));
    check(
        &certificate,
        &Candidate::new(&[&page.candidate()]),
        &page.ceiling(),
    )
    .unwrap();
}

#[test]
fn no_statement_of_the_page_covers_alone() {
    let page = Page::read();
    let ceiling = page.value("ceiling");
    for statement in ceiling["Statement"].as_array().unwrap() {
        let alone = json!({"Version": "2012-10-17", "Statement": statement});
        let alone = Document::from_value(&alone, PolicyKind::Boundary).unwrap();
        let answer = contains(&Candidate::new(&[&page.candidate()]), &alone);
        assert!(matches!(answer, Containment::Exceeds(_)), "{answer:?}");
    }
}

/// The tree of the page's certificate, for something to be changed in it.
fn with_tree(certificate: &Certificate, change: impl Fn(&mut CaseTree)) -> Certificate {
    let mut entries = certificate.to_entries();
    let Proof::ByCases(trees) = &mut entries[0].proof else {
        panic!("it is not by cases");
    };
    change(&mut trees[0].tree);
    Certificate::from_entries(entries)
}

#[test]
fn the_page_says_why_forged_certificates_are_refused() {
    let page = Page::read();
    let (candidate, ceiling) = (page.candidate(), page.ceiling());
    let certificate = page.certificate();
    let mut by_one = certificate.to_entries();
    by_one[0].proof = Proof::ByAllow(0);
    let branches = |change: &dyn Fn(&mut CaseTree)| with_tree(&certificate, change);
    let forged = [
        (
            "node 0 without the branch of statement 1",
            branches(&|tree| drop(tree.nodes[0].branches.remove(1))),
        ),
        (
            "statement 0 covers both branches of node 0",
            branches(&|tree| tree.nodes[0].branches[1].1 = NextCase::Covered(0)),
        ),
        (
            "statement 0 covers the branch of node 1",
            branches(&|tree| tree.nodes[1].branches[0].1 = NextCase::Covered(0)),
        ),
        (
            "node 1 without its branch",
            branches(&|tree| tree.nodes[1].branches.clear()),
        ),
        (
            "node 1 without its second state",
            branches(&|tree| {
                let CaseEvidence::Words(states) = &mut tree.nodes[1].evidence else {
                    panic!("it is not about words");
                };
                states.remove(1);
            }),
        ),
        (
            "the case of an absent name left out",
            branches(&|tree| drop(tree.roots.pop())),
        ),
        ("statement 0 includes all", Certificate::from_entries(by_one)),
        ("no entry", Certificate::default()),
    ];
    let mut lines = String::new();
    for (what, forged) in forged {
        let why = match check(&forged, &Candidate::new(&[&candidate]), &ceiling) {
            Ok(()) => "it is accepted".to_owned(),
            Err(why) => why.to_string(),
        };
        writeln!(lines, "{what}: {why}").unwrap();
    }
    assert_eq!(lines, page.block("forged"));
    for forged in claiming_more(&certificate).iter().chain(&lacking(&certificate)) {
        assert!(
            check(forged, &Candidate::new(&[&candidate]), &ceiling).is_err(),
            "{forged:?}"
        );
    }
}

#[test]
fn the_page_says_which_statement_allows_which_age() {
    let page = Page::read();
    let ceiling = page.value("ceiling");
    let one = |statement: &Value| {
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        Document::from_value(&document, PolicyKind::Boundary).unwrap()
    };
    let statements: Vec<Document> = ceiling["Statement"].as_array().unwrap().iter().map(one).collect();
    let mut lines = String::new();
    for line in page.block("ages").lines() {
        let age = line.split(':').next().unwrap();
        let mut context = Context::new().with("aws:username", "ada");
        if age != "absent" {
            context.set("aws:MultiFactorAuthAge", [age]);
        }
        let request = Request {
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::home/ada/notes".to_owned(),
            principal: None,
            context,
        };
        if allows(&page.candidate(), &request) {
            let by = statements.iter().position(|one| allows(one, &request)).unwrap();
            writeln!(lines, "{age}: the candidate allows it, statement {by} allows it").unwrap();
        } else {
            writeln!(lines, "{age}: the candidate does not allow it").unwrap();
        }
    }
    assert_eq!(lines, page.block("ages"));
}

#[test]
fn what_the_page_names_is_in_the_files_that_it_names() {
    let page = Page::read();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rows: Vec<Vec<&str>> = page
        .0
        .lines()
        .filter(|line| line.contains("| `crates/"))
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let source = fs::read_to_string(root.join(row[0])).unwrap();
        for name in &row[1..] {
            let kinds = ["struct", "enum", "fn"];
            let there = |kind: &&str| {
                let declared = format!("{kind} {name}");
                let after = |at: usize| source[at + declared.len()..].chars().next();
                let mut found = source.match_indices(&declared);
                found.any(|(at, _)| after(at).is_some_and(|c| !c.is_alphanumeric() && c != '_'))
            };
            assert!(kinds.iter().any(there), "{} has no {name}", row[0]);
        }
    }
}

#[test]
fn the_gap_of_the_page_has_the_witness_of_the_page() {
    let page = Page::read();
    let gap = page.document("gap", PolicyKind::Boundary);
    let Containment::Exceeds(witness) = contains(&Candidate::new(&[&page.candidate()]), &gap) else {
        panic!("it is contained");
    };
    assert_eq!(witness.to_string() + "\n", page.block("witness"));
    let request = Request {
        action: witness.action,
        resource: witness.resource,
        principal: witness.principal,
        context: witness.context,
    };
    assert!(allows(&page.candidate(), &request));
    assert!(!allows(&gap, &request));
    confirm(
        PolicyKind::Identity,
        &[vec![page.value("candidate")]],
        &page.value("gap"),
        &request,
        false,
    )
    .unwrap();
}
