//! Warnings about what a policy probably does not mean.

use super::*;

fn statement(actions: Value, resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})
}

fn wide_limit() -> Value {
    let mut limit = limit(&["s3:*"]);
    limit["spec"]["ceiling"] = statement(json!("s3:*"), "*");
    limit
}

fn with_document(document: &Value) -> Value {
    let mut role = role(&["s3:GetObject"]);
    role["spec"]["policies"][0]["document"] = document.clone();
    role
}

#[test]
fn what_lint_finds_is_told_with_its_place() {
    let facts = facts(&[account(), wide_limit()]);
    for (document, says) in [
        // An action of the API, and one with a typing error.
        (
            statement(json!(["s3:GetObject", "s3:ListObjectsV2"]), "arn:aws:s3:::b/*"),
            "policies[0] Statement[0].Action[1]",
        ),
        (
            statement(json!("s3:GetObjekt"), "arn:aws:s3:::b/*"),
            "is not in AWS's service reference of 20",
        ),
        // A bucket's action on objects.
        (
            statement(json!("s3:ListBucket"), "arn:aws:s3:::b/*"),
            "policies[0] Statement[0]",
        ),
        // Terraform's.
        (
            statement(json!("s3:GetObject"), "arn:aws:s3:::b/&{aws:username}/*"),
            "policies[0] Statement[0].Resource[0]",
        ),
        // An account id as Helm prints a number.
        (
            statement(
                json!("s3:*"),
                "arn:aws:s3:us-east-1:1.23456789012e+11:accesspoint/x",
            ),
            "1.23456789012e+11",
        ),
        // A key that does not exist.
        (
            {
                let mut document = statement(json!("s3:GetObject"), "arn:aws:s3:::b/*");
                document["Statement"][0]["Condition"] = json!({"StringEquals": {"s3:prefixx": "a"}});
                document
            },
            "s3:prefixx",
        ),
    ] {
        let warnings = create(&facts, &with_document(&document)).allowed();
        assert!(
            warnings.iter().any(|w| w.contains(says)),
            "{document}: {warnings:?}"
        );
    }
    assert!(
        create(
            &facts,
            &with_document(&statement(json!("s3:GetObject"), "arn:aws:s3:::b/*"))
        )
        .allowed()
        .is_empty()
    );
}

#[test]
fn a_refused_role_is_told_what_lint_finds_too() {
    let answer = create(
        &usual(),
        &with_document(&statement(json!("s3:GetObjekt"), "arn:aws:s3:::productionapp/*")),
    );
    assert!(answer.denied(403).contains("s3:GetObjekt"));
    let warnings = answer.0["warnings"].to_string();
    assert!(
        warnings.contains("did you mean") && warnings.contains("GetObject"),
        "{warnings}"
    );
}

#[test]
fn session_policies_and_ceilings_are_looked_at_too() {
    let facts = facts(&[account(), wide_limit(), role(&["s3:GetObject"])]);
    let mut bound = binding("b", None);
    bound["spec"]["session"]["policy"] = statement(json!("s3:GetObjekt"), "*");
    let warnings = create(&facts, &bound).allowed();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains(": session.policy Statement[0].Action[0]")),
        "{warnings:?}"
    );
    let mut ceiling = limit(&["s3:GetObjekt"]);
    ceiling["metadata"] = json!({"name": "other"});
    ceiling["spec"]["namespaces"] = json!(["other"]);
    let warnings = create(&facts, &ceiling).allowed();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains(": ceiling Statement[0].Action[0]")),
        "{warnings:?}"
    );
}

#[test]
fn what_reaches_iam_and_is_meant_is_no_finding() {
    let mut object = limit(&["iam:CreateUser"]);
    object["metadata"] = json!({"name": "admins"});
    object["spec"]["namespaces"] = json!(["admins"]);
    object["spec"]["ceiling"]["Statement"][0]["Resource"] = json!("arn:aws:iam::*:user/*");
    object["spec"]["acknowledgeEscalation"] = json!(["iam:CreateUser"]);
    let warnings = create(&usual(), &object).allowed();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn many_findings_are_counted() {
    let actions: Vec<_> = (0..30).map(|i| format!("s3:GetObjekt{i}")).collect();
    let facts = facts(&[account(), wide_limit()]);
    let warnings = create(
        &facts,
        &with_document(&statement(json!(actions), "arn:aws:s3:::b/*")),
    )
    .allowed();
    assert_eq!(warnings.len(), 11, "{warnings:?}");
    assert!(warnings[10].contains(": and 20 more findings"), "{warnings:?}");
}
