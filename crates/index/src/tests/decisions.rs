//! What is decided.

use super::*;

#[test]
fn a_role_and_its_binding_within_the_limit_are_accepted() {
    let world = world();
    assert!(role_decision(&world).is_accepted());
    let decision = world.decide_binding(&id("payments", "reader")).unwrap();
    assert!(decision.is_accepted() && decision.account.known().is_some());
    assert_eq!(
        world
            .default_binding(&ns("payments"), &sa("app"))
            .unwrap()
            .binding
            .id,
        id("payments", "reader")
    );
    assert_eq!(world.grant_counts(&named("payments")), Some((2, 0)));
}

#[test]
fn nothing_is_decided_before_every_kind_has_been_read_whole() {
    let world = empty();
    world.reset(Watched::Accounts, [object(account("production"))]);
    world.reset(
        Watched::Roles,
        [object(role("payments", "reader", "s3:GetObject"))],
    );
    world.reset(
        Watched::Bindings,
        [object(binding("payments", "reader", "reader", &["app"]))],
    );
    world.apply(Watched::Limits, object(limit("payments", &["payments"], "s3:*")));
    assert!(!world.can_decide());
    assert_eq!(world.unsynced(&Watched::KINDS), ["delegationlimits"]);
    let role = world.role(&id("payments", "reader")).unwrap().parsed.unwrap();
    assert!(world.decide_role(&role.id).is_none());
    assert!(world.decide_binding(&id("payments", "reader")).is_none());
    assert_eq!(
        world.decide_role_with(&role),
        Decision::Undecided(MissingFacts::UNKNOWN)
    );
    // A second limit of the same list, which had not arrived.
    let limits = [
        limit("payments", &["payments"], "s3:*"),
        limit("strict", &["payments"], "s3:ListBucket"),
    ];
    world.reset(Watched::Limits, limits.map(object));
    assert_eq!(reasons(&role_decision(&world)), [Reason::ExceedsLimit]);
}

#[test]
fn a_limit_that_can_not_be_read_still_limits_where_it_applies() {
    let world = world();
    world.apply(Watched::Roles, object(role("other", "reader", "s3:GetObject")));
    world.apply(Watched::Limits, object(limit("other", &["other"], "s3:*")));
    let broken = with(
        limit("broken", &["payments"], "s3:*"),
        "/spec/ceiling",
        json!({"Version": "never"}),
    );
    world.apply(Watched::Limits, object(broken.clone()));
    assert!(reasons(&role_decision(&world)).contains(&Reason::LimitInvalid));
    assert!(world.decide_role(&id("other", "reader")).unwrap().1.is_accepted());

    // Without a scope that can be read it applies everywhere.
    let everywhere = again(with(broken, "/spec/namespaces", json!([7])));
    world.apply(Watched::Limits, object(everywhere));
    assert!(reasons(&world.decide_role(&id("other", "reader")).unwrap().1).contains(&Reason::LimitInvalid));
    assert_eq!(world.roles_under_limit(&named("broken")).len(), 2);
    assert_eq!(world.counts().unreadable, 1);

    // And is out of the way once it can be read again.
    let mended = with(
        limit("broken", &["payments"], "s3:*"),
        "/metadata/generation",
        json!(3),
    );
    world.apply(Watched::Limits, object(mended));
    assert!(role_decision(&world).is_accepted());
    assert!(world.decide_role(&id("other", "reader")).unwrap().1.is_accepted());
}

#[test]
fn a_deleted_account_is_missing_and_decides_nothing() {
    let world = world();
    world.delete(Watched::Accounts, &object(account("production")).metadata);
    assert!(matches!(world.account(&named("production")), Entry::Missing));
    let missing = MissingFact::AccountNotFound(named("production"));
    assert_eq!(*role_decision(&world), Decision::Undecided(missing.into()));
    assert!(
        !world
            .default_binding(&ns("payments"), &sa("app"))
            .unwrap()
            .is_accepted()
    );
}

#[test]
fn an_account_that_can_not_be_read_refuses_and_says_why() {
    let world = world();
    world.apply(
        Watched::Accounts,
        object(again(with(account("production"), "/spec/accountID", json!("12")))),
    );
    let Entry::Unreadable(why) = world.account(&named("production")) else {
        panic!("readable")
    };
    assert!(why.contains("spec.accountID"), "{why}");
    assert_eq!(reasons(&role_decision(&world)), [Reason::AccountInvalid]);
}

#[test]
fn what_is_being_deleted_grants_nothing() {
    let world = world();
    world.apply(
        Watched::Bindings,
        object(deleting(binding("payments", "reader", "reader", &["app"]))),
    );
    assert!(world.bindings_of_role(&id("payments", "reader")).is_empty());
    assert!(world.decide_binding(&id("payments", "reader")).is_none());
    world.apply(
        Watched::Bindings,
        object(binding("payments", "second", "reader", &["app"])),
    );
    assert!(world.default_binding(&ns("payments"), &sa("app")).is_some());
    world.apply(
        Watched::Roles,
        object(deleting(role("payments", "reader", "s3:GetObject"))),
    );
    let decision = world.decide_binding(&id("payments", "second")).unwrap();
    assert!(matches!(*decision.decision, Decision::Undecided(_)) && !decision.is_accepted());
    // It is still there for whoever takes it down.
    assert!(world.role(&id("payments", "reader")).unwrap().meta.terminating);
    assert_eq!(
        world.roles_of_account(&named("production")),
        [id("payments", "reader")]
    );
}

#[test]
fn a_limit_that_is_being_deleted_limits_until_it_is_gone() {
    let world = world();
    world.apply(
        Watched::Limits,
        object(limit("strict", &["payments"], "s3:ListBucket")),
    );
    world.apply(
        Watched::Limits,
        object(deleting(limit("strict", &["payments"], "s3:ListBucket"))),
    );
    assert!(!role_decision(&world).is_accepted());
    world.delete(
        Watched::Limits,
        &object(limit("strict", &["payments"], "s3:ListBucket")).metadata,
    );
    assert!(role_decision(&world).is_accepted());
}

#[test]
fn the_default_binding_is_the_oldest_one_accepted_or_not() {
    let world = world();
    world.apply(Watched::Roles, object(role("payments", "writer", "*")));
    let older = with(
        binding("payments", "older", "writer", &["app"]),
        "/metadata/creationTimestamp",
        json!("2020-01-01T00:00:00Z"),
    );
    world.apply(Watched::Bindings, object(older));
    let oldest = world
        .decisions_of_service_account(&ns("payments"), &sa("app"))
        .remove(0);
    // The binding itself is within the limit; its role is not.
    assert!(oldest.decision.is_accepted() && !oldest.is_accepted());
    let default = || world.default_binding(&ns("payments"), &sa("app")).unwrap();
    assert_eq!(default().binding.id, id("payments", "older"));
    assert!(!default().is_accepted());
    // Of the same second: the first by name.
    let same = with(
        binding("payments", "also", "reader", &["app"]),
        "/metadata/creationTimestamp",
        json!("2020-01-01T00:00:00Z"),
    );
    world.apply(Watched::Bindings, object(same));
    assert_eq!(default().binding.id, id("payments", "also"));
}

#[test]
fn an_answer_from_memory_is_never_older_than_its_facts() {
    let world = world();
    assert!(role_decision(&world).is_accepted());
    assert!(Arc::ptr_eq(&role_decision(&world), &role_decision(&world)));
    world.apply(
        Watched::Limits,
        object(again(limit("payments", &["payments*"], "s3:ListBucket"))),
    );
    assert!(!role_decision(&world).is_accepted());
    world.apply(
        Watched::Roles,
        object(again(role("payments", "reader", "s3:ListBucket"))),
    );
    assert!(role_decision(&world).is_accepted());
    // Made again under the same name, with the same generation.
    world.delete(
        Watched::Roles,
        &object(role("payments", "reader", "s3:*")).metadata,
    );
    world.apply(
        Watched::Roles,
        object(with(
            role("payments", "reader", "s3:*"),
            "/metadata/uid",
            json!("new"),
        )),
    );
    assert!(!role_decision(&world).is_accepted());
}

#[test]
fn candidates_are_decided_as_if_they_were_stored() {
    let world = world();
    let role =
        deputy_api::parse_role(&serde_json::from_value(role("payments", "new", "ec2:*")).unwrap()).unwrap();
    assert!(reasons(&world.decide_role_with(&role)).contains(&Reason::ExceedsLimit));
    let before_its_role: deputy_api::AWSRoleBinding =
        serde_json::from_value(binding("payments", "early", "later", &["app"])).unwrap();
    let decision = world.decide_binding_with(&deputy_api::parse_binding(&before_its_role).unwrap());
    assert_eq!(
        decision,
        Decision::Undecided(MissingFact::RoleNotFound(id("payments", "later")).into())
    );
    assert!(world.role(&role.id).is_none());
}

fn entry(value: Value) -> LimitEntry {
    let limit = deputy_api::parse_limit(&serde_json::from_value(value).unwrap()).unwrap();
    LimitEntry::Valid(Arc::new(limit))
}

#[test]
fn what_a_narrower_limit_would_suspend_is_counted_before_it_is_there() {
    let world = world();
    world.apply(
        Watched::Roles,
        object(role("payments", "lister", "s3:ListBucket")),
    );
    let narrower = entry(limit("payments", &["payments*"], "s3:ListBucket"));
    let name = named("payments");
    let suspension = world.suspended_by(Hypothesis::Limit(&name, Some(&narrower)), None);
    let reader = id("payments", "reader");
    assert_eq!(suspension.accepted, 3);
    assert_eq!(
        suspension.suspended,
        [Grant::Role(reader.clone()), Grant::Binding(reader)]
    );
    // Gone, moved away, or its account gone: all of them.
    let elsewhere = entry(limit("payments", &["elsewhere"], "s3:*"));
    let account = named("production");
    for hypothesis in [
        Hypothesis::Limit(&name, None),
        Hypothesis::Limit(&name, Some(&elsewhere)),
        Hypothesis::Account(&account, None),
    ] {
        assert_eq!(
            world.suspended_by(hypothesis, None).suspended.len(),
            3,
            "{hypothesis:?}"
        );
    }
    let wider = entry(limit("payments", &["*"], "s3:*"));
    let second = named("second");
    assert!(
        world
            .suspended_by(Hypothesis::Limit(&name, Some(&wider)), None)
            .suspended
            .is_empty()
    );
    let stricter = entry(limit("second", &["payments"], "s3:ListBucket"));
    assert_eq!(
        world
            .suspended_by(Hypothesis::Limit(&second, Some(&stricter)), None)
            .suspended
            .len(),
        2
    );
    assert!(role_decision(&world).is_accepted());
}

/// Of the same AWS account as `production`, made then.
fn duplicate(name: &str, made: &str) -> Value {
    with(account(name), "/metadata/creationTimestamp", json!(made))
}

const LATER: &str = "2026-01-02T03:05:05Z";

#[test]
fn of_two_accounts_of_one_id_the_older_one_counts() {
    // Of two of one second, the first by name.
    for made in [LATER, CREATED] {
        let world = world();
        let changes = world.subscribe();
        world.apply(Watched::Accounts, object(duplicate("second", made)));
        assert!(!changes.take().unwrap().accounts.contains(&named("production")));
        assert!(
            role_decision(&world).is_accepted(),
            "the older one is not touched"
        );
        let Entry::Unreadable(why) = world.account(&named("second")) else {
            panic!("usable")
        };
        assert!(
            why.contains("123456789012 is AWSAccount production already"),
            "{why}"
        );
        assert_eq!(
            world.account_of_id(&"123456789012".parse().unwrap()),
            Some(named("production"))
        );
        assert!(world.account_as_written(&named("second")).is_some());
        assert!(world.is_of_account(&named("second"), &"123456789012".parse().unwrap()));

        let limit = with(
            limit("payments", &["payments*"], "s3:*"),
            "/spec/accounts",
            json!(["production", "second"]),
        );
        world.apply(Watched::Limits, object(again(limit)));
        let under_second = with(
            role("payments", "other", "s3:GetObject"),
            "/spec/accountRef/name",
            json!("second"),
        );
        world.apply(Watched::Roles, object(under_second));
        let other = |world: &World| world.decide_role(&id("payments", "other")).unwrap().1;
        assert_eq!(reasons(&other(&world)), [Reason::AccountInvalid]);

        // The older one goes: the younger one counts, and whatever was decided by it is decided again.
        assert!(changes.take().is_some());
        world.delete(Watched::Accounts, &object(account("production")).metadata);
        let changed = changes.take().unwrap();
        assert!(
            changed.accounts.contains(&named("second")) && changed.roles.contains(&id("payments", "other"))
        );
        assert!(other(&world).is_accepted());
        // And is out of the way when it is back with its age.
        world.apply(Watched::Accounts, object(account("production")));
        assert_eq!(reasons(&other(&world)), [Reason::AccountInvalid]);
    }
}

#[test]
fn an_account_that_can_not_be_read_still_holds_its_id() {
    let world = world();
    let broken = with(account("production"), "/spec/region", json!("nowhere at all"));
    world.apply(Watched::Accounts, object(again(broken)));
    world.apply(Watched::Accounts, object(duplicate("second", LATER)));
    assert!(matches!(world.account(&named("second")), Entry::Unreadable(_)));
}

#[test]
fn an_account_that_is_asked_about_before_it_is_there_is_measured_by_the_same_rule() {
    let world = world();
    let second = world.account_as_written(&named("production")).unwrap();
    let name = named("second");
    let mut second = (*second).clone();
    second.name = name.clone();
    let limit = with(
        limit("payments", &["payments*"], "s3:*"),
        "/spec/accounts",
        json!(["production", "second"]),
    );
    world.apply(Watched::Limits, object(again(limit)));
    let under_second = with(
        role("payments", "other", "s3:GetObject"),
        "/spec/accountRef/name",
        json!("second"),
    );
    world.apply(Watched::Roles, object(under_second));
    let second = Arc::new(second);
    let suspension = world.suspended_by(Hypothesis::Account(&name, Some(&second)), None);
    assert_eq!((suspension.accepted, suspension.suspended.len()), (0, 0));
}

#[test]
fn counting_ends_when_the_time_is_over_and_says_how_far_it_came() {
    let world = world();
    for i in 0..20 {
        world.apply(
            Watched::Roles,
            object(role("payments", &format!("r{i}"), "s3:GetObject")),
        );
    }
    let narrower = entry(limit("payments", &["payments*"], "s3:ListBucket"));
    let name = named("payments");
    let hypothesis = Hypothesis::Limit(&name, Some(&narrower));
    let all = world.suspended_by(hypothesis, None);
    assert_eq!((all.concerned, all.looked_at, all.suspended.len()), (22, 22, 22));
    assert!(all.is_complete());
    let none = world.suspended_by(hypothesis, Some(std::time::Instant::now()));
    assert_eq!((none.concerned, none.looked_at, none.suspended.len()), (22, 0, 0));
    assert!(!none.is_complete());
    // What is on its way out, or can't be read, does not make a count that never ends.
    world.apply(
        Watched::Bindings,
        object(deleting(binding("payments", "reader", "reader", &["app"]))),
    );
    world.apply(
        Watched::Roles,
        object(again(with(
            role("payments", "r1", "s3:GetObject"),
            "/spec/policies",
            json!([]),
        ))),
    );
    world.apply(
        Watched::Roles,
        object(deleting(role("payments", "r2", "s3:GetObject"))),
    );
    assert!(world.suspended_by(hypothesis, None).is_complete());
    // A change of a role counts its bindings alone.
    let reader = id("payments", "reader");
    let of_role = world.suspended_by(Hypothesis::Role(&reader, None), None);
    assert!(of_role.is_complete());
}

#[test]
fn a_role_without_a_limit_is_told_where_there_is_one_and_told_again_when_that_changes() {
    let world = world();
    let elsewhere = with(
        role("payments", "lost", "s3:GetObject"),
        "/spec/accountRef",
        json!({"name": "prod"}),
    );
    world.apply(Watched::Roles, object(elsewhere));
    let said = || match &*world.decide_role(&id("payments", "lost")).unwrap().1 {
        Decision::Refused(violations) => violations[0].message.clone(),
        other => panic!("{other:?}"),
    };
    assert!(
        said().ends_with("; limits of the namespace are for: production"),
        "{}",
        said()
    );
    let changes = world.subscribe();
    let more = with(
        limit("more", &["payments"], "s3:*"),
        "/spec/accounts",
        json!(["staging"]),
    );
    world.apply(Watched::Limits, object(more));
    assert!(
        said().ends_with("; limits of the namespace are for: production, staging"),
        "{}",
        said()
    );
    assert!(changes.take().unwrap().roles.contains(&id("payments", "lost")));
}
