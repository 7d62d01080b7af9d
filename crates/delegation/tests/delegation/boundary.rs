use deputy_delegation::{Reason, boundary::*, model::*, names::*, naming};
use deputy_policy::{Context, Layers, Request, evaluate};
use serde_json::{Value, json};

use crate::support::*;

fn reasons(limit: &Limit) -> Vec<Reason> {
    check_limit(limit).iter().map(|v| v.reason).collect()
}

fn full_account() -> Account {
    let role = |name: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap(),
            external_id: None,
        })
    };
    Account {
        provisioner: role("deputy-provisioner"),
        boundary_writer: role("deputy-boundary-writer"),
        ..account()
    }
}

#[test]
fn the_boundary_is_as_published() {
    let boundary = compile(&cluster(), &full_account(), &limit("payments", productionapp()))
        .unwrap()
        .document;
    assert_golden("boundary.json", &boundary.to_value());
}

#[test]
fn under_a_boundary_the_ceiling_holds_and_deputy_itself_is_out_of_reach() {
    // A ceiling that knowingly allows everything is the worst case.
    let everything = limit("everything", json!([allow(json!("*"), json!("*"))]));
    const FORMER: &str = "arn:aws:iam::123456789012:role/former-broker";
    let changing = Account {
        previous_issuers: [IssuerArn::parse(FORMER).unwrap()].into(),
        ..full_account()
    };
    let boundary = compile(&cluster(), &changing, &everything).unwrap().document;
    let identity = document(
        deputy_policy::PolicyKind::Identity,
        json!([allow(json!("*"), json!("*"))]),
    );
    let may = |action: &str, resource: &str| {
        let layers = Layers {
            identity: &[&identity],
            boundary: Some(&boundary),
            session: None,
        };
        let request = Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            principal: None,
            context: Context::new(),
        };
        evaluate(&layers, &request).is_allowed()
    };
    let role = naming::role_arn(&cluster(), &account(), &uploader()).to_string();
    let policy = naming::boundary_arn(&cluster(), &account(), &object("payments")).to_string();
    for action in [
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PassRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "sts:AssumeRole",
    ] {
        let provisioner = "arn:aws:iam::123456789012:role/deputy-provisioner";
        for resource in [&role, ISSUER, FORMER, provisioner] {
            assert!(!may(action, resource), "{action} on {resource}");
        }
    }
    for action in [
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:SetDefaultPolicyVersion",
    ] {
        assert!(!may(action, &policy), "{action}");
    }
    assert!(may("iam:GetRole", &role));
    assert!(may(
        "iam:PutRolePolicy",
        "arn:aws:iam::123456789012:role/somebody-else"
    ));
    assert!(may("s3:GetObject", "arn:aws:s3:::b/o"));
}

#[test]
fn every_identity_of_deputys_is_out_of_reach_whatever_the_account_names() {
    let everything = limit("everything", json!([allow(json!("*"), json!("*"))]));
    let user = "arn:aws:iam::123456789012:user/deputy/federation";
    let elsewhere = "arn:aws:iam::123456789012:role/platform/writer";
    let assume = |role: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(role).unwrap(),
            external_id: None,
        })
    };
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let processes = ["deputy-broker", "deputy-controller", "deputy-limits"].map(role);
    let suggested = ["deputy-provisioner", "deputy-boundary-writer"].map(role);
    for (account, more) in [
        (account(), suggested.to_vec()),
        (full_account(), suggested.to_vec()),
        (
            Account {
                provisioner: assume(elsewhere),
                federation_user: Some(UserArn::parse(user).unwrap()),
                ..account()
            },
            vec![elsewhere.to_owned(), suggested[1].clone(), user.to_owned()],
        ),
    ] {
        let boundary = compile(&cluster(), &account, &everything).unwrap().document;
        for own in processes.iter().chain(&more) {
            for action in [
                "iam:AttachUserPolicy",
                "iam:CreateAccessKey",
                "iam:PassRole",
                "iam:PutRolePolicy",
                "iam:PutUserPolicy",
                "iam:UpdateAssumeRolePolicy",
                "sts:AssumeRole",
            ] {
                let layers = Layers {
                    identity: &[&everything.ceiling],
                    boundary: Some(&boundary),
                    session: None,
                };
                let request = Request {
                    action: action.to_owned(),
                    resource: own.clone(),
                    principal: None,
                    context: Context::new(),
                };
                assert!(!evaluate(&layers, &request).is_allowed(), "{action} on {own}");
            }
        }
    }
}

#[test]
fn a_boundary_that_aws_would_not_take_is_refused_with_numbers() {
    let resources: Vec<_> = (0..190)
        .map(|i| format!("arn:aws:s3:::bucket-{i:04}/objects/*"))
        .collect();
    let limit = limit("big", json!([allow(json!("s3:GetObject"), json!(resources))]));
    let violation = compile(&cluster(), &account(), &limit).unwrap_err();
    assert_eq!(violation.reason, Reason::TooLarge);
    assert_eq!(violation.field, "spec.ceiling");
    assert!(violation.message.contains("6144"), "{violation}");
    assert!(
        violation.message.contains(&limit.ceiling.size().to_string()),
        "{violation}"
    );
}

#[test]
fn a_sound_limit_has_no_problems() {
    assert_eq!(reasons(&limit("payments", productionapp())), []);
}

#[test]
fn a_ceiling_that_reaches_iam_needs_an_acknowledgement() {
    let with = |acknowledged: &[&str]| Limit {
        acknowledge_escalation: acknowledged.iter().map(|a| (*a).to_owned()).collect(),
        ..limit("iam", json!([allow(json!("iam:CreateRole"), json!("*"))]))
    };
    let problems = check_limit(&with(&[]));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].reason, Reason::Escalation);
    assert!(
        problems[0].field.starts_with("spec.ceiling.Statement[0]"),
        "{}",
        problems[0]
    );
    assert!(problems[0].message.contains("iam:CreateRole"), "{}", problems[0]);
    assert_eq!(reasons(&with(&["iam:createrole"])), []);
    assert_eq!(reasons(&with(&["iam:*"])), []);
    assert_eq!(reasons(&with(&["iam:CreateUser"])), [Reason::Escalation]);
}

#[test]
fn tags_in_a_ceiling_are_those_that_deputy_sets_on_the_session() {
    let with = |name: &str| {
        let resource = format!("arn:aws:s3:::b/{name}/*");
        limit("tags", json!([allow(json!("s3:GetObject"), json!(resource))]))
    };
    for name in [
        "${aws:PrincipalTag/deputy-namespace}",
        "${aws:PrincipalTag/deputy-cluster}",
        "${aws:PrincipalTag/deputy-uid}",
        "${aws:PrincipalTag/deputy-pod-uid}",
        "${aws:PrincipalTag/deputy-namespace}/${aws:PrincipalTag/deputy-name}",
        "${aws:PrincipalTag/deputy-service-account}.${aws:PrincipalTag/deputy-namespace}",
    ] {
        assert_eq!(reasons(&with(name)), [], "{name}");
    }
    for name in [
        "${aws:PrincipalTag/team}",
        "${aws:RequestTag/deputy-namespace}",
        "${aws:PrincipalTag/deputy-other}",
        "${aws:PrincipalTag/deputy-kind}",
        "${aws:PrincipalTag/deputy-name}",
        "${aws:PrincipalTag/deputy-service-account}",
        "${aws:PrincipalTag/deputy-namespace}-${aws:PrincipalTag/deputy-name}",
    ] {
        assert_eq!(reasons(&with(name)), [Reason::TenantVariable], "{name}");
    }
}

#[test]
fn the_tags_that_may_stand_in_a_ceiling_are_those_of_sessions() {
    use deputy_delegation::naming;
    assert_eq!(
        deputy_policy::TAGS_OF_DEPUTY,
        [
            naming::TAG_CLUSTER,
            naming::TAG_NAMESPACE,
            naming::TAG_POD_UID,
            naming::TAG_UID
        ]
    );
    assert_eq!(
        deputy_policy::TAGS_WITHIN_NAMESPACE,
        [naming::TAG_NAME, naming::TAG_SERVICE_ACCOUNT]
    );
}

#[test]
fn a_ceiling_without_a_boundary_may_be_larger_than_a_managed_policy() {
    let statements: Vec<Value> = (0..80)
        .map(|i| {
            allow(
                json!("s3:GetObject"),
                json!(format!("arn:aws:s3:::bucket-{i:04}/a-rather-long-prefix/*")),
            )
        })
        .collect();
    assert_eq!(reasons(&limit("big", json!(statements))), [Reason::TooLarge]);
    assert_eq!(reasons(&check_only("big", json!(statements))), []);
}
