//! Policies like those that people write, and the managed policies of AWS where `hack/bench-data` has fetched them.

use std::{fs, path::PathBuf, sync::LazyLock};

use deputy_policy::PolicyKind;
use serde_json::{Map, Value, json};

use super::{model::PolicyDraft, profiles::SoakProfile};
use crate::choices::Choices;

/// Longest managed policy that is taken, in bytes of JSON: the quota of IAM.
const MAX_BYTES: usize = 6144;

/// The managed policies, when they are there.
static MANAGED: LazyLock<Vec<PolicyDraft>> = LazyLock::new(|| {
    let Some(text) = paths().into_iter().find_map(|path| fs::read_to_string(path).ok()) else {
        return Vec::new();
    };
    let all: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let fits = |policy: &&Value| policy.to_string().len() <= MAX_BYTES;
    all.values().filter(fits).filter_map(read).collect()
});

static OWN: LazyLock<Vec<PolicyDraft>> = LazyLock::new(|| documents().iter().filter_map(read).collect());

/// Where `hack/bench-data` leaves them, seen from the root of the repository or from the crate.
fn paths() -> Vec<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let default = root.ancestors().map(|above| above.join("target"));
    let targets = target.into_iter().chain(default.take(3));
    targets
        .map(|target| target.join("bench-data/managed-policies.json"))
        .collect()
}

fn read(value: &Value) -> Option<PolicyDraft> {
    PolicyDraft::from_value(value, PolicyKind::Identity, SoakProfile::Managed)
}

/// How many managed policies and how many of our own there are.
pub fn counts() -> (usize, usize) {
    (MANAGED.len(), OWN.len())
}

/// One of them.
pub fn pick(c: &mut Choices<'_>) -> PolicyDraft {
    let managed = !MANAGED.is_empty() && c.chance(2, 3);
    c.pick(if managed { &MANAGED } else { &OWN }).clone()
}

fn documents() -> Vec<Value> {
    let region = json!({"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}});
    let tag = |value: &str| json!({"StringEquals": {"aws:ResourceTag/team": value}});
    let all = vec![
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]),
        json!([{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]),
        // A bucket of a team, and a folder of each user.
        json!([
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reports",
             "Condition": {"StringLike": {"s3:prefix": ["", "2026/*", "home/${aws:username}/*"]}}},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
             "Resource": ["arn:aws:s3:::reports/2026/*", "arn:aws:s3:::reports/home/${aws:username}/*"]},
        ]),
        // A ceiling by region, with services that have none.
        json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": ["iam:*", "sts:*", "s3:*", "support:*"], "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}}},
        ]),
        json!([{"Effect": "Allow", "Action": ["ec2:*", "logs:*"], "Resource": "*", "Condition": region}]),
        // Machines of the own team; nothing without a tag.
        json!([
            {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
            {"Effect": "Allow", "Action": ["ec2:StartInstances", "ec2:StopInstances"],
             "Resource": "arn:aws:ec2:*:111122223333:instance/*", "Condition": tag("blue")},
            {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*:111122223333:instance/*",
             "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]},
                           "Null": {"aws:TagKeys": "false"}}},
        ]),
        json!([{"Effect": "Allow", "Action": "ec2:*", "Resource": "*",
                "Condition": {"StringEqualsIfExists": {"aws:ResourceTag/team": ["blue", "green"]}}}]),
        // Only over TLS, from the own network, with a second factor.
        json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Effect": "Deny", "Action": "*", "Resource": "*",
             "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]},
                           "Bool": {"aws:ViaAWSService": "false"}}},
        ]),
        json!([{"Effect": "Allow", "Action": ["s3:*", "kms:Decrypt"], "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]),
        json!([
            {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"},
            {"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": "arn:aws:iam::*:user/${aws:username}",
             "Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}},
        ]),
        // What a pipeline may do: roles of its own name, handed to two services.
        json!([
            {"Effect": "Allow", "Action": ["iam:CreateRole", "iam:PutRolePolicy"],
             "Resource": "arn:aws:iam::111122223333:role/service-*",
             "Condition": {"ArnEquals": {"iam:PermissionsBoundary": "arn:aws:iam::111122223333:policy/service-boundary"}}},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/service-*",
             "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}}},
            {"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::111122223333:policy/service-boundary"},
        ]),
        json!([{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}]),
        json!([
            {"Effect": "Allow", "Action": "s3:*", "NotResource": ["arn:aws:s3:::secrets", "arn:aws:s3:::secrets/*"]},
            {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
             "Resource": "arn:aws:logs:*:111122223333:log-group:/aws/lambda/reports-*:log-stream:*"},
        ]),
        json!([{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:eu-west-1:111122223333:reports-*",
                "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:reports"}}}]),
        json!([{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/reports",
                "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "${aws:PrincipalTag/tenant}"},
                              "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}}]),
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}}]),
    ];
    all.into_iter()
        .map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
        .collect()
}
