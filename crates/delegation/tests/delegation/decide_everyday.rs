//! What everybody writes and does no harm: tags that have one value, sessions that only take away, requests that do not exist.

use deputy_delegation::{Decision, DecisionInput, Fact, GrantSpec, accepts, decide, model::*};
use deputy_policy::{Context, Document, Layers, Request, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn decided(role: &Role, limits: &[LimitEntry]) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Role(role),
        account: Fact::Known(&account()),
        limits,
    })
}

fn accepted(wants: Value, ceiling: Value) -> bool {
    decided(
        &role_with(&[("objects", json!([wants]))]),
        &entries([limit("payments", json!([ceiling]))]),
    )
    .is_accepted()
}

/// With a limit whose boundary holds nothing of it.
fn beside_a_boundary(checked: Limit) -> Vec<LimitEntry> {
    let anything = allow(json!(["s3:*", "sqs:*"]), json!("*"));
    entries([checked, limit("z-boundary", json!([anything]))])
}

fn queue(name: &str) -> Value {
    allow(json!("sqs:*"), json!(format!("arn:aws:sqs:*:*:{name}")))
}

fn with(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_tags_of_deputy_have_one_value_in_a_namespace() {
    let tag = |name: &str| format!("${{aws:PrincipalTag/{name}}}");
    let namespace = tag("deputy-namespace");
    let of_namespace = format!("{namespace}-*");
    for (wants, ceiling, expected) in [
        (queue("payments-orders"), queue(&of_namespace), true),
        (queue("payments-*"), queue(&of_namespace), true),
        (queue(&format!("{namespace}-orders")), queue(&of_namespace), true),
        (queue(&format!("{namespace}-orders")), queue("payments-*"), true),
        (queue("orders-orders"), queue(&of_namespace), false),
        (queue("*-orders"), queue(&of_namespace), false),
        (queue("paymentsx"), queue(&of_namespace), false),
        // Spelled otherwise, and with a default that never counts.
        (
            queue("payments-1"),
            queue("${AWS:principaltag/Deputy-Namespace}-*"),
            true,
        ),
        (
            queue("payments-1"),
            queue("${aws:PrincipalTag/deputy-namespace, 'x'}-*"),
            true,
        ),
        (
            queue("x-1"),
            queue("${aws:PrincipalTag/deputy-namespace, 'x'}-*"),
            false,
        ),
        // The other tags of a role.
        (
            queue("prod-1-payments"),
            queue(&format!("{}-{namespace}", tag("deputy-cluster"))),
            true,
        ),
        (
            queue("payments/uploader"),
            queue(&format!("{namespace}/{}", tag("deputy-name"))),
            true,
        ),
        (
            queue("payments/other"),
            queue(&format!("{namespace}/{}", tag("deputy-name"))),
            false,
        ),
        // As a value and as a key of a condition.
        (
            with(
                queue("*"),
                json!({"StringEquals": {"aws:ResourceTag/team": "payments"}}),
            ),
            with(
                queue("*"),
                json!({"StringEquals": {"aws:ResourceTag/team": namespace}}),
            ),
            true,
        ),
        (
            with(
                queue("*"),
                json!({"StringEquals": {"aws:ResourceTag/team": "orders"}}),
            ),
            with(
                queue("*"),
                json!({"StringEquals": {"aws:ResourceTag/team": namespace}}),
            ),
            false,
        ),
        (
            queue("*"),
            with(
                queue("*"),
                json!({"StringEquals": {"aws:PrincipalTag/deputy-namespace": ["orders", "payments"]}}),
            ),
            true,
        ),
        (
            queue("*"),
            with(
                queue("*"),
                json!({"StringLike": {"aws:principaltag/deputy-namespace": "pay*"}}),
            ),
            true,
        ),
        (
            queue("*"),
            with(
                queue("*"),
                json!({"StringEquals": {"aws:PrincipalTag/deputy-namespace": "orders"}}),
            ),
            false,
        ),
        (
            queue("*"),
            with(
                queue("*"),
                json!({"StringEquals": {"aws:PrincipalTag/deputy-cluster": "prod-1"}}),
            ),
            true,
        ),
    ] {
        assert_eq!(
            accepted(wants.clone(), ceiling.clone()),
            expected,
            "{wants} under {ceiling}"
        );
    }
    // What a tenant or a pod chooses has no one value: only the variable itself is within it.
    let account_tag = format!("{namespace}/{}", tag("deputy-service-account"));
    assert!(accepted(queue(&account_tag), queue(&account_tag)));
    assert!(!accepted(queue("payments/uploader"), queue(&account_tag)));
}

#[test]
fn a_session_policy_that_only_takes_away_is_no_excess() {
    let everything_but = json!([
        allow(json!("*"), json!("*")),
        deny(json!("s3:DeleteObject"), json!("*")),
    ]);
    let mut bound = binding();
    bound.session.policy = Some(session_policy(everything_but));
    let about = |role: &Role| {
        decide(&DecisionInput {
            cluster: &cluster(),
            grant: GrantSpec::Binding {
                binding: &bound,
                role: Fact::Known(role),
            },
            account: Fact::Known(&account()),
            limits: &entries([limit("payments", productionapp())]),
        })
    };
    assert!(about(&role()).is_accepted());
    // Nothing is hidden by it: where the role is too wide, so is the session.
    let wide = role_with(&[(
        "wide",
        json!([allow(json!("s3:*"), json!("arn:aws:s3:::productionapp/*"))]),
    )]);
    assert!(!about(&wide).is_accepted());
    // Unless the policy takes the rest away, as it always could.
    let only = json!([allow(
        json!("s3:GetObject"),
        json!("arn:aws:s3:::productionapp/*")
    )]);
    bound.session.policy = Some(session_policy(only));
    let narrowed = decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding: &bound,
            role: Fact::Known(&wide),
        },
        account: Fact::Known(&account()),
        limits: &entries([limit("payments", productionapp())]),
    });
    assert!(narrowed.is_accepted());
}

/// A bucket and its objects in one statement.
fn everyday(actions: Value) -> Value {
    json!([allow(
        actions,
        json!(["arn:aws:s3:::productionapp", "arn:aws:s3:::productionapp/*"])
    )])
}

#[test]
fn an_impossible_request_is_no_excess_where_a_boundary_holds() {
    let role = role_with(&[("objects", everyday(json!(["s3:ListBucket", "s3:GetObject"])))]);
    assert!(decided(&role, &entries([limit("payments", productionapp())])).is_accepted());
    // Without a boundary nothing in AWS would hold it if the reference were behind.
    let checked = beside_a_boundary(check_only("payments", productionapp()));
    assert!(
        matches!(decided(&role, &checked), Decision::Refused(v) if v.iter().all(|v| v.limit == Some(object("payments"))))
    );
    let both = entries([
        limit("payments", productionapp()),
        check_only("second", productionapp()),
    ]);
    assert!(!decided(&role, &both).is_accepted());
    let both = entries([
        limit("payments", productionapp()),
        check_only("second", everyday(json!("s3:*"))),
    ]);
    assert!(decided(&role, &both).is_accepted());
}

#[test]
fn a_request_that_aws_can_make_or_may_learn_to_make_is_one() {
    for actions in [
        // Takes objects, too.
        json!(["s3:ListBucket", "s3:GetObjectAcl"]),
        // Not in the reference: compared as it stands.
        json!(["s3:ListBucket", "s3:GetObjekt"]),
        json!("s3:*"),
        json!("*"),
    ] {
        let role = role_with(&[("objects", everyday(actions.clone()))]);
        assert!(
            !decided(&role, &entries([limit("payments", productionapp())])).is_accepted(),
            "{actions}"
        );
    }
    // An open pattern under an open ceiling: what S3 has of buckets is not asked of objects.
    let ceiling = json!([
        allow(json!("s3:*Object*"), json!("arn:aws:s3:::productionapp/*")),
        allow(json!("s3:*"), json!("arn:aws:s3:::productionapp")),
    ]);
    let role = role_with(&[("objects", everyday(json!("s3:GetObject*")))]);
    assert!(decided(&role, &entries([limit("payments", ceiling)])).is_accepted());
}

#[test]
fn every_resource_means_those_that_the_action_takes() {
    let of = |action: &str, resources: &str| json!([allow(json!(action), json!(resources))]);
    for (action, ceiling, fits) in [
        ("sqs:SendMessage", "arn:aws:sqs:*:*:*", true),
        ("sqs:*", "arn:aws:sqs:*:*:*", false),
        ("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/*", true),
        (
            "route53:ChangeResourceRecordSets",
            "arn:aws:route53:::hostedzone/*",
            true,
        ),
        (
            "ec2:RevokeSecurityGroupIngress",
            "arn:aws:ec2:*:*:security-group/*",
            true,
        ),
        ("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/*", true),
        ("s3:GetObject", "arn:aws:s3:::*", false),
        // Of another partition, one region, one account, some names, and an action that has no resource.
        ("sqs:SendMessage", "arn:aws-cn:sqs:*:*:*", false),
        ("sqs:SendMessage", "arn:aws:sqs:eu-central-1:*:*", false),
        ("sqs:SendMessage", "arn:aws:sqs:*:123456789012:*", false),
        ("sqs:SendMessage", "arn:aws:sqs:*:*:payments-*", false),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::*", false),
        // Not in the reference.
        ("sqs:SendMesage", "arn:aws:sqs:*:*:*", false),
    ] {
        let role = role_with(&[("all", of(action, "*"))]);
        let held = entries([limit("payments", of(action, ceiling))]);
        let decision = decided(&role, &held);
        assert_eq!(
            decision.is_accepted(),
            fits,
            "{action} on {ceiling}: {decision:#?}"
        );
        // Without a boundary nothing in AWS would hold it if the reference were behind.
        let checked = beside_a_boundary(check_only("payments", of(action, ceiling)));
        assert!(!decided(&role, &checked).is_accepted(), "{action} on {ceiling}");
    }
}

#[test]
fn where_every_resource_exceeds_a_possible_one_is_shown() {
    let of = |action: &str, resources: &str| json!([allow(json!(action), json!(resources))]);
    for (action, ceiling, shown) in [
        (
            "dynamodb:GetItem",
            "arn:aws:dynamodb:us-east-1:123456789012:table/*",
            "on arn:aws:dynamodb:",
        ),
        (
            "ec2:RevokeSecurityGroupIngress",
            "arn:aws:ec2:us-east-1:123456789012:security-group/*",
            ":security-group/",
        ),
        (
            "sqs:SendMessage",
            "arn:aws:sqs:us-east-1:123456789012:*",
            "on arn:aws:sqs:",
        ),
    ] {
        for limit in [
            entries([limit("payments", of(action, ceiling))]),
            beside_a_boundary(check_only("payments", of(action, ceiling))),
        ] {
            let Decision::Refused(violations) = decided(&role_with(&[("all", of(action, "*"))]), &limit)
            else {
                panic!("not refused: {action}");
            };
            assert!(violations[0].message.contains(shown), "{violations:#?}");
        }
    }
}

#[test]
fn the_request_that_proves_an_excess_is_one_that_exists() {
    let role = role_with(&[(
        "objects",
        everyday(json!(["s3:ListBucket", "s3:GetObject", "s3:PutObjectAcl"])),
    )]);
    let Decision::Refused(violations) = decided(&role, &entries([limit("payments", productionapp())])) else {
        panic!("not refused");
    };
    assert_eq!(violations.len(), 1, "{violations:#?}");
    assert!(
        violations[0]
            .message
            .contains("grants s3:PutObjectAcl on arn:aws:s3:::productionapp/"),
        "{violations:#?}"
    );
}

const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];
const RESOURCES: [&str; 9] = [
    "arn:aws:s3:::payments",
    "arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}",
    "arn:aws:s3:::payments/*",
    "arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}/*",
    "arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}*",
    "arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}/${aws:PrincipalTag/deputy-name}",
    "arn:aws:s3:::orders/*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
];
/// Those that a limit may have: all but the last.
const OF_LIMIT: usize = 8;

fn statement(resources: usize) -> impl Strategy<Value = Value> {
    (
        prop::sample::subsequence(&ACTIONS[..], 1..4),
        prop::sample::subsequence(RESOURCES[..resources].to_vec(), 1..3),
        prop::bool::weighted(0.2),
        prop::sample::select(vec![
            Value::Null,
            json!({"StringEquals": {"aws:PrincipalTag/deputy-namespace": "payments"}}),
            json!({"StringNotEquals": {"aws:PrincipalTag/deputy-namespace": "payments"}}),
            json!({"StringLike": {"s3:prefix": "${aws:PrincipalTag/deputy-namespace}/*"}}),
            json!({"StringLike": {"s3:prefix": "payments/*"}}),
        ]),
    )
        .prop_map(|(actions, resources, denies, condition)| {
            let statement = if denies {
                deny(json!(actions), json!(resources))
            } else {
                allow(json!(actions), json!(resources))
            };
            if condition.is_null() {
                statement
            } else {
                with(statement, condition)
            }
        })
}

fn policies() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(RESOURCES.len()), 1..3)
}

fn ceilings() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(OF_LIMIT), 1..5)
}

/// Every request that a session of the role can make of a few names; `possible`: only those that AWS knows.
fn requests(possible: bool) -> Vec<Request> {
    let mut all = Vec::new();
    for action in ACTIONS {
        for resource in [
            "payments",
            "orders",
            "payments/x",
            "payments/uploader",
            "orders/x",
            "paymentsx/y",
            "a/payments",
        ] {
            if possible && resource.contains('/') == (action == "s3:ListBucket") {
                continue;
            }
            for prefix in [None, Some("payments/x"), Some("orders/x")] {
                for team in [None, Some("payments"), Some("orders")] {
                    let mut context = Context::new();
                    for (key, value) in [
                        ("aws:PrincipalTag/deputy-namespace", Some("payments")),
                        ("aws:PrincipalTag/deputy-name", Some("uploader")),
                        ("aws:PrincipalTag/deputy-cluster", Some("prod-1")),
                        ("s3:prefix", prefix),
                        ("aws:PrincipalTag/team", team),
                    ] {
                        if let Some(value) = value {
                            context.set(key, [value]);
                        }
                    }
                    all.push(Request {
                        action: action.to_owned(),
                        resource: format!("arn:aws:s3:::{resource}"),
                        principal: None,
                        context,
                    });
                }
            }
        }
    }
    all
}

fn allows(identity: &[&Document], session: Option<&[&Document]>, request: &Request) -> bool {
    let layers = Layers {
        identity,
        boundary: None,
        session,
    };
    evaluate(&layers, request).is_allowed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_accepted_by_its_tags_stays_within_the_limit(
        wants in policies(), ceiling in ceilings(), generated in any::<bool>(),
    ) {
        let role = role_with(&[("p", json!(wants))]);
        let (limit, limits) = if generated {
            let limit = limit("l", json!(ceiling));
            (limit.clone(), entries([limit]))
        } else {
            let limit = check_only("l", json!(ceiling));
            (limit.clone(), beside_a_boundary(limit))
        };
        if decided(&role, &limits).is_accepted() {
            for request in requests(generated) {
                prop_assert!(
                    !allows(&[&role.policies()[0].document], None, &request) || allows(&[&limit.ceiling], None, &request),
                    "{request:?}"
                );
            }
        }
    }

    #[test]
    fn an_accepted_session_can_do_nothing_that_the_limit_does_not_allow(
        of_role in policies(), of_session in policies(), ceiling in ceilings(),
    ) {
        let role = role_with(&[("p", json!(of_role))]);
        let limit = check_only("l", json!(ceiling));
        let mut bound = binding();
        let session = session_policy(json!(of_session));
        bound.session.policy = Some(session.clone());
        let decision = decide(&DecisionInput {
            cluster: &cluster(),
            grant: GrantSpec::Binding { binding: &bound, role: Fact::Known(&role) },
            account: Fact::Known(&account()),
            limits: &beside_a_boundary(limit.clone()),
        });
        if decision.is_accepted() {
            for request in requests(false) {
                let can = allows(&[&role.policies()[0].document], Some(&[&session]), &request);
                prop_assert!(!can || allows(&[&limit.ceiling], None, &request), "{request:?}");
            }
        }
    }

    #[test]
    fn accepting_and_deciding_are_one(wants in policies(), of_session in policies(), ceiling in ceilings()) {
        let role = role_with(&[("p", json!(wants))]);
        let limits = entries([limit("l", json!(ceiling))]);
        let mut bound = binding();
        bound.session.policy = Some(session_policy(json!(of_session)));
        for grant in [GrantSpec::Role(&role), GrantSpec::Binding { binding: &bound, role: Fact::Known(&role) }] {
            let input = DecisionInput {
                cluster: &cluster(),
                grant,
                account: Fact::Known(&account()),
                limits: &limits,
            };
            prop_assert_eq!(accepts(&input), decide(&input).is_accepted());
        }
    }

    #[test]
    fn a_refusal_lists_something_and_all_of_it_exceeds(wants in policies(), ceiling in ceilings()) {
        let role = role_with(&[("p", json!(wants))]);
        let limits = beside_a_boundary(check_only("l", json!(ceiling)));
        if let Decision::Refused(violations) = decided(&role, &limits) {
            prop_assert!(!violations.is_empty());
            for violation in violations {
                prop_assert!(
                    violation.field.starts_with("spec.policies[0].document.Statement["),
                    "{violation}"
                );
            }
        }
    }
}
