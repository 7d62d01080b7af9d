//! What a refusal says: everything that is too much, what the limit allows instead.

use deputy_delegation::{Decision, DecisionInput, Fact, GrantSpec, Reason, Violation, decide, model::*};
use serde_json::{Value, json};

use crate::support::*;

fn violations(role: &Role, limits: &[LimitEntry]) -> Vec<Violation> {
    let decision = decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Role(role),
        account: Fact::Known(&account()),
        limits,
    });
    match decision {
        Decision::Refused(violations) => violations.to_vec(),
        other => panic!("not refused: {other:?}"),
    }
}

fn under(ceiling: Value) -> Vec<LimitEntry> {
    entries([limit("payments", ceiling)])
}

fn fields(violations: &[Violation]) -> Vec<&str> {
    violations
        .iter()
        .map(|v| v.field.trim_start_matches("spec.policies[0].document."))
        .collect()
}

#[test]
fn every_part_that_exceeds_is_listed_with_a_request() {
    let objects = "arn:aws:s3:::productionapp/*";
    let role = role_with(&[(
        "objects",
        json!([
            allow(json!("s3:GetObject"), json!(objects)),
            allow(
                json!([
                    "s3:GetObject",
                    "s3:PutObjectAcl",
                    "s3:PutObject",
                    "s3:PutObjectTagging"
                ]),
                json!(objects)
            ),
            deny(json!("s3:*"), json!("*")),
            allow(json!("dynamodb:*"), json!("*")),
            allow(
                json!("s3:GetObject"),
                json!([
                    objects,
                    "arn:aws:s3:::one/*",
                    "arn:aws:s3:::productionapp/x/*",
                    "arn:aws:s3:::two/*"
                ])
            ),
            allow(
                json!(["s3:PutObject", "s3:GetObjectAcl"]),
                json!([objects, "arn:aws:s3:::three/*"])
            ),
        ]),
    )]);
    // The Deny takes everything of S3 away: what is left is one statement.
    assert_eq!(
        fields(&violations(&role, &under(productionapp()))),
        ["Statement[3]"]
    );

    let statements: Vec<Value> = role.policies()[0].document.to_value()["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["Effect"] == "Allow")
        .cloned()
        .collect();
    let name = role.policies()[0].name.clone();
    let without_deny = owned(role, |role| {
        role.policies = RolePolicies::new([policy(name.as_str(), json!(statements))], []).unwrap();
    });
    let found = violations(&without_deny, &under(productionapp()));
    assert_eq!(
        fields(&found),
        [
            "Statement[1].Action[1]",
            "Statement[1].Action[3]",
            "Statement[2]",
            "Statement[3].Resource[1]",
            "Statement[3].Resource[3]",
            "Statement[4].Action[0]",
            "Statement[4].Action[1]",
        ],
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .all(|v| v.reason == Reason::ExceedsLimit && v.message.contains(" grants "))
    );
}

#[test]
fn what_is_not_listed_is_counted() {
    let buckets: Vec<_> = (0..40).map(|i| format!("arn:aws:s3:::bucket-{i}/*")).collect();
    let role = role_with(&[("objects", json!([allow(json!("s3:GetObject"), json!(buckets))]))]);
    let found = violations(&role, &under(productionapp()));
    assert_eq!(found.len(), 17, "{found:#?}");
    assert_eq!(found[16].message, "and 24 more under limit \"payments\"");
    // So many statements that not all are asked about.
    let statements: Vec<_> = (0..200)
        .map(|i| allow(json!("s3:GetObject"), json!(format!("arn:aws:s3:::b{i}/*"))))
        .collect();
    let role = role_with(&[("objects", json!(statements))]);
    let found = violations(&role, &under(productionapp()));
    let last = found.last().unwrap();
    assert_eq!(
        last.message,
        "and 176 more under limit \"payments\"; 8 statements were not looked at"
    );
}

#[test]
fn a_refusal_says_what_the_limit_does_allow() {
    let list = |condition: Value| {
        let mut statement = allow(json!("s3:ListBucket"), json!("arn:aws:s3:::corp-data-lake"));
        statement["Condition"] = condition;
        statement
    };
    let get = |bucket: &str| allow(json!("s3:GetObject"), json!(format!("arn:aws:s3:::{bucket}/*")));
    let mut named = get("productionapp");
    named["Sid"] = json!("ReadObjects");
    let many: Vec<_> = (0..5).map(|i| format!("arn:aws:s3:::part-{i}/*")).collect();
    for (wants, ceiling, says) in [
        (
            allow(json!("s3:ListBucket"), json!("arn:aws:s3:::corp-data-lake")),
            json!([
                get("x"),
                list(json!({"StringLike": {"s3:prefix": ["team-data/*", "shared/*"]}}))
            ]),
            "its Statement[1] allows that only with StringLike s3:prefix \"team-data/*\" or \"shared/*\"",
        ),
        (
            allow(json!("s3:ListBucket"), json!("arn:aws:s3:::corp-data-lake")),
            json!([list(json!({
                "StringEquals": {"s3:prefix": "a"},
                "Null": {"aws:PrincipalOrgID": "false"},
            }))]),
            "its Statement[0] allows that only with some aws:PrincipalOrgID and StringEquals s3:prefix \"a\"",
        ),
        // The nearer one has the key that the role asks for.
        (
            list(json!({"StringLike": {"s3:prefix": "*"}})),
            json!([
                list(json!({"StringEquals": {"aws:RequestTag/team": "data"}})),
                list(json!({"StringLike": {"s3:prefix": "team-data/*"}})),
            ]),
            "its Statement[1] allows that only with StringLike s3:prefix \"team-data/*\"",
        ),
        (
            get("other"),
            json!([get("elsewhere"), named]),
            "its Statement[0] allows s3:GetObject only on arn:aws:s3:::elsewhere/*",
        ),
        (
            get("productionapp-eu"),
            json!([get("elsewhere"), named]),
            "its Statement[1] (ReadObjects) allows s3:GetObject only on arn:aws:s3:::productionapp/*",
        ),
        (
            get("elsewhere"),
            json!([allow(json!("s3:GetObject"), json!(many))]),
            "only on arn:aws:s3:::part-0/*, arn:aws:s3:::part-1/*, arn:aws:s3:::part-2/* (and 2 more)",
        ),
        (
            allow(json!("s3:DeleteObject"), json!("arn:aws:s3:::productionapp/*")),
            json!([named]),
            "its Statement[0] (ReadObjects) allows only s3:GetObject there",
        ),
        (
            allow(json!("sqs:SendMessage"), json!("*")),
            json!([named]),
            "nothing in it is about sqs:SendMessage or that resource",
        ),
        (
            get("productionapp"),
            json!([
                get("productionapp"),
                deny(json!("s3:*"), json!("arn:aws:s3:::productionapp/*")),
            ]),
            "its Statement[1] denies that",
        ),
        (
            allow(json!("s3:GetObjekt"), json!("arn:aws:s3:::productionapp/*")),
            json!([named]),
            "(s3:GetObjekt is not in AWS's service reference of 20",
        ),
    ] {
        let role = role_with(&[("objects", json!([wants]))]);
        let found = violations(&role, &under(ceiling));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].message.contains(says), "{}\n{says}", found[0].message);
    }
}

#[test]
fn where_no_limit_applies_the_accounts_in_which_others_do_are_named() {
    let mut role = role();
    role.account = object("prod");
    let said = |account: Fact<'_, Account>, limits: &[LimitEntry]| {
        let decision = decide(&DecisionInput {
            cluster: &cluster(),
            grant: GrantSpec::Role(&role),
            account,
            limits,
        });
        match decision {
            Decision::Refused(violations) => violations[0].message.clone(),
            other => panic!("not refused: {other:?}"),
        }
    };
    let mut elsewhere = limit("orders", productionapp());
    elsewhere.scope.namespaces = vec![deputy_delegation::NamespacePattern::new("orders").unwrap()];
    elsewhere.scope.accounts = [object("orders-account")].into();
    let limits = entries([limit("payments", productionapp()), elsewhere]);
    assert_eq!(
        said(Fact::Missing, &limits),
        "no DelegationLimit applies to namespace \"payments\" in account \"prod\", so nothing may be granted there; there is no \
         such AWSAccount; limits of the namespace are for: production"
    );
    let known = Account {
        name: object("prod"),
        ..account()
    };
    assert!(
        said(Fact::Known(&known), &limits)
            .ends_with("granted there; limits of the namespace are for: production")
    );
    assert!(said(Fact::Known(&known), &[]).ends_with("so nothing may be granted there"));
}
