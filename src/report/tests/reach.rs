//! How far grants reach: wide statements, and ways to further permissions.

use super::{WIDE, changed, found, of, role};
use crate::report::model::{AccessFinding, FindingTopic, FindingWeight};

#[test]
fn a_wide_statement_is_told_however_it_is_spelled() {
    for (statement, reason) in [
        (
            "Action: \"s3:**\", Resource: \"arn:aws:s3:::*\"",
            "WholeServiceOnAnyResource",
        ),
        (
            "Action: \"s3:?*\", Resource: \"arn:aws:s3:::*/*\"",
            "WholeServiceOnAnyResource",
        ),
        (
            "Action: \"s3:Get*\", Resource: \"arn:*:s3:*:*:*\"",
            "WildcardOnAnyResource",
        ),
        ("Action: \"S3:*\", Resource: \"arn:aws:s3:::b/*\"", "WholeService"),
        (
            "Action: [\"secretsmanager:GetSecretValue\", \"kms:Decrypt\"], Resource: \"*\"",
            "ActionsOnAnyResource",
        ),
        (
            "Action: [\"ec2:DescribeInstances\", \"s3:DeleteObject\"], Resource: \"*\"",
            "ActionsOnAnyResource",
        ),
        (
            "Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::*\"",
            "ActionsOnAnyResource",
        ),
    ] {
        let told = found(&[WIDE, &role(&format!("{{Effect: Allow, {statement}}}"))]);
        let field = "spec.policies[0].document.Statement[0]";
        let expected = (FindingTopic::WideGrant, reason.to_owned(), field.to_owned());
        assert!(told.contains(&expected), "{statement}: {told:?}");
    }
    for narrow in [
        "Action: [\"s3:ListAllMyBuckets\", \"EC2:describeinstances\"], Resource: \"*\"",
        "Action: \"s3:GetObject\", Resource: \"arn:aws:s3:::b*\"",
    ] {
        let told = found(&[WIDE, &role(&format!("{{Effect: Allow, {narrow}}}"))]);
        let is_told = |one: &(FindingTopic, String, String)| {
            one.0 == FindingTopic::WideGrant && one.2.starts_with("spec.policies")
        };
        assert!(!told.iter().any(is_told), "{narrow}: {told:?}");
    }
}

#[test]
fn a_session_policy_that_forbids_it_ends_escalation_by_many_actions() {
    let bound = role("{Effect: Allow, Action: \"*\", Resource: \"*\"}");
    let narrowed = |action: &str| {
        format!(
            "{bound}  session: {{policy: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, Action: \"{action}\", Resource: \"*\"}}]}}}}\n"
        )
    };
    let ways = |text: &str| {
        let findings = of(&[WIDE, text]).findings.into_iter();
        findings
            .filter(|one| one.field.starts_with("spec.policies") && one.topic == FindingTopic::Escalation)
            .map(|one| (one.reason, one.weight))
            .collect::<Vec<_>>()
    };
    let any = ("AnyPermission".to_owned(), FindingWeight::High);
    let others = ("ResourcePermissions".to_owned(), FindingWeight::Medium);
    assert_eq!(ways(&bound), [any.clone(), others.clone()]);
    assert_eq!(ways(&narrowed("s3:GetObject")), []);
    // One of the last of the list.
    assert_eq!(ways(&narrowed("iam:UploadSigningCertificate")), [any]);
    assert_eq!(ways(&narrowed("s3:PutBucketPolicy")), [others]);
}

#[test]
fn a_role_whose_bindings_are_refused_is_not_said_to_be_without_one() {
    let limit = changed(WIDE, "  ceiling:", "  session: {maxDuration: 1h}\n  ceiling:");
    let bound = role("{Effect: Allow, Action: \"iam:CreateRole\", Resource: \"*\"}");
    let refused = format!("{bound}  session: {{duration: 2h}}\n");
    let report = of(&[&limit, &refused]);
    assert_eq!(report.summary.granting, 0);
    let way = report
        .findings
        .iter()
        .find(|one| one.reason == "AnyPermission")
        .unwrap();
    assert_eq!(way.weight, FindingWeight::Low);
    assert!(
        way.message
            .ends_with("; nobody gets sessions of it now: AWSRoleBinding payments/b grants nothing"),
        "{}",
        way.message
    );
}

#[test]
fn federated_users_and_statements_of_resource_policies_are_looked_at() {
    let platform = include_str!("../../../examples/federation/10-platform.yaml");
    let application = include_str!("../../../examples/federation/20-application.yaml");
    let platform = changed(
        platform,
        "Action: [s3:GetObject, s3:PutObject]",
        "Action: \"s3:*\"",
    );
    let platform = changed(
        &platform,
        "Resource: arn:aws:s3:::productionapp/*",
        "Resource: \"arn:aws:s3:::*\"",
    );
    let platform = changed(
        &platform,
        "  federatedUsers:",
        "  acknowledgeEscalation: [\"*\"]\n  federatedUsers:",
    );
    let user = changed(application, "Action: s3:GetObject", "Action: \"s3:*\"");
    let user = changed(
        &user,
        "arn:aws:s3:::productionapp/reports/*",
        "\"arn:aws:s3:::*\"",
    );
    let text = changed(&user, "Action: s3:GetObject", "Action: \"s3:*\"");
    let findings = of(&[&platform, &text]).findings;
    for (object, field, reason) in [
        (
            "AWSFederatedUserBinding reports/manager",
            "spec.session.policy.Statement[0]",
            "WholeServiceOnAnyResource",
        ),
        (
            "AWSResourcePolicyStatement reports/archive-reads",
            "spec.statement",
            "WholeService",
        ),
    ] {
        let of_object: Vec<_> = findings.iter().filter(|one| one.object == object).collect();
        let is_wide = |one: &&&AccessFinding| one.reason == reason && one.field == field;
        assert!(
            of_object.iter().any(|one| is_wide(&one)),
            "{object}: {of_object:?}"
        );
        let is_way = |one: &&&AccessFinding| one.reason == "ResourcePermissions";
        let way = of_object
            .iter()
            .find(is_way)
            .unwrap_or_else(|| panic!("{of_object:?}"));
        assert!(way.field.starts_with(field), "{}", way.field);
        assert!(way.place.is_some(), "{way:?}");
    }
}
