//! AWS's rules of the five ways to a temporary credential, one by one (IAM User Guide, "Permissions for temporary security
//! credentials", "Requesting temporary security credentials").

use deputy_policy::{
    Caller, Context, Document, Layer, PolicyKind, Rule, SessionQuestion, SessionWay,
    session::{OwnPolicies, SessionAction, SessionCaller, SessionQuestionError, SessionRefusal, SessionRole},
};
use serde_json::json;

use crate::support::*;

const BUCKET: &str = "arn:aws:s3:::productionapp";
const SAML: &str = "arn:aws:iam::123456789012:saml-provider/corp";
const OIDC: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com";

fn caller(arn: &str) -> SessionCaller<'static> {
    SessionCaller {
        principal: Caller::parse(arn).unwrap(),
        unique_id: None,
        temporary: false,
        policies: OwnPolicies::default(),
        session: Vec::new(),
    }
}

fn question(way: SessionWay, arn: &str) -> SessionQuestion<'static> {
    SessionQuestion {
        way,
        caller: caller(arn),
        role: way.is_of_role().then(|| SessionRole {
            principal: Caller::parse(ROLE).unwrap(),
            unique_id: None,
            trust: None,
            policies: OwnPolicies::default(),
            resource_control: Vec::new(),
            max_duration: None,
        }),
        name: match way {
            SessionWay::SessionToken => None,
            SessionWay::FederationToken => Some("Carol".to_owned()),
            _ => Some("s1".to_owned()),
        },
        session_policies: Vec::new(),
        duration: None,
        mfa: false,
        context: Context::new(),
        management_account: None,
    }
}

fn own<'a>(identity: &[&'a Document]) -> OwnPolicies<'a> {
    OwnPolicies {
        identity: identity.to_vec(),
        ..OwnPolicies::default()
    }
}

/// Bob assumes the role, which trusts him.
fn of_role<'a>(trust: &'a Document, role: &[&'a Document]) -> SessionQuestion<'a> {
    let mut question: SessionQuestion<'a> = question(SessionWay::AssumeRole, USER);
    if let Some(of) = &mut question.role {
        of.trust = Some(trust);
        of.policies = own(role);
    }
    question
}

/// Bob calls for Carol.
fn of_carol<'a>(user: &'a Document, session: &[&'a Document]) -> SessionQuestion<'a> {
    let mut question: SessionQuestion<'a> = question(SessionWay::FederationToken, USER);
    question.caller.policies = own(&[user]);
    question.session_policies = session.to_vec();
    question
}

fn token<'a>(user: &'a Document, mfa: bool) -> SessionQuestion<'a> {
    let mut question: SessionQuestion<'a> = question(SessionWay::SessionToken, USER);
    question.caller.policies = own(&[user]);
    question.mfa = mfa;
    question
}

fn asked<'a>(action: &str, resource: &str, policy: Option<&'a Document>) -> SessionAction<'a> {
    SessionAction {
        action: action.to_owned(),
        resource: resource.to_owned(),
        policy,
        ..SessionAction::default()
    }
}

fn may<'a>(question: &SessionQuestion<'a>, action: &str, policy: Option<&'a Document>) -> bool {
    let resource = if action.starts_with("s3:Get") || action.starts_with("s3:Put") {
        OBJECT
    } else {
        "*"
    };
    question
        .may(&asked(action, resource, policy))
        .unwrap()
        .is_allowed()
}

fn layer<'a>(question: &SessionQuestion<'a>, action: &str, policy: Option<&'a Document>) -> Layer {
    let call = question.may(&asked(action, OBJECT, policy)).unwrap();
    call.deciding().unwrap().1.reason.layer
}

fn starts(question: &SessionQuestion<'_>) -> bool {
    question.start().unwrap().is_allowed()
}

fn refused_by_rule(question: &SessionQuestion<'_>) -> Layer {
    let start = question.start().unwrap();
    assert!(!start.is_allowed());
    start.call.deciding().unwrap().1.reason.layer
}

#[test]
fn a_federation_token_without_session_policy_can_do_nothing() {
    let user = allow(PolicyKind::Identity, "*");
    let question = of_carol(&user, &[]);
    assert!(starts(&question), "the call succeeds");
    for action in [
        "s3:GetObject",
        "s3:PutObject",
        "dynamodb:ListTables",
        "ec2:RunInstances",
    ] {
        assert!(!may(&question, action, None), "{action}");
    }
    assert_eq!(
        layer(&question, "s3:GetObject", None),
        Layer::Rule(Rule::FederatedUserWithoutSessionPolicy)
    );
    let behind = naming(aws(USER));
    assert!(
        !may(&question, "s3:GetObject", Some(&behind)),
        "nor what a resource policy grants to the user who called"
    );
}

#[test]
fn carol_gets_what_the_bucket_policy_names_her_for() {
    let user = silent(PolicyKind::Identity);
    let bucket = document(
        PolicyKind::Resource,
        json!({"Principal": aws(FEDERATED), "Effect": "Allow", "Action": "s3:GetObject",
               "Resource": "arn:aws:s3:::productionapp/*"}),
    );
    let question = of_carol(&user, &[]);
    assert!(may(&question, "s3:GetObject", Some(&bucket)));
    assert_eq!(layer(&question, "s3:GetObject", Some(&bucket)), Layer::Resource);
    assert!(!may(&question, "s3:PutObject", Some(&bucket)));
    let mut other = of_carol(&user, &[]);
    other.name = Some("Dave".to_owned());
    assert!(!may(&other, "s3:GetObject", Some(&bucket)));
}

#[test]
fn an_explicit_deny_for_everyone_beats_the_role() {
    let (trust, all) = (trusting(aws(USER)), allow(PolicyKind::Identity, "*"));
    let nobody = document(
        PolicyKind::Resource,
        json!({"Principal": {"AWS": "*"}, "Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::productionapp/*"}),
    );
    let session = allow(PolicyKind::Session, "*");
    let mut ways = vec![
        of_role(&trust, &[&all]),
        of_carol(&all, &[&session]),
        token(&all, true),
    ];
    for (way, caller) in [
        (SessionWay::AssumeRoleWithSaml, SAML),
        (SessionWay::AssumeRoleWithWebIdentity, OIDC),
    ] {
        let mut question = question(way, caller);
        question.role.as_mut().unwrap().policies = own(&[&all]);
        ways.push(question);
    }
    for question in &ways {
        assert!(!may(question, "s3:PutObject", Some(&nobody)), "{}", question.way);
        assert!(may(question, "s3:GetObject", Some(&nobody)), "{}", question.way);
    }
}

#[test]
fn the_callers_own_policies_play_no_part_in_a_role_session() {
    let (trust, role) = (trusting(aws(USER)), allow(PolicyKind::Identity, "s3:GetObject"));
    let caller_policies = [
        allow(PolicyKind::Identity, "*"),
        deny(PolicyKind::Identity, "s3:*"),
        silent(PolicyKind::Identity),
    ];
    let (boundary, scp) = (silent(PolicyKind::Boundary), silent(PolicyKind::ServiceControl));
    for policy in &caller_policies {
        let mut question = of_role(&trust, &[&role]);
        question.caller.policies = OwnPolicies {
            identity: vec![policy],
            boundaries: vec![&boundary],
            service_control: vec![vec![&scp]],
        };
        assert!(may(&question, "s3:GetObject", None));
        assert!(!may(&question, "s3:PutObject", None));
    }
}

#[test]
fn a_session_policy_never_adds() {
    let (trust, role) = (trusting(aws(USER)), allow(PolicyKind::Identity, "s3:GetObject"));
    let (all, put) = (
        allow(PolicyKind::Session, "*"),
        allow(PolicyKind::Session, "s3:PutObject"),
    );
    let mut question = of_role(&trust, &[&role]);
    assert!(may(&question, "s3:GetObject", None), "none is not an empty one");
    question.session_policies = vec![&all];
    assert!(may(&question, "s3:GetObject", None) && !may(&question, "s3:PutObject", None));
    question.session_policies = vec![&put];
    assert!(!may(&question, "s3:GetObject", None) && !may(&question, "s3:PutObject", None));
    question.session_policies = vec![&put, &all];
    assert!(may(&question, "s3:GetObject", None), "inline and by ARN: a union");
}

#[test]
fn a_resource_policy_adds_to_a_role_session_by_its_own_name_alone() {
    let (trust, role) = (trusting(aws(USER)), silent(PolicyKind::Identity));
    let narrow = silent(PolicyKind::Session);
    let mut question = of_role(&trust, &[&role]);
    let (by_session, by_role, by_account) = (naming(aws(SESSION)), naming(aws(ROLE)), naming(aws(ACCOUNT)));
    assert!(may(&question, "s3:GetObject", Some(&by_role)));
    question.session_policies = vec![&narrow];
    assert!(may(&question, "s3:GetObject", Some(&by_session)));
    assert!(!may(&question, "s3:GetObject", Some(&by_role)));
    assert!(!may(&question, "s3:GetObject", Some(&by_account)));
}

#[test]
fn assume_role_is_granted_to_a_caller_for_one_role() {
    let trust = trusting(aws(ACCOUNT));
    let on = |role: &str| identity(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}));
    let (this, other) = (on(ROLE), on("arn:aws:iam::123456789012:role/other"));
    for (policy, expected) in [(&this, true), (&other, false)] {
        let mut question = of_role(&trust, &[]);
        question.caller.policies = own(&[policy]);
        assert_eq!(starts(&question), expected);
    }
    let own_name = trusting(aws(USER));
    assert!(
        starts(&of_role(&own_name, &[])),
        "a trust policy that names the user is enough"
    );
}

#[test]
fn a_trust_policy_means_a_unique_id_and_nobody_new_of_the_name() {
    let stored = trusting(aws("AIDAOLDUSEROLDUSER001"));
    let mut question = of_role(&stored, &[]);
    question.caller.unique_id = Some("AIDAOLDUSEROLDUSER001".to_owned());
    assert!(starts(&question));
    question.caller.unique_id = Some("AIDANEWUSERNEWUSER001".to_owned());
    assert!(!starts(&question), "a user that was made anew under the name");
    question.caller.unique_id = None;
    assert!(question.start().is_err(), "nobody knows: no answer is not a yes");
    let stored = trusting(aws("AROAOLDROLEOLDROLE001"));
    let mut chained = of_role(&stored, &[]);
    chained.caller.principal = Caller::RoleSession {
        account: Caller::parse(USER).unwrap().account().unwrap().clone(),
        path: Some(String::new()),
        role: "app".to_owned(),
        session: Some("s1".to_owned()),
    };
    for (id, expected) in [("AROAOLDROLEOLDROLE001", true), ("AROANEWROLENEWROLE001", false)] {
        chained.caller.unique_id = Some(id.to_owned());
        assert_eq!(starts(&chained), expected, "{id}");
    }
}

#[test]
fn external_id_tags_and_source_identity_are_conditions_of_the_trust() {
    let actions = json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    let when = |actions: &serde_json::Value, condition: serde_json::Value| {
        trust(json!({"Effect": "Allow", "Principal": aws(USER), "Action": actions, "Condition": condition}))
    };
    for (condition, right, wrong) in [
        (
            json!({"StringEquals": {"sts:ExternalId": "Example-1"}}),
            ("sts:ExternalId", "Example-1"),
            "example-1",
        ),
        (
            json!({"StringEquals": {"aws:RequestTag/team": "a"}}),
            ("aws:RequestTag/team", "a"),
            "b",
        ),
        (
            json!({"StringEquals": {"sts:SourceIdentity": "ann"}}),
            ("sts:SourceIdentity", "ann"),
            "bob",
        ),
    ] {
        let trust = when(&actions, condition.clone());
        let mut question = of_role(&trust, &[]);
        assert!(!starts(&question), "{condition}: nothing is passed");
        question.context = Context::new().with(right.0, wrong);
        assert!(!starts(&question), "{condition}");
        question.context = Context::new().with(right.0, right.1);
        assert!(starts(&question), "{condition}");
    }
    let plain = when(&json!("sts:AssumeRole"), json!({}));
    for (key, action) in [
        ("aws:RequestTag/team", "sts:TagSession"),
        ("sts:SourceIdentity", "sts:SetSourceIdentity"),
    ] {
        let mut question = of_role(&plain, &[]);
        question.context = Context::new().with(key, "x1");
        let start = question.start().unwrap();
        assert!(!start.is_allowed());
        assert_eq!(start.call.deciding().unwrap().0, action);
    }
}

#[test]
fn the_session_has_the_tags_and_the_source_identity_that_were_passed() {
    let trust = trusting(aws(USER));
    let role = identity(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "a", "aws:SourceIdentity": "ann"}}}));
    let mut question = of_role(&trust, &[&role]);
    question.context = Context::new()
        .with("aws:RequestTag/team", "a")
        .with("sts:SourceIdentity", "ann");
    let mut ask = asked("s3:GetObject", OBJECT, None);
    ask.context = Context::new().with("aws:PrincipalTag/team", "b");
    assert!(
        question.may(&ask).unwrap().is_allowed(),
        "the tag of the session counts instead of the role's"
    );
    question.context = Context::new();
    assert!(!question.may(&ask).unwrap().is_allowed());
}

#[test]
fn mfa_is_a_condition_of_trust_and_a_users() {
    let trust = trust(
        json!({"Effect": "Allow", "Principal": {"AWS": [USER, ROLE]}, "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
    );
    let mut question = of_role(&trust, &[]);
    assert!(!starts(&question), "long-term keys have no such key");
    question.mfa = true;
    assert!(starts(&question));
    question.caller.temporary = true;
    assert!(starts(&question), "credentials of GetSessionToken carry it");
    question.mfa = false;
    assert!(!starts(&question));
    let mut chained = of_role(&trust, &[]);
    chained.caller.principal = Caller::parse(ROLE).unwrap();
    assert!(!starts(&chained), "a role session has no MFA");
    chained.mfa = true;
    assert!(
        chained
            .start()
            .unwrap()
            .refused
            .contains(&SessionRefusal::MfaOfNoUser)
    );
    chained.mfa = false;
    chained.context = Context::new().with("aws:MultiFactorAuthPresent", "true");
    assert!(matches!(
        chained.start(),
        Err(SessionQuestionError::Context { .. })
    ));
}

#[test]
fn sessions_of_roles_and_federated_users_never_have_mfa() {
    let with_mfa = |kind| {
        document(
            kind,
            json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        )
    };
    let (trust, needs) = (trusting(aws(USER)), with_mfa(PolicyKind::Identity));
    let all = allow(PolicyKind::Session, "*");
    let mut role = of_role(&trust, &[&needs]);
    role.mfa = true;
    assert!(starts(&role) && !may(&role, "s3:GetObject", None));
    assert!(!may(&of_carol(&needs, &[&all]), "s3:GetObject", None));
    assert!(
        may(&token(&needs, true), "s3:GetObject", None),
        "a user's session does"
    );
    assert!(!may(&token(&needs, false), "s3:GetObject", None));
    let mut ask = asked("s3:GetObject", OBJECT, None);
    ask.context = Context::new().with("aws:MultiFactorAuthPresent", "true");
    let contradicted = role.may(&ask);
    assert!(
        matches!(contradicted, Err(SessionQuestionError::Context { .. })),
        "{contradicted:?}"
    );
}

#[test]
fn get_federation_token_may_be_limited_to_names_of_managers() {
    let policy = identity(json!({"Effect": "Allow", "Action": "sts:GetFederationToken",
        "Resource": "arn:aws:sts::123456789012:federated-user/Manager*"}));
    for (name, expected) in [
        ("Manager1", true),
        ("Manager-reports", true),
        ("Carol", false),
        ("manager1", false),
    ] {
        let mut question = of_carol(&policy, &[]);
        question.name = Some(name.to_owned());
        assert_eq!(starts(&question), expected, "{name}");
    }
}

#[test]
fn who_may_federate_delegates_the_users_own_permissions_and_no_more() {
    let user = identity(
        json!({"Effect": "Allow", "Action": ["sts:GetFederationToken", "s3:GetObject"], "Resource": "*"}),
    );
    let all = allow(PolicyKind::Session, "*");
    let question = of_carol(&user, &[&all]);
    assert!(starts(&question));
    assert!(may(&question, "s3:GetObject", None));
    assert_eq!(layer(&question, "s3:PutObject", None), Layer::Identity);
    let boundary = allow(PolicyKind::Boundary, "sts:*");
    let mut bounded = of_carol(&user, &[&all]);
    bounded.caller.policies.boundaries = vec![&boundary];
    assert!(
        starts(&bounded) && !may(&bounded, "s3:GetObject", None),
        "the user's boundary caps it"
    );
}

#[test]
fn a_federated_user_calls_no_iam_and_of_sts_who_it_is() {
    let (all, session) = (allow(PolicyKind::Identity, "*"), allow(PolicyKind::Session, "*"));
    let question = of_carol(&all, &[&session]);
    for action in [
        "iam:ListUsers",
        "sts:AssumeRole",
        "sts:GetSessionToken",
        "sts:GetFederationToken",
    ] {
        assert!(!may(&question, action, None), "{action}");
    }
    assert!(may(&question, "sts:GetCallerIdentity", None));
}

#[test]
fn any_user_may_get_a_session_token_and_no_policy_denies_it() {
    let (nothing, no) = (silent(PolicyKind::Identity), deny(PolicyKind::Identity, "*"));
    let scp = deny(PolicyKind::ServiceControl, "sts:*");
    for policy in [&nothing, &no] {
        let mut question = token(policy, false);
        question.caller.policies.service_control = vec![vec![&scp]];
        assert!(starts(&question));
    }
    for caller in [ROLE, FEDERATED] {
        let question = question(SessionWay::SessionToken, caller);
        assert!(!starts(&question), "{caller}");
        assert!(matches!(
            question.may(&asked("s3:GetObject", OBJECT, None)),
            Err(SessionQuestionError::NoSession(_))
        ));
    }
    let mut again = token(&nothing, false);
    again.caller.temporary = true;
    assert_eq!(refused_by_rule(&again), Layer::Rule(Rule::SessionTokenOperation));
}

#[test]
fn a_session_token_calls_no_iam_without_mfa_and_two_of_sts() {
    let (all, trust) = (allow(PolicyKind::Identity, "*"), trusting(aws(USER)));
    let (without, with) = (token(&all, false), token(&all, true));
    assert!(!may(&without, "iam:ListUsers", None) && may(&with, "iam:ListUsers", None));
    for question in [&without, &with] {
        for action in [
            "sts:GetFederationToken",
            "sts:GetSessionToken",
            "sts:GetAccessKeyInfo",
        ] {
            assert!(!may(question, action, None), "{action}");
        }
        assert!(may(question, "sts:GetCallerIdentity", None));
        let assume = question
            .may(&asked("sts:AssumeRole", ROLE, Some(&trust)))
            .unwrap();
        assert!(assume.is_allowed());
        assert!(
            may(question, "s3:GetObject", None),
            "beside that it has what the user has"
        );
    }
}

#[test]
fn a_role_session_gets_neither_federation_nor_session_token() {
    let all = allow(PolicyKind::Identity, "*");
    for way in [SessionWay::FederationToken, SessionWay::SessionToken] {
        let mut question = question(way, ROLE);
        question.caller.policies = own(&[&all]);
        assert_eq!(
            refused_by_rule(&question),
            Layer::Rule(Rule::RoleSessionOperation),
            "{way}"
        );
    }
}

#[test]
fn a_session_that_a_role_session_makes_lasts_an_hour_at_most() {
    let trust = trusting(json!({"AWS": [USER, ROLE]}));
    let with = |caller: &str, most: Option<u32>, seconds: u32| {
        let mut question = of_role(&trust, &[]);
        question.caller.principal = Caller::parse(caller).unwrap();
        question.role.as_mut().unwrap().max_duration = most;
        question.duration = Some(seconds);
        question.start().unwrap().refused.into_iter().next()
    };
    assert_eq!(with(ROLE, Some(43_200), 3_600), None);
    assert_eq!(
        with(ROLE, Some(43_200), 3_601),
        Some(SessionRefusal::ChainedDuration { asked: 3_601 })
    );
    assert_eq!(with(USER, Some(43_200), 43_200), None);
    for (caller, most, asked) in [(USER, None, 3_601), (USER, Some(7_200), 7_201), (USER, None, 899)] {
        let refused = with(caller, most, asked);
        assert!(
            matches!(refused, Some(SessionRefusal::Duration { .. })),
            "{asked}"
        );
    }
    let all = allow(PolicyKind::Identity, "*");
    let mut of_user = token(&all, false);
    for (asked, expected) in [(900, true), (129_600, true), (129_601, false)] {
        of_user.duration = Some(asked);
        assert_eq!(starts(&of_user), expected, "{asked}");
    }
}

#[test]
fn what_a_call_does_not_take_makes_no_session() {
    let (all, session) = (allow(PolicyKind::Identity, "*"), allow(PolicyKind::Session, "*"));
    let trusts = trust(json!({"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:*"}));
    let mut with_policy = token(&all, true);
    with_policy.session_policies = vec![&session];
    let mut named = token(&all, false);
    named.name = Some("me".to_owned());
    let mut external = question(SessionWay::AssumeRoleWithWebIdentity, OIDC);
    external.role.as_mut().unwrap().trust = Some(&trusts);
    assert!(starts(&external));
    external.context = Context::new().with("sts:ExternalId", "x");
    let mut coded = of_carol(&all, &[&session]);
    coded.mfa = true;
    let mut long = of_carol(&all, &[&session]);
    long.name = Some("x".repeat(33));
    let chained_trust = trusting(aws(ROLE));
    let mut renamed = of_role(&chained_trust, &[&all]);
    renamed.caller.principal = Caller::parse(ROLE).unwrap();
    renamed.context = Context::new()
        .with("aws:SourceIdentity", "ann")
        .with("sts:SourceIdentity", "bob");
    for question in [with_policy, named, external, coded, long, renamed] {
        let start = question.start().unwrap();
        assert!(
            !start.refused.is_empty() && !start.is_allowed(),
            "{}",
            question.way
        );
        assert!(start.to_string().starts_with("refused by STS: "), "{start}");
        let none = question.may(&asked("s3:GetObject", OBJECT, None));
        assert!(
            matches!(none, Err(SessionQuestionError::NoSession(_))),
            "{none:?}"
        );
    }
}

#[test]
fn a_provider_is_trusted_by_what_its_token_says() {
    let condition = json!({"StringEquals": {"oidc.example.com:sub": "system:serviceaccount:pay:app",
        "oidc.example.com:aud": "sts.amazonaws.com"}});
    let trusts = trust(json!({"Effect": "Allow", "Principal": {"Federated": OIDC},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}));
    let says = |sub: &str| {
        let mut question = question(SessionWay::AssumeRoleWithWebIdentity, OIDC);
        question.role.as_mut().unwrap().trust = Some(&trusts);
        question.context = Context::new()
            .with("oidc.example.com:sub", sub)
            .with("oidc.example.com:aud", "sts.amazonaws.com");
        starts(&question)
    };
    assert!(says("system:serviceaccount:pay:app") && !says("system:serviceaccount:pay:other"));
    let saml = trust(
        json!({"Effect": "Allow", "Principal": {"Federated": SAML}, "Action": "sts:AssumeRoleWithSAML",
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}),
    );
    let mut of_saml = question(SessionWay::AssumeRoleWithSaml, SAML);
    of_saml.role.as_mut().unwrap().trust = Some(&saml);
    assert!(!starts(&of_saml));
    of_saml.context = Context::new().with("SAML:aud", "https://signin.aws.amazon.com/saml");
    assert!(starts(&of_saml));
}

#[test]
fn who_does_not_call_a_way_is_no_question() {
    for (way, caller) in [
        (SessionWay::AssumeRoleWithSaml, USER),
        (SessionWay::AssumeRoleWithSaml, OIDC),
        (SessionWay::AssumeRoleWithWebIdentity, SAML),
        (SessionWay::AssumeRoleWithWebIdentity, ROLE),
        (SessionWay::AssumeRole, OIDC),
        (SessionWay::AssumeRole, "*"),
        (SessionWay::FederationToken, ROOT),
        (SessionWay::SessionToken, "ec2.amazonaws.com"),
    ] {
        let asked = question(way, caller).start();
        assert!(
            matches!(asked, Err(SessionQuestionError::Caller { .. })),
            "{way} by {caller}"
        );
    }
    let session = question(SessionWay::AssumeRole, SESSION).start();
    assert!(
        matches!(session, Err(SessionQuestionError::UnknownPath(_))),
        "{session:?}"
    );
    let mut without = question(SessionWay::AssumeRole, USER);
    without.role = None;
    assert!(matches!(
        without.start(),
        Err(SessionQuestionError::Missing { .. })
    ));
    let mut with = question(SessionWay::FederationToken, USER);
    with.role = question(SessionWay::AssumeRole, USER).role;
    assert!(matches!(
        with.start(),
        Err(SessionQuestionError::Misplaced { .. })
    ));
    assert_eq!(
        refused_by_rule(&question(SessionWay::AssumeRole, ROOT)),
        Layer::Rule(Rule::RootAssumesNothing)
    );
}

#[test]
fn the_roles_boundary_and_organisation_cap_its_sessions() {
    let (trust, all) = (trusting(aws(USER)), allow(PolicyKind::Identity, "*"));
    let (boundary, scp) = (
        allow(PolicyKind::Boundary, "s3:GetObject"),
        allow(PolicyKind::ServiceControl, "s3:*"),
    );
    let mut question = of_role(&trust, &[&all]);
    question.role.as_mut().unwrap().policies.boundaries = vec![&boundary];
    assert!(may(&question, "s3:GetObject", None));
    assert_eq!(layer(&question, "s3:PutObject", None), Layer::Boundary);
    question.role.as_mut().unwrap().policies = OwnPolicies {
        identity: vec![&all],
        boundaries: Vec::new(),
        service_control: vec![vec![&scp]],
    };
    assert!(may(&question, "s3:PutObject", None) && !may(&question, "ec2:RunInstances", None));
    let ask = asked("s3:ListBucket", BUCKET, None);
    let steps = question.explain_may(&ask).unwrap();
    assert_eq!(steps.len(), 1);
    assert!(steps[0].1.evaluation.is_allowed());
}
