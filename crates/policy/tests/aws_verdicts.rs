//! AWS's own verdicts (CheckNoNewAccess) on pairs of policies, when they are at hand.

use std::path::PathBuf;

use deputy_policy::{Candidate, Containment, Document, PolicyKind, contains};

/// Pairs that AWS published, beside the checkout; not part of the repository.
fn pairs() -> Option<String> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/check-no-new-access.jsonl");
    std::fs::read_to_string(path).ok()
}

/// Samples whose published verdict does not fit their own text, with the reason.
const EXCEPTIONS: &[(&str, i64, &str)] = &[
    (
        "identity-policies/check-access-to-sensitive-resource/ec2-network-acl.md",
        3,
        "its note speaks of the sensitive network ACL, but the candidate names acl-123456, which nothing denies",
    ),
    (
        "resource-policies/role-trust-policies/allowlist-federated-access-oidc.md",
        1,
        "the reference names the provider of a placeholder, <ACCOUNT ID>, which is not the candidate's account",
    ),
    (
        "resource-policies/role-trust-policies/allowlist-federated-access-saml.md",
        1,
        "the reference names the provider of a placeholder, <ACCOUNT ID>, which is not the candidate's account",
    ),
];

#[test]
fn the_verdicts_of_aws_are_ours() {
    let Some(text) = pairs() else {
        eprintln!("SKIPPED: ../shared/data/check-no-new-access.jsonl is not there");
        return;
    };
    let mut counts = std::collections::BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        let pair: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
        let kind = match field("file") {
            file if file.contains("role-trust-policies") => PolicyKind::Trust,
            file if file.contains("check-who-is-granted-access") => PolicyKind::Resource,
            _ => PolicyKind::Identity,
        };
        let verdict = field("verdict");
        let parse = |name: &str| Document::from_value(&pair[name], kind);
        let answer = match (parse("candidate"), parse("reference")) {
            (Ok(candidate), Ok(ceiling)) => match contains(&Candidate::new(&[&candidate]), &ceiling) {
                Containment::Contained(_) => "contained".to_owned(),
                Containment::Exceeds(_) => "exceeds".to_owned(),
                Containment::Unknown(reason) => {
                    if kind == PolicyKind::Identity {
                        eprintln!("{n}: {verdict}: {reason}");
                    }
                    format!("unknown ({kind:?})")
                }
            },
            (a, b) => {
                eprintln!("{n}: refused: {:?} {:?}", a.err(), b.err());
                "refused".to_owned()
            }
        };
        let excepted = |(file, case, _): &(&str, i64, &str)| {
            pair["file"].as_str() == Some(file) && pair["case"].as_i64() == Some(*case)
        };
        if let Some((file, case, reason)) = EXCEPTIONS.iter().find(|exception| excepted(exception)) {
            eprintln!("{n}: exception {file} {case}: {verdict}, here {answer}: {reason}");
            if verdict == "FAIL" {
                // With the name that its note speaks of, it is as AWS says.
                let meant = pair["candidate"]
                    .to_string()
                    .replace("acl-123456", "acl-sensitive");
                let (meant, ceiling) = (
                    Document::parse(&meant, kind).unwrap(),
                    parse("reference").unwrap(),
                );
                assert!(
                    matches!(
                        contains(&Candidate::new(&[&meant]), &ceiling),
                        Containment::Exceeds(_)
                    ),
                    "{n}"
                );
            }
            continue;
        }
        let expected = if verdict == "PASS" { "contained" } else { "exceeds" };
        assert_eq!(answer, expected, "pair {n}, {verdict}: {}", field("note"));
        *counts.entry((verdict, answer)).or_insert(0) += 1;
    }
    for ((verdict, answer), count) in &counts {
        eprintln!("AWS says {verdict}, contains says {answer}: {count}");
    }
}
