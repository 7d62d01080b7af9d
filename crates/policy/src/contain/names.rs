//! Readable names for witnesses: well-known actions, and a plausible resource for each service.

/// Well-known actions, the most telling first. Only a stock of examples: nothing is decided by it.
pub(super) const ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
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

/// Resources that an action of the service could be about; last `*`, what a request without a resource is about.
pub(super) fn resources_of(service: &str) -> [String; 3] {
    let usual = match service {
        "s3" => "arn:aws:s3:::anybucket/a",
        "iam" | "sts" => "arn:aws:iam::123456789012:role/any",
        "dynamodb" => "arn:aws:dynamodb:us-east-1:123456789012:table/any",
        "lambda" => "arn:aws:lambda:us-east-1:123456789012:function:any",
        "ec2" => "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0",
        "kms" => "arn:aws:kms:us-east-1:123456789012:key/any",
        "secretsmanager" => "arn:aws:secretsmanager:us-east-1:123456789012:secret:any",
        _ => "",
    };
    let regional = format!("arn:aws:{service}:us-east-1:123456789012:any");
    let usual = if usual.is_empty() {
        regional.clone()
    } else {
        usual.to_owned()
    };
    [usual, regional, "*".to_owned()]
}
