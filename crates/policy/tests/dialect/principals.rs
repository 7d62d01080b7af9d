//! Principals.

use deputy_policy::{Principal, PrincipalElement};

use crate::support::*;

#[test]
fn principals_are_complete_and_without_wildcards() {
    for good in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "123456789012"}),
        json!({"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/a/b"]}),
        json!({"AWS": "arn:aws:sts::123456789012:assumed-role/r/s"}),
        json!({"AWS": "AROAEXAMPLEEXAMPLEEXA"}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"Federated": "arn:aws:iam::123456789012:oidc-provider/example.com"}),
        json!({"Federated": "*"}),
        json!({"Federated": "arn:aws:iam::<ACCOUNT ID>:oidc-provider/MyProvider"}),
    ] {
        accepts(&trust(good), PolicyKind::Trust);
    }
    for (bad, name) in [
        (json!({"AWS": "arn:aws:iam::123456789012:role/*"}), "AWS"),
        (json!({"AWS": "12345678901"}), "AWS"),
        (json!({"AWS": "arn:aws:iam::123456789012:group/g"}), "AWS"),
        (json!({"AWS": "arn:aws:iam::123456789012:role/"}), "AWS"),
        (json!({"Service": "ec2"}), "Service"),
        (json!({"AWS": "arn:aws:iam::*:root"}), "AWS"),
        (json!({"Service": "*.amazonaws.com"}), "Service"),
        (
            json!({"Federated": "arn:aws:iam::123456789012:saml-provider/*"}),
            "Federated",
        ),
    ] {
        let path = format!("Statement[0].Principal.{name}[0]");
        refuses(&trust(bad), PolicyKind::Trust, Kind::Principal, &path);
    }
    refuses(
        &trust(json!({})),
        PolicyKind::Trust,
        Kind::Empty,
        "Statement[0].Principal",
    );
    refuses(
        &trust(json!({"aws": "x"})),
        PolicyKind::Trust,
        Kind::UnknownElement,
        "Statement[0].Principal.aws",
    );
    let with_resource =
        statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Resource": "*"}));
    refuses(
        &with_resource,
        PolicyKind::Trust,
        Kind::ForbiddenElement,
        "Statement[0].Resource",
    );
    let nobody = statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole"}));
    refuses(
        &nobody,
        PolicyKind::Trust,
        Kind::MissingElement,
        "Statement[0].Principal",
    );
}

#[test]
fn principal_builders_make_what_the_parser_reads() {
    let document = accepts(&trust(json!({"AWS": ["123456789012"]})), PolicyKind::Trust);
    assert_eq!(
        document.statements()[0].principal,
        Some(PrincipalElement::Principal(Principal::aws(["123456789012"])))
    );
}

#[test]
fn an_origin_access_identity_is_the_only_principal_with_spaces() {
    let bucket = |arn: &str| {
        statement(
            json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*"}),
        )
    };
    let identity = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E127EXAMPLE51Z";
    accepts(&bucket(identity), Resource);
    for text in [
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity ",
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1 E2",
        "arn:aws:iam::cloudfront:user/Somebody",
        "arn:aws:iam::123456789012:user/CloudFront Origin Access Identity E127EXAMPLE51Z",
    ] {
        let path = "Statement[0].Principal.AWS[0]";
        refuses(&bucket(text), Resource, Kind::Principal, path);
    }
}
