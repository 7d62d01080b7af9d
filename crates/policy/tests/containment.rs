//! Containment: pairs of policies with the answer that must come, and what a witness says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use deputy_policy::{
    Candidate, Containment, Document, Layers, PolicyKind, Request, StatementRef, UnknownKind, Witness,
    contains, evaluate,
};
use serde_json::{Value, json};

fn policy(statements: Value) -> Document {
    Document::from_value(
        &json!({"Version": "2012-10-17", "Statement": statements}),
        PolicyKind::Identity,
    )
    .unwrap()
}

fn allow(action: Value, resource: Value) -> Document {
    policy(json!({"Effect": "Allow", "Action": action, "Resource": resource}))
}

/// Allows reading a bucket under a condition.
fn when(condition: Value) -> Document {
    policy(
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition}),
    )
}

#[track_caller]
fn contained(candidate: &Document, ceiling: &Document) {
    let answer = contains(&Candidate::new(&[candidate]), ceiling);
    assert!(
        answer.is_contained(),
        "{} in {}: {answer:?}",
        candidate.to_json(),
        ceiling.to_json()
    );
}

#[track_caller]
fn exceeds(candidate: &Document, ceiling: &Document) -> Witness {
    match contains(&Candidate::new(&[candidate]), ceiling) {
        Containment::Exceeds(witness) => {
            let request = Request {
                action: witness.action.clone(),
                resource: witness.resource.clone(),
                principal: None,
                context: witness.context.clone(),
            };
            let ask = |document: &Document| {
                evaluate(
                    &Layers {
                        identity: &[document],
                        ..Layers::default()
                    },
                    &request,
                )
                .is_allowed()
            };
            assert!(
                ask(candidate) && !ask(ceiling),
                "the evaluator does not confirm {witness}"
            );
            witness
        }
        other => panic!("{} in {}: {other:?}", candidate.to_json(), ceiling.to_json()),
    }
}

fn productionapp() -> Document {
    policy(json!([
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::productionapp"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
         "Resource": "arn:aws:s3:::productionapp/*"},
    ]))
}

#[test]
fn the_same_permissions_are_contained() {
    contained(&productionapp(), &productionapp());
}

#[test]
fn another_bucket_exceeds_with_a_readable_witness() {
    let candidate = allow(json!("s3:GetObject"), json!("arn:aws:s3:::otherbucket/*"));
    let witness = exceeds(&candidate, &productionapp());
    assert_eq!(witness.to_string(), "s3:GetObject on arn:aws:s3:::otherbucket/a");
    assert_eq!(
        witness.candidate,
        StatementRef {
            document: 0,
            statement: 0
        }
    );
}

#[test]
fn a_further_action_exceeds_with_that_action() {
    let candidate = allow(
        json!(["s3:GetObject", "s3:GetObjectAcl"]),
        json!("arn:aws:s3:::productionapp/*"),
    );
    assert_eq!(
        exceeds(&candidate, &productionapp()).to_string(),
        "s3:GetObjectAcl on arn:aws:s3:::productionapp/a"
    );
}

#[test]
fn wildcards_exceed_with_an_action_that_is_named_well() {
    let ceiling = productionapp();
    let witness = exceeds(
        &allow(json!("s3:*"), json!("arn:aws:s3:::productionapp/*")),
        &ceiling,
    );
    assert_eq!(
        witness.to_string(),
        "s3:PutObjectAcl on arn:aws:s3:::productionapp/a"
    );
    let witness = exceeds(&allow(json!("iam:*"), json!("*")), &ceiling);
    assert_eq!(
        witness.to_string(),
        "iam:CreateUser on arn:aws:iam::123456789012:user/any"
    );
    let everything = exceeds(&allow(json!("*"), json!("*")), &ceiling);
    assert!(everything.action.contains(':'), "{everything}");
}

#[test]
fn case_of_actions_does_not_matter() {
    contained(
        &allow(json!("S3:getobject"), json!("arn:aws:s3:::productionapp/a")),
        &productionapp(),
    );
}

#[test]
fn patterns_within_patterns() {
    for (inner, outer) in [
        ("arn:aws:s3:::b/a/*", "arn:aws:s3:::b/*"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::*"),
        ("arn:aws:s3:::b/?*", "arn:aws:s3:::b/*?"),
        ("arn:aws:s3:::b/**", "arn:aws:s3:::b/*"),
        ("arn:aws:s3:::b/*x*", "arn:aws:s3:::b*"),
        (
            "arn:aws:ec2:us-east-1:123456789012:instance/i",
            "arn:aws:ec2:*:*:*/*",
        ),
        (
            "arn:aws:s3:::home/${aws:username}/*",
            "arn:aws:s3:::home/${aws:username}/*",
        ),
        ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/*"),
        (
            "arn:aws:s3:::home/${aws:username}",
            "arn:aws:s3:::home/${AWS:UserName}",
        ),
        ("arn:aws:s3:::b", "*"),
    ] {
        contained(
            &allow(json!("s3:Get*"), json!(inner)),
            &allow(json!("s3:*"), json!(outer)),
        );
    }
    for (inner, outer) in [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/*"),
        ("arn:aws:s3:::b*", "arn:aws:s3:::b/*"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/?*"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::B/*"),
        ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/bob/*"),
        ("arn:aws:s3:::home/bob/*", "arn:aws:s3:::home/${aws:username}/*"),
        (
            "arn:aws:s3:::home/${aws:username}/*",
            "arn:aws:s3:::home/${aws:userid}/*",
        ),
        ("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:*:instance/*"),
        ("*", "arn:aws:s3:::*"),
    ] {
        exceeds(
            &allow(json!("s3:Get*"), json!(inner)),
            &allow(json!("s3:*"), json!(outer)),
        );
    }
}

#[test]
fn every_document_of_the_candidate_counts() {
    let good = productionapp();
    let bad = allow(json!("s3:GetObject"), json!("arn:aws:s3:::other/*"));
    let Containment::Exceeds(witness) = contains(&Candidate::new(&[&good, &bad]), &productionapp()) else {
        panic!("not exceeded")
    };
    assert_eq!(
        witness.candidate,
        StatementRef {
            document: 1,
            statement: 0
        }
    );
}

#[test]
fn a_deny_of_the_candidate_holds_for_all_its_documents() {
    let wide = allow(json!("s3:*"), json!("*"));
    let deny = policy(json!({"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}));
    let ceiling = policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
    ]));
    assert!(contains(&Candidate::new(&[&wide, &deny]), &ceiling).is_contained());
    assert!(matches!(
        contains(&Candidate::new(&[&wide]), &ceiling),
        Containment::Exceeds(_)
    ));
}

#[test]
fn a_candidate_that_denies_itself_is_contained() {
    let nothing = policy(json!([
        {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    ]));
    contained(&nothing, &productionapp());
}

#[test]
fn a_conditional_deny_of_the_candidate_does_not_cover_the_rest() {
    let candidate = policy(json!([
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]));
    exceeds(&candidate, &productionapp());
}

#[test]
fn what_the_ceiling_denies_must_be_avoided() {
    let ceiling = policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["s3:DeleteObject", "iam:*"], "Resource": "arn:aws:s3:::logs/*"},
    ]));
    contained(
        &allow(json!("s3:DeleteObject"), json!("arn:aws:s3:::data/*")),
        &ceiling,
    );
    contained(
        &allow(json!("s3:GetObject"), json!("arn:aws:s3:::logs/*")),
        &ceiling,
    );
    let witness = exceeds(&allow(json!("s3:Delete*"), json!("arn:aws:s3:::l*")), &ceiling);
    assert_eq!(witness.to_string(), "s3:DeleteObject on arn:aws:s3:::logs/a");
}

#[test]
fn wildcards_of_the_first_parts_do_not_meet_across_parts() {
    let ceiling = policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:cloudformation:*:*:stack/MySensitiveStack/*"},
    ]));
    let candidate = allow(
        json!("cloudformation:*"),
        json!("arn:aws:cloudformation:*:*:stack/NotMySensitiveStack/*"),
    );
    contained(&candidate, &ceiling);
}

#[test]
fn the_candidate_may_repeat_the_ceilings_deny() {
    let deny = json!({"Effect": "Deny", "Action": "s3:Delete*", "Resource": ["arn:aws:s3:::logs/*", "arn:aws:s3:::a/*"]});
    let ceiling = policy(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]));
    contained(
        &policy(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, deny])),
        &ceiling,
    );
    let narrower = json!({"Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::logs/*"});
    let witness = exceeds(
        &policy(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, narrower])),
        &ceiling,
    );
    assert!(witness.resource.starts_with("arn:aws:s3:::a/"), "{witness}");
}

#[test]
fn not_action_and_not_resource() {
    let ceiling = policy(json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}));
    contained(&allow(json!(["s3:*", "ec2:Run*"]), json!("*")), &ceiling);
    let wider = policy(json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:*", "kms:*"], "Resource": "*"}));
    contained(&wider, &ceiling);
    assert!(exceeds(&ceiling, &wider).action.starts_with("kms:"));
    assert!(
        exceeds(&allow(json!("iam:Get*"), json!("*")), &ceiling)
            .action
            .starts_with("iam:Get")
    );
    let outside =
        policy(json!({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret/*"}));
    contained(&allow(json!("s3:*"), json!("arn:aws:s3:::open/*")), &outside);
    exceeds(&allow(json!("s3:*"), json!("arn:aws:s3:::s*")), &outside);
    let denied = policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": ["iam:*", "sts:*"], "Resource": "*"},
    ]));
    contained(&ceiling, &denied);
    contained(
        &denied,
        &policy(json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"},
        ])),
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn conditions_that_follow() {
    for (stronger, weaker) in [
        (
            json!({"StringEquals": {"aws:k": "x"}}),
            json!({"StringEquals": {"aws:K": ["x", "y"]}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "x1"}}),
            json!({"StringLike": {"aws:k": "x*"}}),
        ),
        (
            json!({"StringLike": {"aws:k": "xy*"}}),
            json!({"StringLike": {"aws:k": "x*"}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "X"}}),
            json!({"StringEqualsIgnoreCase": {"aws:k": "x"}}),
        ),
        (
            json!({"StringEquals": {"aws:referer": "x"}}),
            json!({"StringNotEquals": {"aws:referer": "y"}}),
        ),
        (
            json!({"StringNotEquals": {"aws:k": ["x", "y"]}}),
            json!({"StringNotEquals": {"aws:k": "x"}}),
        ),
        (
            json!({"StringNotLike": {"aws:k": "x*"}}),
            json!({"StringNotEquals": {"aws:k": "xy"}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "x"}}),
            json!({"StringEqualsIfExists": {"aws:k": "x"}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "x"}}),
            json!({"Null": {"aws:k": "false"}}),
        ),
        (
            json!({"Null": {"aws:k": "true"}}),
            json!({"StringNotEquals": {"aws:k": "x"}}),
        ),
        (
            json!({"Null": {"aws:k": "true"}}),
            json!({"BoolIfExists": {"aws:k": "true"}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "x"}}),
            json!({"ForAnyValue:StringLike": {"aws:k": "x*"}}),
        ),
        (
            json!({"ForAllValues:StringEquals": {"aws:k": "x"}}),
            json!({"ForAllValues:StringEquals": {"aws:k": ["x", "y"]}}),
        ),
        (
            json!({"ForAnyValue:StringEquals": {"aws:k": "x"}}),
            json!({"ForAnyValue:StringEquals": {"aws:k": ["x", "y"]}}),
        ),
        (
            json!({"NumericLessThan": {"aws:k": "5"}}),
            json!({"NumericLessThanEquals": {"aws:k": "5"}}),
        ),
        (
            json!({"NumericEquals": {"aws:k": "5"}}),
            json!({"NumericLessThan": {"aws:k": "5.5"}}),
        ),
        (
            json!({"NumericGreaterThan": {"aws:referer": "5"}}),
            json!({"NumericNotEquals": {"aws:referer": "5"}}),
        ),
        (
            json!({"DateLessThan": {"aws:k": "2020-01-01"}}),
            json!({"DateLessThan": {"aws:k": "2021-01-01"}}),
        ),
        (
            json!({"IpAddress": {"aws:k": "10.1.0.0/16"}}),
            json!({"IpAddress": {"aws:k": ["10.0.0.0/8", "::/0"]}}),
        ),
        (
            json!({"IpAddress": {"aws:referer": "10.1.0.0/16"}}),
            json!({"NotIpAddress": {"aws:referer": "11.0.0.0/8"}}),
        ),
        (
            json!({"ArnLike": {"aws:k": "arn:aws:iam::1:role/a"}}),
            json!({"ArnEquals": {"aws:k": "arn:aws:iam::*:role/*"}}),
        ),
        (
            json!({"Bool": {"aws:k": true}}),
            json!({"Bool": {"aws:k": ["true", "false"]}}),
        ),
        (
            json!({"StringLike": {"aws:k": "${aws:username}/*"}}),
            json!({"StringLike": {"aws:k": "${aws:username}*"}}),
        ),
        (
            json!({"StringEquals": {"aws:k": "x", "a:l": "y"}}),
            json!({"StringEquals": {"aws:k": "x"}}),
        ),
        (json!({"Bool": {"aws:k": "true"}}), json!({})),
    ] {
        contained(&when(stronger.clone()), &when(weaker.clone()));
    }
}

#[test]
fn what_aws_does_not_define_is_unknown() {
    for (candidate, ceiling) in [
        // A list, and no set operator.
        (
            json!({"ForAnyValue:StringEquals": {"aws:k": "x"}}),
            json!({"StringEquals": {"aws:k": "x"}}),
        ),
        // An absent key, and IfExists with ForAnyValue.
        (
            json!({"ForAnyValue:StringEqualsIfExists": {"aws:k": "x"}}),
            json!({"ForAnyValue:StringEquals": {"aws:k": "x"}}),
        ),
        // A text that is no number, date, address or ARN, and a negated comparison.
        (
            json!({"StringLike": {"aws:PrincipalTag/t": "a*"}}),
            json!({"NumericNotEquals": {"aws:PrincipalTag/t": "5"}}),
        ),
        (
            json!({"StringLike": {"aws:PrincipalTag/t": "a*"}}),
            json!({"DateNotEquals": {"aws:PrincipalTag/t": "2020-01-01"}}),
        ),
        (
            json!({"StringLike": {"aws:PrincipalTag/t": "a*"}}),
            json!({"NotIpAddress": {"aws:PrincipalTag/t": "10.0.0.0/8"}}),
        ),
        (
            json!({"StringEquals": {"aws:PrincipalTag/t": "a"}}),
            json!({"ArnNotLike": {"aws:PrincipalTag/t": "arn:aws:s3:::a"}}),
        ),
    ] {
        let answer = contains(
            &Candidate::new(&[&when(candidate.clone())]),
            &when(ceiling.clone()),
        );
        assert!(
            matches!(answer, Containment::Unknown(_)),
            "{candidate} in {ceiling}: {answer:?}"
        );
    }
}

#[test]
fn conditions_that_do_not_follow() {
    for (candidate, ceiling) in [
        (json!({}), json!({"Bool": {"aws:SecureTransport": "true"}})),
        (
            json!({"StringEquals": {"aws:k": ["x", "z"]}}),
            json!({"StringEquals": {"aws:k": ["x", "y"]}}),
        ),
        (
            json!({"StringEqualsIgnoreCase": {"aws:k": "x"}}),
            json!({"StringEquals": {"aws:k": "X"}}),
        ),
        (
            json!({"StringEqualsIfExists": {"aws:k": "x"}}),
            json!({"StringEquals": {"aws:k": "x"}}),
        ),
        (
            json!({"StringNotEquals": {"aws:k": "x"}}),
            json!({"StringEquals": {"aws:k": "y"}}),
        ),
        (
            json!({"StringNotEquals": {"aws:k": "x"}}),
            json!({"StringNotEquals": {"aws:k": ["x", "y"]}}),
        ),
        (
            json!({"StringNotEquals": {"aws:k": "x"}}),
            json!({"Null": {"aws:k": "false"}}),
        ),
        (
            json!({"ForAllValues:StringEquals": {"aws:k": "x"}}),
            json!({"ForAnyValue:StringEquals": {"aws:k": "x"}}),
        ),
        (
            json!({"ForAnyValue:StringEquals": {"aws:k": "x"}}),
            json!({"ForAllValues:StringEquals": {"aws:k": "x"}}),
        ),
        (
            json!({"NumericLessThanEquals": {"aws:k": "5"}}),
            json!({"NumericLessThan": {"aws:k": "5"}}),
        ),
        (
            json!({"NumericGreaterThan": {"aws:k": "5"}}),
            json!({"NumericLessThan": {"aws:k": "5"}}),
        ),
        (
            json!({"DateGreaterThan": {"aws:k": "2020-01-01"}}),
            json!({"DateGreaterThan": {"aws:k": "2021-01-01"}}),
        ),
        (
            json!({"IpAddress": {"aws:k": "10.0.0.0/8"}}),
            json!({"IpAddress": {"aws:k": "10.1.0.0/16"}}),
        ),
        (
            json!({"ArnLike": {"aws:k": "arn:aws:iam::1:role/*"}}),
            json!({"ArnLike": {"aws:k": "arn:aws:iam::1:role/a*"}}),
        ),
        (
            json!({"Bool": {"aws:k": ["true", "false"]}}),
            json!({"Bool": {"aws:k": "true"}}),
        ),
        (
            json!({"BinaryEquals": {"aws:k": ["YWJj", "YWJk"]}}),
            json!({"BinaryEquals": {"aws:k": "YWJj"}}),
        ),
        (
            json!({"StringLike": {"aws:k": "${aws:username}*"}}),
            json!({"StringLike": {"aws:k": "bob*"}}),
        ),
        (
            json!({"Null": {"aws:k": "true"}}),
            json!({"Null": {"aws:k": "false"}}),
        ),
    ] {
        exceeds(&when(candidate), &when(ceiling));
    }
}

#[test]
fn a_conditional_deny_of_the_ceiling() {
    let ceiling = |condition: Value| {
        policy(json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition},
        ]))
    };
    let outside = || ceiling(json!({"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-west-2"]}}));
    contained(
        &when(json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        &outside(),
    );
    let witness = exceeds(
        &when(json!({"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}})),
        &outside(),
    );
    assert_eq!(
        witness.to_string(),
        "s3:GetObject on arn:aws:s3:::b/a with aws:RequestedRegion=us-east-1"
    );
    exceeds(&when(json!({})), &outside());
    let insecure = || ceiling(json!({"Bool": {"aws:SecureTransport": "false"}}));
    contained(
        &when(json!({"Bool": {"aws:SecureTransport": "true"}})),
        &insecure(),
    );
    exceeds(&when(json!({})), &insecure());
    contained(
        &when(json!({"Null": {"aws:k": "true"}})),
        &ceiling(json!({"StringEquals": {"aws:k": "x"}})),
    );
}

#[test]
fn conditions_of_different_keys_with_variables_are_tried() {
    let same = when(json!({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}));
    let witness = exceeds(
        &same,
        &allow(json!("s3:GetObject"), json!("arn:aws:s3:::other/*")),
    );
    assert_eq!(
        witness.context.get("aws:PrincipalAccount"),
        witness.context.get("aws:ResourceAccount")
    );
}

#[test]
fn an_allow_that_can_never_match_is_contained() {
    let never = when(json!({"Null": {"aws:k": "true"}, "StringEquals": {"aws:k": "x"}}));
    contained(&never, &allow(json!("ec2:*"), json!("*")));
}

#[test]
fn statements_that_only_together_cover_contain() {
    let read = |condition: Value| json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition});
    let by_transport = policy(json!([
        read(json!({"Bool": {"aws:SecureTransport": "true"}})),
        read(json!({"BoolIfExists": {"aws:SecureTransport": "false"}})),
    ]));
    contained(&when(json!({})), &by_transport);
    // A tag can have other values.
    let by_tag = policy(json!([
        read(json!({"Bool": {"aws:PrincipalTag/b": "true"}})),
        read(json!({"BoolIfExists": {"aws:PrincipalTag/b": "false"}})),
    ]));
    let witness = exceeds(&when(json!({})), &by_tag);
    assert_eq!(
        witness.to_string(),
        "s3:GetObject on arn:aws:s3:::b/any with aws:PrincipalTag/b=something-else"
    );
    let by_number = policy(json!([
        read(json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "100"}})),
        read(json!({"NumericGreaterThanEqualsIfExists": {"aws:MultiFactorAuthAge": "100"}})),
    ]));
    contained(&when(json!({})), &by_number);
}

/// More variables than one question may have ([`UnknownKind::Budget`]), most of them of statements that have nothing to do
/// with it.
#[test]
fn variables_of_other_services_do_not_count() {
    let of = |n: usize, action: &str| {
        json!({"Effect": "Allow", "Action": format!("svc{n}:{action}"), "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": format!("${{aws:PrincipalTag/t{n}}}")}}})
    };
    let others: Vec<Value> = (0..12).map(|n| of(n, "*")).collect();
    let with = |more: &[Value]| policy(json!([others.as_slice(), more].concat()));
    let tagged = |effect: &str| {
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
            "Condition": {effect: {"aws:PrincipalTag/team": "a"}}})
    };
    let all = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let ceiling = with(&[tagged("StringEquals"), tagged("StringNotEquals")]);
    contained(&policy(json!([of(3, "Get"), all])), &ceiling);
    let half = with(&[tagged("StringEquals")]);
    assert_eq!(exceeds(&with(&[all]), &half).action, "s3:GetObject");
    // A Deny of one of the other services is no Deny of this one.
    let denied = json!({"Effect": "Deny", "Action": "svc1:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceArn": "${aws:PrincipalTag/x}${aws:PrincipalTag/y}${aws:PrincipalTag/z}"}}});
    let candidate = policy(json!([denied, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]));
    contained(&candidate, &ceiling);
    assert_eq!(exceeds(&candidate, &half).action, "s3:GetObject");
}

#[test]
fn policies_with_and_without_principals_are_not_compared() {
    let trust = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}});
    let trust = Document::from_value(&trust, PolicyKind::Trust).unwrap();
    assert!(contains(&Candidate::new(&[&trust]), &trust).is_contained());
    let Containment::Unknown(reason) = contains(&Candidate::new(&[&trust]), &when(json!({}))) else {
        panic!("decided")
    };
    assert_eq!(reason.kind, UnknownKind::Unsupported);
}

#[test]
fn nothing_is_contained_in_everything() {
    assert!(contains(&Candidate::new(&[]), &productionapp()).is_contained());
}

/// Statements of patterns that make naive comparisons explode.
fn adversarial(statements: usize, letter: char) -> Document {
    let pattern = |n: usize| format!("arn:aws:s3:::{}{n}", format!("*{letter}").repeat(400 + n));
    let statements: Vec<Value> = (0..statements)
        .map(|n| json!({"Effect": "Allow", "Action": format!("s3:{}*", "*a".repeat(100)), "Resource": pattern(n)}))
        .collect();
    policy(json!(statements))
}

#[test]
fn adversarial_policies_end_in_an_answer() {
    let (a, b) = (adversarial(64, 'a'), adversarial(64, 'b'));
    assert!(!contains(&Candidate::new(&[&a]), &b).is_contained());
    assert!(!contains(&Candidate::new(&[&b]), &adversarial(63, 'b')).is_contained());
}

#[test]
fn conditions_on_a_services_list_key_are_not_taken_for_contradictions() {
    // AWS does not say what a condition without a set operator makes of several values; a key that may be a list proves nothing.
    let both = policy(
        json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {
        "StringEquals": {"kms:GrantOperations": "Decrypt"}, "StringLike": {"kms:GrantOperations": "Enc*"}}}]),
    );
    let s3 = allow(json!("s3:*"), json!("*"));
    assert!(!contains(&Candidate::new(&[&both]), &s3).is_contained());

    let read = policy(
        json!([{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", "Condition": {
        "StringEquals": {"dynamodb:Attributes": "id"}}}]),
    );
    let no_secrets = policy(json!([
        {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*", "Condition": {
            "StringEquals": {"dynamodb:Attributes": "secret"}}}]));
    assert!(!contains(&Candidate::new(&[&read]), &no_secrets).is_contained());

    // A key that certainly has one value still proves it.
    let list = policy(
        json!([{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": {
        "StringEquals": {"s3:prefix": "home/"}}}]),
    );
    let not_elsewhere = policy(json!([
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"},
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": {
            "StringEquals": {"s3:prefix": "secret/"}}}]));
    contained(&list, &not_elsewhere);
}

#[test]
fn an_account_that_is_a_variable_is_some_account() {
    let like = |value: &str| when(json!({"ArnLike": {"aws:PrincipalArn": value}}));
    let own = like("arn:aws:iam::${aws:PrincipalAccount}:role/x");
    contained(&own, &own);
    contained(&own, &like("arn:aws:iam::*:role/x"));
    contained(&own, &like("arn:aws:iam::${aws:PrincipalAccount}:role/*"));
    exceeds(&own, &like("arn:aws:iam::111122223333:role/x"));
    exceeds(&like("arn:aws:iam::111122223333:role/x"), &own);
    // What another variable stands for may have colons.
    let named = like("arn:aws:iam::${aws:username}:role/x");
    assert!(!contains(&Candidate::new(&[&named]), &like("arn:aws:iam::*:role/x")).is_contained());
}

#[test]
fn a_value_without_case_is_not_the_value() {
    let on = |operator: &str, value: &str| when(json!({operator: {"s3:prefix": value}}));
    let (same, alike) = ("StringEquals", "StringEqualsIgnoreCase");
    for value in ["${aws:username}", "a${aws:username}", "${aws:username, 'b'}/x"] {
        exceeds(&on(alike, value), &on(same, value));
        exceeds(&on(alike, value), &on("StringLike", value));
        contained(&on(same, value), &on(alike, value));
        contained(&on(alike, value), &on(alike, value));
    }
    contained(&on(alike, "${aws:username}"), &on("StringLike", "*"));
}
