//! Operations of AWS's APIs whose action in IAM has another name.
//!
//! Sources: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; the developer guides of the other
//! services, of their batch and transaction operations.

/// The operation in lower case, and the actions that allow it.
#[rustfmt::skip] // A table.
const OPERATIONS: &[(&str, &[&str])] = &[
    ("dynamodb:batchexecutestatement", &["dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"]),
    ("dynamodb:executestatement", &["dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"]),
    ("dynamodb:executetransaction", &["dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"]),
    ("dynamodb:transactgetitems", &["dynamodb:GetItem"]),
    ("dynamodb:transactwriteitems", &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"]),
    ("kms:reencrypt", &["kms:ReEncryptFrom", "kms:ReEncryptTo"]),
    ("lambda:invoke", &["lambda:InvokeFunction"]),
    ("lambda:invokewithresponsestream", &["lambda:InvokeFunction"]),
    ("s3:completemultipartupload", &["s3:PutObject"]),
    ("s3:copyobject", &["s3:GetObject", "s3:PutObject"]),
    ("s3:createmultipartupload", &["s3:PutObject"]),
    ("s3:deletebucketanalyticsconfiguration", &["s3:PutAnalyticsConfiguration"]),
    ("s3:deletebucketcors", &["s3:PutBucketCORS"]),
    ("s3:deletebucketencryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:deletebucketintelligenttieringconfiguration", &["s3:PutIntelligentTieringConfiguration"]),
    ("s3:deletebucketinventoryconfiguration", &["s3:PutInventoryConfiguration"]),
    ("s3:deletebucketlifecycle", &["s3:PutLifecycleConfiguration"]),
    ("s3:deletebucketmetricsconfiguration", &["s3:PutMetricsConfiguration"]),
    ("s3:deletebucketownershipcontrols", &["s3:PutBucketOwnershipControls"]),
    ("s3:deletebucketreplication", &["s3:PutReplicationConfiguration"]),
    ("s3:deletebuckettagging", &["s3:PutBucketTagging"]),
    ("s3:deleteobjects", &["s3:DeleteObject"]),
    ("s3:deletepublicaccessblock", &["s3:PutBucketPublicAccessBlock"]),
    ("s3:getbucketaccelerateconfiguration", &["s3:GetAccelerateConfiguration"]),
    ("s3:getbucketanalyticsconfiguration", &["s3:GetAnalyticsConfiguration"]),
    ("s3:getbucketencryption", &["s3:GetEncryptionConfiguration"]),
    ("s3:getbucketintelligenttieringconfiguration", &["s3:GetIntelligentTieringConfiguration"]),
    ("s3:getbucketinventoryconfiguration", &["s3:GetInventoryConfiguration"]),
    ("s3:getbucketlifecycle", &["s3:GetLifecycleConfiguration"]),
    ("s3:getbucketlifecycleconfiguration", &["s3:GetLifecycleConfiguration"]),
    ("s3:getbucketmetricsconfiguration", &["s3:GetMetricsConfiguration"]),
    ("s3:getbucketnotificationconfiguration", &["s3:GetBucketNotification"]),
    ("s3:getbucketreplication", &["s3:GetReplicationConfiguration"]),
    ("s3:getobjectlockconfiguration", &["s3:GetBucketObjectLockConfiguration"]),
    ("s3:getpublicaccessblock", &["s3:GetBucketPublicAccessBlock"]),
    ("s3:headbucket", &["s3:ListBucket"]),
    ("s3:headobject", &["s3:GetObject"]),
    ("s3:listbucketanalyticsconfigurations", &["s3:GetAnalyticsConfiguration"]),
    ("s3:listbucketintelligenttieringconfigurations", &["s3:GetIntelligentTieringConfiguration"]),
    ("s3:listbucketinventoryconfigurations", &["s3:GetInventoryConfiguration"]),
    ("s3:listbucketmetricsconfigurations", &["s3:GetMetricsConfiguration"]),
    ("s3:listbuckets", &["s3:ListAllMyBuckets"]),
    ("s3:listmultipartuploads", &["s3:ListBucketMultipartUploads"]),
    ("s3:listobjects", &["s3:ListBucket"]),
    ("s3:listobjectsv2", &["s3:ListBucket"]),
    ("s3:listobjectversions", &["s3:ListBucketVersions"]),
    ("s3:listparts", &["s3:ListMultipartUploadParts"]),
    ("s3:putbucketaccelerateconfiguration", &["s3:PutAccelerateConfiguration"]),
    ("s3:putbucketanalyticsconfiguration", &["s3:PutAnalyticsConfiguration"]),
    ("s3:putbucketencryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:putbucketintelligenttieringconfiguration", &["s3:PutIntelligentTieringConfiguration"]),
    ("s3:putbucketinventoryconfiguration", &["s3:PutInventoryConfiguration"]),
    ("s3:putbucketlifecycle", &["s3:PutLifecycleConfiguration"]),
    ("s3:putbucketlifecycleconfiguration", &["s3:PutLifecycleConfiguration"]),
    ("s3:putbucketmetricsconfiguration", &["s3:PutMetricsConfiguration"]),
    ("s3:putbucketnotificationconfiguration", &["s3:PutBucketNotification"]),
    ("s3:putbucketreplication", &["s3:PutReplicationConfiguration"]),
    ("s3:putobjectlockconfiguration", &["s3:PutBucketObjectLockConfiguration"]),
    ("s3:putpublicaccessblock", &["s3:PutBucketPublicAccessBlock"]),
    ("s3:selectobjectcontent", &["s3:GetObject"]),
    ("s3:uploadpart", &["s3:PutObject"]),
    ("s3:uploadpartcopy", &["s3:GetObject", "s3:PutObject"]),
    ("sns:publishbatch", &["sns:Publish"]),
    ("sqs:changemessagevisibilitybatch", &["sqs:ChangeMessageVisibility"]),
    ("sqs:deletemessagebatch", &["sqs:DeleteMessage"]),
    ("sqs:sendmessagebatch", &["sqs:SendMessage"]),
];

/// The actions that allow an operation, when it is none itself.
pub(super) fn allowed_by(service: &str, operation: &str) -> Option<&'static [&'static str]> {
    let name = format!("{service}:{}", operation.to_ascii_lowercase());
    let at = OPERATIONS
        .binary_search_by(|(known, _)| (*known).cmp(&name))
        .ok()?;
    OPERATIONS.get(at).map(|(_, actions)| *actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    #[test]
    fn operations_are_no_actions_and_their_actions_are() {
        assert!(OPERATIONS.is_sorted_by(|a, b| a.0 < b.0));
        for (operation, actions) in OPERATIONS {
            assert!(reference::action(operation).is_none(), "{operation}");
            assert_eq!(*operation, operation.to_lowercase());
            for action in *actions {
                assert_eq!(
                    reference::action(action).map(|known| known.text()).as_deref(),
                    Some(*action),
                    "{operation}"
                );
            }
        }
        assert_eq!(allowed_by("s3", "HeadObject"), Some(&["s3:GetObject"][..]));
        assert_eq!(allowed_by("s3", "GetObject"), None);
    }
}
