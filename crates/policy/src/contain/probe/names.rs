//! Readable names for witnesses: well-known actions, and a resource of a type that an action takes.

use super::arns::{HEAD, parts_of};
use crate::reference::service::Action;

/// Well-known actions, the most telling first. Only a stock of examples: nothing is decided by it.
pub(super) const ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:PutObjectAcl",
    "s3:ListBucket",
    "s3:ListAllMyBuckets",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:GetBucketLocation",
    "iam:CreateUser",
    "iam:CreateRole",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:CreateAccessKey",
    "iam:GetRole",
    "iam:ListRoles",
    "sts:AssumeRole",
    "ec2:RunInstances",
    "ec2:TerminateInstances",
    "ec2:DescribeInstances",
    "ec2:CreateTags",
    "ec2:CreateSecurityGroup",
    "lambda:InvokeFunction",
    "lambda:CreateFunction",
    "lambda:UpdateFunctionCode",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",
    "dynamodb:Query",
    "dynamodb:DeleteTable",
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteQueue",
    "sns:Publish",
    "sns:CreateTopic",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:CreateGrant",
    "kms:ScheduleKeyDeletion",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "ssm:GetParameter",
    "ssm:PutParameter",
    "ssm:SendCommand",
    "logs:PutLogEvents",
    "logs:DeleteLogGroup",
    "cloudwatch:PutMetricData",
    "cloudtrail:StopLogging",
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "ecr:GetAuthorizationToken",
    "ecr:PutImage",
    "ecs:RunTask",
    "eks:DescribeCluster",
    "rds:CreateDBInstance",
    "rds:DeleteDBInstance",
    "route53:ChangeResourceRecordSets",
    "events:PutRule",
    "kinesis:PutRecord",
    "states:StartExecution",
    "organizations:LeaveOrganization",
];

/// What stands for a name.
pub(super) const ANY: &str = "any";

/// A resource that an action could be about: of the simplest type that it takes, `*` when it takes none, and something of
/// its service when AWS's reference does not have it (`known`).
pub(super) fn resource_of(action: &str, known: Option<Action>) -> String {
    let [_, partition, _, region, account] = HEAD;
    if let Some(known) = known {
        let shapes = known.resource_types().flat_map(|of| &of.shapes);
        return shapes.min_by_key(|shape| shape.size()).map_or_else(
            || "*".to_owned(),
            |shape| shape.instance(partition, region, account, ANY),
        );
    }
    let service = action.split(':').next().unwrap_or_default();
    let (region, account) = parts_of(service);
    format!("arn:{partition}:{service}:{region}:{account}:{ANY}")
}
