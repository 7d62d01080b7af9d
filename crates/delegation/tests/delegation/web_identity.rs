//! AssumeRoleWithWebIdentity: what is decided, and whom the role trusts then.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, Reason, decide, model::*, names::*, quota, session, trust,
    web_identity,
};
use deputy_policy::{Caller, Context, Document, Request, evaluate_trust};
use serde_json::json;

use crate::support::*;

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/PROD1";
const ISSUER_OF_TOKENS: &str = "oidc.example.com/id/PROD1";

fn with_provider() -> Account {
    Account {
        oidc: Some(OidcProvider {
            arn: OidcProviderArn::parse(PROVIDER).unwrap(),
            audience: Audience::new("sts.amazonaws.com").unwrap(),
        }),
        ..account()
    }
}

fn by(method: SessionMethod) -> Binding {
    Binding {
        method: Some(method),
        ..binding()
    }
}

fn web() -> Binding {
    by(SessionMethod::AssumeRoleWithWebIdentity)
}

fn with_methods(name: &str, methods: &[SessionMethod]) -> Limit {
    Limit {
        session_methods: methods.iter().copied().collect(),
        ..limit(name, productionapp())
    }
}

const BOTH: [SessionMethod; 2] = [
    SessionMethod::AssumeRole,
    SessionMethod::AssumeRoleWithWebIdentity,
];

fn decided(binding: &Binding, role: &Role, account: &Account, limits: &[LimitEntry]) -> Decision {
    let role = Fact::Known(role);
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding { binding, role },
        account: Fact::Known(account),
        limits,
    })
}

/// Reason, field and limit of each violation, and all that is said.
fn refused(decision: Decision) -> (Vec<(Reason, String, Option<String>)>, String) {
    let Decision::Refused(violations) = decision else {
        panic!("not refused: {decision:?}")
    };
    let found = violations.iter().map(|v| {
        let limit = v.limit.as_ref().map(ToString::to_string);
        (v.reason, v.field.clone(), limit)
    });
    (found.collect(), violations.to_string())
}

#[test]
fn every_limit_that_applies_has_to_list_the_method() {
    let open = with_methods("open", &BOTH);
    let checked = Limit {
        boundary: BoundaryMode::CheckOnly,
        ..with_methods("checked", &BOTH)
    };
    let accepted = decided(
        &web(),
        &role(),
        &with_provider(),
        &entries([open.clone(), checked.clone()]),
    );
    assert!(accepted.is_accepted(), "{accepted:?}");

    for methods in [&BOTH[..1], &[]] {
        let narrow = Limit {
            session_methods: methods.iter().copied().collect(),
            ..checked.clone()
        };
        let limits = entries([open.clone(), narrow]);
        let (found, said) = refused(decided(&web(), &role(), &with_provider(), &limits));
        let wanted = (
            Reason::Method,
            "spec.method".to_owned(),
            Some("checked".to_owned()),
        );
        assert_eq!(found, [wanted], "{said}");
        let allows = if methods.is_empty() {
            "no method"
        } else {
            "only AssumeRole"
        };
        assert!(
            said.contains(&format!(
                "\"checked\" allows {allows}, and not AssumeRoleWithWebIdentity"
            )),
            "{said}"
        );
    }
    // The other way round, too: the default of limits is no law.
    let only_web = entries([with_methods("payments", &BOTH[1..])]);
    let (found, said) = refused(decided(&binding(), &role(), &with_provider(), &only_web));
    assert_eq!(found.len(), 1, "{said}");
    assert!(
        said.contains("allows only AssumeRoleWithWebIdentity, and not AssumeRole (the account's default)"),
        "{said}"
    );
}

#[test]
fn a_binding_that_names_no_method_has_that_of_its_account() {
    let account = Account {
        default_method: SessionMethod::AssumeRoleWithWebIdentity,
        ..with_provider()
    };
    let limits = entries([limit("payments", productionapp())]);
    let (found, said) = refused(decided(&binding(), &role(), &account, &limits));
    assert_eq!(found.len(), 1, "{said}");
    assert!(
        said.contains("AssumeRoleWithWebIdentity (the account's default)"),
        "{said}"
    );
    assert!(decided(&by(SessionMethod::AssumeRole), &role(), &account, &limits).is_accepted());
    // What is written in the binding's session is said to be in the way, whoever chose the method.
    let mut narrowed = binding();
    narrowed.session.policy = Some(session_policy(productionapp()));
    let limits = entries([with_methods("payments", &BOTH)]);
    let (found, said) = refused(decided(&narrowed, &role(), &account, &limits));
    assert_eq!(
        found,
        [(Reason::Method, "spec.session.policy".to_owned(), None)],
        "{said}"
    );
}

#[test]
fn an_account_without_a_provider_has_no_such_sessions() {
    let limits = entries([with_methods("payments", &BOTH)]);
    let (found, said) = refused(decided(&web(), &role(), &account(), &limits));
    assert_eq!(found, [(Reason::Method, "spec.method".to_owned(), None)]);
    assert!(said.contains("spec.oidc in AWSAccount production"), "{said}");
}

#[test]
fn nothing_of_a_session_is_promised_that_nobody_would_hold() {
    let mut all = web();
    all.session = SessionSpec {
        scope: SessionScope::Pod,
        policy: Some(session_policy(productionapp())),
        policy_arns: [ManagedPolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap()].into(),
        duration: Some(SessionDuration::HOUR),
        tags: [tag("team", "payments")].try_into().unwrap(),
    };
    let limits = entries([with_methods("payments", &BOTH)]);
    let (found, _) = refused(decided(&all, &role(), &with_provider(), &limits));
    let fields: Vec<_> = found
        .iter()
        .map(|(reason, field, _)| (*reason, field.as_str()))
        .collect();
    assert_eq!(
        fields,
        ["policy", "policyARNs", "duration", "tags", "scope"]
            .map(|f| (Reason::Method, format!("spec.session.{f}")))
            .iter()
            .map(|(r, f)| (*r, f.as_str()))
            .collect::<Vec<_>>()
    );
}

/// The SDK may ask for all that the role gives; what the account's default is, or AWS's cap on chained roles, does not matter.
#[test]
fn the_role_lasts_no_longer_than_every_limit_allows() {
    let lasting = |hours: u64| {
        let mut role = role();
        let RoleSource::Owned(owned) = &mut role.source else {
            panic!("a role of Deputy's")
        };
        owned.max_session_duration = MaxSessionDuration::from_seconds(hours * 3600).unwrap();
        role
    };
    let limits = |first: &str, second: &str| {
        let mut limits = [with_methods("a", &BOTH), with_methods("b", &BOTH)];
        limits[0].max_session_duration = duration(first);
        limits[1].max_session_duration = duration(second);
        limits[1].boundary = BoundaryMode::CheckOnly;
        entries(limits)
    };
    assert!(decided(&web(), &lasting(12), &with_provider(), &limits("12h", "12h")).is_accepted());
    let (found, said) = refused(decided(
        &web(),
        &lasting(2),
        &with_provider(),
        &limits("2h", "90m"),
    ));
    let wanted = (Reason::Duration, "spec.method".to_owned(), Some("b".to_owned()));
    assert_eq!(found, [wanted]);
    assert!(said.contains("2h, which is longer than 1h30m"), "{said}");
    // A limit below an hour: IAM has no such role.
    let (found, _) = refused(decided(
        &web(),
        &lasting(1),
        &with_provider(),
        &limits("30m", "1h"),
    ));
    assert_eq!(found.len(), 1);
}

#[test]
fn whom_a_role_that_exists_trusts_is_not_deputys_to_say() {
    let arn = RoleArn::parse("arn:aws:iam::123456789012:role/terraform/app").unwrap();
    let existing = Role {
        source: RoleSource::Existing(ExistingRole { arn }),
        ..role()
    };
    let mut limit = with_methods("payments", &BOTH);
    limit.existing_roles =
        BTreeSet::from([IamArnPattern::new("arn:aws:iam::123456789012:role/terraform/*").unwrap()]);
    let (found, said) = refused(decided(&web(), &existing, &with_provider(), &entries([limit])));
    assert!(
        found.contains(&(Reason::Method, "spec.method".to_owned(), None)),
        "{said}"
    );
}

#[test]
fn the_broker_makes_no_session_by_it() {
    let subject = session::SessionSubject {
        service_account: ServiceAccountName::new("uploader").unwrap(),
        pod: PodName::new("uploader-1").unwrap(),
        pod_uid: uid(),
    };
    let request = |binding: &Binding| {
        session::request(&cluster(), &with_provider(), &role(), binding, &subject, None).is_some()
    };
    assert!(request(&binding()) && !request(&web()));
}

fn compiled(bindings: &[Binding]) -> Document {
    let bindings: Vec<_> = bindings.iter().cloned().map(Arc::new).collect();
    trust::compile(&cluster(), &with_provider(), &uploader(), &bindings).document
}

/// What an SDK in a pod sends, as AWS sees it.
fn request(provider: &str, aud: &str, sub: &str) -> Request {
    Request {
        action: "sts:AssumeRoleWithWebIdentity".to_owned(),
        resource: "arn:aws:iam::123456789012:role/deputy/prod-1/uploader".to_owned(),
        principal: Some(Caller::parse(provider).unwrap()),
        context: Context::new()
            .with("aws:FederatedProvider", provider)
            .with(format!("{ISSUER_OF_TOKENS}:aud"), aud)
            .with(format!("{ISSUER_OF_TOKENS}:sub"), sub),
    }
}

#[test]
fn the_trust_policy_names_provider_audience_and_service_accounts() {
    let other = Binding {
        id: id("payments", "second"),
        subjects: subjects(&["uploader", "reporter"]),
        ..web()
    };
    let document = compiled(&[web(), other]);
    assert_golden("trust-web-identity.json", &document.to_value());
    let sub = "system:serviceaccount:payments:uploader";
    let allowed = |request| evaluate_trust(&document, &request).is_allowed();
    assert!(allowed(request(PROVIDER, "sts.amazonaws.com", sub)));
    for (provider, aud, sub) in [
        (PROVIDER, "deputy", sub),
        (
            PROVIDER,
            "sts.amazonaws.com",
            "system:serviceaccount:payments:other",
        ),
        (
            PROVIDER,
            "sts.amazonaws.com",
            "system:serviceaccount:orders:uploader",
        ),
        (PROVIDER, "sts.amazonaws.com", "system:serviceaccount:payments:*"),
        (
            "arn:aws:iam::123456789012:oidc-provider/gitlab.com",
            "sts.amazonaws.com",
            sub,
        ),
        (
            "arn:aws:iam::999999999999:oidc-provider/oidc.example.com/id/PROD1",
            "sts.amazonaws.com",
            sub,
        ),
    ] {
        assert!(!allowed(request(provider, aud, sub)), "{provider} {aud} {sub}");
    }
    // No token makes one the broker, nor the other way round.
    let mut broker = request(PROVIDER, "sts.amazonaws.com", sub);
    broker.action = "sts:AssumeRole".to_owned();
    assert!(!allowed(broker));
}

#[test]
fn both_methods_stand_side_by_side_in_one_trust_policy() {
    let sids = |bindings: &[Binding]| -> Vec<_> {
        let document = compiled(bindings);
        document
            .statements()
            .iter()
            .map(|s| s.sid.clone().unwrap_or_else(|| "web identity".to_owned()))
            .collect()
    };
    assert_eq!(sids(&[web()]), ["web identity"]);
    assert_eq!(sids(&[binding()]), ["AssumeRole", "TagSession"]);
    assert_eq!(
        sids(&[web(), binding()]),
        ["AssumeRole", "TagSession", "web identity"]
    );
    assert_eq!(sids(&[]), ["DenyAll"]);
}

#[test]
fn a_binding_names_no_more_service_accounts_than_the_trust_policy_has_room_for() {
    let limits = entries([with_methods("payments", &BOTH)]);
    let naming = |count: usize| {
        let names: Vec<_> = (0..count).map(|i| format!("service-account-{i:03}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Binding {
            subjects: subjects(&names),
            ..web()
        }
    };
    let fits = (1..=100)
        .rev()
        .find(|n| decided(&naming(*n), &role(), &with_provider(), &limits).is_accepted());
    let most = fits.unwrap();
    let size = |count: usize| trust::size_with(&cluster(), &with_provider(), &uploader(), &[&naming(count)]);
    assert!(
        size(most) <= quota::TRUST_POLICY && size(most + 1) > quota::TRUST_POLICY,
        "{most}"
    );
    let (found, said) = refused(decided(&naming(most + 1), &role(), &with_provider(), &limits));
    assert_eq!(found, [(Reason::TooLarge, "spec.subjects".to_owned(), None)]);
    assert!(said.contains(&format!("{} characters", size(most + 1))), "{said}");
    // By the broker's own method the trust policy names nobody of them.
    let all = Binding {
        method: None,
        ..naming(100)
    };
    assert!(decided(&all, &role(), &with_provider(), &limits).is_accepted());
}

/// A provider that is gone from the account leaves nobody with its trust.
#[test]
fn without_a_provider_no_token_is_trusted() {
    let document = trust::compile(&cluster(), &account(), &uploader(), &[Arc::new(web())]).document;
    assert!(document.semantically_eq(&trust::deny_all()));
}

#[test]
fn a_pod_is_told_role_and_audience_by_this_method_alone() {
    let told =
        |account: &Account, binding: &Binding| web_identity::of(&cluster(), account, binding, &uploader());
    let told_web = told(&with_provider(), &web()).unwrap();
    assert_eq!(
        json!([told_web.role.to_string(), told_web.audience.as_str()]),
        json!([
            deputy_delegation::naming::role_arn(&cluster(), &account(), &uploader()).to_string(),
            "sts.amazonaws.com"
        ])
    );
    assert_eq!(told(&with_provider(), &binding()), None);
    assert_eq!(told(&account(), &web()), None);
}
