//! `AWSResourcePolicyStatement`.

use super::*;

const BUCKET: &str = "arn:aws:s3:::productionapp";

fn statement(action: &str) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSResourcePolicyStatement",
        "metadata": {"name": "read", "namespace": "payments"},
        "spec": {
            "accountRef": {"name": "production"}, "resourceARN": BUCKET,
            "principals": [{"kind": "AWSRole", "name": "uploader"}],
            "statement": {"Action": action, "Resource": format!("{BUCKET}/*")},
        },
    })
}

fn allowing(patterns: &[&str], more: &[Value]) -> Facts {
    let mut limit = limit(&["s3:GetObject"]);
    limit["spec"]["resourcePolicies"] = json!(patterns);
    facts(&[&[account(), limit], more].concat())
}

#[test]
fn a_statement_within_its_limits_is_let_in_before_its_principals() {
    let answer = create(&allowing(&[BUCKET], &[]), &statement("s3:GetObject"));
    let warnings = answer.allowed();
    assert_eq!(
        warnings,
        [
            "AWSResourcePolicyStatement read: AWSRole uploader does not exist: the statement names it in AWS once it does"
        ]
    );
    assert_eq!(answer.audit("decision"), "accepted");
}

#[test]
fn what_is_wrong_with_a_statement_is_refused_where_it_stands() {
    let mut principal = statement("s3:GetObject");
    principal["spec"]["statement"]["Principal"] = json!("*");
    for (patterns, object, code, field) in [
        (&[][..], statement("s3:GetObject"), 403, "spec.resourceARN"),
        (&[BUCKET], statement("s3:PutObject"), 403, "spec.statement"),
        (&[BUCKET], principal, 422, "spec.statement.Principal"),
        (&[BUCKET], statement("sqs:SendMessage"), 422, "spec.statement"),
    ] {
        let answer = create(&allowing(patterns, &[]), &object);
        answer.denied(code);
        assert_eq!(answer.fields(), [field]);
    }
}

#[test]
fn resource_and_account_of_a_statement_stay() {
    let facts = allowing(&["arn:aws:s3:::*"], &[]);
    for (field, value) in [
        ("resourceARN", json!("arn:aws:s3:::another")),
        ("accountRef", json!({"name": "another"})),
    ] {
        let mut changed = statement("s3:GetObject");
        changed["spec"][field] = value;
        changed["spec"]["statement"] = json!({"Action": "s3:GetObject"});
        let answer = update(&facts, &statement("s3:GetObject"), &changed);
        answer.denied(422);
        assert_eq!(answer.fields(), [format!("spec.{field}")]);
    }
}

#[test]
fn an_account_with_statements_is_in_use() {
    let facts = allowing(&[BUCKET], &[statement("s3:GetObject")]);
    let answer = delete(&facts, &account());
    let told = answer.denied(403);
    assert!(told.contains("1 AWSResourcePolicyStatements"), "{told}");
}
