//! A signed request for a session. Pure.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html>: Signature Version 4 with the key
//! of a certificate. The certificate is in a signed header, and its serial number is what an access key id is elsewhere.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::{certificate::SigningCertificate, settings::RolesAnywhere};

/// What Roles Anywhere is called in a signature.
const SERVICE: &str = "rolesanywhere";

/// A request that is ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedRequest {
    pub(super) url: String,
    /// Names in small letters.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// The parts that a signature is over.
struct Unsigned {
    path: String,
    query: String,
    /// In the order of their names, which are in small letters.
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// The request of `settings`, signed at `now`.
///
/// # Errors
/// When the key can't sign.
pub(super) fn signed(
    settings: &RolesAnywhere,
    certificate: &SigningCertificate,
    now: Timestamp,
) -> Result<SignedRequest, rustls::Error> {
    let unsigned = Unsigned::new(settings, &certificate.certificate, &certificate.chain, now);
    let scope = format!(
        "{}/{}/{SERVICE}/aws4_request",
        now.strftime("%Y%m%d"),
        settings.trust_anchor().region()
    );
    let to_sign = format!(
        "{}\n{}\n{scope}\n{}",
        certificate.algorithm.as_str(),
        date(now),
        HEXLOWER.encode(&Sha256::digest(unsigned.canonical()))
    );
    let signature = certificate.signer.sign(to_sign.as_bytes())?;
    let authorization = format!(
        "{} Credential={}/{scope}, SignedHeaders={}, Signature={}",
        certificate.algorithm.as_str(),
        certificate.serial,
        unsigned.signed_headers(),
        HEXLOWER.encode(&signature)
    );
    let mut headers = unsigned.headers;
    headers.push(("authorization", authorization));
    Ok(SignedRequest {
        url: format!("{}/sessions?{}", settings.endpoint(), unsigned.query),
        headers,
        body: unsigned.body,
    })
}

/// What is signed for a certificate without intermediate ones, but for the lines around its hash.
#[cfg(test)]
pub(super) fn canonical(settings: &RolesAnywhere, now: Timestamp) -> String {
    Unsigned::new(settings, b"certificate", &[], now).canonical()
}

impl Unsigned {
    fn new(
        settings: &RolesAnywhere,
        certificate: &[u8],
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Self {
        let (authority, path) = place(settings.endpoint());
        // In the order of their names.
        let query = [
            ("profileArn", settings.profile().to_string()),
            ("roleArn", settings.role().to_string()),
            ("trustAnchorArn", settings.trust_anchor().to_string()),
        ];
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("host", authority.to_owned()),
            ("x-amz-date", date(now)),
            ("x-amz-x509", BASE64.encode(certificate)),
        ];
        if !chain.is_empty() {
            let chain: Vec<String> = chain.iter().map(|der| BASE64.encode(der)).collect();
            headers.push(("x-amz-x509-chain", chain.join(",")));
        }
        Self {
            path: format!("{path}/sessions"),
            query: query.join("&"),
            headers,
            body: format!("{{\"durationSeconds\":{}}}", settings.session_seconds()),
        }
    }

    fn canonical(&self) -> String {
        let mut text = format!("POST\n{}\n{}\n", self.path, self.query);
        for (name, value) in &self.headers {
            text.push_str(name);
            text.push(':');
            text.push_str(value);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed_headers());
        text.push('\n');
        text.push_str(&HEXLOWER.encode(&Sha256::digest(&self.body)));
        text
    }

    fn signed_headers(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        names.join(";")
    }
}

/// Host with port, and path without a slash at its end, of an endpoint. HTTP clients leave out the port that goes without saying.
fn place(endpoint: &str) -> (&str, &str) {
    let (default_port, rest) = match endpoint.strip_prefix("https://") {
        Some(rest) => (":443", rest),
        None => (":80", endpoint.strip_prefix("http://").unwrap_or(endpoint)),
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(slash).unwrap_or((rest, ""));
    (authority.strip_suffix(default_port).unwrap_or(authority), path)
}

fn date(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// As Signature Version 4 has it: all but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&HEXUPPER.encode(&[byte]));
        }
    }
    out
}
