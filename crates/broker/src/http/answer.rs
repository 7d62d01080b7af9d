//! The answers of the protocol, as they are written.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{issuer::Issued, problem::BrokerProblem, token::HandedOnKeys};

/// On every answer: an agent of another version knows whom it talks to.
const PROTOCOL: HeaderName = HeaderName::from_static("deputy-protocol");

/// The same session, the same tag. Made of what is no secret.
pub(super) fn etag(issued: &Issued) -> String {
    let digest = Sha256::digest(format!(
        "{}|{}",
        issued.session.credentials.access_key_id, issued.session.expiration
    ));
    let short = digest.get(..16).unwrap_or_default();
    format!(
        "\"{}\"",
        data_encoding::BASE32_NOPAD.encode(short).to_ascii_lowercase()
    )
}

/// The one place where a secret is written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CredentialsOut<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    account_id: &'a str,
}

pub(super) fn credentials(issued: &Issued, account: &str, etag: &str) -> Response {
    let session = &issued.session;
    let out = CredentialsOut {
        access_key_id: &session.credentials.access_key_id,
        secret_access_key: session.credentials.secret_access_key.expose_secret(),
        token: session.credentials.session_token.expose_secret(),
        // Whole seconds and Z: what every SDK reads.
        expiration: session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        account_id: account,
    };
    match serde_json::to_vec(&out).map(Zeroizing::new) {
        // Best effort: the copy that the HTTP library makes is not wiped.
        Ok(body) => with_headers(StatusCode::OK, Some(etag), Body::from(body.to_vec())),
        Err(_) => problem(&BrokerProblem::unavailable(
            "the credentials could not be written",
        )),
    }
}

/// The API server's keys, which are public.
pub(super) fn keys(known: HandedOnKeys) -> Response {
    match known {
        HandedOnKeys::Document { text, age } => {
            let mut response = with_headers(StatusCode::OK, None, Body::from(text));
            // Rounded up: never younger than they are.
            let seconds = age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0));
            response
                .headers_mut()
                .insert(header::AGE, HeaderValue::from(seconds));
            response
        }
        HandedOnKeys::NotPublished => problem(&BrokerProblem::new(
            StatusCode::NOT_FOUND,
            "KeysNotPublished",
            "the cluster publishes no keys that could be handed on: the broker has to be asked about each token",
        )),
        HandedOnKeys::NotYet(why) => problem(&BrokerProblem::retry(
            "NotReady",
            format!("the API server's keys are not known: {why}"),
        )),
    }
}

pub(super) fn not_modified(etag: &str) -> Response {
    let mut response = with_headers(StatusCode::NOT_MODIFIED, Some(etag), Body::empty());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProblemOut<'a> {
    code: &'a str,
    message: &'a str,
}

pub(super) fn problem(p: &BrokerProblem) -> Response {
    let body = serde_json::to_vec(&ProblemOut {
        code: p.code,
        message: &p.message,
    })
    .unwrap_or_default();
    let mut response = with_headers(p.status, None, Body::from(body));
    if let Some(seconds) = p.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn with_headers(status: StatusCode, etag: Option<&str>, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(PROTOCOL, HeaderValue::from_static("1"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Ok(etag)) = etag.map(HeaderValue::from_str) {
        headers.insert(header::ETAG, etag);
    }
    response
}
