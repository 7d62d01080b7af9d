//! Which statements of a ceiling are called unused.

use super::{WIDE, changed, of, role};
use crate::report::model::AccessFinding;

/// A limit of these statements, in one line each.
fn limit_of(statements: &[&str]) -> String {
    let all = format!("[{}]", statements.join(", "));
    changed(WIDE, "[{Effect: Allow, Action: \"*\", Resource: \"*\"}]", &all)
}

const BUCKET: &str = "{Effect: Allow, Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::b/*\"}";
const QUEUE: &str =
    "{Effect: Allow, Action: \"sqs:SendMessage\", Resource: \"arn:aws:sqs:eu-west-1:123456789012:q\"}";
const MACHINES: &str = "{Effect: Allow, Action: \"ec2:Describe*\", Resource: \"*\"}";

/// What is said of each statement of the one ceiling: how many grants need it, and whether that is not known.
fn used(texts: &[&str]) -> Vec<(Option<usize>, bool)> {
    let report = of(texts);
    let parts = report.limits[0].ceiling.iter();
    let used: Vec<_> = parts.map(|part| (part.grants, part.unknown.is_some())).collect();
    for (i, part) in used.iter().enumerate() {
        let field = format!("spec.ceiling.Statement[{i}]");
        let is_told = |one: &AccessFinding| one.reason == "StatementNotUsed" && one.field == field;
        assert_eq!(
            report.findings.iter().any(is_told),
            *part == (Some(0), false),
            "{i}"
        );
    }
    used
}

#[test]
fn a_statement_that_managed_policies_may_need_is_not_called_unused() {
    let arn = "arn:aws:iam::aws:policy/AmazonEC2FullAccess";
    let limit = limit_of(&[BUCKET, MACHINES]);
    let limit = changed(
        &limit,
        "  ceiling:",
        &format!("  managedPolicies: [\"{arn}\"]\n  boundary: {{type: Generated}}\n  ceiling:"),
    );
    let bucket = role(BUCKET);
    assert_eq!(used(&[&limit, &bucket]), [(Some(1), false), (Some(0), false)]);
    let managed = format!(
        "---\napiVersion: deputy.dev/v1alpha1\nkind: AWSRole\nmetadata: {{name: m, namespace: payments}}\nspec:\n  accountRef: {{name: production}}\n  managedPolicyARNs: [\"{arn}\"]\n"
    );
    assert_eq!(
        used(&[&limit, &bucket, &managed]),
        [(Some(1), false), (None, true)]
    );
}

#[test]
fn a_statement_that_a_suspended_grant_needs_is_not_called_unused() {
    let limit = limit_of(&[BUCKET, QUEUE, MACHINES]);
    let refused = "{Effect: Allow, Action: [\"sqs:SendMessage\", \"sqs:DeleteQueue\"], Resource: \"arn:aws:sqs:eu-west-1:123456789012:q\"}";
    let refused = role(refused)
        .replace("name: r", "name: r2")
        .replace("name: b,", "name: b2,");
    let told = used(&[&limit, &role(BUCKET), &format!("---\n{refused}")]);
    assert_eq!(told, [(Some(1), false), (None, true), (Some(0), false)]);
}

#[test]
fn a_session_policy_beyond_its_role_needs_nothing() {
    let limit = limit_of(&[BUCKET, QUEUE]);
    let narrowed = format!(
        "{}  session: {{policy: {{Version: \"2012-10-17\", Statement: [{BUCKET}, {QUEUE}]}}}}\n",
        role(BUCKET)
    );
    assert_eq!(used(&[&limit, &narrowed]), [(Some(2), false), (Some(0), false)]);
}
