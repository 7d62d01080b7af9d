//! One call of `CreateSession`, and what comes of it.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html>. It is in no SDK: AWS has a program
//! of its own for it, which would be a second process with the key.

use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use deputy_delegation::RoleArn;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{certificate::SigningCertificate, request::signed, settings::RolesAnywhere};
use crate::{
    error::{AwsError, ErrorClass},
    sdk::senseless,
};

pub(super) const OPERATION: &str = "rolesanywhere:CreateSession";
/// The largest answer that is read, in bytes. AWS's has about 3,000.
const MAX_ANSWER: usize = 64 * 1024;

/// A session of the role.
pub(super) struct AnywhereSession {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Zeroizing<String>,
    pub(super) expiration: Timestamp,
}

/// Calls once.
///
/// # Errors
/// What AWS refuses, or that there is no answer that can be read.
pub(super) async fn create_session(
    connector: &SharedHttpConnector,
    settings: &RolesAnywhere,
    certificate: &SigningCertificate,
    now: Timestamp,
) -> Result<AnywhereSession, AwsError> {
    let unsendable = |what: &str| AwsError::new(OPERATION, ErrorClass::InvalidInput, what);
    let request = signed(settings, certificate, now)
        .map_err(|_| unsendable("the key of the certificate can't sign"))?;
    let mut http = HttpRequest::new(SdkBody::from(request.body));
    http.set_method("POST")
        .and_then(|()| http.set_uri(request.url.as_str()))
        .map_err(|_| unsendable("the endpoint is no address"))?;
    // The client says by itself which host it is, as the protocol of the connection has it.
    for (name, value) in request.headers.into_iter().filter(|(name, _)| *name != "host") {
        http.headers_mut()
            .try_insert(name, value)
            .map_err(|_| unsendable("a header can't be sent"))?;
    }
    let response = connector.call(http).await.map_err(|error| not_sent(&error))?;
    let (status, code, request_id) = head(&response);
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|_| unreadable(status, "it is cut off, or has more than 65,536 bytes"))?;
    let body = Zeroizing::new(body.to_bytes().to_vec());
    if !(200..300).contains(&status) {
        return Err(refusal(status, code, request_id, &body));
    }
    answered(&body, settings.role())
}

/// Status, error code and request id.
fn head(response: &HttpResponse) -> (u16, Option<String>, Option<String>) {
    let header = |name: &str| response.headers().get(name).map(|v| v.chars().take(64).collect());
    // `AccessDeniedException:http://internal…`
    let code = header("x-amzn-errortype").map(|code: String| short(&code));
    (response.status().as_u16(), code, header("x-amzn-requestid"))
}

/// An error code without the address that may follow, and without the name space that may come before.
fn short(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}

fn not_sent(error: &ConnectorError) -> AwsError {
    let class = if error.is_user() {
        ErrorClass::InvalidInput
    } else {
        ErrorClass::Unreachable
    };
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    AwsError::new(OPERATION, class, &innermost.to_string())
}

fn unreadable(status: u16, why: &str) -> AwsError {
    let message = format!("HTTP {status}, and an answer that can't be read: {why}");
    AwsError::new(OPERATION, ErrorClass::Unreachable, &message)
}

fn refusal(status: u16, code: Option<String>, request_id: Option<String>, body: &[u8]) -> AwsError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let code = code.or_else(|| text("__type").or_else(|| text("code")).map(short));
    let message = text("message").or_else(|| text("Message"));
    let said = message.map_or_else(|| format!("HTTP {status}, without a reason"), str::to_owned);
    let class = ErrorClass::of(code.as_deref(), Some(status), &said);
    let mut error = AwsError::new(OPERATION, class, &said);
    if let Some(code) = code {
        error = error.with_code(code);
    }
    if let Some(id) = request_id {
        error = error.with_request_id(id);
    }
    error
}

/// The session in an answer. Nothing of the answer is in an error: it holds a secret.
fn answered(body: &[u8], role: &RoleArn) -> Result<AnywhereSession, AwsError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| unreadable(201, "it is no JSON"))?;
    let set = answer
        .pointer("/credentialSet/0")
        .ok_or_else(|| senseless(OPERATION, "no credentialSet"))?;
    if let Some(of) = set.get("roleArn").and_then(Value::as_str)
        && of != role.to_string()
    {
        return Err(senseless(OPERATION, "a session of another role"));
    }
    let text = |name: &'static str| {
        let found = set.pointer("/credentials").and_then(|all| all.get(name));
        let found = found.and_then(Value::as_str).filter(|text| !text.is_empty());
        found.ok_or_else(|| senseless(OPERATION, name))
    };
    Ok(AnywhereSession {
        access_key_id: text("accessKeyId")?.to_owned(),
        secret_access_key: Zeroizing::new(text("secretAccessKey")?.to_owned()),
        session_token: Zeroizing::new(text("sessionToken")?.to_owned()),
        expiration: text("expiration")?
            .parse()
            .map_err(|_| senseless(OPERATION, "expiration"))?,
    })
}
