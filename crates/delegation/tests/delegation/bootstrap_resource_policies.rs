//! What the provisioner may do with the policies of buckets, queues and topics.

use deputy_delegation::{bootstrap::*, model::*, names::*};
use deputy_policy::{Caller, Context, Document, Layers, Request, evaluate};

use crate::support::*;

const HOME: &str = "123456789012";
const WAREHOUSE: &str = "210987654321";

const OF_BUCKETS: [&str; 3] = [
    "s3:DeleteBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
];
const OF_QUEUES: [&str; 2] = ["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"];
const OF_TOPICS: [&str; 2] = ["sns:GetTopicAttributes", "sns:SetTopicAttributes"];

const BUCKET: &str = "arn:aws:s3:::productionapp";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:orders-new";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

fn naming(name: &str, patterns: &[&str]) -> Limit {
    let mut limit = limit(name, productionapp());
    limit.resource_policies = patterns
        .iter()
        .map(|text| PolicyResourcePattern::new(*text).unwrap())
        .collect();
    limit
}

fn policies(accounts: &[Account], limits: &[Limit]) -> Vec<(String, Document)> {
    let setups = setups(&cluster(), accounts, limits).unwrap();
    let identities = setups.into_iter().flat_map(|setup| setup.identities);
    identities
        .map(|identity| (identity.arn.to_string(), identity.policy))
        .collect()
}

fn provisioner(limits: &[Limit]) -> Document {
    let mut all = policies(&[account()], limits).into_iter();
    all.find(|(arn, _)| arn.ends_with(PROVISIONER)).unwrap().1
}

/// Whether it may, of a resource that is in the account.
fn may_in(policy: &Document, action: &str, resource: &str, account: &str) -> bool {
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: Some(Caller::parse(ISSUER).unwrap()),
        context: Context::new().with("aws:ResourceAccount", account),
    };
    let layers = Layers {
        identity: &[policy],
        ..Layers::default()
    };
    evaluate(&layers, &request).is_allowed()
}

fn may(policy: &Document, action: &str, resource: &str) -> bool {
    may_in(policy, action, resource, HOME)
}

#[test]
fn the_provisioner_writes_the_policies_of_the_resources_that_limits_name() {
    let policy = provisioner(&[
        naming("buckets", &[BUCKET]),
        naming(
            "others",
            &[
                "arn:aws:s3:::reports-*",
                "arn:aws:sqs:*:123456789012:orders-*",
                TOPIC,
            ],
        ),
    ]);
    for (actions, named, others) in [
        (
            &OF_BUCKETS[..],
            &[BUCKET, "arn:aws:s3:::reports-eu"][..],
            &[
                "arn:aws:s3:::productionapp2",
                "arn:aws:s3:::reports",
                "arn:aws-cn:s3:::productionapp",
                QUEUE,
            ][..],
        ),
        (
            &OF_QUEUES,
            &[QUEUE, "arn:aws:sqs:us-east-1:123456789012:orders-"],
            &[
                "arn:aws:sqs:eu-west-1:123456789012:orders",
                "arn:aws:sqs:eu-west-1:210987654321:orders-new",
                "*",
            ],
        ),
        (
            &OF_TOPICS,
            &[TOPIC],
            &[
                "arn:aws:sns:us-east-1:123456789012:orders",
                "arn:aws:sns:eu-west-1:123456789012:orders-new",
                "arn:aws:sns:eu-west-1:210987654321:orders",
            ],
        ),
    ] {
        for action in actions {
            for resource in named {
                assert!(may(&policy, action, resource), "{action} {resource}");
            }
            for resource in others {
                assert!(!may(&policy, action, resource), "{action} {resource}");
            }
        }
    }
}

#[test]
fn a_stolen_provisioner_does_nothing_else_with_those_resources() {
    let policy = provisioner(&[naming("all", &[BUCKET, QUEUE, TOPIC])]);
    for (action, resource) in [
        ("s3:DeleteBucket", BUCKET),
        ("s3:GetObject", "arn:aws:s3:::productionapp/key"),
        ("s3:ListBucket", BUCKET),
        ("s3:PutBucketAcl", BUCKET),
        ("s3:PutBucketPublicAccessBlock", BUCKET),
        ("sqs:AddPermission", QUEUE),
        ("sqs:DeleteQueue", QUEUE),
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:SendMessage", QUEUE),
        ("sns:AddPermission", TOPIC),
        ("sns:DeleteTopic", TOPIC),
        ("sns:Publish", TOPIC),
        ("sns:Subscribe", TOPIC),
    ] {
        assert!(!may(&policy, action, resource), "{action}");
    }
    for action in OF_BUCKETS {
        assert!(
            !may_in(&policy, action, BUCKET, WAREHOUSE),
            "{action} on another account's"
        );
    }
}

/// A dry run grants nothing; a limit of another account, and a pattern on another account, are nothing here.
#[test]
fn without_a_limit_that_names_resources_nothing_is_added() {
    let mut elsewhere = naming("elsewhere", &[BUCKET, QUEUE, TOPIC]);
    elsewhere.scope.accounts = [object("staging")].into();
    let of_others = naming(
        "others",
        &[
            "arn:aws:sqs:*:210987654321:*",
            "arn:aws:sns:*:2*:*",
            "arn:aws-cn:s3:::productionapp",
        ],
    );
    let limits = [
        limit("none", productionapp()),
        dry_run(naming("dry", &[BUCKET])),
        elsewhere,
        of_others,
    ];
    assert_eq!(provisioner(&limits), provisioner(&[]));
    let text = provisioner(&limits).to_json();
    assert!(!text.contains("s3:") && !text.contains("sqs:") && !text.contains("sns:"));
}

#[test]
fn no_other_identity_may_touch_the_policies_of_resources() {
    let limits = [naming("all", &[BUCKET, QUEUE, TOPIC])];
    for (arn, policy) in policies(&[account()], &limits) {
        let is = arn.ends_with(PROVISIONER);
        assert_eq!(may(&policy, "s3:PutBucketPolicy", BUCKET), is, "{arn}");
        assert_eq!(may(&policy, "sqs:SetQueueAttributes", QUEUE), is, "{arn}");
        assert_eq!(may(&policy, "sns:GetTopicAttributes", TOPIC), is, "{arn}");
    }
}

/// They belong to whom the account names as the provisioner, and to nobody at home.
#[test]
fn in_another_account_the_role_that_is_assumed_has_these_rights() {
    let role = "arn:aws:iam::210987654321:role/deputy-provisioner";
    let assumes = |name: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(&format!("arn:aws:iam::{WAREHOUSE}:role/{name}")).unwrap(),
            external_id: None,
        })
    };
    let warehouse = Account {
        name: object("warehouse"),
        id: AccountId::new(WAREHOUSE).unwrap(),
        provisioner: assumes("deputy-provisioner"),
        boundary_writer: assumes("deputy-boundary-writer"),
        ..account()
    };
    let mut limit = naming("all", &[BUCKET, "arn:aws:sqs:*:*:orders-*", TOPIC]);
    limit.scope.accounts = [object("warehouse")].into();
    let there = "arn:aws:sqs:eu-west-1:210987654321:orders-new";
    for (arn, policy) in policies(&[account(), warehouse], &[limit]) {
        let is = arn == role;
        assert_eq!(
            may_in(&policy, "s3:PutBucketPolicy", BUCKET, WAREHOUSE),
            is,
            "{arn}"
        );
        assert_eq!(
            may_in(&policy, "sqs:SetQueueAttributes", there, WAREHOUSE),
            is,
            "{arn}"
        );
        assert!(!may(&policy, "s3:PutBucketPolicy", BUCKET), "{arn}");
        assert!(!may(&policy, "sqs:SetQueueAttributes", QUEUE), "{arn}");
        assert!(!may(&policy, "sns:SetTopicAttributes", TOPIC), "{arn}");
    }
}
