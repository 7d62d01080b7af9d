//! Federated users: who may have which name, and what their sessions may do.

use deputy_delegation::{
    DecisionInput, Fact, FederatedDuration, FederatedUserName, FederatedUserPattern, GrantSpec, Reason,
    ServiceAccountName, UserArn, accepts, decide,
    decision::{Decision, Violation},
    model::{Account, ChosenTags, FederatedBinding, FederatedShare, Limit, LimitEntry},
    names::NamespaceName,
};
use serde_json::{Value, json};

use crate::support::*;

fn federated_account() -> Account {
    Account {
        federation_user: Some(UserArn::parse("arn:aws:iam::123456789012:user/deputy-federation").unwrap()),
        ..account()
    }
}

fn manager() -> FederatedBinding {
    FederatedBinding {
        id: id("payments", "manager"),
        uid: Some(uid()),
        account: object("production"),
        user: FederatedUserName::new("Manager-reports").unwrap(),
        service_accounts: [ServiceAccountName::new("reports").unwrap()].into(),
        share: FederatedShare::Policy(session_policy(get())),
        duration: None,
        tags: ChosenTags::default(),
        created: 1_700_000_000,
    }
}

fn get() -> Value {
    json!([allow(
        json!("s3:GetObject"),
        json!("arn:aws:s3:::productionapp/*")
    )])
}

fn named(user: &str) -> FederatedBinding {
    FederatedBinding {
        user: FederatedUserName::new(user).unwrap(),
        ..manager()
    }
}

fn granting(statements: Value) -> FederatedBinding {
    FederatedBinding {
        share: FederatedShare::Policy(session_policy(statements)),
        ..manager()
    }
}

fn lasting(text: &str) -> FederatedBinding {
    FederatedBinding {
        duration: Some(FederatedDuration::parse(text).unwrap()),
        ..manager()
    }
}

fn allowing(mut limit: Limit, patterns: &[&str]) -> Limit {
    let patterns = patterns.iter().map(|p| FederatedUserPattern::new(*p).unwrap());
    limit.federated_users = patterns.collect();
    limit
}

fn payments() -> Limit {
    allowing(limit("payments", productionapp()), &["Manager*"])
}

fn asked(
    binding: &FederatedBinding,
    held_by: Option<&str>,
    account: Fact<'_, Account>,
    limits: &[LimitEntry],
) -> Decision {
    let held_by = held_by.map(|name| NamespaceName::new(name).unwrap());
    let input = DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Federated {
            binding,
            held_by: held_by.as_ref(),
        },
        account,
        limits,
    };
    let decision = decide(&input);
    assert_eq!(accepts(&input), decision.is_accepted());
    decision
}

fn decided(binding: &FederatedBinding, limits: impl IntoIterator<Item = Limit>) -> Decision {
    asked(binding, None, Fact::Known(&federated_account()), &entries(limits))
}

fn refusals(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Refused(violations) => violations.into_iter().collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn said(decision: Decision) -> Vec<String> {
    refusals(decision).iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_that_every_limit_allows_is_accepted_and_carries_no_boundary() {
    let second = allowing(check_only("second", productionapp()), &["*-reports"]);
    let Decision::Accepted(accepted) = decided(&manager(), [payments(), second]) else {
        panic!("refused");
    };
    assert_eq!(accepted.limits, [object("payments"), object("second")]);
    assert_eq!(accepted.boundary, None);
}

#[test]
fn another_name_is_refused_with_what_each_limit_allows() {
    let without = check_only("without", productionapp());
    let found = said(decided(&named("manager-reports"), [payments(), without]));
    let wanted = [
        "spec.userName: limit \"payments\" does not allow the federated user \"manager-reports\": it allows Manager*, compared with case \
         (FederatedUser, limit payments)",
        "spec.userName: limit \"without\" does not allow the federated user \"manager-reports\": it allows none (its federatedUsers is \
         empty) (FederatedUser, limit without)",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn patterns_cover_names_with_case_and_whole() {
    for (pattern, name, covers) in [
        ("Manager*", "Manager", true),
        ("Manager*", "Manager-reports", true),
        ("Manager*", "manager-reports", false),
        ("Manager*", "TheManager", false),
        ("Manager", "Manager2", false),
        ("*", "a1", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
    ] {
        let limit = allowing(limit("payments", productionapp()), &[pattern]);
        let decision = decided(&named(name), [limit]);
        assert_eq!(decision.is_accepted(), covers, "{pattern} {name}");
    }
}

#[test]
fn a_session_policy_beyond_a_ceiling_is_refused_with_a_request_that_shows_it() {
    let put = json!([allow(
        json!(["s3:GetObject", "s3:PutObjectAcl"]),
        json!("arn:aws:s3:::productionapp/*")
    )]);
    let found = refusals(decided(&granting(put), [payments()]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].reason, Reason::ExceedsLimit);
    assert_eq!(found[0].field, "spec.session.policy.Statement[0].Action[1]");
    assert!(
        found[0].message.contains("s3:PutObjectAcl"),
        "{}",
        found[0].message
    );
}

/// A role under a limit with a boundary may name what AWS's reference says is impossible: AWS holds it. Nothing holds a federated user.
#[test]
fn what_only_a_boundary_would_hold_is_refused() {
    let on_another = json!([allow(json!("s3:GetObject"), json!("arn:aws:s3:::productionapp"))]);
    let found = refusals(decided(&granting(on_another), [payments()]));
    assert_eq!(found[0].reason, Reason::ExceedsLimit, "{found:?}");
}

#[test]
fn resource_policies_alone_need_a_name_and_no_policy() {
    let only = FederatedBinding {
        share: FederatedShare::ResourcePolicyOnly,
        ..manager()
    };
    assert!(decided(&only, [payments()]).is_accepted());
    let found = refusals(decided(&only, [limit("payments", productionapp())]));
    assert_eq!(found[0].reason, Reason::FederatedUser);
}

#[test]
fn a_name_belongs_to_one_namespace_and_which_is_not_told() {
    let account = federated_account();
    let limits = entries([payments()]);
    let ask = |held_by| asked(&manager(), held_by, Fact::Known(&account), &limits);
    assert!(ask(None).is_accepted());
    assert!(ask(Some("payments")).is_accepted());
    let found = refusals(ask(Some("ledger")));
    assert_eq!(
        (found[0].reason, found[0].field.as_str()),
        (Reason::Conflict, "spec.userName")
    );
    assert!(!found[0].message.contains("ledger"), "{}", found[0].message);
}

#[test]
fn an_account_without_a_federation_user_has_no_federated_users() {
    let limits = entries([payments()]);
    let found = refusals(asked(&manager(), None, Fact::Known(&account()), &limits));
    assert_eq!(found[0].reason, Reason::FederatedUser);
    assert_eq!(found[0].field, "spec.accountRef");
    let missing = asked(&manager(), None, Fact::Missing, &limits);
    assert!(matches!(missing, Decision::Undecided(_)), "{missing:?}");
    let unreadable = asked(&manager(), None, Fact::Unreadable("no region"), &limits);
    assert_eq!(refusals(unreadable)[0].reason, Reason::AccountInvalid);
}

#[test]
fn no_limit_and_one_that_cannot_be_read_refuse() {
    assert_eq!(refusals(decided(&manager(), []))[0].reason, Reason::NoLimit);
    let broken = LimitEntry::Invalid {
        name: object("broken"),
        scope: None,
        enforcement: deputy_delegation::model::Enforcement::Enforce,
        error: "no ceiling".to_owned(),
    };
    let limits: Vec<_> = entries([payments()]).into_iter().chain([broken]).collect();
    let account = federated_account();
    let found = refusals(asked(&manager(), None, Fact::Known(&account), &limits));
    assert_eq!(found[0].reason, Reason::LimitInvalid);
}

#[test]
fn a_dry_run_says_what_it_would_refuse_and_grants_nothing() {
    let strict = dry_run(allowing(check_only("strict", productionapp()), &["Report*"]));
    let Decision::Accepted(accepted) = decided(&manager(), [payments(), strict.clone()]) else {
        panic!("refused");
    };
    assert_eq!(accepted.would_refuse[0].reason, Reason::FederatedUser);
    assert_eq!(refusals(decided(&manager(), [strict]))[0].reason, Reason::NoLimit);
}

#[test]
fn durations_have_bounds_of_their_own() {
    let mut long = payments();
    long.max_federated_duration = FederatedDuration::parse("36h").unwrap();
    for (limit, text, is_accepted) in [
        (payments(), "15m", true),
        (payments(), "1h", true),
        (payments(), "61m", false),
        (long.clone(), "36h", true),
    ] {
        assert_eq!(
            decided(&lasting(text), [limit]).is_accepted(),
            is_accepted,
            "{text}"
        );
    }
    let found = said(decided(&lasting("2h"), [payments()]));
    let wanted = "spec.session.duration: 2h is longer than 1h, the most that limit \"payments\" allows a federated user (Duration, limit \
                  payments)";
    assert_eq!(found, [wanted]);
    for bad in ["14m", "36h1s", "", "1"] {
        assert!(FederatedDuration::parse(bad).is_err(), "{bad}");
    }
    // Without one of its own a binding has the account's default, which is judged as well.
    let mut account = federated_account();
    account.default_session_duration = duration("2h");
    let decision = asked(&manager(), None, Fact::Known(&account), &entries([payments()]));
    assert!(
        refusals(decision)[0]
            .message
            .contains("2h (the account's default)")
    );
}

#[test]
fn tags_and_sizes_are_judged_as_of_a_role() {
    let mut tagged = manager();
    tagged.tags = [tag("team", "payments")].try_into().unwrap();
    assert_eq!(
        refusals(decided(&tagged, [payments()]))[0].reason,
        Reason::SessionTag
    );
    let long = "a".repeat(2_100);
    let large = json!([allow(
        json!("s3:GetObject"),
        json!(format!("arn:aws:s3:::productionapp/{long}"))
    )]);
    assert_eq!(
        refusals(decided(&granting(large), [payments()]))[0].reason,
        Reason::TooLarge
    );
    let elsewhere = json!([allow(
        json!("s3:GetObject"),
        json!("arn:aws-cn:s3:::productionapp/*")
    )]);
    let found = refusals(decided(&granting(elsewhere), [payments()]));
    assert!(found.iter().any(|v| v.reason == Reason::Partition), "{found:?}");
}

/// Deputy sets the tag of the namespace on each session, so a ceiling may speak of it.
#[test]
fn a_ceiling_may_speak_of_the_namespace_of_the_session() {
    let own = "arn:aws:s3:::productionapp/${aws:PrincipalTag/deputy-namespace}/*";
    let per_namespace = allowing(
        limit("payments", json!([allow(json!("s3:GetObject"), json!(own))])),
        &["Manager*"],
    );
    for (resource, is_accepted) in [
        ("arn:aws:s3:::productionapp/payments/*", true),
        (own, true),
        ("arn:aws:s3:::productionapp/ledger/*", false),
    ] {
        let policy = json!([allow(json!("s3:GetObject"), json!(resource))]);
        let decision = decided(&granting(policy), [per_namespace.clone()]);
        assert_eq!(decision.is_accepted(), is_accepted, "{resource}");
    }
}

#[test]
fn names_are_those_that_mean_nothing_in_an_arn_or_a_pattern() {
    for good in ["ab", "Manager-reports", "0-0", &"a".repeat(32)] {
        assert!(FederatedUserName::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a",
        "-ab",
        "ab-",
        "a*",
        "a/b",
        "a.b",
        "a b",
        "a:b",
        &"a".repeat(33),
    ] {
        assert!(FederatedUserName::new(bad).is_err(), "{bad}");
    }
    assert_eq!(
        named("MANAGER-x").user.ignoring_case(),
        named("manager-X").user.ignoring_case()
    );
    let arn = manager().arn(&federated_account());
    assert_eq!(
        arn.to_string(),
        "arn:aws:sts::123456789012:federated-user/Manager-reports"
    );
    assert_eq!(arn.to_string().parse(), Ok(arn));
}

/// Nobody is granted the federation user itself: it may do what all ceilings together allow.
#[test]
fn the_federation_user_is_nobodys_subject() {
    use deputy_delegation::{
        PrincipalArn,
        model::{AwsPrincipal, SubjectList, Subjects},
    };
    let mut binding = binding();
    let user = PrincipalArn::parse("arn:aws:iam::123456789012:user/deputy-federation").unwrap();
    let subject = AwsPrincipal::new(user, None, false, None).unwrap();
    binding.subjects = Subjects::AwsPrincipals(SubjectList::new([subject]).unwrap());
    let decision = decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding: &binding,
            role: Fact::Known(&role()),
        },
        account: Fact::Known(&federated_account()),
        limits: &entries([payments()]),
    });
    let found = refusals(decision);
    let own = found.iter().any(|v| v.message.contains("the federation user"));
    assert!(own, "{found:?}");
}
