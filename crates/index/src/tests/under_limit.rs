//! What a limit means for the grants under it.

use super::*;

fn dry_run(limit: Value) -> Value {
    with(limit, "/spec/enforcement", json!("DryRun"))
}

/// 30 roles of which 25 write, each with a binding; a limit that allows both, and a dry run that only allows reading.
fn index_with_a_dry_run() -> Arc<Index> {
    let index = index();
    let action = |i| if i < 25 { "s3:PutObject" } else { "s3:GetObject" };
    index.reset(
        ResourceKind::Roles,
        (0..30).map(|i| object(role("payments", &format!("r{i:02}"), action(i)))),
    );
    index.reset(
        ResourceKind::Bindings,
        (0..30).map(|i| {
            let name = format!("r{i:02}");
            object(binding("payments", &name, &name, &["app"]))
        }),
    );
    index.apply(
        ResourceKind::Limits,
        object(dry_run(limit("strict", &["payments"], "s3:GetObject"))),
    );
    index
}

#[test]
fn a_dry_run_counts_what_enforcing_it_would_suspend() {
    let index = index_with_a_dry_run();
    let grants = index.grants_under(&named("strict")).unwrap();
    assert_eq!((grants.accepted, grants.suspended), (60, 0));
    assert_eq!(grants.would_refuse, 50);
    // The first of them, roles before bindings.
    let first: Vec<_> = (0..20)
        .map(|i| GrantRef::Role(id("payments", &format!("r{i:02}")).into()))
        .collect();
    assert_eq!(grants.refusals.keys().cloned().collect::<Vec<_>>(), first);
    let why = &grants.refusals[&first[0]];
    assert_eq!(
        (why.first.reason, why.more, why.by_role),
        (Reason::ExceedsLimit, 0, false)
    );

    let enforced = object(limit("strict", &["payments"], "s3:GetObject"));
    let entry = crate::parse::limit(&named("strict"), enforced.clone());
    let change = ProposedChange::Limit(&entry.name().clone(), Some(&entry));
    let suspension = index.suspended_by(change, None);
    assert_eq!(suspension.suspended.len(), grants.would_refuse);
    // Enforced, it refuses, and has nothing more to say.
    index.apply(
        ResourceKind::Limits,
        object(again(limit("strict", &["payments"], "s3:GetObject"))),
    );
    let grants = index.grants_under(&named("strict")).unwrap();
    assert_eq!(grants.would_refuse, 0);
    // Of a binding it says what is wrong with the binding itself.
    assert_eq!((grants.accepted, grants.suspended), (35, 25));
}

#[test]
fn a_binding_whose_role_a_dry_run_would_refuse_is_named_with_it() {
    let index = index();
    index.apply(
        ResourceKind::Limits,
        object(dry_run(limit("strict", &["payments"], "s3:PutObject"))),
    );
    let grants = index.grants_under(&named("strict")).unwrap();
    let by_role: Vec<_> = grants.refusals.values().map(|why| why.by_role).collect();
    assert_eq!((grants.would_refuse, by_role), (2, vec![false, true]));
    // The limit that decides has nothing of that.
    let grants = index.grants_under(&named("payments")).unwrap();
    assert_eq!((grants.accepted, grants.would_refuse), (2, 0));
}

#[test]
fn it_is_counted_in_how_many_grants_a_statement_of_the_ceiling_is_used() {
    let index = index_with_a_dry_run();
    let both = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::app/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::app/*"},
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::app/*"},
    ]});
    let limit = with(limit("payments", &["payments*"], "s3:*"), "/spec/ceiling", both);
    index.apply(ResourceKind::Limits, object(again(limit)));
    let grants = index.grants_under(&named("payments")).unwrap();
    assert_eq!(grants.ceiling_use, [(0, 5), (1, 25)].into());
    // A dry run decides about none.
    let grants = index.grants_under(&named("strict")).unwrap();
    assert_eq!(grants.ceiling_use, [].into());
}

#[test]
fn a_dry_run_that_can_not_be_read_refuses_nothing() {
    let index = index();
    let broken = with(
        limit("strict", &["payments"], "s3:GetObject"),
        "/spec/ceiling",
        json!({"Statement": []}),
    );
    index.apply(ResourceKind::Limits, object(dry_run(broken.clone())));
    assert!(role_decision(&index).is_accepted());
    index.apply(ResourceKind::Limits, object(again(broken)));
    assert_eq!(reasons(&role_decision(&index)), [Reason::LimitInvalid]);
}

#[test]
fn where_only_a_dry_run_applies_other_accounts_with_a_limit_are_named() {
    let index = index();
    index.apply(
        ResourceKind::Limits,
        object(again(dry_run(limit("payments", &["payments*"], "s3:*")))),
    );
    let elsewhere = with(
        limit("elsewhere", &["payments"], "s3:*"),
        "/spec/accounts",
        json!(["staging"]),
    );
    index.apply(ResourceKind::Limits, object(elsewhere));
    let decision = role_decision(&index);
    let Decision::Refused(violations) = &*decision else {
        panic!("{decision:?}")
    };
    let message = &violations[0].message;
    assert!(
        message.contains("payments there with enforcement DryRun") && message.ends_with("are for: staging"),
        "{message}"
    );
}
