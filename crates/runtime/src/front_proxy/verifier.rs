//! Client certificates of the aggregation layer, by what the ConfigMap says now.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::config::FrontProxy;

/// What is known now: nothing at first, and then nobody is let in.
pub(super) type CurrentFrontProxy = Arc<ArcSwapOption<FrontProxy>>;

/// Lets in who shows a certificate of the front proxy, and nobody without one.
pub(super) struct FrontProxyVerifier {
    known: CurrentFrontProxy,
    algorithms: WebPkiSupportedAlgorithms,
}

impl FrontProxyVerifier {
    pub(super) fn new(known: CurrentFrontProxy) -> Self {
        Self {
            known,
            algorithms: ring::default_provider().signature_verification_algorithms,
        }
    }
}

impl fmt::Debug for FrontProxyVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrontProxyVerifier")
    }
}

impl ClientCertVerifier for FrontProxyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // They change; without hints a client shows the certificate that it has.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Some(known) = self.known.load_full() else {
            return Err(Error::General(
                "the front proxy's authority is not known yet".to_owned(),
            ));
        };
        known
            .authorities
            .verify_client_cert(certificate, intermediates, now)?;
        let refused = || Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        if known.names.is_empty()
            || known
                .names
                .contains(&common_name(certificate).ok_or_else(refused)?)
        {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(refused())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The one common name of a certificate.
fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(str::to_owned),
        _ => None,
    }
}
