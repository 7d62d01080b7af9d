//! `DelegationLimit`, and the guard of its blast radius.

use super::*;

/// `count` roles that get and put, each in a namespace of the limit.
fn with_roles(count: usize) -> Facts {
    let mut objects = vec![account(), limit(&["s3:GetObject", "s3:PutObject"])];
    objects.extend(
        (0..count).map(|i| role_of("payments", &format!("r{i:03}"), &["s3:GetObject", "s3:PutObject"])),
    );
    facts(&objects)
}

fn accepting(mut limit: Value, count: &str) -> Value {
    limit["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": count});
    limit
}

#[test]
fn a_limit_that_reaches_iam_is_refused_unless_it_says_so() {
    let mut object = limit(&["iam:CreateUser"]);
    object["spec"]["ceiling"]["Statement"][0]["Resource"] = json!("*");
    let answer = create(&usual(), &object);
    assert!(answer.denied(403).contains("Escalation"), "{answer:?}");
    object["spec"]["acknowledgeEscalation"] = json!(["iam:CreateUser"]);
    object["metadata"]["name"] = json!("other");
    object["spec"]["namespaces"] = json!(["admins"]);
    create(&usual(), &object).allowed();
}

#[test]
fn a_ceiling_too_large_for_a_boundary_policy_is_refused_with_the_numbers() {
    let mut object = limit(&["s3:GetObject"]);
    object["spec"]["ceiling"]["Statement"][0]["Resource"] = (0..100)
        .map(|i| format!("arn:aws:s3:::{}-{i}/*", "b".repeat(50)))
        .collect::<Vec<_>>()
        .into();
    let answer = create(&usual(), &object);
    assert!(answer.denied(403).contains("6144"), "{answer:?}");
}

#[test]
fn a_limit_may_come_before_its_accounts() {
    let mut object = limit(&["s3:GetObject"]);
    object["spec"]["accounts"] = json!(["production", "staging"]);
    let warnings = create(&usual(), &object).allowed();
    assert_eq!(
        warnings,
        ["DelegationLimit payments: AWSAccount staging does not exist, or can't be read"]
    );
}

#[test]
fn up_to_five_grants_may_be_suspended_with_a_warning_that_names_them() {
    let facts = with_roles(5);
    let answer = update(
        &facts,
        &limit(&["s3:GetObject", "s3:PutObject"]),
        &limit(&["s3:GetObject"]),
    );
    let warnings = answer.allowed();
    assert_eq!(warnings.len(), 6);
    assert_eq!(warnings[0], "DelegationLimit payments: suspends 5 of 5 grants");
    let why = "DelegationLimit payments: suspends AWSRole payments/r000: ExceedsLimit: spec.policies[0].document.Statement[0].Action[1]: ";
    assert!(
        warnings[1].starts_with(why) && warnings[1].contains("s3:PutObject"),
        "{warnings:?}"
    );
    assert_eq!(answer.audit("suspends"), "5");
}

#[test]
fn more_have_to_be_meant() {
    let facts = with_roles(6);
    let old = limit(&["s3:GetObject", "s3:PutObject"]);
    let new = limit(&["s3:GetObject"]);
    let answer = update(&facts, &old, &new);
    insta::assert_snapshot!("braked_limit", answer.denied(403));
    for (said, allowed) in [
        ("5", false),
        ("many", false),
        ("-6", false),
        ("6", true),
        ("100", true),
    ] {
        let answer = update(&facts, &old, &accepting(new.clone(), said));
        assert_eq!(answer.0["allowed"], allowed, "{said}: {answer:?}");
    }
}

/// Also of those that are meant, and of a binding by which it is: by its role, or by itself.
#[test]
fn each_suspended_grant_that_is_named_says_why() {
    let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
    bound["spec"]["roleRef"]["name"] = json!("r000");
    let roles = (0..6).map(|i| role_of("payments", &format!("r{i:03}"), &["s3:GetObject", "s3:PutObject"]));
    let mut objects: Vec<Value> = roles.collect();
    objects.extend([account(), limit(&["s3:GetObject", "s3:PutObject"]), bound]);
    let facts = facts(&objects);
    let (old, new) = (limit(&["s3:GetObject", "s3:PutObject"]), limit(&["s3:GetObject"]));
    let answer = update(&facts, &old, &new);
    let refusal = answer.denied(403);
    let meant = update(&facts, &old, &accepting(new.clone(), "7"));
    let warnings = meant.allowed().join("\n");
    for said in [refusal, &warnings] {
        let named: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("AWSRole payments/") || line.contains("Binding payments/"))
            .collect();
        assert_eq!(named.len(), 7, "{said}");
        for line in named {
            let by_role = line.ends_with("AWSRoleBinding payments/nightly: its role is");
            assert!(by_role == line.contains("nightly"), "{line}");
            assert!(
                by_role || line.contains("ExceedsLimit: spec.policies[0].document.Statement[0].Action[1]: "),
                "{line}"
            );
        }
    }
    // Without time there are names at most.
    let hurried = hurried(&facts);
    let told = update(&hurried, &old, &accepting(new, "100"))
        .allowed()
        .join("\n");
    assert!(!told.contains("ExceedsLimit"), "{told}");
}

#[test]
fn five_percent_of_many_are_few() {
    let mut objects = vec![account(), limit(&["s3:GetObject", "s3:PutObject"])];
    objects.extend((0..200).map(|i| {
        let actions: &[&str] = if i < 10 {
            &["s3:PutObject"]
        } else {
            &["s3:GetObject"]
        };
        role_of("payments", &format!("r{i:03}"), actions)
    }));
    let old = limit(&["s3:GetObject", "s3:PutObject"]);
    let new = limit(&["s3:GetObject"]);
    update(&facts(&objects), &old, &new).allowed();
    objects.push(role_of("payments", "one-more", &["s3:PutObject"]));
    update(&facts(&objects), &old, &new).denied(403);
}

#[test]
fn a_new_limit_that_would_suspend_what_others_accept_is_held_too() {
    let facts = with_roles(6);
    let mut second = limit(&["s3:GetObject"]);
    second["metadata"]["name"] = json!("second");
    second["spec"]["boundary"] = json!({"type": "CheckOnly"});
    assert!(
        create(&facts, &second)
            .denied(403)
            .contains("would suspend 6 of the 6 grants")
    );
    create(&facts, &accepting(second, "6")).allowed();
}

#[test]
fn an_annotation_that_is_not_needed_is_warned_about() {
    let object = accepting(limit(&["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]), "50");
    let warnings = update(&with_roles(3), &limit(&["s3:GetObject"]), &object).allowed();
    assert_eq!(
        warnings,
        ["DelegationLimit payments: annotation deputy.dev/accept-suspending is not needed; remove it"]
    );
}

#[test]
fn a_limit_in_use_stays_unless_that_is_meant() {
    let object = limit(&["s3:GetObject", "s3:PutObject"]);
    let facts = with_roles(1);
    let answer = delete(&facts, &object);
    let message = answer.denied(403);
    assert!(
        message.contains("is in use") && message.contains("payments/r000"),
        "{message}"
    );
    delete(&facts, &accepting(object.clone(), "1")).allowed();
    delete(&with_roles(0), &object).allowed();
}

#[test]
fn a_limit_whose_grants_another_one_accepts_too_may_go() {
    let mut second = limit(&["s3:*"]);
    second["metadata"]["name"] = json!("second");
    second["spec"]["boundary"] = json!({"type": "CheckOnly"});
    let first = limit(&["s3:GetObject"]);
    let facts = facts(&[account(), first.clone(), second.clone(), role(&["s3:GetObject"])]);
    assert!(delete(&facts, &second).allowed().is_empty());
    // Not the one whose boundary they carry.
    assert!(delete(&facts, &first).denied(403).contains("payments/uploader"));
}

#[test]
fn a_limit_whose_boundary_is_in_use_keeps_it() {
    let old = limit(&["s3:GetObject", "s3:PutObject"]);
    let mut new = old.clone();
    new["spec"]["boundary"] = json!({"type": "CheckOnly"});
    // Even one grant: it would go on under a boundary that nobody maintains, if it went on.
    let message = update(&with_roles(1), &old, &new);
    let message = message.denied(403);
    assert!(
        message.contains("needs boundary.type Generated") && message.contains("payments/r000"),
        "{message}"
    );
    update(&with_roles(1), &old, &accepting(new.clone(), "1")).allowed();
    assert!(update(&with_roles(0), &old, &new).allowed().is_empty());
    // The default is Generated.
    let mut by_default = old.clone();
    by_default["spec"].as_object_mut().unwrap().remove("boundary");
    update(&with_roles(1), &by_default, &new).denied(403);
    // A role under it is not made.
    let facts = facts(&[account(), new.clone()]);
    let warnings = create(&facts, &role(&["s3:GetObject"])).allowed();
    assert!(
        warnings[1].contains("one of them needs boundary type Generated"),
        "{warnings:?}"
    );
}

/// What is left of the time: nothing.
fn hurried(facts: &Facts) -> Facts {
    facts.clone().until(std::time::Instant::now())
}

#[test]
fn a_limit_is_narrowed_and_deleted_however_many_grants_there_are_to_count() {
    let facts = with_roles(300);
    let old = limit(&["s3:GetObject", "s3:PutObject"]);
    let new = limit(&["s3:GetObject"]);
    let answer = update(&hurried(&facts), &old, &new);
    let message = answer.denied(403);
    assert!(
        message.contains("at least 0 grants: 0 of the 300") && message.contains("accept-suspending: \"300\""),
        "{message}"
    );
    for (said, allowed) in [("299", false), ("300", true), ("100000", true)] {
        let answer = update(&hurried(&facts), &old, &accepting(new.clone(), said));
        assert_eq!(answer.0["allowed"], allowed, "{said}: {answer:?}");
        let answer = delete(&hurried(&facts), &accepting(old.clone(), said));
        assert_eq!(answer.0["allowed"], allowed, "{said}: {answer:?}");
    }
    // Some were counted, and it is said that there may be more.
    let some = facts
        .clone()
        .until(std::time::Instant::now() + std::time::Duration::from_millis(5));
    let answer = update(&some, &old, &new);
    let message = answer.denied(403);
    assert!(
        message.contains("at least") || message.contains("300 of the 300"),
        "{message}"
    );
}

#[test]
fn a_limit_on_its_way_out_still_limits_and_is_held() {
    let (old, mut new) = (limit(&["s3:GetObject", "s3:PutObject"]), limit(&["s3:GetObject"]));
    new["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    update(&with_roles(6), &old, &new).denied(403);
}
