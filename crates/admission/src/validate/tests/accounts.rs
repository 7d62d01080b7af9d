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
    assert_eq!(
        warnings,
        ["AWSAccount production: suspends AWSRoleBinding payments/nightly"]
    );
}

#[test]
fn an_account_with_roles_stays() {
    let facts = facts(&[account(), role(&["s3:GetObject"])]);
    let answer = delete(&facts, &account());
    assert_eq!(
        answer.denied(403),
        "AWSAccount production is in use by 1 AWSRoles; delete them first:\n- payments/uploader"
    );
    delete(&usual(), &account()).allowed();
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
