//! What AWS refuses, sorted by what to do about it.

mod class;
#[cfg(test)]
mod tests;

use std::{error::Error as StdError, fmt, io};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::Headers,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use self::class::ErrorClass;

/// Messages are cut to this many characters: enough for every message of AWS that is worth reading, fit for a condition.
const MAX_MESSAGE: usize = 500;

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

    /// The same, with the id by which AWS knows the request.
    #[must_use]
    pub(crate) fn with_request_id(mut self, id: String) -> Self {
        self.request_id = Some(id);
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
        // Amazon S3.
        .or_else(|| headers.get("x-amz-request-id"))
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
