//! What is decided.

use deputy_delegation::model::BindingRef;

use super::*;

#[test]
fn a_role_and_its_binding_within_the_limit_are_accepted() {
    let index = index();
    assert!(role_decision(&index).is_accepted());
    let decision = index.decide_binding(&id("payments", "reader")).unwrap();
    assert!(decision.is_accepted() && decision.account.known().is_some());
    assert_eq!(
        index
            .default_binding(&ns("payments"), &sa("app"))
            .unwrap()
            .binding
            .id,
        id("payments", "reader")
    );
    let grants = index.grants_under(&named("payments")).unwrap();
    assert_eq!(
        (grants.accepted, grants.suspended, grants.would_refuse),
        (2, 0, 0)
    );
}

#[test]
fn nothing_is_decided_before_every_kind_has_been_read_whole() {
    let index = empty();
    index.reset(ResourceKind::ClusterRoles, []);
    index.reset(ResourceKind::FederatedBindings, []);
    index.reset(ResourceKind::Accounts, [object(account("production"))]);
    index.reset(
        ResourceKind::Roles,
        [object(role("payments", "reader", "s3:GetObject"))],
    );
    index.reset(
        ResourceKind::Bindings,
        [object(binding("payments", "reader", "reader", &["app"]))],
    );
    index.apply(
        ResourceKind::Limits,
        object(limit("payments", &["payments"], "s3:*")),
    );
    assert!(!index.can_decide());
    assert_eq!(index.unsynced(&ResourceKind::KINDS), ["delegationlimits"]);
    let role = index
        .role(&role_id("payments", "reader"))
        .unwrap()
        .parsed()
        .unwrap();
    assert!(index.decide_role(&role.id).is_none());
    assert!(index.decide_binding(&id("payments", "reader")).is_none());
    assert_eq!(
        index.decide_role_with(&role),
        Decision::Undecided(MissingFacts::UNKNOWN)
    );
    // A second limit of the same list, which had not arrived.
    let limits = [
        limit("payments", &["payments"], "s3:*"),
        limit("strict", &["payments"], "s3:ListBucket"),
    ];
    index.reset(ResourceKind::Limits, limits.map(object));
    assert_eq!(reasons(&role_decision(&index)), [Reason::ExceedsLimit]);
}

#[test]
fn a_limit_that_can_not_be_read_still_limits_where_it_applies() {
    let index = index();
    index.apply(
        ResourceKind::Roles,
        object(role("other", "reader", "s3:GetObject")),
    );
    index.apply(ResourceKind::Limits, object(limit("other", &["other"], "s3:*")));
    let broken = with(
        limit("broken", &["payments"], "s3:*"),
        "/spec/ceiling",
        json!({"Version": "never"}),
    );
    index.apply(ResourceKind::Limits, object(broken.clone()));
    assert!(reasons(&role_decision(&index)).contains(&Reason::LimitInvalid));
    assert!(
        index
            .decide_role(&role_id("other", "reader"))
            .unwrap()
            .1
            .is_accepted()
    );

    // Without a scope that can be read it applies everywhere.
    let everywhere = again(with(broken, "/spec/namespaces", json!([7])));
    index.apply(ResourceKind::Limits, object(everywhere));
    assert!(
        reasons(&index.decide_role(&role_id("other", "reader")).unwrap().1).contains(&Reason::LimitInvalid)
    );
    assert_eq!(index.roles_under_limit(&named("broken")).len(), 2);
    assert_eq!(index.counts().unreadable, 1);

    // And is out of the way once it can be read again.
    let mended = with(
        limit("broken", &["payments"], "s3:*"),
        "/metadata/generation",
        json!(3),
    );
    index.apply(ResourceKind::Limits, object(mended));
    assert!(role_decision(&index).is_accepted());
    assert!(
        index
            .decide_role(&role_id("other", "reader"))
            .unwrap()
            .1
            .is_accepted()
    );
}

#[test]
fn a_deleted_account_is_missing_and_decides_nothing() {
    let index = index();
    index.delete(ResourceKind::Accounts, &object(account("production")).metadata);
    assert!(matches!(index.account(&named("production")), Entry::Missing));
    let missing = MissingFact::AccountNotFound(named("production"));
    assert_eq!(*role_decision(&index), Decision::Undecided(missing.into()));
    let decided = index.decide_binding(&id("payments", "reader")).unwrap();
    assert!(!decided.is_accepted());
}

#[test]
fn an_account_that_can_not_be_read_refuses_and_says_why() {
    let index = index();
    index.apply(
        ResourceKind::Accounts,
        object(again(with(account("production"), "/spec/accountID", json!("12")))),
    );
    let Entry::Unreadable(why) = index.account(&named("production")) else {
        panic!("readable")
    };
    assert!(why.contains("spec.accountID"), "{why}");
    assert_eq!(reasons(&role_decision(&index)), [Reason::AccountInvalid]);
}

#[test]
fn what_is_being_deleted_grants_nothing() {
    let index = index();
    index.apply(
        ResourceKind::Bindings,
        object(deleting(binding("payments", "reader", "reader", &["app"]))),
    );
    assert!(index.bindings_of_role(&role_id("payments", "reader")).is_empty());
    assert!(index.decide_binding(&id("payments", "reader")).is_none());
    index.apply(
        ResourceKind::Bindings,
        object(binding("payments", "second", "reader", &["app"])),
    );
    assert!(index.default_binding(&ns("payments"), &sa("app")).is_some());
    index.apply(
        ResourceKind::Roles,
        object(deleting(role("payments", "reader", "s3:GetObject"))),
    );
    let decision = index.decide_binding(&id("payments", "second")).unwrap();
    assert!(matches!(*decision.decision, Decision::Undecided(_)) && !decision.is_accepted());
    // It is still there for whoever takes it down.
    assert!(
        index
            .role(&role_id("payments", "reader"))
            .unwrap()
            .meta
            .terminating
    );
    assert_eq!(
        index.roles_of_account(&named("production")),
        [role_id("payments", "reader")]
    );
}

#[test]
fn a_limit_that_is_being_deleted_limits_until_it_is_gone() {
    let index = index();
    index.apply(
        ResourceKind::Limits,
        object(limit("strict", &["payments"], "s3:ListBucket")),
    );
    index.apply(
        ResourceKind::Limits,
        object(deleting(limit("strict", &["payments"], "s3:ListBucket"))),
    );
    assert!(!role_decision(&index).is_accepted());
    index.delete(
        ResourceKind::Limits,
        &object(limit("strict", &["payments"], "s3:ListBucket")).metadata,
    );
    assert!(role_decision(&index).is_accepted());
}

#[test]
fn the_default_binding_is_the_oldest_one_accepted_or_not() {
    let index = index();
    index.apply(ResourceKind::Roles, object(role("payments", "writer", "*")));
    let older = with(
        binding("payments", "older", "writer", &["app"]),
        "/metadata/creationTimestamp",
        json!("2020-01-01T00:00:00Z"),
    );
    index.apply(ResourceKind::Bindings, object(older));
    let oldest = index.decide_binding(&id("payments", "older")).unwrap();
    // The binding itself is within the limit; its role is not.
    assert!(oldest.decision.is_accepted() && !oldest.is_accepted());
    let default = || index.default_binding(&ns("payments"), &sa("app")).unwrap();
    assert_eq!(default().binding.id, id("payments", "older"));
    // Of the same second: the first by name.
    let same = with(
        binding("payments", "also", "reader", &["app"]),
        "/metadata/creationTimestamp",
        json!("2020-01-01T00:00:00Z"),
    );
    index.apply(ResourceKind::Bindings, object(same));
    assert_eq!(default().binding.id, id("payments", "also"));
}

#[test]
fn a_binding_that_is_not_stored_is_younger_than_all_that_are() {
    const OLDER: Option<&str> = Some("2020-01-01T00:00:00Z");
    const YOUNGER: Option<&str> = Some("2099-01-01T00:00:00Z");
    for (alpha, zulu, possible) in [
        (None, OLDER, &["zulu"][..]),
        (None, YOUNGER, &["zulu"]),
        (YOUNGER, None, &["alpha"]),
        (YOUNGER, OLDER, &["zulu"]),
        (OLDER, OLDER, &["alpha"]),
        (None, None, &["alpha", "zulu"]),
    ] {
        for zulu_is_read in [true, false] {
            let index = index();
            let at = |name: &str, made: Option<&str>, kind: &str| {
                let mut binding = binding("payments", name, "reader", &["job"]);
                binding["metadata"]["creationTimestamp"] = json!(made);
                binding["spec"]["roleRef"]["kind"] = json!(kind);
                object(binding)
            };
            let kind = if zulu_is_read { "AWSRole" } else { "AnotherKind" };
            index.apply(ResourceKind::Bindings, at("alpha", alpha, "AWSRole"));
            index.apply(ResourceKind::Bindings, at("zulu", zulu, kind));
            let names = |bindings: &[BindingRef]| -> Vec<String> {
                bindings
                    .iter()
                    .map(|binding| binding.id.name.to_string())
                    .collect()
            };
            let case = format!("{alpha:?} {zulu:?} {zulu_is_read}");
            let found = index.possible_defaults(&ns("payments"), &sa("job"));
            let unreadable = index.unreadable_default(&ns("payments"), &sa("job"));
            if zulu_is_read {
                assert_eq!(names(&found), possible, "{case}");
            } else {
                assert_eq!(names(&found), ["alpha"], "{case}");
            }
            // One that can't be read and may be the oldest keeps the other from being the default.
            let may_be_zulu = !zulu_is_read && possible.contains(&"zulu");
            assert_eq!(unreadable.is_some(), may_be_zulu, "{case}");
        }
    }
}

#[test]
fn an_older_binding_that_can_not_be_read_keeps_others_from_being_the_default() {
    let index = index();
    let default_of = |account: &str| {
        let unreadable = index.unreadable_default(&ns("payments"), &sa(account));
        unreadable.map(|(binding, _)| binding.id.name.to_string())
    };
    assert_eq!(default_of("app"), None);
    for (name, created, subjects, keeps) in [
        (
            "older",
            "2020-01-01T00:00:00Z",
            json!([{"kind": "ServiceAccount", "name": "app"}]),
            true,
        ),
        (
            "younger",
            "2099-01-01T00:00:00Z",
            json!([{"kind": "ServiceAccount", "name": "app"}]),
            false,
        ),
        (
            "of-another",
            "2020-01-01T00:00:00Z",
            json!([{"kind": "ServiceAccount", "name": "job"}]),
            false,
        ),
        (
            "of-a-group",
            "2020-01-01T00:00:00Z",
            json!([{"kind": "Group", "name": "app"}]),
            false,
        ),
        (
            "of-anybody",
            "2020-01-01T00:00:00Z",
            json!([{"kind": "ServiceAccount", "name": 7}]),
            true,
        ),
        ("without-list", "2020-01-01T00:00:00Z", json!({}), true),
    ] {
        let mut unreadable = binding("payments", name, "reader", &["app"]);
        unreadable["metadata"]["creationTimestamp"] = json!(created);
        unreadable["spec"]["subjects"] = subjects;
        unreadable["spec"]["roleRef"]["kind"] = json!("AnotherKind");
        let unreadable = object(unreadable);
        index.apply(ResourceKind::Bindings, unreadable.clone());
        let expected = keeps.then(|| name.to_owned());
        assert_eq!(default_of("app"), expected, "{name}");
        index.delete(ResourceKind::Bindings, &unreadable.metadata);
        assert_eq!(default_of("app"), None, "{name} is gone");
    }
    // The status of the others depends on it.
    let mut unreadable = binding("payments", "older", "reader", &["app"]);
    unreadable["spec"]["roleRef"]["kind"] = json!("AnotherKind");
    let changes = index.subscribe();
    index.apply(ResourceKind::Bindings, object(unreadable));
    assert!(changes.take().unwrap().bindings.len() > 1);
}

#[test]
fn grants_accepted_by_the_same_statements_share_the_answer() {
    let index = index();
    for (name, action) in [("same", "s3:GetObject"), ("broad", "sqs:*"), ("broader", "sqs:*")] {
        index.apply(ResourceKind::Roles, object(role("payments", name, action)));
    }
    let decided = |name: &str| index.decide_role(&role_id("payments", name)).unwrap().1;
    assert!(role_decision(&index).is_accepted());
    assert!(Arc::ptr_eq(&role_decision(&index), &decided("same")));
    assert_eq!(decided("broad"), decided("broader"));
    assert!(!Arc::ptr_eq(&decided("broad"), &decided("broader")));
    assert!(!decided("broad").is_accepted());
}

#[test]
fn an_answer_from_memory_is_never_older_than_its_facts() {
    let index = index();
    assert!(role_decision(&index).is_accepted());
    assert_eq!(made_anew(&index, || drop(role_decision(&index))), 0);
    index.apply(
        ResourceKind::Limits,
        object(again(limit("payments", &["payments*"], "s3:ListBucket"))),
    );
    assert!(!role_decision(&index).is_accepted());
    index.apply(
        ResourceKind::Roles,
        object(again(role("payments", "reader", "s3:ListBucket"))),
    );
    assert!(role_decision(&index).is_accepted());
    // Made again under the same name, with the same generation.
    index.delete(
        ResourceKind::Roles,
        &object(role("payments", "reader", "s3:*")).metadata,
    );
    index.apply(
        ResourceKind::Roles,
        object(with(
            role("payments", "reader", "s3:*"),
            "/metadata/uid",
            json!("new"),
        )),
    );
    assert!(!role_decision(&index).is_accepted());
}

#[test]
fn candidates_are_decided_as_if_they_were_stored() {
    let index = index();
    let role =
        deputy_api::parse_role(&serde_json::from_value(role("payments", "new", "ec2:*")).unwrap()).unwrap();
    assert!(reasons(&index.decide_role_with(&role)).contains(&Reason::ExceedsLimit));
    let before_its_role: deputy_api::AWSRoleBinding =
        serde_json::from_value(binding("payments", "early", "later", &["app"])).unwrap();
    let decision = index.decide_binding_with(&deputy_api::parse_binding(&before_its_role).unwrap());
    assert_eq!(
        decision,
        Decision::Undecided(MissingFact::RoleNotFound(role_id("payments", "later")).into())
    );
    assert!(index.role(&role.id).is_none());
}

fn entry(value: Value) -> LimitEntry {
    let limit = deputy_api::parse_limit(&serde_json::from_value(value).unwrap()).unwrap();
    LimitEntry::Valid(Arc::new(limit))
}

#[test]
fn what_a_narrower_limit_would_suspend_is_counted_before_it_is_there() {
    let index = index();
    index.apply(
        ResourceKind::Roles,
        object(role("payments", "lister", "s3:ListBucket")),
    );
    let narrower = entry(limit("payments", &["payments*"], "s3:ListBucket"));
    let name = named("payments");
    let suspension = index.suspended_by(ProposedChange::Limit(&name, Some(&narrower)), None);
    let reader = id("payments", "reader");
    assert_eq!(suspension.accepted, 3);
    assert_eq!(
        suspension.suspended,
        [GrantRef::Role(reader.clone().into()), GrantRef::Binding(reader)]
    );
    // Gone, moved away, or its account gone: all of them.
    let elsewhere = entry(limit("payments", &["elsewhere"], "s3:*"));
    let account = named("production");
    for hypothesis in [
        ProposedChange::Limit(&name, None),
        ProposedChange::Limit(&name, Some(&elsewhere)),
        ProposedChange::Account(&account, None),
    ] {
        assert_eq!(
            index.suspended_by(hypothesis, None).suspended.len(),
            3,
            "{hypothesis:?}"
        );
    }
    let wider = entry(limit("payments", &["*"], "s3:*"));
    let second = named("second");
    assert!(
        index
            .suspended_by(ProposedChange::Limit(&name, Some(&wider)), None)
            .suspended
            .is_empty()
    );
    let stricter = entry(limit("second", &["payments"], "s3:ListBucket"));
    assert_eq!(
        index
            .suspended_by(ProposedChange::Limit(&second, Some(&stricter)), None)
            .suspended
            .len(),
        2
    );
    assert!(role_decision(&index).is_accepted());
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
        let index = index();
        let changes = index.subscribe();
        index.apply(ResourceKind::Accounts, object(duplicate("second", made)));
        assert!(!changes.take().unwrap().accounts.contains(&named("production")));
        assert!(
            role_decision(&index).is_accepted(),
            "the older one is not touched"
        );
        let Entry::Unreadable(why) = index.account(&named("second")) else {
            panic!("usable")
        };
        assert!(
            why.contains("123456789012 is AWSAccount production already"),
            "{why}"
        );
        assert_eq!(
            index.account_of_id(&"123456789012".parse().unwrap()),
            Some(named("production"))
        );
        assert!(index.account_as_written(&named("second")).is_some());
        assert!(index.is_of_account(&named("second"), &"123456789012".parse().unwrap()));

        let limit = with(
            limit("payments", &["payments*"], "s3:*"),
            "/spec/accounts",
            json!(["production", "second"]),
        );
        index.apply(ResourceKind::Limits, object(again(limit)));
        let under_second = with(
            role("payments", "other", "s3:GetObject"),
            "/spec/accountRef/name",
            json!("second"),
        );
        index.apply(ResourceKind::Roles, object(under_second));
        let other = |index: &Index| index.decide_role(&role_id("payments", "other")).unwrap().1;
        assert_eq!(reasons(&other(&index)), [Reason::AccountInvalid]);

        // The older one goes: the younger one counts, and whatever was decided by it is decided again.
        assert!(changes.take().is_some());
        index.delete(ResourceKind::Accounts, &object(account("production")).metadata);
        let changed = changes.take().unwrap();
        assert!(
            changed.accounts.contains(&named("second"))
                && changed.roles.contains(&role_id("payments", "other"))
        );
        assert!(other(&index).is_accepted());
        // And is out of the way when it is back with its age.
        index.apply(ResourceKind::Accounts, object(account("production")));
        assert_eq!(reasons(&other(&index)), [Reason::AccountInvalid]);
    }
}

#[test]
fn an_account_that_can_not_be_read_still_holds_its_id() {
    let index = index();
    let broken = with(account("production"), "/spec/region", json!("nowhere at all"));
    index.apply(ResourceKind::Accounts, object(again(broken)));
    index.apply(ResourceKind::Accounts, object(duplicate("second", LATER)));
    assert!(matches!(index.account(&named("second")), Entry::Unreadable(_)));
}

#[test]
fn an_account_before_it_is_stored_is_measured_by_the_same_rule() {
    let index = index();
    let second = index.account_as_written(&named("production")).unwrap();
    let name = named("second");
    let mut second = (*second).clone();
    second.name = name.clone();
    let limit = with(
        limit("payments", &["payments*"], "s3:*"),
        "/spec/accounts",
        json!(["production", "second"]),
    );
    index.apply(ResourceKind::Limits, object(again(limit)));
    let under_second = with(
        role("payments", "other", "s3:GetObject"),
        "/spec/accountRef/name",
        json!("second"),
    );
    index.apply(ResourceKind::Roles, object(under_second));
    let second = Arc::new(second);
    let suspension = index.suspended_by(ProposedChange::Account(&name, Some(&second)), None);
    assert_eq!((suspension.accepted, suspension.suspended.len()), (0, 0));
}

#[test]
fn counting_ends_when_the_time_is_over_and_says_how_far_it_came() {
    let index = index();
    for i in 0..20 {
        index.apply(
            ResourceKind::Roles,
            object(role("payments", &format!("r{i}"), "s3:GetObject")),
        );
    }
    let narrower = entry(limit("payments", &["payments*"], "s3:ListBucket"));
    let name = named("payments");
    let hypothesis = ProposedChange::Limit(&name, Some(&narrower));
    let all = index.suspended_by(hypothesis, None);
    assert_eq!((all.concerned, all.looked_at, all.suspended.len()), (22, 22, 22));
    assert!(all.is_complete());
    let none = index.suspended_by(hypothesis, Some(std::time::Instant::now()));
    assert_eq!((none.concerned, none.looked_at, none.suspended.len()), (22, 0, 0));
    assert!(!none.is_complete());
    // What is on its way out, or can't be read, does not make a count that never ends.
    index.apply(
        ResourceKind::Bindings,
        object(deleting(binding("payments", "reader", "reader", &["app"]))),
    );
    index.apply(
        ResourceKind::Roles,
        object(again(with(
            role("payments", "r1", "s3:GetObject"),
            "/spec/policies",
            json!([]),
        ))),
    );
    index.apply(
        ResourceKind::Roles,
        object(deleting(role("payments", "r2", "s3:GetObject"))),
    );
    assert!(index.suspended_by(hypothesis, None).is_complete());
    // A change of a role counts its bindings alone.
    let reader = id("payments", "reader");
    let of_role = index.suspended_by(ProposedChange::Role(&reader.into(), None), None);
    assert!(of_role.is_complete());
}

#[test]
fn a_role_without_a_limit_hears_where_there_is_one() {
    let index = index();
    let elsewhere = with(
        role("payments", "lost", "s3:GetObject"),
        "/spec/accountRef",
        json!({"name": "prod"}),
    );
    index.apply(ResourceKind::Roles, object(elsewhere));
    let said = || match &*index.decide_role(&role_id("payments", "lost")).unwrap().1 {
        Decision::Refused(violations) => violations[0].message.clone(),
        other => panic!("{other:?}"),
    };
    assert!(
        said().ends_with("; limits of the namespace are for: production"),
        "{}",
        said()
    );
    let changes = index.subscribe();
    let more = with(
        limit("more", &["payments"], "s3:*"),
        "/spec/accounts",
        json!(["staging"]),
    );
    index.apply(ResourceKind::Limits, object(more));
    assert!(
        said().ends_with("; limits of the namespace are for: production, staging"),
        "{}",
        said()
    );
    assert!(
        changes
            .take()
            .unwrap()
            .roles
            .contains(&role_id("payments", "lost"))
    );
}
