//! What is found, in estates that have one thing wrong each.

mod ceilings;
mod reach;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    model::{AccessReport, FindingTopic, FindingWeight},
    report,
};
use crate::objects::example::{APPLICATION, PLATFORM, world};

fn of(texts: &[&str]) -> AccessReport {
    let world = world(texts, Some("production-1"));
    report(&world, vec!["x.yaml".to_owned()], false, Timestamp::UNIX_EPOCH).unwrap()
}

/// Topic, reason and field of each finding.
fn found(texts: &[&str]) -> Vec<(FindingTopic, String, String)> {
    let findings = of(texts).findings.into_iter();
    findings.map(|one| (one.topic, one.reason, one.field)).collect()
}

fn changed(text: &str, from: &str, to: &str) -> String {
    let new = text.replacen(from, to, 1);
    assert_ne!(new, text, "{from:?} is not there");
    new
}

fn has(texts: &[&str], topic: FindingTopic, reason: &str) -> bool {
    found(texts).iter().any(|one| one.0 == topic && one.1 == reason)
}

/// A limit of everything, for roles that ask for much.
const WIDE: &str = "apiVersion: deputy.dev/v1alpha1
kind: AWSAccount
metadata: {name: production}
spec:
  accountID: \"123456789012\"
  partition: aws
  region: ap-northeast-1
  issuer: {principalARN: \"arn:aws:iam::123456789012:role/deputy-broker\"}
---
apiVersion: deputy.dev/v1alpha1
kind: DelegationLimit
metadata: {name: everything}
spec:
  namespaces: [payments]
  accounts: [production]
  acknowledgeEscalation: [\"*\"]
  ceiling:
    Version: \"2012-10-17\"
    Statement: [{Effect: Allow, Action: \"*\", Resource: \"*\"}]
---
";

fn role(statement: &str) -> String {
    format!(
        "apiVersion: deputy.dev/v1alpha1
kind: AWSRole
metadata: {{name: r, namespace: payments}}
spec:
  accountRef: {{name: production}}
  policies:
    - name: p
      document: {{Version: \"2012-10-17\", Statement: [{statement}]}}
---
apiVersion: deputy.dev/v1alpha1
kind: AWSRoleBinding
metadata: {{name: b, namespace: payments}}
spec:
  roleRef: {{kind: AWSRole, name: r}}
  subjects: [{{kind: ServiceAccount, name: s}}]
"
    )
}

/// The one document of a kind.
fn only(text: &str, kind: &str) -> String {
    let mut parts = text
        .split("---\n")
        .filter(|part| part.contains(&format!("kind: {kind}\n")));
    parts.next().unwrap().to_owned()
}

#[test]
fn the_example_says_who_may_what_within_which_limit() {
    let report = of(&[PLATFORM, APPLICATION]);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(
        (
            report.summary.roles,
            report.summary.granting,
            report.summary.subjects
        ),
        (1, 1, 1)
    );
    let binding = &report.bindings[0];
    assert_eq!(binding.limits, ["payments"]);
    assert_eq!(binding.subjects[0].name, "payments/uploader");
    assert!(
        binding
            .arn
            .as_ref()
            .unwrap()
            .contains("role/deputy/production-1/")
    );
    let may: Vec<&str> = binding.may.iter().map(|may| may.actions.as_str()).collect();
    assert_eq!(may, ["s3:ListBucket", "s3:GetObject", "s3:PutObject"]);
    let used: Vec<_> = report.limits[0].ceiling.iter().map(|part| part.grants).collect();
    assert!(
        used.iter().all(|grants| grants.is_some_and(|grants| grants > 0)),
        "{used:?}"
    );
}

#[test]
fn wide_statements_are_told_apart_by_how_far_they_reach() {
    for (statement, reason, weight) in [
        (
            "{Effect: Allow, Action: \"*\", Resource: \"*\"}",
            "AnyActionOnAnyResource",
            FindingWeight::High,
        ),
        (
            "{Effect: Allow, NotAction: \"iam:*\", Resource: \"*\"}",
            "AnyActionOnAnyResource",
            FindingWeight::High,
        ),
        (
            "{Effect: Allow, Action: \"s3:*\", Resource: \"*\"}",
            "WholeServiceOnAnyResource",
            FindingWeight::Medium,
        ),
        (
            "{Effect: Allow, Action: \"*\", Resource: \"arn:aws:s3:::b/*\"}",
            "AnyAction",
            FindingWeight::Medium,
        ),
        (
            "{Effect: Allow, Action: \"s3:*\", Resource: \"arn:aws:s3:::b/*\"}",
            "WholeService",
            FindingWeight::Low,
        ),
        (
            "{Effect: Allow, Action: \"s3:Get*\", Resource: \"*\"}",
            "WildcardOnAnyResource",
            FindingWeight::Low,
        ),
    ] {
        let report = of(&[WIDE, &role(statement)]);
        let field = "spec.policies[0].document.Statement[0]";
        let one = report
            .findings
            .iter()
            .find(|one| one.topic == FindingTopic::WideGrant && one.field == field);
        let one = one.unwrap_or_else(|| panic!("{statement}: {:?}", report.findings));
        assert_eq!((one.reason.as_str(), one.weight), (reason, weight), "{statement}");
        assert!(
            one.place
                .as_ref()
                .is_some_and(|place| place.starts_with("x.yaml:")),
            "{one:?}"
        );
    }
    for narrow in [
        "{Effect: Allow, Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::b/*\"}",
        "{Effect: Allow, Action: \"ec2:DescribeInstances\", Resource: \"*\"}",
        "{Effect: Allow, Action: \"s3:Get*\", Resource: \"arn:aws:s3:::b/*\"}",
    ] {
        let of_role = found(&[WIDE, &role(narrow)]);
        assert!(
            !of_role
                .iter()
                .any(|one| one.0 == FindingTopic::WideGrant && one.2.starts_with("spec.policies")),
            "{narrow}: {of_role:?}"
        );
    }
}

#[test]
fn escalation_is_told_where_a_session_can_take_it() {
    let statement = "{Effect: Allow, Action: [\"iam:CreateRole\", \"s3:GetObject\"], Resource: \"*\"}";
    let bound = role(statement);
    let report = of(&[WIDE, &bound]);
    let way = |report: &AccessReport| {
        report
            .findings
            .iter()
            .find(|one| one.reason == "AnyPermission")
            .cloned()
    };
    let one = way(&report).unwrap();
    assert_eq!(
        (one.weight, one.topic),
        (FindingWeight::High, FindingTopic::Escalation)
    );
    assert!(
        one.message.ends_with("sessions of payments/b can"),
        "{}",
        one.message
    );
    assert_eq!(one.field, "spec.policies[0].document.Statement[0].Action[0]");
    // A session policy takes it away from everybody.
    let narrowed = format!(
        "{bound}  session: {{policy: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, Action: \"s3:*\", Resource: \"*\"}}]}}}}\n"
    );
    assert_eq!(way(&of(&[WIDE, &narrowed])), None);
    // The limit acknowledges it all the same.
    assert!(has(
        &[WIDE, &narrowed],
        FindingTopic::Escalation,
        "EscalationInCeiling"
    ));
    let unbound = bound.split("---\n").next().unwrap();
    assert_eq!(way(&of(&[WIDE, unbound])).unwrap().weight, FindingWeight::Low);
}

#[test]
fn what_has_no_other_half_is_an_orphan() {
    let (role, binding) = (only(APPLICATION, "AWSRole"), only(APPLICATION, "AWSRoleBinding"));
    assert!(has(&[PLATFORM, &role], FindingTopic::Orphan, "RoleNotBound"));
    assert!(has(&[PLATFORM, &binding], FindingTopic::Orphan, "RoleNotFound"));
    let limit = only(PLATFORM, "DelegationLimit");
    assert!(has(
        &[&limit, APPLICATION],
        FindingTopic::Orphan,
        "AccountNotFound"
    ));
    let account = only(PLATFORM, "AWSAccount");
    assert!(has(&[&account, APPLICATION], FindingTopic::Orphan, "NoLimit"));
}

#[test]
fn unused_parts_of_ceilings_and_unused_limits_are_told() {
    assert!(has(&[PLATFORM], FindingTopic::UnusedCeiling, "LimitNotUsed"));
    let narrow = changed(
        WIDE,
        "[{Effect: Allow, Action: \"*\", Resource: \"*\"}]",
        "[{Effect: Allow, Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::b/*\"}, \
          {Effect: Allow, Action: \"sqs:SendMessage\", Resource: \"arn:aws:sqs:*:*:q\"}]",
    );
    let told = found(&[&narrow, &role_of_bucket()]);
    let unused = |statement: usize| {
        let field = format!("spec.ceiling.Statement[{statement}]");
        (FindingTopic::UnusedCeiling, "StatementNotUsed".to_owned(), field)
    };
    assert!(
        told.contains(&unused(1)) && !told.contains(&unused(0)),
        "{told:?}"
    );
}

fn role_of_bucket() -> String {
    role("{Effect: Allow, Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::b/*\"}")
}

#[test]
fn a_refusal_names_the_limit_and_its_place() {
    let wide = changed(APPLICATION, "s3:ListBucket", "\"s3:*\"");
    let report = of(&[PLATFORM, &wide]);
    let refused: Vec<_> = report
        .findings
        .iter()
        .filter(|one| one.topic == FindingTopic::Refused)
        .collect();
    assert!(!refused.is_empty());
    assert_eq!(refused[0].weight, FindingWeight::High);
    assert!(refused[0].message.contains("limit payments"), "{:?}", refused[0]);
    assert_eq!(report.summary.granting, 0);
}

#[test]
fn status_says_what_is_not_ready_and_what_drifted() {
    let status = "status:
  observedGeneration: 1
  conditions:
    - {type: Accepted, status: \"True\", reason: WithinLimits, message: m}
    - {type: Provisioned, status: \"False\", reason: Conflict, message: AWS has another one}
    - {type: Ready, status: \"False\", reason: Conflict, message: AWS has another one}
    - {type: Tagged, status: \"Unknown\", reason: AccessDenied, message: no}
    - {type: CappedByBoundary, status: \"False\", reason: NotCapped, message: m}
";
    let role = format!("{}\n{status}", only(APPLICATION, "AWSRole").trim_end());
    let mut told: Vec<_> = found(&[PLATFORM, &role, &only(APPLICATION, "AWSRoleBinding")]);
    told.retain(|one| matches!(one.0, FindingTopic::Drift | FindingTopic::NotReady));
    assert_eq!(
        told,
        [
            (
                FindingTopic::Drift,
                "Conflict".to_owned(),
                "status.conditions.Provisioned".to_owned()
            ),
            (
                FindingTopic::NotReady,
                "AccessDenied".to_owned(),
                "status.conditions.Tagged".to_owned()
            ),
        ]
    );
}

#[test]
fn one_cause_of_one_object_is_one_finding() {
    let account = only(PLATFORM, "AWSAccount");
    let limit = only(PLATFORM, "DelegationLimit");
    let check_only = changed(PLATFORM, "type: Generated", "type: CheckOnly");
    for (reason, around) in [
        ("NoLimit", account.as_str()),
        ("AccountNotFound", &limit),
        ("NoBoundary", &check_only),
        ("ExceedsLimit", PLATFORM),
    ] {
        let conditions = ["Provisioned", "Accepted", "Ready"].map(|of| {
            format!(
                "    - {{type: {of}, status: \"False\", reason: {reason}, message: not {of}, \
                 lastTransitionTime: \"2026-01-01T00:00:00Z\"}}\n"
            )
        });
        let status = format!(
            "status:\n  observedGeneration: 1\n  conditions:\n{}",
            conditions.concat()
        );
        let role = only(APPLICATION, "AWSRole");
        let role = match reason {
            "ExceedsLimit" => changed(&role, "s3:ListBucket", "\"s3:*\""),
            _ => role,
        };
        let role = format!("{}\n{status}", role.trim_end());
        let findings = of(&[around, &role]).findings;
        let told: Vec<_> = findings.iter().filter(|one| one.reason == reason).collect();
        let of_status = told.iter().any(|one| one.field.starts_with("status"));
        assert!(!told.is_empty() && !of_status, "{reason}: {told:#?}");
        // Of what exceeds each action and resource is told.
        assert!(told.len() == 1 || reason == "ExceedsLimit", "{reason}: {told:#?}");
    }
}

#[test]
fn the_page_and_the_json_have_the_same_content() {
    let report = of(&[PLATFORM, APPLICATION]);
    let html = super::html::page(&report).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|inner| texts(inner, found)),
            Value::Object(map) => map
                .iter()
                // Of what is accepted the columns say why; a witness is for programs.
                .filter(|(key, _)| {
                    !["decision", "witness", "partition", "object", "target"].contains(&key.as_str())
                })
                .for_each(|(_, inner)| texts(inner, found)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    texts(&json, &mut all);
    assert!(all.len() > 30);
    for text in all {
        assert!(html.contains(&text.replace('\'', "&#39;")), "{text}");
    }
}
