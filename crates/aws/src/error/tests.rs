use super::*;
use ErrorClass as C;

#[test]
fn every_answer_of_aws_has_its_class() {
    for (code, status, message, class) in [
        (Some("Throttling"), 400, "Rate exceeded", C::Throttled),
        (Some("ThrottlingException"), 400, "", C::Throttled),
        (Some("TooManyRequestsException"), 429, "", C::Throttled),
        (Some("RequestLimitExceeded"), 503, "", C::Throttled),
        (None, 429, "", C::Throttled),
        (Some("ServiceFailure"), 500, "", C::Service),
        (Some("ServiceFailureException"), 500, "", C::Service),
        (Some("ServiceUnavailable"), 503, "", C::Service),
        (Some("InternalFailure"), 500, "", C::Service),
        (Some("SomethingNew"), 502, "", C::Service),
        (Some("IDPCommunicationError"), 400, "", C::Service),
        (None, 504, "<html>", C::Service),
        (
            Some("AccessDenied"),
            403,
            "User: … is not authorized",
            C::AccessDenied,
        ),
        (Some("AccessDeniedException"), 400, "", C::AccessDenied),
        (Some("RegionDisabledException"), 403, "", C::AccessDenied),
        (None, 403, "", C::AccessDenied),
        (Some("NoSuchEntity"), 404, "", C::NotFound),
        (Some("NoSuchEntityException"), 404, "", C::NotFound),
        (Some("EntityAlreadyExists"), 409, "", C::AlreadyExists),
        (Some("DeleteConflict"), 409, "", C::Conflict),
        (Some("ConcurrentModification"), 409, "", C::Conflict),
        (Some("EntityTemporarilyUnmodifiable"), 409, "", C::Conflict),
        (
            Some("MalformedPolicyDocument"),
            400,
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/x""#,
            C::InvalidPrincipal,
        ),
        (
            Some("MalformedPolicyDocument"),
            400,
            "Syntax errors in policy.",
            C::MalformedPolicy,
        ),
        (
            Some("LimitExceeded"),
            409,
            "Cannot exceed quota for RolesPerAccount: 1000",
            C::LimitExceeded,
        ),
        (Some("LimitExceededException"), 409, "", C::LimitExceeded),
        (Some("PackedPolicyTooLarge"), 400, "", C::PackedPolicyTooLarge),
        (
            Some("PackedPolicyTooLargeException"),
            400,
            "",
            C::PackedPolicyTooLarge,
        ),
        (Some("ExpiredToken"), 403, "", C::ExpiredCredentials),
        (Some("ExpiredTokenException"), 400, "", C::ExpiredCredentials),
        (Some("InvalidClientTokenId"), 403, "", C::InvalidCredentials),
        (
            Some("UnrecognizedClientException"),
            403,
            "",
            C::InvalidCredentials,
        ),
        (Some("SignatureDoesNotMatch"), 403, "", C::InvalidCredentials),
        (Some("InvalidIdentityToken"), 400, "", C::InvalidCredentials),
        (Some("RequestExpired"), 400, "", C::InvalidCredentials),
        (Some("ValidationError"), 400, "", C::InvalidInput),
        (Some("PolicyNotAttachable"), 400, "", C::InvalidInput),
        (Some("InvalidInput"), 400, "", C::InvalidInput),
        (Some("UnmodifiableEntity"), 400, "", C::Other),
        (None, 400, "", C::Other),
    ] {
        assert_eq!(
            ErrorClass::of(code, Some(status), message),
            class,
            "{code:?} {status} {message}"
        );
    }
}

#[test]
fn every_answer_about_a_resource_policy_has_its_class() {
    for (code, status, message, class) in [
        (Some("NoSuchBucket"), 404, "", C::NotFound),
        (Some("NotFound"), 404, "", C::NotFound),
        (Some("QueueDoesNotExist"), 400, "", C::NotFound),
        (
            Some("AWS.SimpleQueueService.NonExistentQueue"),
            400,
            "",
            C::NotFound,
        ),
        (Some("MethodNotAllowed"), 405, "", C::AccessDenied),
        (Some("AuthorizationError"), 403, "", C::AccessDenied),
        (Some("OperationAborted"), 409, "", C::Conflict),
        (
            Some("MalformedPolicy"),
            400,
            "Invalid principal in policy",
            C::InvalidPrincipal,
        ),
        (
            Some("MalformedPolicy"),
            400,
            "Policy has invalid action",
            C::MalformedPolicy,
        ),
        (Some("PolicyTooLarge"), 400, "", C::LimitExceeded),
        (Some("OverLimit"), 403, "", C::LimitExceeded),
        (
            Some("InvalidParameter"),
            400,
            "Invalid parameter: Policy Error: PrincipalNotFound",
            C::InvalidPrincipal,
        ),
        (
            Some("InvalidParameter"),
            400,
            "Invalid parameter: Policy Error: null",
            C::InvalidInput,
        ),
        (
            Some("InvalidAttributeValue"),
            400,
            "Invalid value for the parameter Policy.",
            C::InvalidPrincipal,
        ),
        (
            Some("InvalidAttributeValue"),
            400,
            "Invalid value for the parameter DelaySeconds.",
            C::InvalidInput,
        ),
    ] {
        assert_eq!(
            ErrorClass::of(code, Some(status), message),
            class,
            "{code:?} {status} {message}"
        );
    }
}

#[test]
fn what_a_refusal_asks_for_is_fixed() {
    let retryable: Vec<_> = C::ALL.into_iter().filter(|c| c.is_retryable()).collect();
    assert_eq!(
        retryable,
        [
            C::Throttled,
            C::Unreachable,
            C::Service,
            C::Conflict,
            C::InvalidPrincipal,
            C::ExpiredCredentials,
            C::NotLeader
        ]
    );
    let propagation: Vec<_> = C::ALL.into_iter().filter(|c| c.may_be_propagation()).collect();
    assert_eq!(
        propagation,
        [
            C::AccessDenied,
            C::NotFound,
            C::InvalidPrincipal,
            C::InvalidCredentials
        ]
    );
}

#[test]
fn categories_are_words_and_differ() {
    let mut words: Vec<_> = C::ALL.into_iter().map(C::as_str).collect();
    assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_alphabetic())));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), C::ALL.len());
}

#[test]
fn messages_are_one_line_of_at_most_500_characters() {
    let error = AwsError::new("iam:GetRole", C::Other, &format!("a\n  b\t{}", "é".repeat(2000)));
    assert_eq!(error.message().chars().count(), 500);
    assert!(error.message().starts_with("a b éé"), "{}", error.message());
}

#[test]
fn the_signed_request_that_aws_repeats_is_not_shown() {
    let said = "The request signature we calculated does not match the signature you provided. \
                Check your AWS Secret Access Key and signing method.\n\nThe Canonical String for this request should have been\n\
                'POST\n/\n\nhost:iam.amazonaws.com\nx-amz-security-token:FwoGZXIvYXdzEXAMPLE'";
    let error = AwsError::new("iam:GetRole", C::InvalidCredentials, said);
    assert!(
        error.message().ends_with("signing method."),
        "{}",
        error.message()
    );
    let error = AwsError::new(
        "iam:GetRole",
        C::Other,
        "headers: X-Amz-Security-Token: FwoGZXIvYXdzEXAMPLE",
    );
    assert_eq!(error.message(), "headers:");
}

#[test]
fn an_error_says_what_was_tried_and_what_came_back() {
    let error = AwsError::new(
        "iam:PutRolePolicy",
        C::LimitExceeded,
        "Maximum policy size of 10240 bytes exceeded",
    )
    .with_code("LimitExceeded");
    assert_eq!(
        error.to_string(),
        "iam:PutRolePolicy: LimitExceeded (LimitExceeded): Maximum policy size of 10240 bytes exceeded"
    );
    let error = AwsError::new("iam:GetRole", C::Unreachable, "no answer in time").with_unknown_outcome();
    assert!(error.outcome_unknown());
    assert_eq!(error.to_string(), "iam:GetRole: Unreachable: no answer in time");
}

proptest::proptest! {
    #[test]
    fn any_message_becomes_presentable(message in "\\PC{0,700}") {
        let shown = AwsError::new("iam:GetRole", C::Other, &message).message().to_owned();
        proptest::prop_assert!(shown.chars().count() <= 500 && !shown.contains('\n'));
    }
}
