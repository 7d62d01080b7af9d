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
    assert_eq!(warnings, ["suspends AWSRoleBinding payments/nightly"]);
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
