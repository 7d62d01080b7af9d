use std::sync::Arc;

use deputy_delegation::{
    Accepted, CeilingUse, Decision, DecisionInput, Fact, GrantSpec, MissingFact, Reason, Violation, decide,
    decide::may_be_retained, model::*,
};
use deputy_policy::{Context, Layers, Request, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn decided_in(role: &Role, account: Fact<'_, Account>, limits: &[LimitEntry]) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Role(role),
        account,
        limits,
    })
}

fn decided(role: &Role, limits: &[LimitEntry]) -> Decision {
    decided_in(role, Fact::Known(&account()), limits)
}

fn refused(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Refused(violations) => violations.to_vec(),
        other => panic!("not refused: {other:?}"),
    }
}

fn reasons(decision: Decision) -> Vec<Reason> {
    refused(decision).iter().map(|v| v.reason).collect()
}

fn payments() -> Vec<LimitEntry> {
    entries([limit("payments", productionapp())])
}

fn get_from(bucket: &str) -> Value {
    json!([allow(
        json!("s3:GetObject"),
        json!(format!("arn:aws:s3:::{bucket}/*"))
    )])
}

fn uses(limit: &str, statements: &[usize]) -> CeilingUse {
    CeilingUse {
        limit: object(limit),
        statements: statements.iter().copied().collect(),
    }
}

#[test]
fn a_role_within_its_limit_is_accepted_and_carries_its_boundary() {
    assert_eq!(
        decided(&role(), &payments()),
        Decision::Accepted(Accepted {
            limits: vec![object("payments")],
            boundary: Some(object("payments")),
            would_refuse: Vec::new(),
            uses: vec![uses("payments", &[0, 1])],
        })
    );
}

#[test]
fn limits_of_other_namespaces_and_accounts_are_passed_over() {
    let mut elsewhere = limit("elsewhere", get_from("x"));
    elsewhere.scope.accounts = [object("staging")].into();
    let mut orders = limit("orders", get_from("x"));
    orders.scope.namespaces = vec!["orders".to_owned()]
        .into_iter()
        .map(|n| deputy_delegation::NamespacePattern::new(n).unwrap())
        .collect();
    let limits = entries([elsewhere, limit("payments", productionapp()), orders]);
    assert!(matches!(decided(&role(), &limits), Decision::Accepted(a) if a.limits == [object("payments")]));
}

#[test]
fn without_a_limit_nothing_is_granted() {
    let violations = refused(decided(&role(), &[]));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].reason, Reason::NoLimit);
    assert_eq!(violations[0].field, "spec.accountRef");
    for word in ["\"payments\"", "\"production\""] {
        assert!(violations[0].message.contains(word), "{}", violations[0]);
    }
}

#[test]
fn a_role_that_exceeds_its_limit_is_refused_with_a_witness_and_its_place() {
    let role = role_with(&[
        ("list", json!([productionapp()[0].clone()])),
        ("objects", get_from("other")),
    ]);
    let violations = refused(decided(&role, &payments()));
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = &violations[0];
    assert_eq!(violation.reason, Reason::ExceedsLimit);
    assert_eq!(violation.field, "spec.policies[1].document.Statement[0]");
    assert_eq!(violation.limit, Some(object("payments")));
    for part in [
        "policy \"objects\" Statement[0] grants s3:GetObject on arn:aws:s3:::other/",
        "which limit \"payments\" does not allow",
    ] {
        assert!(violation.message.contains(part), "{violation}");
    }
}

#[test]
fn what_cannot_be_proved_is_refused_with_the_condition_keys_in_question() {
    let vpc = json!({"StringLike": {"aws:SourceVpc": "vpc-*"}});
    let when = |more: Option<(&str, &str)>| {
        let mut statement = get_from("productionapp")[0].clone();
        statement["Condition"] = vpc.clone();
        if let Some((operator, value)) = more {
            statement["Condition"][operator] = json!({"aws:PrincipalTag/Rank": value});
        }
        statement
    };
    let ceiling = json!([
        when(Some(("NumericEquals", "5"))),
        when(Some(("NumericNotEquals", "5"))),
    ]);
    let role = role_with(&[("objects", json!([when(None)]))]);
    let violations = refused(decided(&role, &entries([limit("payments", ceiling)])));
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = &violations[0];
    assert_eq!(violation.reason, Reason::ContainmentUnknown);
    assert!(
        violation
            .message
            .ends_with("(condition keys in question: aws:PrincipalTag/Rank)"),
        "{violation}"
    );
}

#[test]
fn every_policy_that_exceeds_every_limit_is_listed() {
    let role = role_with(&[
        ("a", get_from("one")),
        ("fine", productionapp()),
        ("b", get_from("two")),
    ]);
    let limits = entries([
        check_only("second", productionapp()),
        limit("first", productionapp()),
    ]);
    let violations = refused(decided(&role, &limits));
    let found: Vec<_> = violations
        .iter()
        .map(|v| (v.limit.as_ref().unwrap().as_str(), v.field.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("first", "spec.policies[0].document.Statement[0]"),
            ("first", "spec.policies[2].document.Statement[0]"),
            ("second", "spec.policies[0].document.Statement[0]"),
            ("second", "spec.policies[2].document.Statement[0]"),
        ]
    );
}

#[test]
fn a_deny_in_one_policy_counts_for_all_policies_of_the_role() {
    let all_but_secret = json!([
        allow(json!("s3:GetObject"), json!("arn:aws:s3:::productionapp/*")),
        deny(json!("s3:*"), json!("arn:aws:s3:::productionapp/secret/*")),
    ]);
    let limits = entries([limit("payments", all_but_secret)]);
    let grant = ("grant", get_from("productionapp"));
    let denial = (
        "denial",
        json!([deny(json!("s3:*"), json!("arn:aws:s3:::productionapp/secret/*"))]),
    );
    assert!(matches!(
        decided(&role_with(&[grant.clone(), denial.clone()]), &limits),
        Decision::Accepted(_)
    ));
    assert_eq!(
        reasons(decided(&role_with(std::slice::from_ref(&grant)), &limits)),
        [Reason::ExceedsLimit]
    );
    // And one policy too many does not make the others look guilty.
    let violations = refused(decided(
        &role_with(&[grant, denial, ("more", get_from("other"))]),
        &limits,
    ));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].field, "spec.policies[2].document.Statement[0]");
}

#[test]
fn of_several_limits_every_one_must_accept() {
    let narrow = check_only("narrow", json!([productionapp()[0].clone()]));
    let limits = entries([limit("payments", productionapp()), narrow]);
    let violations = refused(decided(&role(), &limits));
    assert!(
        violations.iter().all(|v| v.limit == Some(object("narrow"))),
        "{violations:?}"
    );
    let list = role_with(&[("list", json!([productionapp()[0].clone()]))]);
    let expected = Accepted {
        limits: vec![object("narrow"), object("payments")],
        boundary: Some(object("payments")),
        would_refuse: Vec::new(),
        uses: vec![uses("narrow", &[0]), uses("payments", &[0])],
    };
    assert_eq!(decided(&list, &limits), Decision::Accepted(expected));
}

#[test]
fn limits_without_a_boundary_alone_let_nothing_be_made() {
    let limits = entries([check_only("b", productionapp()), check_only("a", productionapp())]);
    let violations = refused(decided(&role(), &limits));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].reason, Reason::NoBoundary);
    let message = &violations[0].message;
    assert!(
        message.contains("(a, b)") && message.contains("boundary type Generated"),
        "{message}"
    );
    // One that can't be read may have one.
    let broken = LimitEntry::Invalid {
        name: object("broken"),
        scope: None,
        enforcement: Enforcement::Enforce,
        error: "no".to_owned(),
    };
    assert_eq!(
        reasons(decided(&role(), &[limits, vec![broken]].concat())),
        [Reason::LimitInvalid]
    );
}

#[test]
fn what_was_found_about_a_limit_is_not_taken_for_another_value_of_it() {
    let anything = json!([allow(json!("*"), json!("*"))]);
    let wide = limit("payments", anything);
    assert_eq!(
        reasons(decided(&role(), &entries([wide.clone()]))),
        [Reason::LimitInvalid]
    );
    let mut mended = wide.clone();
    mended.ceiling = limit("payments", productionapp()).ceiling;
    assert!(decided(&role(), &entries([mended.clone()])).is_accepted());
    // Nor what was found in one account for another one of its name.
    let shared = entries([mended]);
    assert!(decided(&role(), &shared).is_accepted());
    let china = decided_in(&role(), Fact::Known(&in_china()), &shared);
    assert!(reasons(china).contains(&Reason::LimitInvalid));
    assert!(decided(&role(), &shared).is_accepted());
}

#[test]
fn two_limits_with_a_boundary_do_not_fit_on_one_role() {
    let limits = entries([limit("b", productionapp()), limit("a", productionapp())]);
    let violations = refused(decided(&role(), &limits));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].reason, Reason::BoundaryOverlap);
    assert!(violations[0].message.contains("a, b"), "{}", violations[0]);
}

#[test]
fn a_limit_that_cannot_be_read_refuses_what_it_covers() {
    let broken = LimitEntry::Invalid {
        name: object("broken"),
        scope: None,
        enforcement: Enforcement::Enforce,
        error: "Statement[0]: Effect is missing".to_owned(),
    };
    let violations = refused(decided(&role(), &[payments(), vec![broken]].concat()));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].reason, Reason::LimitInvalid);
    assert_eq!(violations[0].limit, Some(object("broken")));
    assert!(
        violations[0].message.contains("Effect is missing"),
        "{}",
        violations[0]
    );
}

#[test]
fn a_limit_that_reaches_iam_unacknowledged_refuses_what_it_covers() {
    let mut ceiling = productionapp();
    ceiling
        .as_array_mut()
        .unwrap()
        .push(allow(json!("iam:CreateRole"), json!("*")));
    let violations = refused(decided(&role(), &entries([limit("payments", ceiling)])));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].reason, Reason::LimitInvalid);
    assert!(
        violations[0].message.contains("iam:CreateRole"),
        "{}",
        violations[0]
    );
}

#[test]
fn an_unknown_account_leaves_a_sound_role_undecided() {
    assert_eq!(
        decided_in(&role(), Fact::Missing, &payments()),
        Decision::Undecided(MissingFact::AccountNotFound(object("production")).into())
    );
}

#[test]
fn what_is_too_much_is_refused_also_while_the_account_is_unknown() {
    let role = role_with(&[("objects", get_from("other"))]);
    assert_eq!(
        reasons(decided_in(&role, Fact::Missing, &payments())),
        [Reason::ExceedsLimit]
    );
}

#[test]
fn an_unreadable_or_wrong_account_refuses() {
    assert_eq!(
        reasons(decided_in(&role(), Fact::Unreadable("bad region"), &payments())),
        [Reason::AccountInvalid]
    );
    let other = Account {
        name: object("staging"),
        ..account()
    };
    assert_eq!(
        reasons(decided_in(&role(), Fact::Known(&other), &payments())),
        [Reason::AccountInvalid]
    );
}

#[test]
fn sizes_are_measured_on_what_is_sent() {
    let big = |name: &str| {
        let resources: Vec<_> = (0..120)
            .map(|i| format!("arn:aws:s3:::productionapp/{name}/{i:04}/*"))
            .collect();
        json!([allow(json!("s3:GetObject"), json!(resources))])
    };
    let fits = role_with(&[("a", big("a")), ("b", big("b"))]);
    assert!(matches!(decided(&fits, &payments()), Decision::Accepted(_)));
    let too_big = role_with(&[("a", big("a")), ("b", big("b")), ("c", big("c"))]);
    let violations = refused(decided(&too_big, &payments()));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].reason, Reason::TooLarge);
    let size = too_big
        .owned()
        .unwrap()
        .policies
        .inline()
        .unwrap()
        .size()
        .to_string();
    for number in [size.as_str(), "10240"] {
        assert!(violations[0].message.contains(number), "{}", violations[0]);
    }
}

#[test]
fn too_many_tags_of_the_account_are_refused_before_aws_does() {
    let account = Account {
        tags: ChosenTags::of((0..45).map(|i| tag(&format!("t{i}"), "x"))).unwrap(),
        ..account()
    };
    let violations = refused(decided_in(&role(), Fact::Known(&account), &payments()));
    assert_eq!(violations[0].reason, Reason::TooLarge);
    assert!(violations[0].message.contains("51 tags"), "{}", violations[0]);
}

#[test]
fn a_violation_reads_as_a_sentence_with_its_place() {
    let account = Account {
        name: object("other"),
        ..account()
    };
    let violation = refused(decided_in(&role(), Fact::Known(&account), &payments())).remove(0);
    assert_eq!(
        violation.to_string(),
        "spec.accountRef: AWSAccount other was looked up for production (AccountInvalid)"
    );
}

const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];
const PREFIXES: [&str; 3] = ["*", "a/*", "a/b"];

fn statement() -> impl Strategy<Value = Value> {
    (
        prop::sample::subsequence(&ACTIONS[..], 1..4),
        prop::sample::select(&PREFIXES[..]),
        prop::bool::weighted(0.25),
    )
        .prop_map(|(actions, prefix, denies)| {
            let resource = json!(format!("arn:aws:s3:::productionapp/{prefix}"));
            if denies {
                deny(json!(actions), resource)
            } else {
                allow(json!(actions), resource)
            }
        })
}

fn statements() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(), 1..4).prop_map(Value::from)
}

fn limits_strategy() -> impl Strategy<Value = Vec<Limit>> {
    prop::collection::vec(statements(), 1..3).prop_map(|ceilings| {
        ceilings
            .into_iter()
            .enumerate()
            .map(|(i, ceiling)| match i {
                0 => limit("l0", ceiling),
                _ => check_only(&format!("l{i}"), ceiling),
            })
            .collect()
    })
}

fn role_strategy() -> impl Strategy<Value = Role> {
    prop::collection::vec(statements(), 1..3).prop_map(|policies| {
        let names = ["p0", "p1", "p2"];
        role_with(&names.into_iter().zip(policies).collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn what_is_accepted_can_do_nothing_that_a_limit_does_not_allow(role in role_strategy(), limits in limits_strategy()) {
        let entries: Vec<_> = limits.iter().cloned().map(Arc::new).map(LimitEntry::Valid).collect();
        if let Decision::Accepted(_) = decided(&role, &entries) {
            let documents: Vec<_> = role.policies().iter().map(|p| &p.document).collect();
            for action in ACTIONS {
                for object in ["a/b", "a/c", "c", "a/"] {
                    let request = Request {
                        action: action.to_owned(),
                        resource: format!("arn:aws:s3:::productionapp/{object}"),
                        principal: None,
                        context: Context::new(),
                    };
                    let allowed = |identity: &[&deputy_policy::Document]| {
                        evaluate(&Layers { identity, boundary: None, session: None }, &request).is_allowed()
                    };
                    for limit in &limits {
                        // No request lists an object, and the boundary would deny one.
                        if action == "s3:ListBucket" && limit.boundary == BoundaryMode::Generated {
                            continue;
                        }
                        prop_assert!(!allowed(&documents) || allowed(&[&limit.ceiling]), "{request:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn another_limit_never_widens(role in role_strategy(), limits in limits_strategy(), more in statements()) {
        let before = decided(&role, &entries(limits.clone()));
        let mut with_more = limits;
        with_more.push(check_only("more", more));
        if let Decision::Accepted(_) = decided(&role, &entries(with_more)) {
            prop_assert!(matches!(before, Decision::Accepted(_)));
        }
    }
}

/// The account in China.
fn in_china() -> Account {
    let mut account = account();
    account.partition = deputy_delegation::Partition::new("aws-cn").unwrap();
    account.region = deputy_delegation::Region::new("cn-north-1").unwrap();
    account.issuer =
        deputy_delegation::IssuerArn::parse("arn:aws-cn:iam::123456789012:role/deputy-broker").unwrap();
    account
}

#[test]
fn an_arn_of_another_partition_is_refused_with_the_right_spelling() {
    let anything = entries([limit("anything", json!([allow(json!("s3:*"), json!("*"))]))]);
    let decided = |resources: Value| {
        let role = role_with(&[("objects", json!([allow(json!("s3:GetObject"), resources)]))]);
        decided_in(&role, Fact::Known(&in_china()), &anything)
    };
    let violations = refused(decided(json!([
        "arn:aws-cn:s3:::a/*",
        "arn:aws:s3:::productionapp/*"
    ])));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].reason, Reason::Partition);
    assert_eq!(
        violations[0].field,
        "spec.policies[0].document.Statement[0].Resource[1]"
    );
    assert!(
        violations[0]
            .message
            .contains(r#"write "arn:aws-cn:s3:::productionapp/*""#),
        "{violations:?}"
    );
    for fine in [json!("arn:aws-cn:s3:::a/*"), json!("arn:*:s3:::a/*"), json!("*")] {
        assert!(decided(fine.clone()).is_accepted(), "{fine}");
    }
    let mut not_resource = allow(json!("s3:GetObject"), json!("*"));
    not_resource.as_object_mut().unwrap().remove("Resource");
    not_resource["NotResource"] = json!("arn:aws-us-gov:s3:::b/*");
    let role = role_with(&[("objects", json!([not_resource]))]);
    let violations = refused(decided_in(&role, Fact::Known(&in_china()), &anything));
    assert_eq!(
        violations[0].field,
        "spec.policies[0].document.Statement[0].NotResource[0]"
    );
    // Many of them are counted.
    let many: Vec<String> = (0..100).map(|i| format!("arn:aws:s3:::b{i}/*")).collect();
    let violations = refused(decided(json!(many)));
    assert_eq!(violations.len(), 21);
    assert!(violations[20].message.contains("80 more"), "{violations:?}");
}

#[test]
fn a_ceiling_of_another_partition_has_no_boundary_in_the_account() {
    let violations = refused(decided_in(&role(), Fact::Known(&in_china()), &payments()));
    let limit = violations
        .iter()
        .find(|v| v.reason == Reason::LimitInvalid)
        .unwrap();
    assert!(
        limit.message.contains(r#"write "arn:aws-cn:s3:::productionapp""#),
        "{limit}"
    );
}

#[test]
fn a_role_that_is_to_stay_needs_the_leave_of_every_limit() {
    let retained = owned(role(), |role| role.deletion = DeletionPolicy::Retain);
    let leave = |mut limit: Limit| {
        limit.allow_retain = true;
        limit
    };
    let (first, second) = (
        limit("first", productionapp()),
        check_only("second", productionapp()),
    );
    let both = entries([leave(first.clone()), leave(second.clone())]);
    assert!(decided(&retained, &both).is_accepted());
    let one = entries([leave(first), second]);
    let violations = refused(decided(&retained, &one));
    let found: Vec<_> = violations
        .iter()
        .map(|v| (v.reason, v.field.as_str(), v.limit.clone()))
        .collect();
    assert_eq!(
        found,
        [(Reason::Retain, "spec.deletionPolicy", Some(object("second")))]
    );
    assert!(decided(&role(), &one).is_accepted());

    let stays = |limits: &[LimitEntry]| may_be_retained(limits, &retained.id.namespace, &retained.account);
    assert!(stays(&both) && !stays(&one) && !stays(&[]));
    let unreadable = LimitEntry::Invalid {
        name: object("broken"),
        scope: None,
        enforcement: Enforcement::Enforce,
        error: "no".to_owned(),
    };
    assert!(stays(&[unreadable]), "what was deleted does not come back");
}
