//! Names of those who are outside the cluster.

use deputy_delegation::{
    model::{OidcPrincipal, OidcRule},
    names::*,
};

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

/// A subject of `issuer`, whose claim `sub` has one of these values; any, where there are none.
fn with_sub(issuer: &str, subs: &[&str]) -> Result<OidcPrincipal, TenantError> {
    let provider = OidcProviderArn::parse(&format!("arn:aws:iam::123456789012:oidc-provider/{issuer}"));
    let values = subs.iter().map(|sub| ClaimValue::new(*sub).unwrap()).collect();
    let claims = [(ClaimName::new("sub").unwrap(), values)].into_iter();
    let claims = claims.filter(|_| !subs.is_empty()).collect();
    OidcPrincipal::new(
        provider.unwrap(),
        Audience::new("sts.amazonaws.com").unwrap(),
        claims,
    )
}

/// Of an issuer that all share, a subject needs what says whose tokens are meant; of one's own it needs nothing.
#[test]
fn of_an_issuer_that_all_share_one_tenant_is_named() {
    const MISSING: &str = "the condition sub must say whose are meant, such as ";
    const ANYBODYS: &str = "does not begin with whose are meant, as ";
    const TENANTS: &str = "the provider must be one tenant's, such as ";
    const NOTHING: &str = "no condition says whose are meant";
    let github = "token.actions.githubusercontent.com";
    for (issuer, subs, said) in [
        (github, &[][..], MISSING),
        (github, &["repo:acme/app:ref:refs/heads/main"], ""),
        (github, &["repository_owner_id:123:environment:prod"], ""),
        (
            github,
            &["repo:acme/app:pull_request", "environment:prod"],
            ANYBODYS,
        ),
        (github, &["repo:/app:pull_request"], ANYBODYS),
        (github, &["environment:prod:repo:acme/app"], ANYBODYS),
        (
            github,
            &["job_workflow_ref:acme/ci/.github/workflows/deploy.yaml@main"],
            ANYBODYS,
        ),
        ("token.actions.githubusercontent.com/acme", &[], MISSING),
        ("gitlab.com", &[], MISSING),
        (
            "gitlab.com",
            &["project_path:acme/app:ref_type:branch:ref:main"],
            "",
        ),
        ("gitlab.com", &["ref_type:branch:ref:main"], ANYBODYS),
        ("app.terraform.io", &[], MISSING),
        (
            "app.eu.terraform.io",
            &["organization:acme:project:a:workspace:b:run_phase:apply"],
            "",
        ),
        ("app.terraform.io", &["workspace:b"], ANYBODYS),
        ("agent.buildkite.com", &[], MISSING),
        ("accounts.google.com", &[], MISSING),
        ("accounts.google.com", &["104029292853099975981"], ""),
        ("api.pulumi.com/oidc", &[], MISSING),
        ("cognito-identity.amazonaws.com", &[], MISSING),
        ("acme.scalr.io", &[], MISSING),
        ("api.bitbucket.org", &["{a}:{b}"], TENANTS),
        ("api.bitbucket.org/2.0/workspaces", &[], TENANTS),
        (
            "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
            &[],
            "",
        ),
        ("oidc.circleci.com/org", &["org/a"], TENANTS),
        ("oidc.circleci.com/org/a1b2c3", &[], ""),
        ("login.microsoftonline.com/common/v2.0", &["a"], TENANTS),
        ("login.microsoftonline.com/a1b2c3/v2.0", &[], ""),
        ("sts.windows.net/a1b2c3/", &[], ""),
        (
            "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",
            &["a"],
            NOTHING,
        ),
        ("www.amazon.com", &["a"], NOTHING),
        ("gitlab.example.com", &[], ""),
        ("notgitlab.com", &[], ""),
        ("gitlab.com.example.com", &[], ""),
        ("oidc.eks.eu-west-1.amazonaws.com/id/A", &[], ""),
    ] {
        let made = with_sub(issuer, subs);
        match made.map_err(|error| error.to_string()) {
            Ok(_) => assert_eq!(said, "", "{issuer} {subs:?}"),
            Err(error) => assert!(
                !said.is_empty() && error.contains(said) && error.contains(issuer),
                "{error}"
            ),
        }
    }
}

#[test]
fn a_pattern_of_a_limit_lets_in_one_tenant_of_an_issuer_that_all_share() {
    let github = "arn:aws:iam::*:oidc-provider/token.actions.githubusercontent.com";
    let all = "arn:aws:iam::123456789012:oidc-provider/*";
    let own = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.*";
    for (provider, pattern, instead) in [
        (github, "repo:acme/*", ""),
        (github, "repo:acme/app:*", ""),
        (github, "repo:acme/app:ref:refs/heads/main", ""),
        (github, "repository_owner_id:1:*", ""),
        (github, "*", "such as repo:TENANT/*"),
        (github, "re*", "such as repo:TENANT/*"),
        (github, "repo:*", "such as repo:TENANT/*"),
        (github, "repo:acme*", "such as repo:TENANT/*"),
        (github, "repo:*/app:ref:refs/heads/main", "such as repo:TENANT/*"),
        (github, "repo:/*", "such as repo:TENANT/*"),
        (github, "environment:*", ""),
        (
            "arn:aws:iam::1*:oidc-provider/gitlab.*",
            "project_path:*/app:*",
            "such as project_path:TENANT/*",
        ),
        (
            "arn:aws:iam::1*:oidc-provider/accounts.google.com",
            "1040*",
            "list each as it stands",
        ),
        (
            "arn:aws:iam::1*:oidc-provider/accounts.google.com",
            "104029292853099975981",
            "",
        ),
        (all, "*", "list each as it stands"),
        (own, "*", ""),
        (own, "system:serviceaccount:ci:*", ""),
        ("arn:aws:iam::1*:oidc-provider/api.bitbucket.org/*", "*", ""),
    ] {
        let made = OidcRule::new(
            [IamArnPattern::new(provider).unwrap()].into(),
            [Audience::new("sts.amazonaws.com").unwrap()].into(),
            [TextPattern::new(pattern).unwrap()].into(),
        );
        match made.map_err(|error| error.to_string()) {
            Ok(_) => assert_eq!(instead, "", "{provider} {pattern}"),
            Err(error) => assert!(
                !instead.is_empty() && error.contains(instead),
                "{pattern}: {error}"
            ),
        }
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
