//! Making, reading and verifying certificates.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime, pem::PemObject as _,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::{Zeroize as _, Zeroizing};

/// How far the clocks of clients may be behind.
const LEEWAY: Duration = Duration::from_secs(5 * 60);
/// The last second that X.509 can name: 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
/// The most certificates that are read from one bundle.
const BUNDLE_CERTIFICATES: usize = 64;
/// The largest PEM text that is read.
const PEM_BYTES: usize = 256 * 1024;

/// A certificate or key that can't be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Making a key or certificate failed.
    #[error("failed to make a certificate")]
    Make(#[source] rcgen::Error),
    /// A lifetime ends after what X.509 can name.
    #[error("the time {0} is out of the range of X.509 certificates")]
    Time(Timestamp),
    /// Not PEM, or nothing in it.
    #[error("not a PEM certificate")]
    Pem,
    /// Larger than what is read.
    #[error("{bytes} bytes of PEM are more than the {PEM_BYTES} that are read")]
    TooLarge {
        /// The size of the text.
        bytes: usize,
    },
    /// More certificates than what is read.
    #[error("more than {BUNDLE_CERTIFICATES} certificates in one bundle")]
    TooMany,
    /// Not an X.509 certificate.
    #[error("not an X.509 certificate")]
    Der,
    /// Not the certificate of an authority.
    #[error("the certificate is not one of an authority")]
    NotAnAuthority,
    /// Not a private key.
    #[error("not a PEM private key of a supported kind")]
    Key,
    /// The key is another one's.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// TLS refuses the certificate or its key.
    #[error("TLS does not accept the certificate")]
    Tls(#[source] rustls::Error),
    /// The certificates are no trust anchors.
    #[error("the bundle is not usable")]
    Bundle,
}

impl CertificateError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Make(_) => "make",
            Self::Time(_) => "time",
            Self::Pem => "pem",
            Self::TooLarge { .. } => "too-large",
            Self::TooMany => "too-many",
            Self::Der => "der",
            Self::NotAnAuthority => "not-an-authority",
            Self::Key => "key",
            Self::KeyMismatch => "key-mismatch",
            Self::Tls(_) => "tls",
            Self::Bundle => "bundle",
        }
    }
}

/// The certificate of an authority.
#[derive(Clone, PartialEq)]
pub(super) struct CaCertificate {
    pub(super) pem: String,
    pub(super) der: CertificateDer<'static>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl CaCertificate {
    fn from_der(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| CertificateError::Der)?;
        if !parsed.is_ca() {
            return Err(CertificateError::NotAnAuthority);
        }
        let time = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::Der);
        let not_before = time(parsed.validity().not_before.timestamp())?;
        let not_after = time(parsed.validity().not_after.timestamp())?;
        Ok(Self {
            pem: to_pem(&der),
            der,
            not_before,
            not_after,
        })
    }

    /// When it was made.
    pub(super) fn created(&self) -> Timestamp {
        after(self.not_before, LEEWAY)
    }

    /// Which part of its life is over at `now`, when that is at least `numerator`/`denominator`.
    pub(super) fn has_lived(&self, now: Timestamp, numerator: i64, denominator: i64) -> bool {
        let life = self
            .not_after
            .as_second()
            .saturating_sub(self.created().as_second());
        let age = now.as_second().saturating_sub(self.created().as_second());
        age.saturating_mul(denominator) >= life.saturating_mul(numerator)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.not_after
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// An authority that can sign. Neither printed nor serialised but into its Secret.
pub(super) struct Ca {
    pub(super) certificate: CaCertificate,
    key: KeyPair,
}

impl Ca {
    /// A new self-signed authority.
    pub(super) fn generate(
        common_name: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Make)?;
        let mut params = params(common_name, now, after(now, lifetime))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CertificateError::Make)?;
        Ok(Self {
            certificate: CaCertificate::from_der(certificate.der().clone())?,
            key,
        })
    }

    /// An authority from its Secret.
    pub(super) fn from_parts(certificate: CaCertificate, key_pem: &str) -> Result<Self, CertificateError> {
        if key_pem.len() > PEM_BYTES {
            return Err(CertificateError::TooLarge { bytes: key_pem.len() });
        }
        let key = KeyPair::from_pem(key_pem).map_err(|_| CertificateError::Key)?;
        let (_, parsed) = X509Certificate::from_der(&certificate.der).map_err(|_| CertificateError::Der)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(CertificateError::KeyMismatch);
        }
        Ok(Self { certificate, key })
    }

    /// The same authority once more.
    pub(super) fn copy(&self) -> Result<Self, CertificateError> {
        let der = Zeroizing::new(self.key.serialize_der());
        let key = KeyPair::try_from(der.as_slice()).map_err(CertificateError::Make)?;
        Ok(Self {
            certificate: self.certificate.clone(),
            key,
        })
    }

    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A new leaf with a key of its own. It never outlives the authority.
    pub(super) fn sign(
        &self,
        common_name: &str,
        dns_names: &[String],
        ips: &[IpAddr],
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Leaf, CertificateError> {
        let not_after = after(now, lifetime).min(self.certificate.not_after);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Make)?;
        let mut params = params(common_name, now, not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        for name in dns_names {
            params.subject_alt_names.push(SanType::DnsName(
                name.as_str().try_into().map_err(CertificateError::Make)?,
            ));
        }
        params
            .subject_alt_names
            .extend(ips.iter().map(|ip| SanType::IpAddress(ip.to_canonical())));
        let issuer =
            Issuer::from_ca_cert_der(&self.certificate.der, &self.key).map_err(CertificateError::Make)?;
        let certificate = params
            .signed_by(&key, &issuer)
            .map_err(CertificateError::Make)?
            .der()
            .clone();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = CertifiedKey::from_der(
            vec![certificate.clone()],
            private,
            &rustls::crypto::ring::default_provider(),
        )
        .map_err(CertificateError::Tls)?;
        Ok(Leaf {
            key: Arc::new(key),
            certificate,
            issuer: self.certificate.der.clone(),
            made: now,
            not_after,
        })
    }
}

/// A certificate this replica serves with, and its key.
pub(super) struct Leaf {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) certificate: CertificateDer<'static>,
    /// The certificate of the authority that signed it.
    pub(super) issuer: CertificateDer<'static>,
    made: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Leaf {
    /// Whether two thirds of its life are over.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.as_second().saturating_sub(self.made.as_second());
        let age = now.as_second().saturating_sub(self.made.as_second());
        age.saturating_mul(3) >= life.saturating_mul(2)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.not_after
    }
}

/// The authorities in a PEM bundle, in order.
pub(super) fn parse_bundle(pem: &[u8]) -> Result<Vec<CaCertificate>, CertificateError> {
    certificates_of(pem)?
        .into_iter()
        .map(CaCertificate::from_der)
        .collect()
}

/// Whether a client that trusts `bundle` accepts `leaf` for `server_name` at `now`.
pub fn bundle_trusts(
    bundle: &[u8],
    leaf: &CertificateDer<'_>,
    server_name: &str,
    now: Timestamp,
) -> Result<bool, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(bundle)? {
        roots.add(certificate).map_err(|_| CertificateError::Bundle)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| CertificateError::Bundle)?;
    let name = ServerName::try_from(server_name.to_owned()).map_err(|_| CertificateError::Bundle)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
    Ok(verifier.verify_server_cert(leaf, &[], &name, &[], now).is_ok())
}

/// The certificates of a bundle, at least one.
///
/// # Errors
/// [`CertificateError`]: it is too large, or one of them can't be read.
pub fn certificates_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    if pem.len() > PEM_BYTES {
        return Err(CertificateError::TooLarge { bytes: pem.len() });
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .take(BUNDLE_CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::Pem)?;
    match certificates.len() {
        0 => Err(CertificateError::Pem),
        1..=BUNDLE_CERTIFICATES => Ok(certificates),
        _ => Err(CertificateError::TooMany),
    }
}

fn params(
    common_name: &str,
    now: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let seconds = |time: Timestamp| match time.as_second() {
        seconds @ 0..=LAST_SECOND => Ok(Duration::from_secs(seconds.unsigned_abs())),
        _ => Err(CertificateError::Time(time)),
    };
    // rcgen takes the times of a crate that nothing else here uses; a duration can be added to them without naming it.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + seconds(before(now, LEEWAY))?;
    params.not_after = epoch + seconds(not_after)?;
    Ok(params)
}

/// `time` + `duration`, or the end of time.
pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn before(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

pub(super) fn to_pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::with_capacity(text.len() + text.len() / 64 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}
