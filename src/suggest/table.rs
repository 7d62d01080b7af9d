//! Where the name of an event is not that of the action.
//!
//! What is not in these tables has the same name in both, which AWS's service reference confirms or not
//! ([`deputy_policy::reference::has_action`]).

/// Event sources whose name is not the prefix of the service's actions. AWS CloudTrail User Guide, "CloudTrail record contents for
/// management, data, and network activity events", `eventSource`; the prefixes are of the Service Authorization Reference.
pub const SOURCES: &[(&str, &str)] = &[
    ("cloudcontrolapi", "cloudformation"),
    ("data.iot", "iot"),
    ("email", "ses"),
    ("entitlement.marketplace", "aws-marketplace"),
    ("metering.marketplace", "aws-marketplace"),
    ("models.lex", "lex"),
    ("monitoring", "cloudwatch"),
    ("runtime.lex", "lex"),
    ("runtime.sagemaker", "sagemaker"),
    ("streams.dynamodb", "dynamodb"),
    ("tagging", "tag"),
    ("transcribestreaming", "transcribe"),
];

/// The service of the event, its names, and the actions of that service that AWS asks for. A word with `*` at its end is every name that
/// begins so. Without actions, they are among those that the event [may have asked for](super::guesses).
///
/// - s3: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"
/// - lambda: Service Authorization Reference, "Actions defined by AWS Lambda" (`InvokeFunction`)
/// - dynamodb: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions", "IAM security policies with PartiQL for DynamoDB"
/// - sqs: Amazon SQS Developer Guide, "Amazon SQS API permissions: Actions and resource reference"
/// - sns: Service Authorization Reference, "Actions defined by Amazon SNS" (`Publish`)
/// - kms: AWS KMS Developer Guide, "AWS KMS permissions" (`ReEncrypt`)
/// - bedrock: Amazon Bedrock API Reference, `Converse` and `ConverseStream`
pub const ACTIONS: &[(&str, &[&str], &[&str])] = &[
    (
        "s3",
        &["ListObjects", "ListObjectsV2", "HeadBucket"],
        &["ListBucket"],
    ),
    ("s3", &["ListObjectVersions"], &["ListBucketVersions"]),
    ("s3", &["ListMultipartUploads"], &["ListBucketMultipartUploads"]),
    ("s3", &["ListParts"], &["ListMultipartUploadParts"]),
    ("s3", &["ListBuckets"], &["ListAllMyBuckets"]),
    // Where the key is not there, AWS asks for ListBucket to say so; that is another answer and no other use.
    ("s3", &["HeadObject", "SelectObjectContent"], &["GetObject"]),
    (
        "s3",
        &["GetObjectAttributes"],
        &["GetObject", "GetObjectAttributes"],
    ),
    (
        "s3",
        &[
            "CreateMultipartUpload",
            "InitiateMultipartUpload",
            "UploadPart",
            "CompleteMultipartUpload",
            "PostObject",
        ],
        &["PutObject"],
    ),
    ("s3", &["CopyObject", "UploadPartCopy"], &["PutObject"]),
    ("s3", &["DeleteObjects"], &["DeleteObject"]),
    ("s3", &["GetBucketEncryption"], &["GetEncryptionConfiguration"]),
    (
        "s3",
        &["PutBucketEncryption", "DeleteBucketEncryption"],
        &["PutEncryptionConfiguration"],
    ),
    (
        "s3",
        &["GetBucketLifecycle", "GetBucketLifecycleConfiguration"],
        &["GetLifecycleConfiguration"],
    ),
    (
        "s3",
        &[
            "PutBucketLifecycle",
            "PutBucketLifecycleConfiguration",
            "DeleteBucketLifecycle",
        ],
        &["PutLifecycleConfiguration"],
    ),
    ("s3", &["GetBucketCors"], &["GetBucketCORS"]),
    ("s3", &["PutBucketCors", "DeleteBucketCors"], &["PutBucketCORS"]),
    ("s3", &["GetBucketReplication"], &["GetReplicationConfiguration"]),
    (
        "s3",
        &["PutBucketReplication", "DeleteBucketReplication"],
        &["PutReplicationConfiguration"],
    ),
    (
        "s3",
        &["GetBucketAccelerateConfiguration"],
        &["GetAccelerateConfiguration"],
    ),
    (
        "s3",
        &["PutBucketAccelerateConfiguration"],
        &["PutAccelerateConfiguration"],
    ),
    (
        "s3",
        &[
            "GetBucketAnalyticsConfiguration",
            "ListBucketAnalyticsConfigurations",
        ],
        &["GetAnalyticsConfiguration"],
    ),
    (
        "s3",
        &[
            "PutBucketAnalyticsConfiguration",
            "DeleteBucketAnalyticsConfiguration",
        ],
        &["PutAnalyticsConfiguration"],
    ),
    (
        "s3",
        &[
            "GetBucketIntelligentTieringConfiguration",
            "ListBucketIntelligentTieringConfigurations",
        ],
        &["GetIntelligentTieringConfiguration"],
    ),
    (
        "s3",
        &[
            "PutBucketIntelligentTieringConfiguration",
            "DeleteBucketIntelligentTieringConfiguration",
        ],
        &["PutIntelligentTieringConfiguration"],
    ),
    (
        "s3",
        &[
            "GetBucketInventoryConfiguration",
            "ListBucketInventoryConfigurations",
        ],
        &["GetInventoryConfiguration"],
    ),
    (
        "s3",
        &[
            "PutBucketInventoryConfiguration",
            "DeleteBucketInventoryConfiguration",
        ],
        &["PutInventoryConfiguration"],
    ),
    (
        "s3",
        &["GetBucketMetricsConfiguration", "ListBucketMetricsConfigurations"],
        &["GetMetricsConfiguration"],
    ),
    (
        "s3",
        &[
            "PutBucketMetricsConfiguration",
            "DeleteBucketMetricsConfiguration",
        ],
        &["PutMetricsConfiguration"],
    ),
    (
        "s3",
        &["GetBucketNotificationConfiguration"],
        &["GetBucketNotification"],
    ),
    (
        "s3",
        &["PutBucketNotificationConfiguration"],
        &["PutBucketNotification"],
    ),
    (
        "s3",
        &["GetObjectLockConfiguration"],
        &["GetBucketObjectLockConfiguration"],
    ),
    (
        "s3",
        &["PutObjectLockConfiguration"],
        &["PutBucketObjectLockConfiguration"],
    ),
    ("s3", &["GetPublicAccessBlock"], &[]),
    ("s3", &["PutPublicAccessBlock", "DeletePublicAccessBlock"], &[]),
    ("s3", &["DeleteBucketTagging"], &["PutBucketTagging"]),
    (
        "s3",
        &["DeleteBucketOwnershipControls"],
        &["PutBucketOwnershipControls"],
    ),
    (
        "lambda",
        &["Invoke", "InvokeAsync", "InvokeWithResponseStream"],
        &["InvokeFunction"],
    ),
    ("dynamodb", &["TransactGetItems"], &["GetItem"]),
    ("dynamodb", &["TransactWriteItems"], &[]),
    (
        "dynamodb",
        &["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"],
        &[],
    ),
    ("sqs", &["SendMessageBatch"], &["SendMessage"]),
    ("sqs", &["DeleteMessageBatch"], &["DeleteMessage"]),
    (
        "sqs",
        &["ChangeMessageVisibilityBatch"],
        &["ChangeMessageVisibility"],
    ),
    ("sns", &["PublishBatch"], &["Publish"]),
    ("kms", &["ReEncrypt"], &["ReEncryptFrom", "ReEncryptTo"]),
    ("bedrock", &["Converse"], &["InvokeModel"]),
    ("bedrock", &["ConverseStream"], &["InvokeModelWithResponseStream"]),
];

/// What a request asks for besides, by a parameter that it has: the service, the event, the parameter, the actions.
///
/// - s3: as above, "Conditionally required"
pub const BESIDES: &[(&str, &str, &str, &[&str])] = &[
    ("s3", "GetObject", "versionId", &["GetObjectVersion"]),
    ("s3", "HeadObject", "versionId", &["GetObjectVersion"]),
    ("s3", "GetObjectAcl", "versionId", &["GetObjectVersionAcl"]),
    ("s3", "PutObjectAcl", "versionId", &["PutObjectVersionAcl"]),
    (
        "s3",
        "GetObjectAttributes",
        "versionId",
        &["GetObjectVersion", "GetObjectVersionAttributes"],
    ),
    (
        "s3",
        "GetObjectTagging",
        "versionId",
        &["GetObjectVersionTagging"],
    ),
    (
        "s3",
        "PutObjectTagging",
        "versionId",
        &["PutObjectVersionTagging"],
    ),
    (
        "s3",
        "DeleteObjectTagging",
        "versionId",
        &["DeleteObjectVersionTagging"],
    ),
    ("s3", "DeleteObject", "versionId", &["DeleteObjectVersion"]),
    ("s3", "*", "x-amz-tagging", &["PutObjectTagging"]),
    ("s3", "*", "x-amz-object-lock-mode", &["PutObjectRetention"]),
    ("s3", "*", "x-amz-object-lock-legal-hold", &["PutObjectLegalHold"]),
    (
        "s3",
        "*",
        "x-amz-bypass-governance-retention",
        &["BypassGovernanceRetention"],
    ),
];
