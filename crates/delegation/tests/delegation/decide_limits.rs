//! Several limits at once: enforced ones with and without a boundary, and dry runs.

use std::sync::Arc;

use deputy_delegation::{
    Accepted, Decision, DecisionInput, Fact, GrantSpec, Reason, Violation, accepts, decide, model::*,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn asked<T>(role: &Role, limits: &[LimitEntry], ask: impl FnOnce(&DecisionInput<'_>) -> T) -> T {
    ask(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Role(role),
        account: Fact::Known(&account()),
        limits,
    })
}

fn decided(role: &Role, limits: impl IntoIterator<Item = Limit>) -> Decision {
    asked(role, &entries(limits), decide)
}

fn accepted(decision: Decision) -> Accepted {
    match decision {
        Decision::Accepted(accepted) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

fn refused(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Refused(violations) => violations.into_iter().collect(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Reasons and limits.
fn named(violations: &[Violation]) -> Vec<(Reason, &str)> {
    violations
        .iter()
        .map(|v| (v.reason, v.limit.as_ref().map_or("", |l| l.as_str())))
        .collect()
}

/// Everything of S3.
fn anything() -> Value {
    json!([allow(json!("s3:*"), json!("*"))])
}

/// The ceiling without what changes objects.
fn reading() -> Value {
    json!([
        allow(json!("s3:ListBucket"), json!("arn:aws:s3:::productionapp")),
        allow(json!("s3:GetObject"), json!("arn:aws:s3:::productionapp/*")),
    ])
}

#[test]
fn a_dry_run_refuses_nothing_and_says_what_it_would_refuse() {
    let limits = [
        limit("payments", productionapp()),
        dry_run(check_only("reading", reading())),
    ];
    let accepted = accepted(decided(&role(), limits));
    assert_eq!(accepted.limits, [object("payments")]);
    assert_eq!(accepted.boundary, Some(object("payments")));
    let would: Vec<String> = accepted.would_refuse.iter().map(ToString::to_string).collect();
    assert_eq!(
        named(&accepted.would_refuse),
        [
            (Reason::ExceedsLimit, "reading"),
            (Reason::ExceedsLimit, "reading")
        ]
    );
    // In the words of a refusal: what, where, which limit, and what would be allowed.
    for (words, at) in [("s3:PutObject", "Action[1]"), ("s3:DeleteObject", "Action[2]")] {
        let field = format!("spec.policies[0].document.Statement[1].{at}");
        assert!(
            would.iter().any(|v| v.starts_with(&field)
                && v.contains(words)
                && v.contains("allows only s3:GetObject")),
            "{would:?}"
        );
    }
}

#[test]
fn where_only_dry_runs_apply_nothing_is_granted() {
    let limits = [
        dry_run(limit("payments", anything())),
        dry_run(check_only("second", anything())),
    ];
    let violations = refused(decided(&role(), limits));
    assert_eq!(named(&violations), [(Reason::NoLimit, "")]);
    assert!(
        violations[0]
            .message
            .ends_with("; payments, second there with enforcement DryRun, by which nothing is granted"),
        "{violations:?}"
    );
}

#[test]
fn a_dry_run_carries_no_boundary_and_would_overlap_with_one() {
    let dry = dry_run(limit("next", anything()));
    assert!(dry.has_boundary() && !dry.carries_boundary());
    // Beside a limit that is only checked no role is made.
    let violations = refused(decided(&role(), [check_only("checked", anything()), dry.clone()]));
    assert_eq!(named(&violations), [(Reason::NoBoundary, "")]);
    // Beside one with a boundary it would overlap, and says with which.
    let accepted = accepted(decided(&role(), [limit("payments", anything()), dry]));
    assert_eq!(accepted.boundary, Some(object("payments")));
    assert_eq!(named(&accepted.would_refuse), [(Reason::BoundaryOverlap, "next")]);
    let message = &accepted.would_refuse[0].message;
    assert!(message.contains("payments, next"), "{message}");
}

/// Every grant under it would have that, so it hides nothing.
#[test]
fn what_exceeds_a_dry_run_comes_before_a_boundary_that_would_be_one_too_many() {
    let limits = [
        limit("payments", anything()),
        dry_run(limit("next", reading())),
        dry_run(limit("other", reading())),
    ];
    let reasons: Vec<Reason> = accepted(decided(&role(), limits))
        .would_refuse
        .iter()
        .map(|violation| violation.reason)
        .collect();
    let exceeds = reasons.iter().filter(|r| **r == Reason::ExceedsLimit).count();
    assert_eq!(exceeds, 4, "{reasons:?}");
    assert_eq!(reasons[exceeds..], [Reason::BoundaryOverlap; 2]);
}

#[test]
fn a_dry_run_that_can_not_be_read_refuses_nothing() {
    let broken = |enforcement| LimitEntry::Invalid {
        name: object("broken"),
        scope: None,
        enforcement,
        error: "Statement[0]: Effect is missing".to_owned(),
    };
    let with = |entry| {
        let mut limits = entries([limit("payments", anything())]);
        limits.push(entry);
        asked(&role(), &limits, decide)
    };
    let accepted = accepted(with(broken(Enforcement::DryRun)));
    assert_eq!(named(&accepted.would_refuse), [(Reason::LimitInvalid, "broken")]);
    let violations = refused(with(broken(Enforcement::Enforce)));
    assert_eq!(named(&violations), [(Reason::LimitInvalid, "broken")]);
}

#[test]
fn of_three_limits_each_refusal_names_its_own() {
    let ceiling = |action: &str| json!([allow(json!(action), json!("*"))]);
    let limits = [
        limit("generated", ceiling("s3:GetObject")),
        check_only("checked", ceiling("s3:PutObject")),
        dry_run(limit("dry", ceiling("s3:ListBucket"))),
    ];
    let of = |action: &str| {
        role_with(&[(
            "objects",
            json!([allow(json!(action), json!("arn:aws:s3:::productionapp/*"))]),
        )])
    };
    for (action, by) in [
        ("s3:GetObject", &["checked"][..]),
        ("s3:PutObject", &["generated"]),
        ("s3:DeleteObject", &["checked", "generated"]),
    ] {
        let violations = refused(decided(&of(action), limits.clone()));
        let limits: Vec<&str> = named(&violations).into_iter().map(|(_, limit)| limit).collect();
        assert_eq!(limits, by, "{action}");
    }
}

#[test]
fn an_acceptance_names_the_statements_that_it_rests_on() {
    let ceiling = json!([
        allow(json!("s3:ListBucket"), json!("arn:aws:s3:::productionapp")),
        allow(json!("s3:DeleteObject"), json!("*")),
        allow(
            json!(["s3:GetObject", "s3:PutObject"]),
            json!("arn:aws:s3:::productionapp/*")
        ),
    ]);
    let decision = decided(
        &role(),
        [limit("payments", ceiling), check_only("second", anything())],
    );
    let uses: Vec<_> = accepted(decision)
        .uses
        .into_iter()
        .map(|of| {
            (
                of.limit.to_string(),
                of.statements.into_iter().collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        uses,
        [
            ("payments".to_owned(), vec![0, 1, 2]),
            ("second".to_owned(), vec![0])
        ]
    );
    let reader = role_with(&[(
        "p",
        json!([allow(
            json!("s3:GetObject"),
            json!("arn:aws:s3:::productionapp/a")
        )]),
    )]);
    let uses = accepted(decided(&reader, [limit("payments", productionapp())])).uses;
    assert_eq!(uses[0].statements, [1].into());
}

#[test]
fn a_dry_run_tells_of_durations_and_tags_of_a_binding() {
    let mut dry = dry_run(check_only("strict", anything()));
    dry.max_session_duration = duration("30m");
    let mut payments = limit("payments", anything());
    payments.session_tags = [tag("team", "blue")]
        .map(|(k, v)| (k, [v].into()))
        .try_into()
        .unwrap();
    let mut binding = binding();
    binding.session.duration = Some(duration("45m"));
    binding.session.tags = [tag("team", "blue")].try_into().unwrap();
    let role = role();
    let decision = decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding: &binding,
            role: Fact::Known(&role),
        },
        account: Fact::Known(&account()),
        limits: &entries([payments, dry]),
    });
    assert_eq!(
        named(&accepted(decision).would_refuse),
        [(Reason::Duration, "strict"), (Reason::SessionTag, "strict")]
    );
}

const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];

fn statements() -> impl Strategy<Value = Value> {
    let statement = (
        prop::sample::subsequence(&ACTIONS[..], 1..4),
        prop::sample::select(&["*", "a/*", "a/b"][..]),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(actions, prefix, denies)| {
            let resource = json!(format!("arn:aws:s3:::productionapp/{prefix}"));
            if denies {
                deny(json!(actions), resource)
            } else {
                allow(json!(actions), resource)
            }
        });
    prop::collection::vec(statement, 1..4).prop_map(Value::from)
}

fn any_limit() -> impl Strategy<Value = Limit> {
    (statements(), any::<bool>(), any::<bool>(), "[a-d]").prop_map(|(ceiling, checked, dry, name)| {
        let limit = if checked {
            check_only(&name, ceiling)
        } else {
            limit(&name, ceiling)
        };
        if dry { dry_run(limit) } else { limit }
    })
}

fn some_limits() -> impl Strategy<Value = Vec<Limit>> {
    prop::collection::vec(any_limit(), 0..4).prop_map(|mut limits| {
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        limits.dedup_by(|a, b| a.name == b.name);
        limits
    })
}

fn any_role() -> impl Strategy<Value = Role> {
    statements().prop_map(|statements| role_with(&[("p", statements)]))
}

/// What counts of a decision for whoever holds the grant.
fn without_dry_runs(decision: Decision) -> Decision {
    match decision {
        Decision::Accepted(accepted) => Decision::Accepted(Accepted {
            would_refuse: Vec::new(),
            ..accepted
        }),
        other => other,
    }
}

proptest! {
    #[test]
    fn another_limit_of_any_kind_never_widens(role in any_role(), limits in some_limits(), more in any_limit()) {
        // A namespace without a limit has nothing, so a first one is no widening of one.
        prop_assume!(limits.iter().any(|l| l.enforcement == Enforcement::Enforce));
        let more = Limit { name: object("more"), ..more };
        // A boundary is what makes a role possible at all, so one more of them may.
        prop_assume!(!more.carries_boundary() || limits.iter().any(Limit::carries_boundary));
        let before = decided(&role, limits.clone());
        let after = decided(&role, limits.into_iter().chain([more]));
        prop_assert!(!after.is_accepted() || before.is_accepted());
    }

    #[test]
    fn a_dry_run_neither_narrows_nor_widens(role in any_role(), limits in some_limits(), more in any_limit()) {
        let more = dry_run(Limit { name: object("more"), ..more });
        let before = decided(&role, limits.clone());
        let with: Vec<Limit> = limits.into_iter().chain([more]).collect();
        let after = decided(&role, with.clone());
        prop_assert_eq!(after.is_accepted(), asked(&role, &entries(with), accepts));
        match (before, after) {
            (Decision::Refused(before), Decision::Refused(after)) => {
                prop_assert_eq!(named(&before), named(&after));
            }
            (before, after) => prop_assert_eq!(without_dry_runs(before), without_dry_runs(after)),
        }
    }

    #[test]
    fn what_a_dry_run_would_refuse_is_refused_once_it_is_enforced(role in any_role(), limits in some_limits(), more in any_limit()) {
        let more = dry_run(Limit { name: object("more"), ..more });
        let before = decided(&role, limits.iter().cloned().chain([more.clone()]));
        let enforced = Limit { enforcement: Enforcement::Enforce, ..more };
        let after = decided(&role, limits.into_iter().chain([enforced]));
        if let Decision::Accepted(accepted) = before {
            let would = accepted.would_refuse.iter().any(|v| v.limit == Some(object("more")));
            prop_assert_eq!(would, !after.is_accepted());
        }
    }

    #[test]
    fn a_limit_that_is_not_looked_at_is_not_named(role in any_role(), limits in some_limits()) {
        let known: Vec<_> = limits.iter().map(|l| l.name.clone()).collect();
        let entries: Vec<LimitEntry> = limits.into_iter().map(|l| LimitEntry::Valid(Arc::new(l))).collect();
        let violations = match asked(&role, &entries, decide) {
            Decision::Accepted(accepted) => accepted.would_refuse,
            Decision::Refused(violations) => violations.into_iter().collect(),
            Decision::Undecided(_) => Vec::new(),
        };
        for violation in violations.iter().filter(|v| matches!(v.reason, Reason::ExceedsLimit | Reason::ContainmentUnknown)) {
            let limit = violation.limit.as_ref().unwrap();
            prop_assert!(known.contains(limit) && violation.message.contains(limit.as_str()), "{violation}");
        }
    }

    #[test]
    fn without_the_statements_that_are_used_in_no_grant_it_is_still_accepted(role in any_role(), ceiling in statements(), more in statements()) {
        let mut all = ceiling.as_array().unwrap().clone();
        all.extend(more.as_array().unwrap().iter().cloned());
        let Decision::Accepted(accepted) = decided(&role, [limit("payments", json!(all))]) else {
            return Ok(());
        };
        prop_assert_eq!(accepted.uses.len(), 1);
        let used = &accepted.uses[0].statements;
        let kept: Vec<Value> = all
            .iter()
            .enumerate()
            .filter(|(i, statement)| statement["Effect"] == "Deny" || used.contains(i))
            .map(|(_, statement)| statement.clone())
            .collect();
        if !kept.is_empty() {
            prop_assert!(decided(&role, [limit("payments", json!(kept))]).is_accepted(), "{used:?} of {all:?}");
        }
    }
}
