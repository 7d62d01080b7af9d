//! `AWSRoleBinding`.

use super::*;

#[test]
fn a_role_whose_binding_needs_longer_sessions_is_let_in_with_a_warning() {
    let mut limit = limit(&["s3:GetObject"]);
    limit["spec"]["session"]["maxDuration"] = json!("2h");
    let mut account = account();
    account["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::123456789012:user/deputy");
    let mut long = role(&["s3:GetObject"]);
    long["spec"]["maxSessionDuration"] = json!("2h");
    let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
    bound["spec"]["session"]["duration"] = json!("2h");
    let facts = facts(&[account, limit, long.clone(), bound]);
    let warnings = update(&facts, &long, &role(&["s3:GetObject"])).allowed();
    assert_eq!(warnings.len(), 1);
    let why = "AWSRole uploader: suspends AWSRoleBinding payments/nightly: Duration: spec.session.duration: ";
    assert!(warnings[0].starts_with(why), "{warnings:?}");
}

fn with_role(more: &[Value]) -> Facts {
    let mut objects = vec![account(), limit(&["s3:GetObject"]), role(&["s3:GetObject"])];
    objects.extend_from_slice(more);
    facts(&objects)
}

#[test]
fn a_binding_within_its_limits_is_let_in() {
    let answer = create(&with_role(&[]), &binding("uploader", None));
    assert!(answer.allowed().is_empty(), "{answer:?}");
    assert_eq!(answer.audit("decision"), "accepted");
}

#[test]
fn a_binding_may_come_before_its_role() {
    let answer = create(&usual(), &binding("uploader", None));
    let warnings = answer.allowed();
    assert_eq!(
        warnings,
        [
            "AWSRoleBinding uploader: AWSRole payments/uploader does not exist; nothing is granted until it does"
        ]
    );
    assert_eq!(answer.audit("missing"), "RoleNotFound");
}

#[test]
fn a_binding_may_come_before_the_limit_of_its_role() {
    let facts = facts(&[account(), role(&["s3:GetObject"])]);
    let answer = create(&facts, &binding("uploader", None));
    assert!(answer.allowed()[0].contains(": NoLimit: "), "{answer:?}");
}

#[test]
fn what_is_certainly_wrong_is_refused_even_before_the_role_is_there() {
    let mut object = binding("uploader", None);
    object["spec"]["session"]["tags"] = json!({"deputy-namespace": "other"});
    assert!(
        create(&usual(), &object)
            .denied(422)
            .contains("spec.session.tags[\"deputy-namespace\"]")
    );
}

#[test]
fn a_session_beyond_the_limit_is_refused_with_all_that_is_wrong() {
    let mut object = binding("uploader", None);
    object["spec"]["session"]["tags"] = json!({"team": "payments"});
    object["spec"]["session"]["policy"] = policy(&["s3:DeleteObject"], "*");
    // Within a role that stays within, no session policy is too much.
    assert_eq!(create(&with_role(&[]), &object).denied(403).lines().count(), 2);
    let wide = facts(&[account(), limit(&["s3:GetObject"]), role(&["s3:*"])]);
    let answer = create(&wide, &object);
    let message = answer.denied(403);
    assert!(
        message.contains("SessionTag") && message.contains("ExceedsLimit"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 3, "{message}");
}

#[test]
fn the_second_binding_of_a_service_account_is_let_in_as_shadowed() {
    let first = binding("first", Some("2026-01-02T03:04:05Z"));
    let facts = with_role(std::slice::from_ref(&first));
    for second in [
        binding("second", None),
        binding("second", Some("2026-01-02T03:04:06Z")),
    ] {
        let answer = create(&facts, &second);
        let warnings = answer.allowed();
        assert_eq!(
            warnings,
            [
                "AWSRoleBinding second: Shadowed: pods of uploader get another binding (kubectl get awsrolebindings,awsfederateduserbindings says which) unless deputy.dev/binding on them names this one"
            ]
        );
    }
    let older = binding("older", Some("2025-01-02T03:04:05Z"));
    assert!(create(&facts, &older).allowed().is_empty());
    let mut changed = first.clone();
    changed["spec"]["session"]["scope"] = json!("Pod");
    assert!(update(&facts, &first, &changed).allowed().is_empty());
}

#[test]
fn of_bindings_that_are_not_stored_it_is_not_known_which_one_is_shadowed() {
    let (aaa, zzz) = (binding("aaa", None), binding("zzz", None));
    let facts = with_role(&[aaa.clone(), zzz.clone()]);
    let index = facts.index();
    for (asked, other) in [(&aaa, "zzz"), (&zzz, "aaa")] {
        let answer = crate::answer(&index, asked, None).unwrap();
        let told: Vec<&str> = answer.warnings.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let expected =
            format!("Shadowed, or not: pods of uploader get binding {other} if that is made before");
        assert!(told[0].contains(&expected), "{told:?}");
    }
    let alone = with_role(std::slice::from_ref(&zzz));
    assert!(
        crate::answer(&alone.index(), &zzz, None)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn the_role_of_a_binding_can_not_be_changed() {
    let (old, mut new) = (binding("b", None), binding("b", None));
    new["spec"]["roleRef"]["name"] = json!("admin");
    let answer = update(&with_role(&[]), &old, &new);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.roleRef"]);
}

#[test]
fn a_change_of_the_method_is_warned_of_for_the_pods_that_run() {
    let mut account = account();
    account["spec"]["oidc"] =
        json!({"providerARN": "arn:aws:iam::123456789012:oidc-provider/oidc.example.com"});
    let mut limit = limit(&["s3:GetObject"]);
    limit["spec"]["session"]["methods"] = json!(["AssumeRole", "AssumeRoleWithWebIdentity"]);
    let facts = facts(&[account, limit, role(&["s3:GetObject"])]);
    let by = |method: Option<&str>| {
        let mut object = binding("uploader", Some("2026-01-02T03:04:05Z"));
        if let Some(method) = method {
            object["spec"]["method"] = json!(method);
        }
        object
    };
    let (broker, pod) = (Some("AssumeRole"), Some("AssumeRoleWithWebIdentity"));
    for (old, new, warns) in [
        (None, broker, false),
        (broker, None, false),
        (pod, pod, false),
        (None, pod, true),
        (broker, pod, true),
        (pod, None, true),
        (pod, broker, true),
    ] {
        let warnings = update(&facts, &by(old), &by(new)).allowed();
        let said = warnings.iter().any(|w| w.contains("create them again"));
        assert_eq!(said, warns, "{old:?} {new:?}: {warnings:?}");
    }
    let created = create(&facts, &by(pod)).allowed();
    assert!(created.is_empty(), "{created:?}");
}
