//! Requests and answers as they are written: a contract (docs/contracts.md).

use deputy_aws::Session;
use deputy_delegation::{NameError, SessionDuration, model::ObjectId, session::SessionRequest};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::discovery::{GROUP, KIND, RESOURCE, group_version};
use crate::problem::BrokerProblem;

/// What is read of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    api_version: String,
    kind: String,
    #[serde(default)]
    spec: Option<AskedSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedSpec {
    #[serde(default)]
    duration_seconds: Option<u64>,
}

/// Why a request is none.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No JSON of the kind.
    #[error("the body is no {KIND} of {version}: {0}", version = group_version())]
    Body(String),
    /// A duration that no session has.
    #[error("spec.durationSeconds: {0}")]
    Duration(#[from] NameError),
}

/// Seconds of which a duration has a whole number. Each is another session: of one binding there are 46 to ask for, and not a thousand.
const STEP: u64 = 15 * 60;

/// The duration that a request asks for, if it says one, in whole quarters of an hour: what is over is left out.
///
/// # Errors
/// [`RequestError`].
pub fn asked_duration(body: &[u8]) -> Result<Option<SessionDuration>, RequestError> {
    let asked: Asked = serde_json::from_slice(body).map_err(|error| RequestError::Body(error.to_string()))?;
    if asked.kind != KIND || asked.api_version != group_version() {
        let message = format!("it is a {:?} of {:?}", asked.kind, asked.api_version);
        return Err(RequestError::Body(message));
    }
    let seconds = asked.spec.and_then(|spec| spec.duration_seconds);
    let whole = seconds.map(|seconds| seconds - seconds % STEP);
    Ok(whole.map(SessionDuration::from_seconds).transpose()?)
}

/// The answer with a session. It is the one place where the secrets of a person's session are written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsAnswer<'a> {
    api_version: String,
    kind: &'static str,
    metadata: AnswerMetadata<'a>,
    spec: AnswerSpec,
    status: AnswerStatus<'a>,
}

#[derive(Serialize)]
struct AnswerMetadata<'a> {
    name: &'a str,
    namespace: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerSpec {
    duration_seconds: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerStatus<'a> {
    #[serde(rename = "accessKeyID")]
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration_timestamp: String,
    #[serde(rename = "accountID")]
    account_id: &'a str,
    region: &'a str,
    #[serde(rename = "roleARN")]
    role_arn: String,
    session_name: &'a str,
}

impl<'a> CredentialsAnswer<'a> {
    /// Of a session that was made by `request` for `binding`.
    pub fn new(
        binding: &'a ObjectId,
        request: &'a SessionRequest,
        session: &'a Session,
        account_id: &'a str,
        region: &'a str,
    ) -> Self {
        let credentials = &session.credentials;
        Self {
            api_version: group_version(),
            kind: KIND,
            metadata: AnswerMetadata {
                name: binding.name.as_str(),
                namespace: binding.namespace.as_str(),
            },
            spec: AnswerSpec {
                duration_seconds: request.duration.as_seconds(),
            },
            status: AnswerStatus {
                access_key_id: &credentials.access_key_id,
                secret_access_key: credentials.secret_access_key.expose_secret(),
                session_token: credentials.session_token.expose_secret(),
                expiration_timestamp: session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                account_id,
                region,
                role_arn: request.role.to_string(),
                session_name: request.session_name.as_str(),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusDetails<'a> {
    group: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    causes: [StatusCause<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
}

#[derive(Serialize)]
struct StatusCause<'a> {
    reason: &'static str,
    message: &'a str,
}

/// A problem as kubectl and the client libraries read it.
pub fn status(problem: &BrokerProblem, name: Option<&str>) -> Value {
    let reason = match problem.status.as_u16() {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        413 => "RequestEntityTooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        503 => "ServiceUnavailable",
        _ => "",
    };
    let details = StatusDetails {
        group: GROUP,
        kind: RESOURCE,
        name,
        causes: [StatusCause {
            reason: problem.code,
            message: &problem.message,
        }],
        retry_after_seconds: problem.retry_after,
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": problem.message, "reason": reason, "details": details, "code": problem.status.as_u16(),
    })
}
