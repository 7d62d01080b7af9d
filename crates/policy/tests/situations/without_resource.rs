//! Statements of resource policies without Resource: they are about what the policy is attached to (IAM User Guide, "JSON
//! policy document structure"). ECR refuses any other.

use deputy_policy::{AccessDecision, PolicyKind, Situation, SituationError, evaluate::Mismatch};
use serde_json::{Value, json};

use crate::support::*;

const REPOSITORY: &str = "arn:aws:ecr:us-east-1:123456789012:repository/app";

fn resource(statements: Value) -> deputy_policy::Document {
    document(PolicyKind::Resource, statements)
}

#[test]
fn the_policy_of_a_repository_is_about_the_repository() {
    let policy = resource(json!([
        {"Effect": "Allow", "Principal": aws(ROLE), "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]},
        {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage",
         "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}},
    ]));
    assert!(!policy.to_json().contains("Resource"));
    let situation = Situation::new().resource_policy(&policy);
    let ask = |caller: &str, action: &str| {
        let context = deputy_policy::Context::new().with("aws:PrincipalAccount", ACCOUNT);
        decision(&situation, &with(caller, action, REPOSITORY, context))
    };
    assert_eq!(ask(SESSION, "ecr:BatchGetImage"), AccessDecision::Allowed);
    assert_eq!(ask(SESSION, "ecr:PutImage"), AccessDecision::ImplicitDeny);
    assert_eq!(ask(USER, "ecr:BatchGetImage"), AccessDecision::ImplicitDeny);
    let from_elsewhere = request(SESSION, "ecr:BatchGetImage", REPOSITORY);
    assert_eq!(
        decision(&situation, &from_elsewhere),
        AccessDecision::ExplicitDeny
    );
}

#[test]
fn in_the_policy_of_a_kms_key_it_has_no_effect() {
    for (effect, action) in [("Allow", "kms:Decrypt"), ("Deny", "kms:*")] {
        let everybody =
            json!({"Effect": "Allow", "Principal": aws(ROLE), "Action": "kms:*", "Resource": "*"});
        let without = json!({"Effect": effect, "Principal": aws(ROLE), "Action": action});
        let (alone, beside) = (resource(json!([without])), resource(json!([everybody, without])));
        let ask = |policy| {
            let situation = Situation::new().resource_policy(policy);
            situation.explain(&request(SESSION, "kms:Decrypt", KEY)).unwrap()
        };
        assert_eq!(ask(&alone).evaluation.decision, AccessDecision::ImplicitDeny);
        assert_eq!(ask(&beside).evaluation.decision, AccessDecision::Allowed);
        let statements = &ask(&alone).layers[0].statements;
        assert_eq!(statements[0].mismatches, [Mismatch::NoResource]);
        assert!(ask(&alone).to_string().contains("it has no Resource"));
    }
}

#[test]
fn the_policy_of_an_endpoint_says_what_it_is_about() {
    let endpoint = resource(json!([{"Effect": "Allow", "Principal": "*", "Action": "*"}]));
    let situation = Situation::new().endpoint_policy(&endpoint);
    assert_eq!(
        situation.evaluate(&get(USER)),
        Err(SituationError::EndpointWithoutResource)
    );
}
