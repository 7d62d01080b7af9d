//! The page has the same elements whatever texts are in it.

use proptest::prelude::*;
use regex::Regex;

use super::page;
use crate::{
    asked::MayDo,
    report::model::{
        AccessFinding, AccessReport, CeilingPart, FindingTopic, FindingWeight, GrantOutcome, ReportSummary,
        ReportedAccount, ReportedBinding, ReportedLimit, ReportedRole, ReportedStatement, ReportedSubject,
    },
};

fn accounts(of: &impl Fn(&str) -> String) -> Vec<ReportedAccount> {
    vec![ReportedAccount {
        name: of("a"),
        account_id: Some(of("1")),
        partition: Some(of("aws")),
        region: None,
        issuer: Some(of("i")),
        limits: 1,
        roles: 1,
    }]
}

fn limits(of: &impl Fn(&str) -> String) -> Vec<ReportedLimit> {
    vec![ReportedLimit {
        name: of("l"),
        enforcement: "Enforce",
        boundary: of("b"),
        namespaces: vec![of("ns")],
        accounts: vec![of("a")],
        roles: 1,
        accepted: 1,
        suspended: 0,
        would_refuse: Some(1),
        ceiling: [(Some(0), None), (None, Some(of("w")))]
            .into_iter()
            .map(|(grants, unknown)| CeilingPart {
                statement: 0,
                sid: Some(of("Sid")),
                effect: "Allow",
                actions: of("s3:*"),
                resources: of("*"),
                has_conditions: true,
                grants,
                unknown,
            })
            .collect(),
        unreadable: Some(of("why")),
    }]
}

/// A report in which every text that is not a word of ours ends with `text`.
fn report(text: &str) -> AccessReport {
    let of = |name: &str| format!("{name}{text}");
    let may = |i: usize| MayDo {
        actions: of(&format!("s3:Get{i}")),
        resources: of("arn"),
        witness: of("w"),
    };
    let finding = |topic, namespace: Option<String>| AccessFinding {
        weight: FindingWeight::High,
        topic,
        reason: of("r"),
        object: of("AWSRole a/b"),
        also: vec![of("AWSRoleBinding a/b")],
        namespace,
        field: of("f"),
        place: Some(of("p")),
        message: of("m"),
        advice: of("a"),
    };
    AccessReport {
        version: 1,
        generated: of("2026"),
        by: of("deputy"),
        cluster: Some(of("c")),
        sources: vec![of("s")],
        not_looked_at: vec![of("n")],
        summary: ReportSummary::default(),
        findings: FindingTopic::ALL
            .into_iter()
            .flat_map(|topic| [finding(topic, Some(of("ns"))), finding(topic, None)])
            .collect(),
        accounts: accounts(&of),
        limits: limits(&of),
        roles: vec![ReportedRole {
            object: of("AWSRole ns/r"),
            kind: "AWSRole",
            namespace: of("ns"),
            name: of("r"),
            account: Some(of("a")),
            role_arn: Some(of("arn")),
            outcome: GrantOutcome::Refused,
            decision: of("d"),
            limits: vec![of("l")],
            boundary: Some(of("l")),
            bindings: 0,
        }],
        bindings: vec![ReportedBinding {
            kind: "AWSRoleBinding",
            namespace: of("ns"),
            name: of("b"),
            target: of("AWSRole ns/other"),
            account: Some(of("a")),
            arn: Some(of("arn")),
            outcome: GrantOutcome::Undecided,
            decision: of("d"),
            limits: vec![of("l")],
            subjects: vec![ReportedSubject {
                kind: "user",
                name: of("u"),
                missing: true,
            }],
            has_session_policy: true,
            may: (0..9).map(may).collect(),
            unknown: vec![of("k")],
        }],
        statements: vec![ReportedStatement {
            namespace: of("ns"),
            name: of("s"),
            resource: of("arn"),
            principals: vec![of("p")],
            actions: of("s3:*"),
            resources: of("*"),
            outcome: GrantOutcome::Unreadable,
            decision: of("d"),
        }],
    }
}

/// The elements of a page with the names of their attributes, in order.
fn skeleton(html: &str) -> Vec<String> {
    let tag = Regex::new(r#"<(/?[A-Za-z!][^\s>]*)((?:\s[^\s=>]+(?:="[^"]*")?)*)\s*/?>"#).unwrap();
    let name = Regex::new(r#"\s([^\s=>]+)(?:="[^"]*")?"#).unwrap();
    tag.captures_iter(html)
        .map(|found| {
            let names = name.captures_iter(found.get(2).map_or("", |m| m.as_str()));
            let names: Vec<String> = names.map(|n| n[1].to_owned()).collect();
            format!("{} {}", &found[1], names.join(" "))
        })
        // Where a line may end is where a text has a dot or a slash.
        .filter(|element| element != "wbr ")
        .collect()
}

#[test]
fn the_policy_of_the_page_names_its_style_and_its_script() {
    let html = page(&report("")).unwrap();
    assert!(
        html.contains("default-src &#39;none&#39;; style-src &#39;sha256-"),
        "{}",
        html.chars().take(600).collect::<String>()
    );
    assert_eq!(html.matches("<script>").count(), 1);
    assert_eq!(html.matches("<style>").count(), 1);
    for external in ["http://", "https://", " src=", "@import", "url(", " style="] {
        let found = html.matches(external).count();
        // The name of the namespace of SVG is no address that anybody asks.
        let expected = if external == "http://" {
            html.matches("http://www.w3.org/2000/svg").count()
        } else {
            0
        };
        assert_eq!(found, expected, "{external}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_in_a_text_the_elements_are_the_same(
        text in prop_oneof![
            any::<String>(),
            "(</?(script|style|svg|title|td|option)>|\"|'|>|<|&|=|on[a-z]+=| |\n|<!--|-->|]]>){1,20}",
        ]
    ) {
        let plain = skeleton(&page(&report("x")).unwrap());
        prop_assert!(plain.len() > 150);
        // Of the map, names are cut: no element depends on that.
        prop_assert_eq!(skeleton(&page(&report(&text)).unwrap()), plain);
    }
}
