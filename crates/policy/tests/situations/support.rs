//! Short ways to say who asks for what under which policies.

use deputy_policy::{AccessDecision, Caller, Context, Document, Evaluation, PolicyKind, Request, Situation};
use serde_json::{Value, json};

pub const ACCOUNT: &str = "123456789012";
pub const OTHER: &str = "999999999999";
pub const USER: &str = "arn:aws:iam::123456789012:user/bob";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/app";
pub const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/app/s1";
pub const FEDERATED: &str = "arn:aws:sts::123456789012:federated-user/Carol";
pub const ROOT: &str = "arn:aws:iam::123456789012:root";
pub const OBJECT: &str = "arn:aws:s3:::productionapp/a";
pub const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/k";

pub fn document(kind: PolicyKind, statements: Value) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

pub fn identity(statements: Value) -> Document {
    document(PolicyKind::Identity, statements)
}

pub fn allow(kind: PolicyKind, action: &str) -> Document {
    document(
        kind,
        json!({"Effect": "Allow", "Action": action, "Resource": "*"}),
    )
}

pub fn deny(kind: PolicyKind, action: &str) -> Document {
    document(kind, json!({"Effect": "Deny", "Action": action, "Resource": "*"}))
}

/// A resource policy that lets a principal do everything.
pub fn naming(principal: Value) -> Document {
    document(
        PolicyKind::Resource,
        json!({"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}),
    )
}

pub fn aws(arn: &str) -> Value {
    json!({"AWS": arn})
}

pub fn trust(statements: Value) -> Document {
    document(PolicyKind::Trust, statements)
}

/// A trust policy that lets a principal assume the role.
pub fn trusting(principal: Value) -> Document {
    trust(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}))
}

/// A policy that allows nothing of what the tests ask.
pub fn silent(kind: PolicyKind) -> Document {
    allow(kind, "ec2:DescribeImages")
}

pub fn request(caller: &str, action: &str, resource: &str) -> Request {
    with(caller, action, resource, Context::new())
}

pub fn with(caller: &str, action: &str, resource: &str, context: Context) -> Request {
    Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: Some(Caller::parse(caller).unwrap()),
        context,
    }
}

pub fn get(caller: &str) -> Request {
    request(caller, "s3:GetObject", OBJECT)
}

/// The federated user Carol with the user behind it.
pub fn carol_of_bob(action: &str, resource: &str) -> Request {
    let mut request = request(FEDERATED, action, resource);
    if let Some(Caller::FederatedUser { of_user, .. }) = &mut request.principal {
        *of_user = Some("bob".to_owned());
    }
    request
}

pub fn decide(situation: &Situation<'_>, request: &Request) -> Evaluation {
    situation.evaluate(request).unwrap()
}

pub fn decision(situation: &Situation<'_>, request: &Request) -> AccessDecision {
    decide(situation, request).decision
}
