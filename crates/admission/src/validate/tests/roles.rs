//! `AWSRole`.

use super::*;

#[test]
fn a_role_within_its_limit_is_let_in_and_the_audit_names_the_limit() {
    let answer = create(&usual(), &role(&["s3:GetObject"]));
    assert!(answer.allowed().is_empty());
    assert_eq!(
        (answer.audit("decision"), answer.audit("limits")),
        ("accepted", "payments")
    );
    assert_eq!(answer.audit("boundary"), "payments");
}

#[test]
fn a_refusal_lists_all_that_is_too_much_with_a_request() {
    let mut object = role(&["s3:GetObject", "s3:DeleteObject"]);
    let other = json!({"name": "other", "document": policy(&["s3:*"], "arn:aws:s3:::elsewhere/*")});
    object["spec"]["policies"].as_array_mut().unwrap().push(other);
    let answer = create(&usual(), &object);
    answer.denied(403);
    insta::assert_json_snapshot!("refused_role", answer.0);
}

#[test]
fn an_unreadable_role_is_invalid_with_every_field_that_is_wrong() {
    let mut object = role(&["s3:GetObject"]);
    object["spec"]["maxSessionDuration"] = json!("5m");
    object["spec"]["policies"][0]["name"] = json!("A B");
    let answer = create(&usual(), &object);
    answer.denied(422);
    assert_eq!(
        answer.fields(),
        ["spec.policies[0].name", "spec.maxSessionDuration"]
    );
}

#[test]
fn a_role_of_another_shape_is_invalid() {
    let mut object = role(&["s3:GetObject"]);
    object["spec"]["policies"] = json!("all");
    let answer = create(&usual(), &object);
    assert!(
        answer
            .denied(422)
            .contains("AWSRole payments/uploader is invalid")
    );
}

#[test]
fn fields_that_nobody_knows_are_refused() {
    let mut object = role(&["s3:GetObject"]);
    object["spec"]["policys"] = json!([]);
    object["spec"]["maxSessionDuration"] = Value::Null;
    object["status"] = json!({"fromANewerVersion": true});
    let answer = create(&usual(), &object);
    answer.denied(422);
    let mut fields = answer.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["spec.maxSessionDuration", "spec.policys"]);
}

#[test]
fn a_role_may_come_before_its_limit_and_grants_nothing_until_then() {
    let answer = create(&facts(&[account()]), &role(&["s3:GetObject"]));
    let warnings = answer.allowed();
    assert_eq!(
        warnings[0],
        "AWSRole uploader: NoLimit: nothing is granted until a DelegationLimit applies"
    );
    assert!(
        warnings[1]
            .contains("no DelegationLimit applies to namespace \"payments\" in account \"production\""),
        "{warnings:?}"
    );
    assert_eq!(
        (answer.audit("decision"), answer.audit("reasons")),
        ("pending", "NoLimit")
    );
}

/// The limit with the boundary may come in the same file, and tools dry-run all of it first.
#[test]
fn a_role_may_come_before_the_limit_that_has_a_boundary() {
    let mut alone = limit(&["s3:GetObject"]);
    alone["spec"]["boundary"] = json!({"type": "CheckOnly"});
    let facts = facts(&[account(), alone]);
    let answer = create(&facts, &role(&["s3:GetObject"]));
    let warnings = answer.allowed();
    assert!(
        warnings[0]
            .ends_with("nothing is granted until a DelegationLimit with boundary type Generated applies"),
        "{warnings:?}"
    );
    assert_eq!(
        (answer.audit("decision"), answer.audit("reasons")),
        ("pending", "NoBoundary")
    );
    // What exceeds a limit that is there is no matter of order.
    assert!(
        create(&facts, &role(&["s3:PutObject"]))
            .denied(403)
            .contains("s3:PutObject")
    );
}

#[test]
fn what_is_wrong_in_itself_is_refused_also_before_the_limit() {
    let mut object = role(&["s3:GetObject"]);
    let resources: Vec<_> = (0..400)
        .map(|i| format!("arn:aws:s3:::productionapp/{i:04}"))
        .collect();
    object["spec"]["policies"][0]["document"]["Statement"][0]["Resource"] = json!(resources);
    let answer = create(&facts(&[account()]), &object);
    assert!(answer.denied(403).contains("TooLarge"), "{answer:?}");
}

#[test]
fn a_role_may_come_before_its_account() {
    let answer = create(&facts(&[limit(&["s3:GetObject"])]), &role(&["s3:GetObject"]));
    let warnings = answer.allowed();
    assert_eq!(
        warnings,
        ["AWSRole uploader: AWSAccount production does not exist; nothing is granted until it does"]
    );
    assert_eq!(answer.audit("missing"), "AccountNotFound");
}

#[test]
fn the_account_of_a_role_can_not_be_changed() {
    let (old, mut new) = (role(&["s3:GetObject"]), role(&["s3:GetObject"]));
    new["spec"]["accountRef"]["name"] = json!("other");
    let answer = update(&usual(), &old, &new);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.accountRef"]);
}

#[test]
fn finalizers_and_labels_change_also_where_the_spec_would_be_refused() {
    let (old, mut new) = (role(&["iam:*"]), role(&["iam:*"]));
    new["metadata"]["finalizers"] = json!([]);
    assert!(update(&usual(), &old, &new).allowed().is_empty());
}

#[test]
fn a_role_on_its_way_out_may_be_anything() {
    let (old, mut new) = (role(&["s3:GetObject"]), role(&["iam:*"]));
    new["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    assert!(update(&usual(), &old, &new).allowed().is_empty());
}

#[test]
fn an_update_beyond_the_limit_is_refused() {
    update(&usual(), &role(&["s3:GetObject"]), &role(&["s3:*"])).denied(403);
}
