//! What AWS leaves open, in pairs that hang on it: a *contained* holds under every reading, and a request that exceeds does so
//! under every one.

use deputy_policy::{Candidate, Containment, Document, PolicyKind, contains};
use deputy_policy_testing::expect::{
    May::{self, BeContained, NotBeContained, OnlyBeUnknown, OnlyExceed},
    hold,
};
use serde_json::{Value, json};

fn statement(effect: &str, resource: &str, condition: &Value) -> Value {
    json!({"Effect": effect, "Action": "s3:GetObject", "Resource": resource, "Condition": condition})
}

fn when(effect: &str, condition: &Value) -> Value {
    statement(effect, "*", condition)
}

fn always() -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
}

fn identity(candidate: Vec<Value>, ceiling: Vec<Value>, may: May) {
    hold(PolicyKind::Identity, candidate, ceiling, may);
}

#[test]
fn no_witness_rests_on_what_is_in_the_value_of_a_variable() {
    let literal_star = json!({"StringEquals": {"aws:RequestTag/w": "${*}"}});
    let of_tag = "arn:aws:s3:::b/${aws:RequestTag/w}";
    // If the star is a wildcard the ceiling allows it all.
    identity(
        vec![statement("Allow", "arn:aws:s3:::b/*", &literal_star)],
        vec![statement("Allow", of_tag, &json!({}))],
        OnlyBeUnknown,
    );
    // If it is none, its Deny is about one object.
    identity(
        vec![statement("Allow", "arn:aws:s3:::b/x", &literal_star)],
        vec![always(), statement("Deny", of_tag, &json!({}))],
        OnlyBeUnknown,
    );
    // Another bucket exceeds in any case.
    identity(
        vec![statement("Allow", "arn:aws:s3:::c/*", &literal_star)],
        vec![statement("Allow", of_tag, &json!({}))],
        OnlyExceed,
    );
}

#[test]
fn names_of_iam_hold_no_wildcards() {
    for key in ["aws:username", "aws:PrincipalTag/team", "aws:PrincipalAccount"] {
        for value in ["${*}", "a${?}"] {
            let literal = json!({"StringEquals": {key: value}});
            identity(
                vec![when("Allow", &literal)],
                vec![statement(
                    "Allow",
                    &format!("arn:aws:s3:::b/${{{key}}}"),
                    &json!({}),
                )],
                OnlyBeUnknown,
            );
        }
    }
}

/// ArnNotLike is defined for ARNs: what holds for a value that may be none, AWS does not say.
#[test]
fn a_value_that_a_variable_may_make_no_arn_is_not_surely_one() {
    let tag = |operator: &str, value: &str| json!({operator: {"aws:PrincipalTag/t": value}});
    for (value, sure) in [
        ("${aws:username}", false),
        ("${aws:RequestTag/w}:aws:s3:::a", false),
        ("arn:aws:s3:${aws:RequestTag/w}", false),
        ("arn:aws:${aws:RequestTag/w}s3:::a", false),
        ("arn:aws:s3:::${aws:username}", true),
        ("arn:aws:s3:::a", true),
    ] {
        for arn in ["arn:aws:sns:*:*:x", "arn:*:*:*:*:*"] {
            for (like, unlike) in [("ArnLike", "ArnNotLike"), ("ArnEquals", "ArnNotEquals")] {
                identity(
                    vec![when("Allow", &tag("StringEquals", value))],
                    vec![when("Allow", &tag(like, arn)), when("Allow", &tag(unlike, arn))],
                    if sure { BeContained } else { OnlyBeUnknown },
                );
            }
        }
    }
}

#[test]
fn what_a_variable_matches_may_be_more_than_its_value() {
    let pairs = [
        ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"),
        (
            "ForAnyValue:StringEquals",
            "ForAnyValue:StringNotEquals",
            "ForAnyValue:StringLike",
            "ForAnyValue:StringNotLike",
        ),
    ];
    for (equals, differs, like, unlike) in pairs {
        for (variable, contained) in [
            ("${aws:RequestTag/w}", false),
            ("x${s3:prefix}", false),
            ("${aws:PrincipalArn}", false),
            ("${aws:username}", true),
            ("${aws:PrincipalTag/team}", true),
            ("${aws:RequestTag/w, 'a'}", false),
        ] {
            let condition = |operator: &str| json!({operator: {"aws:UserAgent": variable}});
            let may = if contained { BeContained } else { NotBeContained };
            identity(
                vec![when("Allow", &condition(equals))],
                vec![when("Allow", &condition(like))],
                BeContained,
            );
            identity(
                vec![when("Allow", &condition(like))],
                vec![when("Allow", &condition(equals))],
                may,
            );
            identity(
                vec![when("Allow", &condition(unlike))],
                vec![when("Allow", &condition(differs))],
                BeContained,
            );
            identity(
                vec![when("Allow", &condition(differs))],
                vec![when("Allow", &condition(unlike))],
                may,
            );
            // By a search.
            let some = json!({"Null": {"aws:SourceVpc": "true"}});
            let mut others = condition(equals);
            others["Null"] = json!({"aws:SourceVpc": "true"});
            let mut vpc = condition(equals);
            vpc["Null"] = json!({"aws:SourceVpc": "false"});
            identity(
                vec![when("Allow", &condition(like))],
                vec![when("Allow", &others), when("Allow", &vpc)],
                may,
            );
            let mut negated = condition(differs);
            negated["Null"] = json!({"aws:SourceVpc": "true"});
            identity(
                vec![
                    when("Allow", &json!({"Null": {"aws:UserAgent": "false"}})),
                    when("Deny", &condition(differs)),
                    when("Deny", &json!({"Null": {"aws:SourceVpc": "false"}})),
                ],
                vec![when("Allow", &some), when("Deny", &negated)],
                BeContained,
            );
        }
    }
}

#[test]
fn a_list_may_differ_from_every_value() {
    let condition = |operator: &str| json!({operator: {"a:k": "x"}});
    // Of `[y, x]` some say that it does not equal `x`, and others that both do not hold.
    identity(
        vec![when("Allow", &condition("StringNotEquals"))],
        vec![
            when("Allow", &json!({"Null": {"a:k": "true"}})),
            when("Allow", &condition("ForAllValues:StringNotEquals")),
        ],
        OnlyBeUnknown,
    );
    identity(
        vec![when("Allow", &condition("StringNotEquals"))],
        vec![
            when("Allow", &json!({"StringNotEquals": {"a:k": ["x", "y"]}})),
            when("Allow", &json!({"StringEquals": {"a:k": "y"}})),
        ],
        BeContained,
    );
    // No witness rests on what `[x, y]` is either.
    identity(
        vec![when(
            "Allow",
            &json!({"ForAnyValue:StringEquals": {"a:k": "x"}, "ForAnyValue:StringLike": {"a:k": "y"}}),
        )],
        vec![when("Allow", &condition("StringNotEquals"))],
        OnlyBeUnknown,
    );
    // Only who says that `[y, x]` differs has to look for what covers it.
    identity(
        vec![when("Allow", &condition("StringNotEquals"))],
        vec![
            when("Allow", &condition("ForAllValues:StringNotEquals")),
            when("Allow", &condition("ForAnyValue:StringEquals")),
        ],
        BeContained,
    );
    identity(
        vec![when("Allow", &condition("StringEquals"))],
        vec![when("Allow", &json!({"StringEquals": {"a:k": ["x", "y"]}}))],
        BeContained,
    );
    identity(
        vec![when("Allow", &json!({"StringNotLike": {"a:k": ["x*", "y"]}}))],
        vec![when("Allow", &condition("StringNotEquals"))],
        BeContained,
    );
}

#[test]
fn a_set_operator_without_values_makes_a_list_of_a_key_too() {
    let halves = vec![
        when("Allow", &json!({"StringEqualsIfExists": {"s3:prefix": "x"}})),
        when("Allow", &json!({"StringNotEquals": {"s3:prefix": "x"}})),
    ];
    identity(vec![always()], halves.clone(), BeContained);
    let mut asked = halves;
    asked.push(when(
        "Allow",
        &json!({"ForAnyValue:StringEquals": {"s3:Prefix": []}}),
    ));
    identity(vec![always()], asked, NotBeContained);
}

#[test]
fn what_covers_only_lists_is_needed_of_a_key_that_may_become_one() {
    let condition = |operator: &str| json!({operator: {"s3:prefix": "x"}});
    identity(
        vec![when("Allow", &condition("ForAnyValue:StringEquals"))],
        vec![
            when("Allow", &condition("ForAllValues:StringEquals")),
            when("Allow", &condition("ForAnyValue:StringNotEquals")),
        ],
        BeContained,
    );
}

fn about(effect: &str, principal: &str, action: &str) -> Value {
    json!({"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"})
}

fn resource(candidate: Vec<Value>, ceiling: Vec<Value>, may: May) {
    hold(PolicyKind::Resource, candidate, ceiling, may);
}

const ROOT: &str = "arn:aws:iam::444455556666:root";

#[test]
fn callers_are_of_all_partitions_that_a_pair_names() {
    let by_number = about("Allow", "444455556666", "s3:GetObject");
    let by_arn = about("Allow", ROOT, "s3:*");
    resource(vec![by_number.clone()], vec![by_arn.clone()], BeContained);
    // Somewhere else a policy is about somebody of China, or not in China.
    let china = about("Allow", "arn:aws-cn:iam::444455556666:user/a", "sqs:SendMessage");
    for (candidate, ceiling) in [
        (
            vec![by_number.clone(), china.clone()],
            vec![by_arn.clone(), china.clone()],
        ),
        (vec![by_number.clone()], vec![by_arn.clone(), china.clone()]),
    ] {
        resource(candidate, ceiling, OnlyExceed);
    }
    let identity = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE";
    resource(
        vec![by_number, about("Allow", identity, "s3:PutObject")],
        vec![
            about("Allow", "arn:aws-cn:iam::444455556666:root", "s3:*"),
            about("Allow", identity, "s3:PutObject"),
        ],
        OnlyExceed,
    );
}

#[test]
fn the_role_of_a_session_may_have_any_path_where_paths_matter() {
    let session = "arn:aws:sts::444455556666:assumed-role/deploy/ci";
    let role = |path: &str| format!("arn:aws:iam::444455556666:role/{path}deploy");
    let candidate = || vec![about("Allow", session, "s3:GetObject")];
    let elsewhere = || about("Allow", &role("prod/"), "sqs:SendMessage");
    let of_role = |path: &str| about("Allow", &role(path), "s3:*");
    resource(candidate(), vec![of_role("")], BeContained);
    resource(candidate(), vec![of_role("prod/")], NotBeContained);
    resource(candidate(), vec![of_role(""), elsewhere()], NotBeContained);
    // A Deny of the role may be one of another role.
    let denied = |path: &str| {
        vec![
            about("Allow", session, "s3:GetObject"),
            about("Deny", &role(path), "s3:*"),
        ]
    };
    let others = || about("Allow", "111122223333", "s3:*");
    resource(denied(""), vec![others()], BeContained);
    resource(denied("prod/"), vec![others()], NotBeContained);
    resource(denied(""), vec![others(), elsewhere()], NotBeContained);
    for ceiling in ["444455556666", session, "*"] {
        resource(candidate(), vec![about("Allow", ceiling, "s3:*")], BeContained);
    }
    let answer = {
        let document = |principal: &str| {
            let value =
                json!({"Version": "2012-10-17", "Statement": [about("Allow", principal, "s3:GetObject")]});
            Document::from_value(&value, PolicyKind::Resource).unwrap()
        };
        contains(&Candidate::new(&[&document(session)]), &document(&role("prod/")))
    };
    let Containment::Exceeds(witness) = answer else {
        panic!("{answer:?}");
    };
    assert!(
        witness
            .to_string()
            .ends_with("(a session of arn:aws:iam::444455556666:role/any-path/deploy)"),
        "{witness}"
    );
}

#[test]
fn a_request_that_exceeds_is_found_behind_a_question_without_answer() {
    // Of the first nobody knows whose id it is.
    let (bob, id) = ("arn:aws:iam::444455556666:user/bob", "AIDAEXAMPLEOFAUSER01");
    resource(
        vec![
            about("Allow", bob, "s3:GetObject"),
            about("Allow", bob, "s3:PutObject"),
        ],
        vec![about("Allow", ROOT, "s3:Get*"), about("Deny", id, "s3:GetObject")],
        OnlyExceed,
    );
    // Of the first AWS does not say what a list is.
    let two = |condition: Value| json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*", "Condition": condition});
    identity(
        vec![two(json!({"StringNotEquals": {"a:k": "x"}}))],
        vec![
            when("Allow", &json!({"Null": {"a:k": "true"}})),
            when("Allow", &json!({"ForAllValues:StringNotEquals": {"a:k": "x"}})),
            json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEquals": {"a:k": ["x", "y"]}}}),
        ],
        OnlyExceed,
    );
}

/// AWS does not say whether it expands a variable before it splits an ARN into parts.
#[test]
fn a_variable_before_the_fifth_colon_may_have_colons() {
    let of = |text: &str| json!({"StringEquals": {"aws:SourceArn": text}});
    for region in [
        "${aws:RequestTag/r}",
        "${aws:RequestTag/r}*",
        "${aws:RequestTag/r}${aws:PrincipalAccount}",
        "?${aws:RequestTag/r}*",
    ] {
        let unlike = json!({"ArnNotLike": {"aws:SourceArn": format!("arn:aws:s3:{region}:x:y")}});
        let (one, other) = ("arn:aws:s3:a:x:y", "arn:aws:s3:ab:c:x:y");
        identity(
            vec![when("Allow", &of(one))],
            vec![when("Allow", &unlike)],
            NotBeContained,
        );
        identity(
            vec![when("Allow", &of(other))],
            vec![when("Allow", &unlike)],
            OnlyBeUnknown,
        );
    }
}
