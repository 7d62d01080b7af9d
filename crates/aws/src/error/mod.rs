//! What AWS refuses, sorted by what to do about it.

use std::{error::Error as StdError, fmt, io};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::Headers,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use deputy_api::conditions::ConditionReason;

/// Messages are cut to this many characters: enough for every message of AWS that is worth reading, fit for a condition.
const MAX_MESSAGE: usize = 500;

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
    /// A principal in a trust policy does not exist, or not yet everywhere.
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
            ErrorClass::NotFound
            | ErrorClass::AlreadyExists
            | ErrorClass::Conflict
            | ErrorClass::InvalidPrincipal
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
    pub const ALL: [Self; 16] = [
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
            "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" | "RegionDisabled" => {
                Self::AccessDenied
            }
            "NoSuchEntity" => Self::NotFound,
            "EntityAlreadyExists" => Self::AlreadyExists,
            "DeleteConflict" | "ConcurrentModification" | "EntityTemporarilyUnmodifiable" => Self::Conflict,
            // IAM: "Invalid principal in policy: …"; some services say "Invalid principals in policy".
            "MalformedPolicyDocument" if message.to_ascii_lowercase().contains("invalid principal") => {
                Self::InvalidPrincipal
            }
            "MalformedPolicyDocument" | "MalformedPolicy" => Self::MalformedPolicy,
            "LimitExceeded" => Self::LimitExceeded,
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
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
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

/// A call to AWS that failed. Holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {class}{}: {message}", Detail(.code.as_deref(), .request_id.as_deref()))]
pub struct AwsError {
    class: ErrorClass,
    outcome_unknown: bool,
    operation: &'static str,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// ` (code, request id)`, as far as known.
struct Detail<'a>(Option<&'a str>, Option<&'a str>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl AwsError {
    /// An error of `operation` (such as `iam:GetRole`) that is known not to have changed anything.
    #[must_use]
    pub fn new(operation: &'static str, class: ErrorClass, message: &str) -> Self {
        Self {
            class,
            outcome_unknown: false,
            operation,
            code: None,
            message: presentable(message),
            request_id: None,
        }
    }

    /// The same, with AWS's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same, with another message.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        self.message = presentable(message);
        self
    }

    /// The same, of a call that may have been applied although it failed.
    #[must_use]
    pub fn with_unknown_outcome(mut self) -> Self {
        self.outcome_unknown = true;
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }
    /// Such as `iam:GetRole`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }
    /// AWS's error code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
    /// What AWS says, at most 500 characters.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
    /// What AWS's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
    /// For a condition: what failed, and what AWS says. The same each time: what differs from call to call, such as the request
    /// id, would make each try a change of the object.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.class, self.code()) {
            (ErrorClass::Throttled, Some("CallBudget")) => format!(
                "{}: Deputy calls this account no faster than AWS let it lately",
                self.operation
            ),
            (class, Some(code)) => format!("{}: {class} ({code}): {}", self.operation, self.message),
            (class, None) => format!("{}: {class}: {}", self.operation, self.message),
        }
    }
    /// See [`ErrorClass::is_retryable`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class.is_retryable()
    }
    /// Whether the call may have been applied: read before it is made again.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }
    /// A short word for metrics, events and conditions.
    #[must_use]
    pub fn category(&self) -> &'static str {
        self.class.as_str()
    }

    /// An error of the SDK.
    pub(crate) fn from_sdk<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        // A refusal of the identity that comes before the call, such as AssumeRole for the provisioner, says more.
        if let Some(inner) = find::<Self>(&error) {
            return inner.clone();
        }
        if let Some(credentials) = find::<CredentialsError>(&error) {
            return Self::new(operation, credentials_class(credentials), &innermost(credentials));
        }
        match &error {
            SdkError::ServiceError(context) => {
                let (raw, refusal) = (context.raw(), context.err());
                let status = raw.status().as_u16();
                if refusal.code().is_none() && raw.status().is_success() {
                    return Self::unreadable(operation, status, &error);
                }
                let message = refusal.message().unwrap_or_default();
                let class = ErrorClass::of(refusal.code(), Some(status), message);
                Self {
                    outcome_unknown: class == ErrorClass::Service,
                    code: refusal.code().map(str::to_owned),
                    request_id: request_id(raw.headers()),
                    ..Self::new(operation, class, message)
                }
            }
            SdkError::TimeoutError(_) => {
                Self::new(operation, ErrorClass::Unreachable, "no answer in time").with_unknown_outcome()
            }
            SdkError::DispatchFailure(failure) => {
                let class = if failure.is_user() {
                    ErrorClass::InvalidInput
                } else {
                    ErrorClass::Unreachable
                };
                let not_sent = failure.is_user()
                    || find::<io::Error>(&error)
                        .is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
                Self {
                    outcome_unknown: !not_sent,
                    ..Self::new(operation, class, &innermost(&error))
                }
            }
            SdkError::ResponseError(context) => {
                Self::unreadable(operation, context.raw().status().as_u16(), &error)
            }
            _ => Self::new(operation, ErrorClass::Other, &innermost(&error)),
        }
    }

    /// An answer that can't be read: cut off, or not from AWS.
    fn unreadable(operation: &'static str, status: u16, error: &(dyn StdError + 'static)) -> Self {
        let class = match ErrorClass::of(None, Some(status), "") {
            ErrorClass::Other => ErrorClass::Unreachable,
            class => class,
        };
        let message = format!(
            "HTTP {status}, and an answer that can't be read: {}",
            innermost(error)
        );
        Self::new(operation, class, &message).with_unknown_outcome()
    }
}

fn credentials_class(error: &CredentialsError) -> ErrorClass {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            ErrorClass::NoCredentials
        }
        CredentialsError::ProviderTimedOut(_) => ErrorClass::Unreachable,
        // The SDK's own providers say no more than a text.
        _ => ErrorClass::InvalidCredentials,
    }
}

/// `error`, its cause, the cause of that, ….
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// The first error of type `T` in the chain of causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|e| e.downcast_ref::<T>())
}

/// The text of the last cause: those before it say "dispatch failure" and the like.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn request_id(headers: &Headers) -> Option<String> {
    headers
        .get("x-amzn-requestid")
        .map(|id| id.chars().take(64).collect())
}

/// `message` in one line of at most 500 characters, without what must not be shown: for a wrong signature AWS repeats the
/// signed request, session token included.
fn presentable(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let end = ["the canonical string for this request", "x-amz-security-token"]
        .iter()
        .filter_map(|marker| lower.find(marker))
        .min()
        .unwrap_or(message.len());
    let shown = message.get(..end).unwrap_or_default();
    let mut line = String::with_capacity(shown.len().min(MAX_MESSAGE));
    for word in shown.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((cut, _)) => line.get(..cut).unwrap_or_default().to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests;
