//! Where a double of AWS is known to be wrong, with the page on which AWS says otherwise. A line goes as soon as the double is right.

use super::table::{Difference, Double};

const fn ministack(what: &'static str, seen: &'static str, page: &'static str) -> Difference {
    Difference {
        double: Double::Ministack,
        what,
        seen,
        page,
    }
}

const fn moto(what: &'static str, seen: &'static str, page: &'static str) -> Difference {
    Difference {
        double: Double::Moto,
        what,
        seen,
        page,
    }
}

pub(super) const KNOWN: &[Difference] = &[
    ministack(
        "CreateRole of a name in other case",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    ),
    ministack(
        "UpdateAssumeRolePolicy of what is no JSON",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html",
    ),
    ministack(
        "PutRolePolicy beyond 10,240 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "UpdateAssumeRolePolicy beyond 2,048 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "AttachRolePolicy of none",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html",
    ),
    ministack(
        "DetachRolePolicy of none",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html",
    ),
    ministack(
        "what these refused calls changed",
        "the role",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html",
    ),
    ministack(
        "PutRolePolicy of a second one of 6,000 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "TagRole with 20 more than 40",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    ministack(
        "and the tags after that",
        "60",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    ministack(
        "AttachRolePolicy of an 11th",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "how many are attached then",
        "11",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "CreatePolicy of a name in other case",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html",
    ),
    ministack(
        "CreatePolicy beyond 6,144 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "CreatePolicyVersion beyond 6,144 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ministack(
        "DeletePolicy with several versions",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    ministack(
        "UpdateAssumeRolePolicy for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    ministack(
        "whom it shows when the user is gone",
        "its ARN",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    ministack(
        "UpdateAssumeRolePolicy for the id of a user that is gone",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    ministack(
        "whom it shows of it",
        "123456789012",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    ministack(
        "ListRoles with MaxItems=1",
        "3 roles",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html",
    ),
    ministack(
        "how one within a boundary differs from GetRole",
        "in something else",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleDetail.html",
    ),
    ministack(
        "Roles of GetAccountSummary after one more",
        "0",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html",
    ),
    ministack(
        "Policies of it after one more",
        "0",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html",
    ),
    ministack(
        "PutBucketPolicy of what is no JSON",
        "ok",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    ministack(
        "PutBucketPolicy for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    ministack(
        "what these refused calls changed of a bucket",
        "one",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    ministack(
        "SetQueueAttributes of what is no JSON",
        "ok",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    ministack(
        "SetQueueAttributes for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    ministack(
        "what these refused calls changed of a queue",
        "one",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    ministack(
        "SetTopicAttributes of what is no JSON",
        "ok",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    ministack(
        "SetTopicAttributes for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    ministack(
        "what these refused calls changed of a topic",
        "one",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    moto(
        "CreateRole of a name in other case",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    ),
    moto(
        "CreateRole within a boundary that is not there",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    ),
    moto(
        "and after that",
        "a role",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    ),
    moto(
        "PutRolePolicy beyond 10,240 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "UpdateAssumeRolePolicy beyond 2,048 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "PutRolePermissionsBoundary of none",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html",
    ),
    moto(
        "what these refused calls changed",
        "the role",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html",
    ),
    moto(
        "PutRolePolicy of a second one of 6,000 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "TagRole with 20 more than 40",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    moto(
        "and the tags after that",
        "60",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    moto(
        "AttachRolePolicy of an 11th",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "how many are attached then",
        "11",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "the values of its tags then",
        "one two",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    moto(
        "CreatePolicy of a name in other case",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html",
    ),
    moto(
        "CreatePolicy beyond 6,144 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "CreatePolicyVersion beyond 6,144 characters",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    moto(
        "DeletePolicy with several versions",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    moto(
        "DeletePolicy of one that is attached",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    moto(
        "DeletePolicy of one that is a boundary",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    moto(
        "how often it is used that is attached",
        "no policy",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    moto(
        "how often it is used that is a boundary",
        "no policy",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html",
    ),
    moto(
        "UpdateAssumeRolePolicy for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    moto(
        "whom it shows when the user is gone",
        "its ARN",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    moto(
        "UpdateAssumeRolePolicy for the id of a user that is gone",
        "ok",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    moto(
        "whom it shows of it",
        "123456789012",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    moto(
        "how often ListPolicies says that it is a boundary",
        "0",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html",
    ),
    moto(
        "Roles of GetAccountSummary after one more",
        "0",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html",
    ),
    moto(
        "Policies of it after one more",
        "0",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html",
    ),
    moto(
        "PutBucketPolicy of what is no JSON",
        "ok",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    moto(
        "PutBucketPolicy for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    moto(
        "what these refused calls changed of a bucket",
        "one",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    moto(
        "GetQueueAttributes after it",
        "one",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    moto(
        "SetQueueAttributes of what is no JSON",
        "no code (ServiceError)",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    moto(
        "SetQueueAttributes for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    moto(
        "what these refused calls changed of a queue",
        "one",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    ),
    moto(
        "SetTopicAttributes of what is no JSON",
        "no code (ServiceError)",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    moto(
        "SetTopicAttributes for a user that is not there",
        "ok",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    moto(
        "what these refused calls changed of a topic",
        "one",
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
];

#[test]
fn every_difference_has_its_page_and_the_model_has_none() {
    for known in KNOWN {
        assert!(
            known.page.starts_with("https://docs.aws.amazon.com/"),
            "{}",
            known.what
        );
        assert_ne!(known.double, Double::Model, "{}", known.what);
    }
}
