//! Subjects beside ServiceAccounts: which a limit allows, and how a role trusts them.

use std::sync::Arc;

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, Reason, decide,
    model::*,
    names::*,
    quota,
    trust::{caller_policy, compile},
};
use deputy_policy::{Caller, Context, Request, evaluate_trust};
use serde_json::json;

use crate::support::*;

const GITHUB: &str = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
const GITLAB: &str = "arn:aws:iam::123456789012:oidc-provider/gitlab.com";
const SAML: &str = "arn:aws:iam::123456789012:saml-provider/acme";
const PARTNER: &str = "arn:aws:iam::999999999999:root";
const OTHERS: &str = "arn:aws:iam::777777777777:root";

fn aws(arn: &str, external_id: Option<&str>, mfa: bool) -> AwsPrincipal {
    let id = external_id.map(|id| ExternalId::new(id).unwrap());
    AwsPrincipal::new(PrincipalArn::parse(arn).unwrap(), id, mfa, None).unwrap()
}

fn claims(claims: &[(&str, &[&str])]) -> TokenClaims {
    let value = |v: &&str| ClaimValue::new(*v).unwrap();
    let typed = claims
        .iter()
        .map(|(name, values)| (ClaimName::new(*name).unwrap(), values.iter().map(value).collect()));
    typed.collect()
}

fn oidc(provider: &str, subs: &[&str]) -> OidcPrincipal {
    let provider = OidcProviderArn::parse(provider).unwrap();
    let audience = Audience::new("sts.amazonaws.com").unwrap();
    let claims = if subs.is_empty() {
        TokenClaims::new()
    } else {
        claims(&[("sub", subs)])
    };
    OidcPrincipal::new(provider, audience, claims).unwrap()
}

fn saml(claims: TokenClaims) -> SamlPrincipal {
    SamlPrincipal {
        provider: SamlProviderArn::parse(SAML).unwrap(),
        audience: Audience::new("https://signin.aws.amazon.com/saml").unwrap(),
        claims,
    }
}

fn of(subjects: Subjects) -> Binding {
    Binding {
        subjects,
        ..binding()
    }
}

fn principals(list: Vec<AwsPrincipal>) -> Binding {
    of(Subjects::AwsPrincipals(SubjectList::new(list).unwrap()))
}

fn tokens(list: Vec<OidcPrincipal>) -> Binding {
    of(Subjects::OidcPrincipals(SubjectList::new(list).unwrap()))
}

fn person(name: &str) -> Binding {
    let name = PersonName::new(name).unwrap();
    of(Subjects::People(
        SubjectList::new([PersonSubject::User(name)]).unwrap(),
    ))
}

fn arns(list: &[&str]) -> std::collections::BTreeSet<IamArnPattern> {
    list.iter()
        .map(|text| IamArnPattern::new(*text).unwrap())
        .collect()
}

fn texts(list: &[&str]) -> std::collections::BTreeSet<TextPattern> {
    list.iter().map(|text| TextPattern::new(*text).unwrap()).collect()
}

/// The partner by external id, their users by a second factor, GitHub's repositories of acme, acme's SAML, and the users of acme.
fn rules() -> SubjectRules {
    let audiences = |text: &str| [Audience::new(text).unwrap()].into();
    let principal = |arn: &str, require_external_id, require_mfa| PrincipalRule {
        matches: arns(&[arn]),
        require_external_id,
        require_mfa,
    };
    SubjectRules {
        principals: vec![principal(PARTNER, true, false), principal(OTHERS, false, true)],
        saml: vec![SamlRule {
            matches: arns(&[SAML]),
            audiences: audiences("https://signin.aws.amazon.com/saml"),
        }],
        oidc: vec![
            OidcRule::new(
                arns(&["arn:aws:iam::*:oidc-provider/token.actions.githubusercontent.com"]),
                audiences("sts.amazonaws.com"),
                texts(&["repo:acme/*"]),
            )
            .unwrap(),
        ],
        people: PeopleRule {
            users: texts(&["*@acme.example"]),
            groups: texts(&[]),
            max_duration: None,
            mfa_groups: Default::default(),
        },
    }
}

fn limit_with(subjects: SubjectRules) -> Limit {
    Limit {
        subjects,
        ..limit("payments", productionapp())
    }
}

fn decided_under(binding: &Binding, role: &Role, limits: &[LimitEntry]) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding,
            role: Fact::Known(role),
        },
        account: Fact::Known(&account()),
        limits,
    })
}

/// What refuses it under [`rules`].
fn said(binding: &Binding) -> Vec<(Reason, String)> {
    match decided_under(binding, &role(), &entries([limit_with(rules())])) {
        Decision::Accepted(_) => Vec::new(),
        Decision::Refused(violations) => violations.iter().map(|v| (v.reason, v.message.clone())).collect(),
        undecided @ Decision::Undecided(_) => panic!("{undecided:?}"),
    }
}

#[test]
fn a_limit_allows_the_subjects_that_a_rule_covers() {
    for binding in [
        principals(vec![aws(PARTNER, Some("acme-7"), false)]),
        // The id alone is the same account.
        principals(vec![aws("999999999999", Some("acme-7"), false)]),
        principals(vec![aws(OTHERS, None, true)]),
        tokens(vec![oidc(
            GITHUB,
            &[
                "repo:acme/app:ref:refs/heads/main",
                "repo:acme/web:environment:production",
            ],
        )]),
        of(Subjects::SamlPrincipals(
            SubjectList::new([saml(TokenClaims::new())]).unwrap(),
        )),
        person("alice@acme.example"),
    ] {
        assert_eq!(said(&binding), [], "{:?}", binding.subjects);
    }
}

#[test]
fn what_no_rule_covers_is_refused_with_what_is_allowed() {
    let group = PersonSubject::Group(PersonName::new("admins").unwrap());
    for (binding, wanted) in [
        (
            principals(vec![aws(PARTNER, None, false)]),
            "only with externalID",
        ),
        (
            principals(vec![aws(OTHERS, Some("x1"), false)]),
            "only with requireMFA: true",
        ),
        (
            principals(vec![aws("arn:aws:iam::888888888888:root", Some("acme-7"), false)]),
            "is not among the subjects of limit \"payments\", which allows arn:aws:iam::999999999999:root",
        ),
        (
            principals(vec![aws(
                "arn:aws-cn:iam::999999999999:root",
                Some("acme-7"),
                false,
            )]),
            "AWS trusts nobody across partitions",
        ),
        (
            tokens(vec![oidc(
                GITLAB,
                &["project_path:acme/app:ref_type:branch:ref:main"],
            )]),
            "which allows arn:aws:iam::*:oidc",
        ),
        (
            tokens(vec![oidc(GITHUB, &["repo:evil/app:ref:refs/heads/main"])]),
            "which allows repo:acme/*",
        ),
        (
            tokens(vec![oidc(
                GITHUB,
                &["repo:acme/app:ref:x", "repo:evil/app:ref:x"],
            )]),
            "sub \"repo:evil/app:ref:x\"",
        ),
        (
            tokens(vec![oidc(
                "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com",
                &["repo:acme/a:b"],
            )]),
            "only providers of the role's own account",
        ),
        (person("eve@evil.example"), "which allows *@acme.example"),
        (
            of(Subjects::People(SubjectList::new([group]).unwrap())),
            "which allows none",
        ),
    ] {
        let found = said(&binding);
        assert!(
            found
                .iter()
                .any(|(reason, message)| *reason == Reason::Subject && message.contains(wanted)),
            "{wanted}: {found:?}"
        );
    }
}

#[test]
fn a_limit_without_rules_allows_nobody_but_service_accounts() {
    let silent = entries([limit("payments", productionapp())]);
    for binding in [
        principals(vec![aws(PARTNER, Some("acme-7"), true)]),
        tokens(vec![oidc(GITHUB, &["repo:acme/app:ref:refs/heads/main"])]),
        person("alice@acme.example"),
    ] {
        assert!(matches!(
            decided_under(&binding, &role(), &silent),
            Decision::Refused(_)
        ));
        // And every limit has to allow them.
        let two = entries([limit_with(rules()), check_only("organisation", productionapp())]);
        assert!(matches!(
            decided_under(&binding, &role(), &two),
            Decision::Refused(_)
        ));
    }
}

#[test]
fn who_calls_sts_alone_may_have_what_the_role_gives_within_the_limit() {
    let binding = principals(vec![aws(PARTNER, Some("acme-7"), false)]);
    let mut long = role();
    if let RoleSource::Owned(owned) = &mut long.source {
        owned.max_session_duration = MaxSessionDuration::parse("12h").unwrap();
    }
    let limits = entries([limit_with(rules())]);
    let Decision::Refused(violations) = decided_under(&binding, &long, &limits) else {
        panic!("12h under a limit of 1h");
    };
    assert_eq!(violations.reason(), Reason::Duration);
    assert!(
        violations.to_string().contains("maxSessionDuration, 12h"),
        "{violations}"
    );
}

#[test]
fn more_subjects_than_a_trust_policy_holds_are_refused_with_the_numbers() {
    let many = (0..40).map(|i| {
        aws(
            &format!("1234000000{i:02}"),
            Some(&format!("an-external-id-of-account-{i}")),
            true,
        )
    });
    let found = said(&principals(many.collect()));
    assert!(
        found
            .iter()
            .any(|(reason, message)| *reason == Reason::TooLarge && message.ends_with("AWS takes 2048")),
        "{found:?}"
    );
}

#[test]
fn trust_policies_for_those_outside_are_as_published() {
    let trust = |binding: Binding| {
        compile(&cluster(), &account(), &uploader(), &[Arc::new(binding)])
            .document
            .to_value()
    };
    let role = deputy_delegation::naming::role_arn(&cluster(), &account(), &uploader());
    let assertion = saml(claims(&[
        ("namequalifier", &["x"]),
        ("sub_type", &["persistent"]),
    ]));
    assert_golden(
        "trust-outside.json",
        &json!({
            "github-actions": trust(tokens(vec![oidc(GITHUB, &["repo:acme/app:ref:refs/heads/main"])])),
            "gitlab": trust(tokens(vec![oidc(GITLAB, &["project_path:acme/app:ref_type:branch:ref:main"])])),
            "partner with external id": trust(principals(vec![aws(PARTNER, Some("acme-7"), false)])),
            "account with a second factor": trust(principals(vec![aws(OTHERS, None, true)])),
            "saml": trust(of(Subjects::SamlPrincipals(SubjectList::new([assertion]).unwrap()))),
            "policy for the callers": caller_policy(&role, &[aws(OTHERS, None, true)]).to_value(),
        }),
    );
}

#[test]
fn those_outside_may_become_the_role_and_set_no_tags() {
    let binding = Arc::new(principals(vec![aws(OTHERS, Some("acme-7"), true)]));
    let trust = compile(&cluster(), &account(), &uploader(), &[binding]).document;
    let asked = |action: &str, id: &str, mfa: Option<&str>| {
        let mut context = Context::new().with("sts:ExternalId", id);
        if let Some(mfa) = mfa {
            context = context.with("aws:MultiFactorAuthPresent", mfa);
        }
        let request = Request {
            action: action.to_owned(),
            resource: "arn:aws:iam::123456789012:role/x".to_owned(),
            principal: Some(Caller::parse(OTHERS).unwrap()),
            context,
        };
        evaluate_trust(&trust, &request).is_allowed()
    };
    assert!(asked("sts:AssumeRole", "acme-7", Some("true")));
    assert!(!asked("sts:AssumeRole", "acme-7", Some("false")));
    // Long-lived keys carry no such key at all.
    assert!(!asked("sts:AssumeRole", "acme-7", None));
    assert!(!asked("sts:AssumeRole", "other", Some("true")));
    assert!(!asked("sts:TagSession", "acme-7", Some("true")));
    assert!(!asked("sts:SetSourceIdentity", "acme-7", Some("true")));
}

#[test]
fn the_older_bindings_have_what_room_a_trust_policy_has() {
    let many = |who: &str| {
        let list = (0..8).map(|i| {
            aws(
                &format!("1234000000{i:02}"),
                Some(&format!("an-external-id-of-{who}-for-account-{i}")),
                true,
            )
        });
        let mut binding = principals(list.collect());
        binding.id = id("payments", who);
        Arc::new(binding)
    };
    let small = {
        let mut binding = principals(vec![aws(PARTNER, Some("acme-7"), false)]);
        binding.id = id("payments", "small");
        Arc::new(binding)
    };
    let compiled = compile(
        &cluster(),
        &account(),
        &uploader(),
        &[many("first"), many("second"), small],
    );
    let left: Vec<_> = compiled
        .left_out
        .iter()
        .map(|l| l.binding.name.as_str())
        .collect();
    assert_eq!(left, ["second"]);
    assert!(compiled.left_out.iter().all(|l| l.size > quota::TRUST_POLICY));
    assert!(compiled.document.size() <= quota::TRUST_POLICY);
    assert!(compiled.document.to_json().contains(PARTNER));
}

#[test]
fn a_subject_that_means_nothing_can_not_be_made() {
    let (root, role, user) = (
        PARTNER,
        "arn:aws:iam::999999999999:role/r",
        "arn:aws:iam::999999999999:user/alice",
    );
    let (role_id, user_id) = (Some("AROADBQP57FF2AEXAMPLE"), Some("AIDADBQP57FF2AEXAMPLE"));
    for (arn, mfa, replaces, may_be) in [
        (root, true, None, true),
        (root, false, role_id, false),
        (root, false, user_id, false),
        (role, false, role_id, true),
        (role, false, user_id, false),
        (role, true, None, false),
        (user, true, user_id, true),
        (user, false, role_id, false),
    ] {
        let replaces = replaces.map(|id| PrincipalId::new(id).unwrap());
        let principal = AwsPrincipal::new(PrincipalArn::parse(arn).unwrap(), None, mfa, replaces.clone());
        assert_eq!(principal.is_ok(), may_be, "{arn} {mfa} {replaces:?}");
    }
    for no_id in [
        "",
        "AROA",
        "AROAdbqp57ff2aexample",
        "ASIADBQP57FF2AEXAMPLE",
        "AROADBQP57FF2A-EXAMPLE",
    ] {
        assert!(PrincipalId::new(no_id).is_err(), "{no_id}");
    }
    for bad in [
        "*",
        "arn:aws:iam::999999999999:*",
        "arn:aws:iam::999999999999:role/*",
        "arn:aws:sts::999999999999:assumed-role/r/s",
    ] {
        assert!(PrincipalArn::parse(bad).is_err(), "{bad}");
    }
    let audience = || Audience::new("sts.amazonaws.com").unwrap();
    let github = || OidcProviderArn::parse(GITHUB).unwrap();
    assert!(OidcPrincipal::new(github(), audience(), TokenClaims::new()).is_err());
    let own = OidcProviderArn::parse("arn:aws:iam::123456789012:oidc-provider/ci.acme.example").unwrap();
    assert!(OidcPrincipal::new(own, audience(), TokenClaims::new()).is_ok());
    let twice = [aws(OTHERS, None, true), aws(OTHERS, None, true)];
    assert!(SubjectList::new(twice).is_err());
    assert!(SubjectList::<AwsPrincipal>::new([]).is_err());
}
