//! Names of those who are outside the cluster.

use deputy_delegation::names::*;

#[test]
fn a_principal_is_an_account_a_user_or_a_role_and_nothing_else() {
    let aws = Partition::new("aws").unwrap();
    for (text, kind, arn) in [
        (
            "999999999999",
            PrincipalKind::Account,
            "arn:aws:iam::999999999999:root",
        ),
        (
            "arn:aws:iam::999999999999:root",
            PrincipalKind::Account,
            "arn:aws:iam::999999999999:root",
        ),
        (
            "arn:aws-cn:iam::999999999999:root",
            PrincipalKind::Account,
            "arn:aws-cn:iam::999999999999:root",
        ),
        (
            "arn:aws:iam::999999999999:user/a/alice",
            PrincipalKind::User,
            "arn:aws:iam::999999999999:user/a/alice",
        ),
        (
            "arn:aws:iam::999999999999:role/ci",
            PrincipalKind::Role,
            "arn:aws:iam::999999999999:role/ci",
        ),
    ] {
        let principal = PrincipalArn::parse(text).unwrap();
        assert_eq!((principal.kind(), principal.arn(&aws)), (kind, arn.to_owned()));
        assert_eq!(principal.account().as_str(), "999999999999");
        assert_eq!(principal.to_string(), text);
    }
    for bad in [
        "",
        "*",
        "99999999999",
        "arn:aws:iam::*:root",
        "arn:aws:iam::999999999999:*",
        "arn:aws:iam::999999999999:role/*",
        "arn:aws:iam::999999999999:role/ci-?",
        "arn:aws:iam::999999999999:role/${aws:username}",
        "arn:aws:iam::999999999999:group/admins",
        "arn:aws:iam::999999999999:policy/p",
        "arn:aws:iam::999999999999:oidc-provider/gitlab.com",
        "arn:aws:sts::999999999999:assumed-role/ci/session",
        "arn:aws:sts::999999999999:federated-user/alice",
        "arn:aws:iam:eu-west-1:999999999999:root",
        "arn:aws:iam::999999999999:root:root",
        "lambda.amazonaws.com",
        "AROAJQABLZS4A3QDU576Q",
    ] {
        let error = PrincipalArn::parse(bad).unwrap_err().to_string();
        assert!(error.contains("without wildcards"), "{bad}: {error}");
    }
}

#[test]
fn a_provider_is_of_its_own_kind() {
    let saml = "arn:aws:iam::123456789012:saml-provider/Okta.1_a-b";
    assert_eq!(SamlProviderArn::parse(saml).unwrap().to_string(), saml);
    let oidc = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let parsed = OidcProviderArn::parse(oidc).unwrap();
    assert_eq!(parsed.to_string(), oidc);
    assert_eq!(parsed.issuer(), "oidc.eks.eu-west-1.amazonaws.com/id/ABC");
    for bad in [
        saml,
        "arn:aws:iam::123456789012:oidc-provider/",
        "arn:aws:iam::123456789012:oidc-provider/https://gitlab.com",
        "arn:aws:iam::123456789012:oidc-provider/gitlab.com:443",
        "arn:aws:iam::123456789012:oidc-provider/gitlab.com/",
        "arn:aws:iam::123456789012:oidc-provider/*",
        "arn:aws:iam::123456789012:oidc-provider/GitLab.com",
        "gitlab.com",
    ] {
        assert!(OidcProviderArn::parse(bad).is_err(), "{bad}");
    }
    assert!(SamlProviderArn::parse(oidc).is_err());
}

#[test]
fn issuers_whose_tokens_anybody_may_get_are_known() {
    let of = |issuer: &str| {
        OidcProviderArn::parse(&format!("arn:aws:iam::123456789012:oidc-provider/{issuer}"))
            .unwrap()
            .is_shared()
    };
    for shared in [
        "token.actions.githubusercontent.com",
        "token.actions.githubusercontent.com/acme",
        "gitlab.com",
        "app.terraform.io",
        "api.pulumi.com/oidc",
        "eu.app.terraform.io",
    ] {
        assert!(of(shared), "{shared}");
    }
    for own in [
        "gitlab.example.com",
        "notgitlab.com",
        "oidc.eks.eu-west-1.amazonaws.com/id/A",
    ] {
        assert!(!of(own), "{own}");
    }
}

#[test]
fn what_a_condition_compares_with_has_neither_wildcard_nor_variable() {
    for good in [
        "sts.amazonaws.com",
        "repo:acme/app:ref:refs/heads/main",
        "a b",
        "project_path:g/p:ref_type:branch:ref:main",
    ] {
        assert!(
            ClaimValue::new(good).is_ok() && Audience::new(good).is_ok(),
            "{good}"
        );
    }
    for bad in [
        "",
        "repo:acme/*",
        "a?",
        "${aws:username}",
        " a",
        "a\"",
        "a\n",
        "\u{e4}",
        &"a".repeat(256),
    ] {
        assert!(
            ClaimValue::new(bad).is_err() && Audience::new(bad).is_err(),
            "{bad}"
        );
    }
    for good in ["sub", "actor_id", "project-path"] {
        assert!(ClaimName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "gitlab.com:sub", "SAML:sub", "1a", "a b"] {
        assert!(ClaimName::new(bad).is_err(), "{bad}");
    }
    assert!(PersonName::new("alice@example.com").is_ok());
    for bad in ["system:masters", "system:serviceaccount:a:b", "*", ""] {
        assert!(PersonName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_pattern_on_arns_is_matched_part_by_part() {
    let matches = |pattern: &str, arn: &str| IamArnPattern::new(pattern).unwrap().matches(arn);
    let role = "arn:aws:iam::999999999999:role/team/ci";
    for good in [
        role,
        "arn:aws:iam::999999999999:*",
        "arn:*:iam::*:role/*",
        "arn:aws:iam::9*:role/team/*",
        "arn:aws:iam::*:role/*ci",
    ] {
        assert!(matches(good, role), "{good}");
    }
    for other in [
        "arn:aws:iam::999999999999:role/team/CI",
        "arn:aws:iam::*:user/*",
        "arn:aws:iam::999999999999:role/team/c",
    ] {
        assert!(!matches(other, role), "{other}");
    }
    // A wildcard stays within its part.
    assert!(!matches(
        "arn:aws:iam::*:root",
        "arn:aws:iam::999999999999:role/a:root"
    ));
    assert!(!matches("arn:*:iam::1:a", "arn:aws:iam::999999999999:iam::1:a"));
    for bad in [
        "",
        "*",
        "arn:*",
        "arn:aws:iam::*",
        "arn:aws:s3:::b",
        "arn:aws:iam::1:role/?",
        "arn:aws:iam:::role/a",
    ] {
        assert!(IamArnPattern::new(bad).is_err(), "{bad}");
    }
    assert!(
        TextPattern::new("repo:acme/*")
            .unwrap()
            .matches("repo:acme/app:ref:refs/heads/main")
    );
    assert!(
        !TextPattern::new("repo:acme/*")
            .unwrap()
            .matches("repo:acme-evil/app")
    );
    assert!(TextPattern::new("**").unwrap().matches_all());
}
