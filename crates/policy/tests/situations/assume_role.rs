//! Assuming a role, with all that is passed on the way.

use deputy_policy::{AccessDecision, Context, Document, Layer, PolicyKind, Rule, Situation, SituationError};
use serde_json::json;

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

const TARGET: &str = "arn:aws:iam::123456789012:role/target";
const FOREIGN: &str = "arn:aws:iam::999999999999:role/target";

fn may(actions: &[&str]) -> Document {
    identity(json!({"Effect": "Allow", "Action": actions, "Resource": "*"}))
}

fn trusts(principal: &str, actions: &[&str]) -> Document {
    trust(json!({"Effect": "Allow", "Principal": aws(principal), "Action": actions}))
}

fn assume(situation: &Situation<'_>, caller: &str, role: &str, context: Context) -> AccessDecision {
    situation
        .assume_role(&with(caller, "sts:AssumeRole", role, context))
        .unwrap()
        .decision()
}

fn tags() -> Context {
    Context::new()
        .with("aws:RequestTag/team", "payments")
        .with_many("aws:TagKeys", ["team"])
}

#[test]
fn in_one_account_there_are_six_cases() {
    let (full, nothing) = (may(&["sts:AssumeRole"]), silent(PolicyKind::Identity));
    for caller in [USER, SESSION] {
        let direct = trusting(aws(if caller == USER { USER } else { ROLE }));
        let account = trusting(aws(ROOT));
        let other = trusting(aws("arn:aws:iam::123456789012:user/alice"));
        for (name, trust, with_identity, without) in [
            ("the caller", &direct, Allowed, Allowed),
            ("the account", &account, Allowed, ImplicitDeny),
            ("somebody else", &other, ImplicitDeny, ImplicitDeny),
        ] {
            let situation = Situation::new().resource_policy(trust);
            let decide = |identity| {
                assume(
                    &situation.clone().identity([identity]),
                    caller,
                    TARGET,
                    Context::new(),
                )
            };
            assert_eq!(
                decide(&full),
                with_identity,
                "{caller}: trust names {name}, identity allows"
            );
            assert_eq!(
                decide(&nothing),
                without,
                "{caller}: trust names {name}, identity silent"
            );
        }
    }
    let session = trusting(aws(SESSION));
    let situation = Situation::new().resource_policy(&session);
    assert_eq!(
        assume(&situation, SESSION, TARGET, Context::new()),
        Allowed,
        "a session by name"
    );
}

#[test]
fn without_a_trust_policy_nobody_assumes_a_role() {
    let full = may(&["sts:*"]);
    let refused = decide(
        &Situation::new().identity([&full]),
        &request(USER, "sts:AssumeRole", TARGET),
    );
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (ImplicitDeny, Layer::Rule(Rule::TrustPolicyMissing))
    );
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let (full, nothing) = (may(&["sts:AssumeRole"]), silent(PolicyKind::Identity));
    for principal in [USER, ROOT, ACCOUNT] {
        let trust = trusting(aws(principal));
        let situation = Situation::new().resource_policy(&trust);
        let decide = |identity| {
            assume(
                &situation.clone().identity([identity]),
                USER,
                FOREIGN,
                Context::new(),
            )
        };
        assert_eq!(
            (decide(&full), decide(&nothing)),
            (Allowed, ImplicitDeny),
            "{principal}"
        );
    }
    let own = trusting(aws(OTHER));
    let situation = Situation::new().resource_policy(&own).identity([&full]);
    assert_eq!(assume(&situation, USER, FOREIGN, Context::new()), ImplicitDeny);
}

#[test]
fn boundary_and_session_cap_a_session_that_assumes_a_role() {
    let trust = trusting(aws(ROLE));
    let (boundary, session) = (silent(PolicyKind::Boundary), silent(PolicyKind::Session));
    let situation = Situation::new().resource_policy(&trust);
    assert_eq!(assume(&situation, SESSION, TARGET, Context::new()), Allowed);
    assert_eq!(
        assume(
            &situation.clone().boundaries([&boundary]),
            SESSION,
            TARGET,
            Context::new()
        ),
        ImplicitDeny
    );
    assert_eq!(
        assume(&situation.session([&session]), SESSION, TARGET, Context::new()),
        ImplicitDeny
    );
}

#[test]
fn the_external_id_must_be_the_one_asked_for() {
    let full = may(&["sts:AssumeRole"]);
    let trust = trust(
        json!({"Effect": "Allow", "Principal": aws(ACCOUNT), "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "Example-1"}}}),
    );
    let situation = Situation::new().identity([&full]).resource_policy(&trust);
    let with = |context| assume(&situation, USER, FOREIGN, context);
    assert_eq!(with(Context::new().with("sts:ExternalId", "Example-1")), Allowed);
    assert_eq!(
        with(Context::new().with("sts:ExternalId", "example-1")),
        ImplicitDeny
    );
    assert_eq!(with(Context::new()), ImplicitDeny);
}

#[test]
fn the_age_of_multi_factor_authentication_counts_when_there_was_one() {
    let full = may(&["sts:AssumeRole"]);
    let trust = trust(
        json!({"Effect": "Allow", "Principal": aws(ACCOUNT), "Action": "sts:AssumeRole",
        "Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}}),
    );
    let situation = Situation::new().identity([&full]).resource_policy(&trust);
    let age = |age: &str| {
        assume(
            &situation,
            USER,
            TARGET,
            Context::new().with("aws:MultiFactorAuthAge", age),
        )
    };
    assert_eq!((age("3599"), age("3600")), (Allowed, ImplicitDeny));
    assert_eq!(assume(&situation, USER, TARGET, Context::new()), ImplicitDeny);
}

#[test]
fn the_session_name_can_be_prescribed() {
    let trust = trust(
        json!({"Effect": "Allow", "Principal": aws(USER), "Action": "sts:AssumeRole",
        "Condition": {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}}),
    );
    let situation = Situation::new().resource_policy(&trust);
    let named = |name: &str| {
        let context = Context::new()
            .with("aws:username", "bob")
            .with("sts:RoleSessionName", name);
        assume(&situation, USER, TARGET, context)
    };
    assert_eq!((named("bob"), named("alice")), (Allowed, ImplicitDeny));
}

#[test]
fn tags_need_tag_session_in_the_trust_policy() {
    let (both, one) = (
        trusts(USER, &["sts:AssumeRole", "sts:TagSession"]),
        trusts(USER, &["sts:AssumeRole"]),
    );
    let (both, one) = (
        Situation::new().resource_policy(&both),
        Situation::new().resource_policy(&one),
    );
    assert_eq!(assume(&both, USER, TARGET, tags()), Allowed);
    assert_eq!(assume(&one, USER, TARGET, Context::new()), Allowed);
    let refused = one
        .assume_role(&with(USER, "sts:AssumeRole", TARGET, tags()))
        .unwrap();
    assert!(!refused.is_allowed());
    let (action, evaluation) = refused.deciding().unwrap();
    assert_eq!(
        (action, evaluation.reason.layer),
        ("sts:TagSession", Layer::Trust)
    );
    let only_keys = Context::new().with_many("aws:TagKeys", ["team"]);
    assert_eq!(assume(&one, USER, TARGET, only_keys), ImplicitDeny);
    let transitive = Context::new().with_many("sts:TransitiveTagKeys", ["team"]);
    assert_eq!(assume(&one, USER, TARGET, transitive), ImplicitDeny);
    let no_keys = Context::new().with_many::<String>("aws:TagKeys", []);
    assert_eq!(assume(&one, USER, TARGET, no_keys), Allowed, "no tags are passed");
}

#[test]
fn tags_need_tag_session_on_both_sides_across_accounts() {
    let trust = trusts(USER, &["sts:AssumeRole", "sts:TagSession"]);
    let (both, one) = (
        may(&["sts:AssumeRole", "sts:TagSession"]),
        may(&["sts:AssumeRole"]),
    );
    let situation = Situation::new().resource_policy(&trust);
    assert_eq!(
        assume(&situation.clone().identity([&both]), USER, FOREIGN, tags()),
        Allowed
    );
    assert_eq!(
        assume(&situation.clone().identity([&one]), USER, FOREIGN, tags()),
        ImplicitDeny
    );
    assert_eq!(
        assume(&situation.identity([&one]), USER, TARGET, tags()),
        Allowed,
        "not within one account"
    );
}

#[test]
fn tag_session_is_held_to_the_tags_and_their_keys() {
    let trust = trust(json!([
        {"Effect": "Allow", "Principal": aws(USER), "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": aws(USER), "Action": "sts:TagSession", "Condition": {
            "StringEquals": {"aws:RequestTag/Team": "payments"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"], "sts:TransitiveTagKeys": ["team"]},
        }},
    ]));
    let situation = Situation::new().resource_policy(&trust);
    let with = |context| assume(&situation, USER, TARGET, context);
    assert_eq!(with(tags()), Allowed, "tag names have no case");
    assert_eq!(with(tags().with("aws:RequestTag/team", "ledger")), ImplicitDeny);
    assert_eq!(
        with(tags().with_many("aws:TagKeys", ["team", "cost"])),
        ImplicitDeny
    );
    assert_eq!(with(tags().with_many("sts:TransitiveTagKeys", ["team"])), Allowed);
    assert_eq!(
        with(tags().with_many("sts:TransitiveTagKeys", ["stage"])),
        ImplicitDeny
    );
}

#[test]
fn session_tags_override_those_of_the_role_whatever_their_case() {
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/Team": "session"}}}));
    let context = Context::new()
        .with("aws:PrincipalTag/Team", "role")
        .with("aws:PrincipalTag/TEAM", "session");
    assert_eq!(context.iter().count(), 1);
    let situation = Situation::new().identity([&policy]);
    assert_eq!(
        decision(&situation, &with(SESSION, "s3:GetObject", OBJECT, context)),
        Allowed
    );
}

#[test]
fn a_source_identity_needs_set_source_identity() {
    let source = || Context::new().with("sts:SourceIdentity", "bob");
    let (both, one) = (
        trusts(USER, &["sts:AssumeRole", "sts:SetSourceIdentity"]),
        trusts(USER, &["sts:AssumeRole"]),
    );
    assert_eq!(
        assume(&Situation::new().resource_policy(&both), USER, TARGET, source()),
        Allowed
    );
    let one = Situation::new().resource_policy(&one);
    let refused = one
        .assume_role(&with(USER, "sts:AssumeRole", TARGET, source()))
        .unwrap();
    assert_eq!(refused.deciding().unwrap().0, "sts:SetSourceIdentity");
    assert_eq!(refused.decision(), ImplicitDeny);
}

#[test]
fn a_source_identity_needs_both_sides_in_a_chain_and_across_accounts() {
    let source = || Context::new().with("sts:SourceIdentity", "bob");
    let (may_both, may_one) = (
        may(&["sts:AssumeRole", "sts:SetSourceIdentity"]),
        may(&["sts:AssumeRole"]),
    );
    for (principal, caller, role) in [
        (ROLE, SESSION, TARGET),
        (SESSION, SESSION, TARGET),
        (USER, USER, FOREIGN),
    ] {
        let trust = trusts(principal, &["sts:AssumeRole", "sts:SetSourceIdentity"]);
        let situation = Situation::new().resource_policy(&trust);
        let decide = |identity| assume(&situation.clone().identity([identity]), caller, role, source());
        assert_eq!(
            (decide(&may_both), decide(&may_one)),
            (Allowed, ImplicitDeny),
            "{principal}"
        );
    }
    // A session that has a source identity hands it on.
    let trust = trusts(ROLE, &["sts:AssumeRole"]);
    let situation = Situation::new().resource_policy(&trust).identity([&may_both]);
    assert_eq!(assume(&situation, SESSION, TARGET, Context::new()), Allowed);
    let handed_on = Context::new().with("aws:SourceIdentity", "bob");
    assert_eq!(assume(&situation, SESSION, TARGET, handed_on), ImplicitDeny);
}

#[test]
fn dev_user_must_be_its_own_source_identity() {
    let user = identity(json!([
        {"Sid": "AssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": TARGET},
        {"Sid": "SetAwsUserNameAsSourceIdentity", "Effect": "Allow", "Action": "sts:SetSourceIdentity", "Resource": TARGET,
         "Condition": {"StringLike": {"sts:SourceIdentity": "${aws:username}"}}},
    ]));
    let trust = trust(json!({"Sid": "AllowDevUserAssumeRole", "Effect": "Allow",
        "Principal": aws("arn:aws:iam::123456789012:user/DevUser"),
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:SourceIdentity": "DevUser"}}}));
    let situation = Situation::new().identity([&user]).resource_policy(&trust);
    let with = |source: &str| {
        let context = Context::new()
            .with("aws:username", "DevUser")
            .with("sts:SourceIdentity", source);
        assume(
            &situation,
            "arn:aws:iam::123456789012:user/DevUser",
            TARGET,
            context,
        )
    };
    assert_eq!((with("DevUser"), with("Admin")), (Allowed, ImplicitDeny));
}

#[test]
fn web_identities_are_held_to_audience_and_subject() {
    let host = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let provider = format!("arn:aws:iam::123456789012:oidc-provider/{host}");
    let trust = trust(json!({"Effect": "Allow", "Principal": {"Federated": provider},
    "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {
        format!("{host}:aud"): "sts.amazonaws.com",
        format!("{host}:sub"): ["system:serviceaccount:payments:uploader"],
    }}}));
    let situation = Situation::new().resource_policy(&trust);
    let ask = |action: &str, caller: &str, subject: &str| {
        let context = Context::new()
            .with(format!("{host}:aud"), "sts.amazonaws.com")
            .with(format!("{host}:sub"), subject);
        situation
            .assume_role(&with(caller, action, TARGET, context))
            .unwrap()
            .decision()
    };
    let web = "sts:AssumeRoleWithWebIdentity";
    let subject = "system:serviceaccount:payments:uploader";
    assert_eq!(ask(web, &provider, subject), Allowed);
    assert_eq!(
        ask(web, &provider, "system:serviceaccount:other:uploader"),
        ImplicitDeny
    );
    assert_eq!(
        ask(web, "arn:aws:iam::123456789012:oidc-provider/evil", subject),
        ImplicitDeny
    );
    assert_eq!(ask("sts:AssumeRole", &provider, subject), ImplicitDeny);
    assert_eq!(ask("sts:AssumeRole", USER, subject), ImplicitDeny);
}

#[test]
fn saml_sessions_are_held_to_the_provider_and_its_keys() {
    let provider = "arn:aws:iam::123456789012:saml-provider/corp";
    let trust = trust(json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}));
    let situation = Situation::new().resource_policy(&trust);
    let context = tags().with("saml:AUD", "https://signin.aws.amazon.com/saml");
    let call = |context| {
        situation
            .assume_role(&with(provider, "sts:AssumeRoleWithSAML", TARGET, context))
            .unwrap()
    };
    assert!(call(context).is_allowed());
    assert!(!call(tags()).is_allowed());
}

#[test]
fn the_root_user_and_federated_users_assume_nothing() {
    let everybody = trusting(json!("*"));
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().resource_policy(&everybody).identity([&full]);
    for (caller, rule) in [
        (ROOT, Rule::RootAssumesNothing),
        (FEDERATED, Rule::FederatedUserOperation),
    ] {
        let refused = decide(&situation, &request(caller, "sts:AssumeRole", TARGET));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Rule(rule)),
            "{caller}"
        );
    }
}

#[test]
fn a_deny_on_either_side_denies() {
    let no = trust(json!([
        {"Effect": "Allow", "Principal": aws(ACCOUNT), "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"},
    ]));
    let full = may(&["sts:*"]);
    let situation = Situation::new().resource_policy(&no).identity([&full]);
    assert_eq!(assume(&situation, USER, TARGET, Context::new()), Allowed);
    assert_eq!(assume(&situation, USER, TARGET, tags()), ExplicitDeny);
    let trusting = trusting(aws(USER));
    let no = deny(PolicyKind::Identity, "sts:AssumeRole");
    let situation = Situation::new().resource_policy(&trusting).identity([&no]);
    assert_eq!(assume(&situation, USER, TARGET, Context::new()), ExplicitDeny);
}

#[test]
fn only_a_call_on_a_role_assumes_one() {
    for (action, resource) in [
        ("sts:AssumeRole", OBJECT),
        ("sts:TagSession", TARGET),
        ("s3:GetObject", TARGET),
    ] {
        let refused = Situation::new().assume_role(&request(USER, action, resource));
        assert!(
            matches!(refused, Err(SituationError::NotAssumeRole(_))),
            "{action}"
        );
    }
}
