//! The few classes of what AWS refuses, and what each means for whoever called.

use std::fmt;

use deputy_api::conditions::ConditionReason;

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Too many calls, says AWS or the [call budget](crate::CallBudget).
    Throttled,
    /// No answer: not connected, or none in time.
    Unreachable,
    /// AWS answered 5xx.
    Service,
    /// Not allowed: identity policy, trust policy, boundary, SCP. STS does not say which. Also the answer for a role
    /// that is not there, or not yet everywhere.
    AccessDenied,
    /// There is no such entity, or not yet everywhere.
    NotFound,
    /// The name is taken; names of roles are unique ignoring case.
    AlreadyExists,
    /// In the way of another change, or of something that must be removed first.
    Conflict,
    /// A principal in a trust policy, or in the policy of a resource, does not exist, or not yet everywhere.
    InvalidPrincipal,
    /// AWS does not take the document.
    MalformedPolicy,
    /// A quota of the account or a size limit.
    LimitExceeded,
    /// Session policy and tags together are too large for a session.
    PackedPolicyTooLarge,
    /// The credentials of this process, or their token, have expired.
    ExpiredCredentials,
    /// AWS does not know or does not take the credentials of this process; also a clock that is wrong.
    InvalidCredentials,
    /// This process has no credentials.
    NoCredentials,
    /// AWS does not take a parameter.
    InvalidInput,
    /// Not sent: this process does not lead, or not long enough for a call.
    NotLeader,
    /// Anything else, also an answer that makes no sense.
    Other,
}

impl From<ErrorClass> for ConditionReason {
    /// Fewer than there are classes: as many as whoever reads a condition does something else about.
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::AccessDenied => Self::AccessDenied,
            ErrorClass::NoCredentials => Self::NoCredentials,
            ErrorClass::Throttled => Self::Throttled,
            ErrorClass::LimitExceeded => Self::QuotaExceeded,
            ErrorClass::Unreachable | ErrorClass::Service => Self::Unavailable,
            ErrorClass::PackedPolicyTooLarge => Self::PackedPolicyTooLarge,
            ErrorClass::NotLeader => Self::Progressing,
            ErrorClass::InvalidPrincipal => Self::InvalidPrincipal,
            ErrorClass::NotFound
            | ErrorClass::AlreadyExists
            | ErrorClass::Conflict
            | ErrorClass::MalformedPolicy
            | ErrorClass::ExpiredCredentials
            | ErrorClass::InvalidCredentials
            | ErrorClass::InvalidInput
            | ErrorClass::Other => Self::AWSError,
        }
    }
}

impl ErrorClass {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 17] = [
        Self::Throttled,
        Self::Unreachable,
        Self::Service,
        Self::AccessDenied,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::InvalidPrincipal,
        Self::MalformedPolicy,
        Self::LimitExceeded,
        Self::PackedPolicyTooLarge,
        Self::ExpiredCredentials,
        Self::InvalidCredentials,
        Self::NoCredentials,
        Self::InvalidInput,
        Self::NotLeader,
        Self::Other,
    ];

    /// The class of an answer of AWS: a pure function of its error code, HTTP status and message.
    #[must_use]
    pub fn of(code: Option<&str>, status: Option<u16>, message: &str) -> Self {
        // Some codes come with the suffix in one service and without it in the other.
        let code = code.map_or("", |c| c.strip_suffix("Exception").unwrap_or(c));
        match code {
            "Throttling"
            | "Throttled"
            | "ThrottlingError"
            | "RequestThrottled"
            | "TooManyRequests"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "PriorRequestNotComplete" => Self::Throttled,
            "AccessDenied"
            | "UnauthorizedOperation"
            | "NotAuthorized"
            | "RegionDisabled"
            // SNS; and S3, to whoever may call and is not of the bucket's account.
            | "AuthorizationError"
            | "MethodNotAllowed" => Self::AccessDenied,
            "NoSuchEntity"
            | "NoSuchBucket"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue"
            | "NotFound" => Self::NotFound,
            "EntityAlreadyExists" => Self::AlreadyExists,
            "DeleteConflict"
            | "ConcurrentModification"
            | "EntityTemporarilyUnmodifiable"
            | "OperationAborted" => Self::Conflict,
            // IAM: "Invalid principal in policy: …"; some services say "Invalid principals in policy".
            "MalformedPolicyDocument" | "MalformedPolicy"
                if message.to_ascii_lowercase().contains("invalid principal") =>
            {
                Self::InvalidPrincipal
            }
            // SNS: "Invalid parameter: Policy Error: PrincipalNotFound". SQS says of a policy with such a principal, and of any other that it
            // does not take, "Invalid value for the parameter Policy.": of a role that was made a moment ago it is the principal.
            "InvalidParameter" if message.contains("PrincipalNotFound") => Self::InvalidPrincipal,
            "InvalidAttributeValue" if message.contains("parameter Policy") => Self::InvalidPrincipal,
            "MalformedPolicyDocument" | "MalformedPolicy" | "InvalidPolicyDocument" => Self::MalformedPolicy,
            "LimitExceeded" | "OverLimit" | "PolicyTooLarge" => Self::LimitExceeded,
            "PackedPolicyTooLarge" => Self::PackedPolicyTooLarge,
            "ExpiredToken" | "TokenRefreshRequired" => Self::ExpiredCredentials,
            "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignature"
            | "IncompleteSignature"
            | "AuthFailure"
            | "MissingAuthenticationToken"
            | "InvalidIdentityToken"
            | "IDPRejectedClaim"
            | "RequestExpired"
            | "RequestTimeTooSkewed" => Self::InvalidCredentials,
            "ServiceFailure"
            | "ServiceUnavailable"
            | "InternalFailure"
            | "InternalError"
            | "InternalServerError"
            | "IDPCommunicationError" => Self::Service,
            "ValidationError"
            | "Validation"
            | "InvalidInput"
            | "InvalidParameter"
            | "InvalidParameterValue"
            | "InvalidAttributeName"
            | "InvalidAttributeValue"
            | "InvalidAddress"
            | "InvalidArgument"
            | "InvalidRequest"
            | "InvalidParameterCombination"
            | "PolicyNotAttachable"
            | "MissingParameter" => Self::InvalidInput,
            _ => match status {
                Some(429) => Self::Throttled,
                Some(403) => Self::AccessDenied,
                Some(500..=599) => Self::Service,
                _ => Self::Other,
            },
        }
    }

    /// A short word for metrics, events and conditions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "Throttled",
            Self::Unreachable => "Unreachable",
            Self::Service => "ServiceError",
            Self::AccessDenied => "AccessDenied",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::InvalidPrincipal => "InvalidPrincipal",
            Self::MalformedPolicy => "MalformedPolicy",
            Self::LimitExceeded => "LimitExceeded",
            Self::PackedPolicyTooLarge => "PackedPolicyTooLarge",
            Self::ExpiredCredentials => "ExpiredCredentials",
            Self::InvalidCredentials => "InvalidCredentials",
            Self::NoCredentials => "NoCredentials",
            Self::InvalidInput => "InvalidInput",
            Self::NotLeader => "NotLeader",
            Self::Other => "Other",
        }
    }

    /// Whether the same call may succeed in a moment although nobody changes anything.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Unreachable
                | Self::Service
                | Self::Conflict
                | Self::InvalidPrincipal
                | Self::ExpiredCredentials
                | Self::NotLeader
        )
    }

    /// Whether it is what a change of a moment ago looks like while it spreads through IAM, which takes seconds,
    /// seldom a minute: worth two minutes of patience after such a change, and terminal afterwards.
    #[must_use]
    pub fn may_be_propagation(self) -> bool {
        matches!(
            self,
            Self::AccessDenied | Self::NotFound | Self::InvalidPrincipal | Self::InvalidCredentials
        )
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
