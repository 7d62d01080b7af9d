//! Variables whose value a tenant may choose.

use deputy_policy::{Code, PolicyKind, tag_variables};
use serde_json::json;

use super::findings;

const CLUSTER: &str = "${aws:PrincipalTag/deputy-cluster}";
const NAMESPACE: &str = "${aws:PrincipalTag/deputy-namespace}";
const UID: &str = "${aws:PrincipalTag/deputy-uid}";
const POD: &str = "${aws:PrincipalTag/deputy-pod-uid}";
const NAME: &str = "${aws:PrincipalTag/deputy-name}";
const ACCOUNT: &str = "${AWS:PrincipalTag/Deputy-Service-Account}";

/// The findings of a ceiling with such a value in a resource, and in a condition.
fn of(value: &str) -> [Vec<String>; 2] {
    let resource =
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::b/{value}")});
    let condition = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b",
        "Condition": {"StringLike": {"s3:prefix": value}}});
    [resource, condition].map(|statement| {
        let found = findings(PolicyKind::Boundary, &statement).into_iter();
        found
            .filter(|lint| lint.code == Code::TagVariable)
            .map(|lint| lint.message)
            .collect()
    })
}

#[test]
fn deputys_own_tags_may_stand_alone() {
    for value in [
        CLUSTER,
        NAMESPACE,
        UID,
        POD,
        "${AWS:principaltag/DEPUTY-namespace}",
        "${aws:username}",
        "a",
    ] {
        assert_eq!(of(value), [[""; 0]; 2], "{value}");
    }
}

#[test]
fn other_tags_may_not() {
    for value in [
        "${aws:PrincipalTag/team}",
        "${aws:PrincipalTag/team, 'none'}",
        "${aws:RequestTag/deputy-namespace}",
        "${s3:ExistingObjectTag/deputy-namespace}",
        "${aws:PrincipalTag/deputy-kind}",
        "${aws:PrincipalTag/deputy-team}",
        "${aws:PrincipalTag/deputy-}",
        "${aws:PrincipalTag/xdeputy-namespace}",
    ] {
        for found in of(value) {
            assert_eq!(found.len(), 1, "{value}");
            assert!(found[0].contains("a tenant may be able to set"), "{}", found[0]);
        }
    }
    assert_eq!(
        of("${aws:PrincipalTag/a}/${aws:PrincipalTag/b}").map(|found| found.len()),
        [2, 2]
    );
}

#[test]
fn names_that_the_tenant_chooses_stand_beside_the_namespace() {
    for value in [
        format!("{NAMESPACE}/{NAME}"),
        format!("{NAMESPACE}/x/{ACCOUNT}"),
        format!("{NAME}/{NAMESPACE}"),
        format!("{NAMESPACE}/{NAME}/{ACCOUNT}"),
        format!("{NAME}.{NAMESPACE}"),
        format!("{NAMESPACE}_{NAME}"),
        format!("{NAMESPACE}-x/*/{NAME}"),
    ] {
        assert_eq!(of(&value), [[""; 0]; 2], "{value}");
    }
    for value in [
        NAME.to_owned(),
        ACCOUNT.to_owned(),
        format!("{CLUSTER}/{NAME}"),
        // Which namespace it is can't be told from these.
        format!("{NAMESPACE}{NAME}"),
        format!("{NAMESPACE}-{NAME}"),
        format!("{NAMESPACE}*{NAME}"),
        format!("{NAMESPACE}0{ACCOUNT}"),
    ] {
        for found in of(&value) {
            assert_eq!(found.len(), 1, "{value}");
            assert!(found[0].contains("the tenant chooses"), "{}", found[0]);
        }
    }
    // In another value the namespace tells nothing.
    let ceiling = json!({"Effect": "Allow", "Action": "s3:GetObject",
        "Resource": [format!("arn:aws:s3:::b/{NAMESPACE}/*"), format!("arn:aws:s3:::c/{NAME}/*")]});
    let found = findings(PolicyKind::Boundary, &ceiling);
    assert_eq!(
        found.iter().map(|lint| lint.path.as_str()).collect::<Vec<_>>(),
        ["Statement[0].Resource[1]"]
    );
}

/// With `pay*` the namespace `pay` would reach what `payments` has.
#[test]
fn a_wildcard_beside_a_name_is_found() {
    let open = |value: &str| {
        let ceiling = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["*", format!("arn:aws:s3:::{value}")]});
        let found = findings(PolicyKind::Boundary, &ceiling).into_iter();
        let open: Vec<_> = found.filter(|lint| lint.code == Code::OpenTag).collect();
        open.iter()
            .for_each(|lint| assert_eq!(lint.path, "Statement[0].Resource[1]"));
        open.len()
    };
    for value in [
        format!("{NAMESPACE}*"),
        format!("{NAMESPACE}-*"),
        format!("{NAMESPACE}-data?/x"),
        format!("*{NAMESPACE}"),
        format!("data*-{NAMESPACE}/*"),
        format!("{CLUSTER}*"),
        format!("{NAMESPACE}/{NAME}*"),
        format!("{NAMESPACE}/{ACCOUNT}.*"),
        format!("{NAMESPACE}/{NAMESPACE}*"),
    ] {
        assert_eq!(open(&value), 1, "{value}");
    }
    for value in [
        NAMESPACE.to_owned(),
        format!("{NAMESPACE}/*"),
        format!("*/{NAMESPACE}/*"),
        format!("{NAMESPACE}-data/*"),
        format!("{CLUSTER}-{NAMESPACE}/*"),
        format!("{NAMESPACE}_*"),
        format!("{NAMESPACE}.*"),
        format!("{UID}*"),
        format!("{POD}-*"),
        "${aws:username}*".to_owned(),
    ] {
        assert_eq!(open(&value), 0, "{value}");
    }
}

#[test]
fn it_is_said_where_and_of_which_tag() {
    let text = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": ["*", "arn:aws:s3:::b/${aws:PrincipalTag/Team}/${aws:username}/*"],
        "Condition": {"StringLike": {"s3:prefix": "${aws:RequestTag/team, 'x'}/*", "aws:PrincipalTag/a": "plain"}}}});
    let document = deputy_policy::Document::from_value(&text, PolicyKind::Identity).unwrap();
    let found: Vec<_> = tag_variables(&document)
        .into_iter()
        .map(|v| (v.key, v.tag, v.path))
        .collect();
    let expected = [
        ("aws:PrincipalTag/Team", "Team", "Statement[0].Resource[1]"),
        (
            "aws:RequestTag/team",
            "team",
            "Statement[0].Condition.StringLike.s3:prefix[0]",
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()))
    );
}

#[test]
fn only_ceilings_are_looked_at() {
    let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"});
    assert_eq!(findings(PolicyKind::Identity, &statement), []);
}
