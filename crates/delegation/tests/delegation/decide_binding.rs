use std::collections::BTreeSet;

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, MissingFact, Reason, Violation, decide, model::*, names::*,
};
use serde_json::{Value, json};

use crate::support::*;

fn decided_with(
    binding: &Binding,
    role: Fact<'_, Role>,
    account: Fact<'_, Account>,
    limits: &[LimitEntry],
) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding { binding, role },
        account,
        limits,
    })
}

fn decided(binding: &Binding, limits: &[LimitEntry]) -> Decision {
    decided_with(binding, Fact::Known(&role()), Fact::Known(&account()), limits)
}

fn refused(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Refused(violations) => violations.to_vec(),
        other => panic!("not refused: {other:?}"),
    }
}

fn only(decision: Decision) -> Violation {
    let mut violations = refused(decision);
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations.remove(0)
}

fn payments() -> Vec<LimitEntry> {
    entries([limit("payments", productionapp())])
}

fn with_policy(statements: Value) -> Binding {
    let mut binding = binding();
    binding.session.policy = Some(session_policy(statements));
    binding
}

fn lasting(text: &str) -> Binding {
    let mut binding = binding();
    binding.session.duration = Some(duration(text));
    binding
}

#[test]
fn a_plain_binding_is_accepted() {
    assert!(
        matches!(decided(&binding(), &payments()), Decision::Accepted(a) if a.limits == [object("payments")])
    );
}

#[test]
fn a_binding_may_come_before_its_role_and_its_account() {
    assert_eq!(
        decided_with(&binding(), Fact::Missing, Fact::Missing, &payments()),
        Decision::Undecided(MissingFact::RoleNotFound(uploader()).into())
    );
    assert_eq!(
        decided_with(&binding(), Fact::Known(&role()), Fact::Missing, &payments()),
        Decision::Undecided(MissingFact::AccountNotFound(object("production")).into())
    );
}

#[test]
fn what_is_wrong_in_itself_is_refused_before_the_role_is_known() {
    let mut tagged = binding();
    let resources: Vec<_> = (0..60).map(|i| format!("arn:aws:s3:::{i:040}/*")).collect();
    tagged.session.policy = Some(session_policy(json!([allow(
        json!("s3:GetObject"),
        json!(resources)
    )])));
    let reasons: Vec<_> = refused(decided_with(&tagged, Fact::Missing, Fact::Missing, &[]))
        .iter()
        .map(|v| (v.reason, v.field.clone()))
        .collect();
    assert_eq!(reasons, [(Reason::TooLarge, "spec.session.policy".to_owned())]);
}

#[test]
fn an_unreadable_or_wrong_role_refuses() {
    let violation = only(decided_with(
        &binding(),
        Fact::Unreadable("no policies"),
        Fact::Missing,
        &payments(),
    ));
    assert_eq!(violation.reason, Reason::RoleInvalid);
    assert!(violation.message.contains("no policies"), "{violation}");
    let mut other = role();
    other.id = role_id("orders", "uploader");
    let violation = only(decided_with(
        &binding(),
        Fact::Known(&other),
        Fact::Known(&account()),
        &payments(),
    ));
    assert_eq!(violation.reason, Reason::RoleInvalid);
}

#[test]
fn without_a_limit_no_binding_is_accepted() {
    assert_eq!(only(decided(&binding(), &[])).reason, Reason::NoLimit);
}

#[test]
fn a_session_policy_stays_within_every_limit() {
    assert!(matches!(
        decided(&with_policy(json!([productionapp()[0].clone()])), &payments()),
        Decision::Accepted(_)
    ));
    let wide = with_policy(json!([
        productionapp()[0].clone(),
        allow(json!("s3:GetObject"), json!("arn:aws:s3:::other/*"))
    ]));
    // A session has what the role and the policy allow.
    assert!(decided(&wide, &payments()).is_accepted());
    let wide_role = role_with(&[(
        "everything",
        json!([allow(json!("s3:*"), json!("arn:aws:s3:::other/*"))]),
    )]);
    let violation = only(decided_with(
        &wide,
        Fact::Known(&wide_role),
        Fact::Known(&account()),
        &payments(),
    ));
    assert_eq!(violation.reason, Reason::ExceedsLimit);
    assert_eq!(violation.field, "spec.session.policy.Statement[1]");
    assert!(
        violation.message.contains("s3:GetObject on arn:aws:s3:::other/"),
        "{violation}"
    );
}

#[test]
fn a_session_policy_that_sts_would_not_take_is_refused_with_numbers() {
    let resources: Vec<_> = (0..60)
        .map(|i| format!("arn:aws:s3:::productionapp/{i:04}/*"))
        .collect();
    let binding = with_policy(json!([allow(json!("s3:GetObject"), json!(resources))]));
    let violation = only(decided(&binding, &payments()));
    assert_eq!(
        (violation.reason, violation.field.as_str()),
        (Reason::TooLarge, "spec.session.policy")
    );
    assert!(violation.message.contains("2048"), "{violation}");
}

#[test]
fn sessions_last_from_half_an_hour_to_an_hour_when_the_issuer_is_a_role() {
    let mut limit = limit("payments", productionapp());
    limit.max_session_duration = duration("12h");
    let limits = entries([limit]);
    let role = owned(role(), |role| {
        role.max_session_duration = MaxSessionDuration::parse("12h").unwrap();
    });
    let decided = |text: &str, account: &Account| {
        decided_with(&lasting(text), Fact::Known(&role), Fact::Known(account), &limits)
    };
    for good in ["30m", "1h"] {
        assert!(
            matches!(decided(good, &account()), Decision::Accepted(_)),
            "{good}"
        );
    }
    assert_eq!(only(decided("1h1s", &account())).reason, Reason::Duration);
    assert!(
        SessionDuration::parse("29m").is_err(),
        "shorter than half an hour is none"
    );
    let user = Account {
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
        ..account()
    };
    assert!(matches!(decided("12h", &user), Decision::Accepted(_)));
    // While the broker may still be the former one, and that is a role.
    let changing = Account {
        previous_issuers: [account().issuer].into(),
        ..user
    };
    let found = only(decided("1h1s", &changing));
    assert_eq!(found.reason, Reason::Duration);
    assert!(found.message.contains(ISSUER), "{found}");
}

#[test]
fn a_session_is_no_longer_than_its_role_and_its_limits_say() {
    let user = Account {
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
        ..account()
    };
    let violations = refused(decided_with(
        &lasting("2h"),
        Fact::Known(&role()),
        Fact::Known(&user),
        &payments(),
    ));
    let found: Vec<_> = violations.iter().map(|v| (v.reason, v.limit.clone())).collect();
    assert_eq!(
        found,
        [
            (Reason::Duration, None),
            (Reason::Duration, Some(object("payments")))
        ]
    );
}

#[test]
fn the_default_duration_of_the_account_is_judged_as_well() {
    let mut limit = limit("payments", productionapp());
    limit.max_session_duration = duration("30m");
    let violation = only(decided(&binding(), &entries([limit])));
    assert_eq!(violation.reason, Reason::Duration);
    assert!(
        violation.message.contains("1h (the account's default)"),
        "{violation}"
    );
}

#[test]
fn session_tags_need_the_leave_of_every_limit() {
    let tagged = |value: &str| {
        let mut binding = binding();
        binding.session.tags = [tag("team", value)].try_into().unwrap();
        binding
    };
    let permissive = |limit: Limit| Limit {
        session_tags: [(
            TagKey::new("team").unwrap(),
            BTreeSet::from([
                TagValue::new("payments").unwrap(),
                TagValue::new("ledger").unwrap(),
            ]),
        )]
        .try_into()
        .unwrap(),
        ..limit
    };
    let open = entries([permissive(limit("payments", productionapp()))]);
    assert!(matches!(decided(&tagged("ledger"), &open), Decision::Accepted(_)));
    let violation = only(decided(&tagged("orders"), &open));
    assert_eq!(
        (violation.reason, violation.field.as_str()),
        (Reason::SessionTag, "spec.session.tags[team]")
    );
    assert!(
        violation.message.contains("\"ledger\", \"payments\""),
        "{violation}"
    );
    let both = entries([
        permissive(limit("payments", productionapp())),
        check_only("strict", productionapp()),
    ]);
    assert_eq!(
        only(decided(&tagged("ledger"), &both)).limit,
        Some(object("strict"))
    );
}

/// To AWS they are one tag; a limit says which spelling it is about.
#[test]
fn a_session_tag_in_another_case_is_another_one() {
    let mut limit = limit("payments", productionapp());
    let value = || BTreeSet::from([TagValue::new("x").unwrap()]);
    limit.session_tags = [(TagKey::new("team").unwrap(), value())].try_into().unwrap();
    let mut binding = binding();
    binding.session.tags = [tag("Team", "x")].try_into().unwrap();
    let violation = only(decided(&binding, &entries([limit])));
    assert_eq!(violation.reason, Reason::SessionTag);
    assert!(
        violation.message.contains("it spells the key \"team\""),
        "{violation}"
    );
}

#[test]
fn deputys_own_session_tags_count() {
    let mut limit = limit("payments", productionapp());
    let mut binding = binding();
    for i in 0..47 {
        let (key, value) = tag(&format!("t{i}"), "x");
        let values = BTreeSet::from([value.clone()]);
        limit.session_tags.insert(key.clone(), values).unwrap();
        binding.session.tags.insert(key, value).unwrap();
    }
    let limits = entries([limit]);
    assert!(matches!(decided(&binding, &limits), Decision::Accepted(_)));
    binding.session.scope = SessionScope::Pod;
    let violation = only(decided(&binding, &limits));
    assert_eq!(violation.reason, Reason::TooLarge);
    assert!(violation.message.contains("51 tags"), "{violation}");
}

#[test]
fn a_session_policy_of_another_partition_is_refused() {
    let mut binding = binding();
    let foreign = json!([allow(
        json!("s3:GetObject"),
        json!("arn:aws-cn:s3:::productionapp/*")
    )]);
    binding.session.policy = Some(session_policy(foreign));
    let violations = refused(decided(&binding, &entries([limit("payments", productionapp())])));
    let found = violations.iter().find(|v| v.reason == Reason::Partition).unwrap();
    assert_eq!(found.field, "spec.session.policy.Statement[0].Resource[0]");
    assert!(
        found.message.contains(r#"write "arn:aws:s3:::productionapp/*""#),
        "{found}"
    );
}
