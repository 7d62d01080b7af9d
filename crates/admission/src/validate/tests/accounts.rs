//! `AWSAccount`.

use super::*;

#[test]
fn an_account_is_let_in_or_refused_with_every_field_that_is_wrong() {
    assert!(create(&usual(), &account()).allowed().is_empty());
    let mut object = account();
    object["spec"]["accountID"] = json!("12");
    object["spec"]["region"] = json!("Tokyo");
    let answer = create(&usual(), &object);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.accountID", "spec.region"]);
}

#[test]
fn an_account_id_that_yaml_made_a_number_is_refused() {
    let mut object = account();
    object["spec"]["accountID"] = json!(123456789012_u64);
    create(&usual(), &object).denied(422);
}

#[test]
fn the_account_behind_a_name_can_not_be_changed() {
    let mut new = account();
    new["spec"]["accountID"] = json!("999999999999");
    new["spec"]["partition"] = json!("aws-cn");
    let answer = update(&usual(), &account(), &new);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.accountID", "spec.partition"]);
}

#[test]
fn a_change_of_an_account_that_suspends_grants_names_them() {
    let mut old = account();
    old["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::123456789012:user/deputy");
    let mut limit = limit(&["s3:GetObject"]);
    limit["spec"]["session"]["maxDuration"] = json!("2h");
    let mut role = role(&["s3:GetObject"]);
    role["spec"]["maxSessionDuration"] = json!("2h");
    let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
    bound["spec"]["session"]["duration"] = json!("2h");
    let facts = facts(&[old.clone(), limit, role, bound]);
    let warnings = update(&facts, &old, &account()).allowed();
    assert_eq!(warnings.len(), 2);
    assert_eq!(warnings[0], "AWSAccount production: suspends 1 of 2 grants");
    let why =
        "AWSAccount production: suspends AWSRoleBinding payments/nightly: Duration: spec.session.duration: ";
    assert!(warnings[1].starts_with(why), "{warnings:?}");
}

#[test]
fn an_account_with_roles_stays() {
    let facts = facts(&[account(), role(&["s3:GetObject"])]);
    let answer = delete(&facts, &account());
    assert_eq!(
        answer.denied(403),
        "AWSAccount production is in use by 1 AWSRoles; delete them first:\n- AWSRole payments/uploader"
    );
}

#[test]
fn a_second_account_of_the_same_id_is_refused_and_the_first_one_goes_on() {
    let mut second = account();
    second["metadata"]["name"] = json!("production-gov");
    second["spec"]["partition"] = json!("aws-us-gov");
    second["spec"]["region"] = json!("us-gov-west-1");
    second["spec"]["issuer"]["principalARN"] = json!("arn:aws-us-gov:iam::123456789012:user/deputy-broker");
    let answer = create(&usual(), &second);
    assert!(answer.denied(403).contains("is AWSAccount production already"));
    assert_eq!(answer.fields(), ["spec.accountID"]);

    // Both are there, because the webhook was not asked: the older one is changed as before, the younger one is not.
    let mut first = account();
    first["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
    second["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:06Z");
    let both = facts(&[first.clone(), second.clone(), limit(&["s3:GetObject"])]);
    let changed = |object: &Value| {
        let mut new = object.clone();
        new["spec"]["tags"] = json!({"team": "platform"});
        update(&both, object, &new)
    };
    assert!(changed(&first).allowed().is_empty());
    changed(&second).denied(403);
    create(&both, &role(&["s3:GetObject"])).allowed();
    let mut under_second = role(&["s3:GetObject"]);
    under_second["spec"]["accountRef"]["name"] = json!("production-gov");
    assert!(
        create(&both, &under_second)
            .denied(403)
            .contains("is AWSAccount production already")
    );
    delete(&both, &second).allowed();
}

#[test]
fn a_region_of_another_partition_is_refused() {
    let mut object = account();
    object["spec"]["region"] = json!("cn-north-1");
    let answer = create(&facts(&[]), &object);
    assert!(answer.denied(422).contains("partition: aws-cn"));
}

const NEW: &str = "arn:aws:iam::123456789012:role/second-broker";

/// An account with seven bindings of a role; `said` is the reason of its `IssuerReady`.
fn busy(account: &Value, said: Option<(&str, &str)>) -> (Facts, Value) {
    let mut account = account.clone();
    account["metadata"]["generation"] = json!(1);
    if let Some((status, reason)) = said {
        account["status"] = json!({"conditions": [{
            "type": "IssuerReady", "status": status, "reason": reason, "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }]});
    }
    let bindings = (0..7).map(|n| binding(&format!("b{n}"), Some("2026-01-02T03:04:05Z")));
    let granted = [account.clone(), limit(&["s3:GetObject"]), role(&["s3:GetObject"])];
    let objects: Vec<Value> = granted.into_iter().chain(bindings).collect();
    (facts(&objects), account)
}

/// From issuer and those before to others: whether the broker that is known, or not, loses what it has.
#[test]
fn an_issuer_that_the_broker_may_be_goes_only_when_that_is_meant() {
    const OLD: &str = "arn:aws:iam::123456789012:role/deputy-broker";
    let with = |(issuer, previous): (&str, &[&str])| {
        let mut account = account();
        account["spec"]["issuer"]["principalARN"] = json!(issuer);
        if !previous.is_empty() {
            account["spec"]["previousIssuers"] =
                previous.iter().map(|arn| json!({"principalARN": arn})).collect();
        }
        account
    };
    let (is_issuer, is_previous) = (Some(("True", "Ready")), Some(("True", "PreviousIssuer")));
    let stranger = Some(("False", "IdentityMismatch"));
    for (before, after, said, passes) in [
        ((OLD, &[][..]), (NEW, &[OLD][..]), is_issuer, true),
        ((OLD, &[]), (OLD, &[NEW]), None, true),
        ((OLD, &[]), (NEW, &[]), is_issuer, false),
        ((OLD, &[]), (NEW, &[]), None, false),
        ((OLD, &[]), (NEW, &[]), stranger, true),
        ((NEW, &[OLD]), (NEW, &[]), is_issuer, true),
        ((NEW, &[OLD]), (NEW, &[]), is_previous, false),
        ((NEW, &[OLD]), (NEW, &[]), None, false),
        ((NEW, &[OLD]), (OLD, &[]), is_previous, true),
    ] {
        let (facts, old) = busy(&with(before), said);
        let mut new = with(after);
        let answer = update(&facts, &old, &new);
        if passes {
            answer.allowed();
            continue;
        }
        let message = answer.denied(403);
        assert!(
            message.contains("without further sessions") && message.contains("accept-suspending: \"7\""),
            "{message}"
        );
        new["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": "7"});
        update(&facts, &old, &new).allowed();
    }
}

#[test]
fn another_method_for_pods_that_run_is_braked_as_well() {
    let (facts, old) = busy(&account(), Some(("True", "Ready")));
    let mut new = account();
    new["spec"]["oidc"] =
        json!({"providerARN": "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/prod"});
    update(&facts, &old, &new).allowed();
    new["spec"]["defaults"] = json!({"method": "AssumeRoleWithWebIdentity"});
    // The limit allows AssumeRole alone.
    assert!(
        update(&facts, &old, &new)
            .denied(403)
            .contains("accept-suspending: \"7\"")
    );
}

#[test]
fn an_account_is_not_deleted_while_anything_names_it() {
    let unreadable = |mut object: Value| {
        object["spec"]["maxSessionDuration"] = json!("5m");
        object
    };
    let mut bound = binding("reader", Some("2026-01-02T03:04:05Z"));
    bound["spec"]["roleRef"] = json!({"kind": "ClusterAWSRole", "name": "shared"});
    bound["spec"]["accountRef"] = json!({"name": "production"});
    let mut broken = bound.clone();
    broken["spec"]["session"]["duration"] = json!("5m");
    let in_aws = |path: &str| {
        let mut limit = limit(&["s3:GetObject"]);
        limit["spec"]["accounts"] = json!(["staging"]);
        let arn = format!("arn:aws:iam::123456789012:policy/{path}x");
        limit["status"] = json!({"boundaries": [{
            "account": "production", "policyARN": arn, "documentHash": "h", "versionID": "v1",
        }]});
        limit
    };
    let mut anywhere = limit(&["s3:GetObject"]);
    anywhere["spec"]["accounts"] = json!(7);
    let mut deleting = role(&["s3:GetObject"]);
    deleting["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    let mut elsewhere = unreadable(role(&["s3:GetObject"]));
    elsewhere["spec"]["accountRef"]["name"] = json!("staging");
    for (what, object, said) in [
        ("a role", role(&["s3:GetObject"]), "1 AWSRoles"),
        ("one that is being deleted", deleting, "1 AWSRoles"),
        (
            "one that can't be read",
            unreadable(role(&["s3:GetObject"])),
            "1 AWSRoles",
        ),
        ("one of another account", elsewhere, ""),
        ("a binding", bound, "1 AWSRoleBindings"),
        ("a binding that can't be read", broken, "1 AWSRoleBindings"),
        ("a limit", limit(&["s3:GetObject"]), "1 DelegationLimits"),
        ("one of who knows what", anywhere, "1 DelegationLimits"),
        (
            "a boundary",
            in_aws("deputy/prod-1/limits/"),
            "1 DelegationLimits",
        ),
        ("a boundary of somebody else", in_aws("teams/"), ""),
    ] {
        let answer = delete(&facts(&[account(), object]), &account());
        if said.is_empty() {
            answer.allowed();
        } else {
            let message = answer.denied(403);
            assert!(
                message.contains(&format!("in use by {said}; delete")),
                "{what}: {message}"
            );
        }
    }
}

#[test]
fn who_deletes_an_account_hears_of_its_roles_without_an_object() {
    let mut left = account();
    left["status"] = json!({"orphans": {"count": 15, "oldest": []}});
    for (account, warned) in [(left, true), (account(), false)] {
        let warnings = delete(&facts(std::slice::from_ref(&account)), &account).allowed();
        let is_told = warnings
            .iter()
            .any(|w| w.contains("15 IAM roles of it have no object"));
        assert_eq!(is_told, warned, "{warnings:?}");
    }
}
