//! The manifests of AWSResourcePolicyStatements.

use crate::run::{Done, File, deputy};

const PLATFORM: &str = "examples/productionapp/10-platform.yaml";

/// A statement of the policy of the bucket, with what it says.
fn statement(says: &str) -> String {
    format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: AWSResourcePolicyStatement\nmetadata: {{name: reads, namespace: payments}}\nspec:\n  \
         accountRef: {{name: production}}\n  resourceARN: arn:aws:s3:::productionapp\n  \
         principals: [{{kind: AWSRole, name: uploader}}]\n  statement: {says}\n"
    )
}

fn run(command: &str, says: &str) -> Done {
    let file = File::new(&format!("statement-{command}.yaml"), statement(says));
    let arguments = ["policy", command, file.path(), PLATFORM];
    let wanted = if command == "contains" { 4 } else { 3 };
    deputy(&arguments[..wanted], "")
}

#[test]
fn what_a_statement_grants_is_asked_of_the_ceiling() {
    for (says, code, answer) in [
        (
            "{Action: s3:GetObject, Resource: \"arn:aws:s3:::productionapp/reports/*\"}",
            0,
            "AWSResourcePolicyStatement payments/reads: contained\n",
        ),
        // Without Resource it is the resource itself.
        (
            "{Effect: Allow, Action: s3:ListBucket}",
            0,
            "AWSResourcePolicyStatement payments/reads: contained\n",
        ),
        (
            "{Action: [s3:GetObject, s3:GetBucketAcl], Resource: [\"arn:aws:s3:::productionapp/*\", \"arn:aws:s3:::productionapp\"]}",
            1,
            "AWSResourcePolicyStatement payments/reads: exceeds: s3:GetBucketAcl on arn:aws:s3:::productionapp\n",
        ),
    ] {
        let done = run("contains", says);
        assert_eq!(done.code, code, "{says}: {}{}", done.out, done.err);
        assert!(done.out.starts_with(answer), "{says}: {}", done.out);
    }
    let said = run("contains", "{Action: [s3:GetObject, s3:GetBucketAcl]}").out;
    assert!(said.contains(":8:14: spec.statement\n"), "{said}");
}

#[test]
fn what_is_wrong_with_a_statement_is_said_where_it_stands() {
    for (says, said) in [
        ("{Action: s3:ListBucket}", ""),
        ("{Action: 1}", ":8:23: error[wrong-type]: spec.statement.Action: "),
        (
            "{Action: s3:GetObject, Action: s3:PutObject}",
            "error[duplicate-key]: spec.statement.Action: ",
        ),
        (
            "{Sid: mine, Action: s3:GetObject}",
            ":8:15: error[unknown-element]: spec.statement.Sid: a statement has Action, Resource and Condition; Deputy sets the rest",
        ),
        (
            "{Principal: \"*\", Action: s3:GetObject}",
            "error[unknown-element]: spec.statement.Principal: ",
        ),
        (
            "{NotAction: s3:GetObject}",
            "error[unknown-element]: spec.statement.NotAction: ",
        ),
        (
            "{Effect: Deny, Action: s3:GetObject}",
            ":8:23: error[wrong-type]: spec.statement.Effect: it is an Allow: ",
        ),
        (
            "{Action: s3:GetObject, Condition: {StringEqual: {\"aws:PrincipalTag/a\": b}}}",
            "spec.statement.Condition.StringEqual",
        ),
        ("{}", "spec.statement"),
    ] {
        let done = run("lint", says);
        let all = format!("{}{}", done.out, done.err);
        assert_eq!(done.code == 0, said.is_empty(), "{says}: {all}");
        assert!(all.contains(said), "{says}: {all}");
        assert!(!all.contains("Statement[0]"), "{says}: {all}");
    }
}
