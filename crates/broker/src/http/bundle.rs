//! The broker's public bundle in the protocol: agents that live for months hear of a new one, and fetch it.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use deputy_runtime::tls::Bundle;
use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::answer::{problem, with_headers};
use crate::problem::BrokerProblem;

/// Whose digest the bundle has: lower-case hex of SHA-256 over its text.
const DIGEST: HeaderName = HeaderName::from_static("deputy-bundle");
/// Its type: certificates in PEM.
const PEM: &str = "application/x-pem-file";

/// The bundle as it is now.
pub(super) struct PublicBundle {
    bundle: watch::Receiver<Bundle>,
    /// The one whose digest was taken last, and that.
    digest: RwLock<Option<(Bundle, HeaderValue)>>,
}

impl PublicBundle {
    pub(super) fn new(bundle: watch::Receiver<Bundle>) -> Self {
        Self {
            bundle,
            digest: RwLock::default(),
        }
    }

    /// Says which bundle it is in an answer. 404 says nothing of this broker.
    pub(super) fn name_in(&self, response: &mut Response) {
        if response.status() == StatusCode::NOT_FOUND {
            return;
        }
        if let Some(digest) = self.digest() {
            response.headers_mut().insert(DIGEST, digest);
        }
    }

    /// The answer that is the bundle.
    pub(super) fn response(&self) -> Response {
        let bundle = Bundle::clone(&self.bundle.borrow());
        if bundle.is_empty() {
            return problem(&BrokerProblem::retry(
                "NotReady",
                "the broker has no certificate authority yet",
            ));
        }
        let mut response = with_headers(StatusCode::OK, None, Body::from(bundle.to_string()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PEM));
        response
    }

    fn digest(&self) -> Option<HeaderValue> {
        let bundle = Bundle::clone(&self.bundle.borrow());
        if let Some((known, digest)) = self.digest.read().as_ref()
            && Arc::ptr_eq(known, &bundle)
        {
            return Some(digest.clone());
        }
        if bundle.is_empty() {
            return None;
        }
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bundle.as_bytes()));
        let digest = HeaderValue::from_str(&digest).ok()?;
        *self.digest.write() = Some((bundle, digest.clone()));
        Some(digest)
    }
}
