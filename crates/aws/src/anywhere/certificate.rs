//! The certificate and the key of this process, as cert-manager writes them: `tls.crt` and `tls.key` in one folder.
//!
//! They are read again for every session, so a renewed certificate is used without a restart.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    sign::{Signer, SigningKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::AsyncReadExt as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::{Zeroize as _, Zeroizing};

/// The largest file that is read, in bytes: a chain of five RSA certificates has a sixth of it.
pub(super) const MAX_FILE: usize = 64 * 1024;
/// Intermediate certificates that are sent. They go into one header, and AWS follows no longer chain.
const MAX_INTERMEDIATE: usize = 5;
/// A Secret's volume is swapped as a whole, but two files are read one after the other: so often they are read again when they
/// don't belong together.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// By which algorithm a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    Rsa,
    /// ECDSA.
    Ecdsa,
}

impl SigningAlgorithm {
    /// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html>
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "AWS4-X509-RSA-SHA256",
            Self::Ecdsa => "AWS4-X509-ECDSA-SHA256",
        }
    }
}

/// A certificate that is valid now, with its key.
pub(super) struct SigningCertificate {
    /// DER.
    pub(super) certificate: CertificateDer<'static>,
    /// The intermediate ones, DER; none that signed itself.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The serial number in decimal.
    pub(super) serial: String,
    /// The last moment at which it is valid.
    pub(super) not_after: Timestamp,
    pub(super) algorithm: SigningAlgorithm,
    /// Signs over SHA-256.
    pub(super) signer: Box<dyn Signer>,
}

/// Why no request can be signed. No text of a key is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningCertificateError {
    #[error("{path} can't be read: {error}; the Secret with the certificate has to be mounted there", path = path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{path} has more than {MAX_FILE} bytes", path = .0.display())]
    TooLarge(PathBuf),
    #[error("{path} holds no certificate in PEM", path = .0.display())]
    NoCertificate(PathBuf),
    #[error("{path} holds {count} certificates after the first one; at most {MAX_INTERMEDIATE} intermediate ones are sent", path = path.display())]
    LongChain { path: PathBuf, count: usize },
    #[error("{path} holds no private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)", path = .0.display())]
    NoKey(PathBuf),
    #[error(
        "the key in {path} is of a kind that can't be used: RSA of 2048 to 4096 bits or ECDSA on P-256 (cert-manager: spec.privateKey \
         algorithm RSA, or ECDSA with size 256)", path = .0.display()
    )]
    KeyKind(PathBuf),
    #[error("{key} is not the key of {which}", key = key.display())]
    OtherKey { key: PathBuf, which: String },
    #[error(
        "{which} ended at {not_after}: have it renewed (cert-manager: kubectl describe certificate); it is read again by itself"
    )]
    Expired { which: String, not_after: Timestamp },
    #[error("{which} is valid from {not_before} on only, and the clock here says {now}")]
    NotYet {
        which: String,
        not_before: Timestamp,
        now: Timestamp,
    },
    #[error("{0} is one of an authority; IAM Roles Anywhere takes end-entity certificates")]
    Authority(String),
    #[error(
        "{0} is not for signing: its key usage has no digitalSignature (cert-manager: spec.usages has \"digital signature\")"
    )]
    Usage(String),
}

/// Reads `tls.crt` and `tls.key` in `folder`.
///
/// # Errors
/// [`SigningCertificateError`]; the caller tries again later.
pub(super) async fn read(
    folder: &Path,
    now: impl Fn() -> Timestamp,
) -> Result<SigningCertificate, SigningCertificateError> {
    let mut attempt = 1;
    loop {
        match read_once(folder, now()).await {
            Err(SigningCertificateError::OtherKey { .. }) if attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

async fn read_once(folder: &Path, now: Timestamp) -> Result<SigningCertificate, SigningCertificateError> {
    let (certificates, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let text = read_file(&certificates).await?;
    let key_text = read_file(&key).await?;
    let (certificate, chain) = parse_chain(&certificates, &text)?;
    let signing_key = parse_key(&key, &key_text)?;
    assemble(
        [&certificates, &key],
        certificate,
        chain,
        signing_key.as_ref(),
        now,
    )
}

async fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SigningCertificateError> {
    let failed = |error| SigningCertificateError::Read {
        path: path.to_owned(),
        error,
    };
    // In full from the start: a buffer that grows leaves copies of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(limit).read_to_end(&mut content).await.map_err(failed)?;
    if content.len() > MAX_FILE {
        return Err(SigningCertificateError::TooLarge(path.to_owned()));
    }
    Ok(content)
}

type Chain = Vec<CertificateDer<'static>>;

/// The certificate, and those between it and the trust anchor.
fn parse_chain(path: &Path, pem: &[u8]) -> Result<(CertificateDer<'static>, Chain), SigningCertificateError> {
    let none = || SigningCertificateError::NoCertificate(path.to_owned());
    let mut all = CertificateDer::pem_slice_iter(pem);
    let first = all.next().and_then(Result::ok).ok_or_else(none)?;
    let mut chain = Vec::new();
    for der in all {
        let der = der.map_err(|_| none())?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| none())?;
        // The root is what the trust anchor has.
        if parsed.subject() != parsed.issuer() {
            chain.push(der);
        }
    }
    if chain.len() > MAX_INTERMEDIATE {
        return Err(SigningCertificateError::LongChain {
            path: path.to_owned(),
            count: chain.len(),
        });
    }
    Ok((first, chain))
}

fn parse_key(path: &Path, pem: &[u8]) -> Result<Arc<dyn SigningKey>, SigningCertificateError> {
    let mut der =
        PrivateKeyDer::from_pem_slice(pem).map_err(|_| SigningCertificateError::NoKey(path.to_owned()))?;
    let key = any_supported_type(&der);
    der.zeroize();
    key.map_err(|_| SigningCertificateError::KeyKind(path.to_owned()))
}

fn assemble(
    [path, key_path]: [&Path; 2],
    certificate: CertificateDer<'static>,
    chain: Chain,
    key: &dyn SigningKey,
    now: Timestamp,
) -> Result<SigningCertificate, SigningCertificateError> {
    let unreadable = || SigningCertificateError::NoCertificate(path.to_owned());
    let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unreadable())?;
    let serial = parsed.serial.to_string();
    let subject: String = parsed.subject().to_string().chars().take(80).collect();
    let which = format!(
        "the certificate in {} ({subject}, serial {serial})",
        path.display()
    );
    let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| unreadable());
    let not_before = time(parsed.validity().not_before.timestamp())?;
    let not_after = time(parsed.validity().not_after.timestamp())?;
    if now > not_after {
        return Err(SigningCertificateError::Expired { which, not_after });
    }
    if now < not_before {
        return Err(SigningCertificateError::NotYet {
            which,
            not_before,
            now,
        });
    }
    if parsed.is_ca() {
        return Err(SigningCertificateError::Authority(which));
    }
    if let Ok(Some(usage)) = parsed.key_usage()
        && !usage.value.digital_signature()
    {
        return Err(SigningCertificateError::Usage(which));
    }
    let is_its_key = key
        .public_key()
        .is_some_and(|public| public.as_ref() == parsed.public_key().raw);
    if !is_its_key {
        return Err(SigningCertificateError::OtherKey {
            key: key_path.to_owned(),
            which,
        });
    }
    // AWS takes signatures over SHA-256 alone, and ring makes those of P-384 over SHA-384 alone.
    let signer = key
        .choose_scheme(&[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256,
        ])
        .ok_or_else(|| SigningCertificateError::KeyKind(key_path.to_owned()))?;
    let algorithm = match signer.scheme() {
        SignatureScheme::RSA_PKCS1_SHA256 => SigningAlgorithm::Rsa,
        _ => SigningAlgorithm::Ecdsa,
    };
    Ok(SigningCertificate {
        certificate,
        chain,
        serial,
        not_after,
        algorithm,
        signer,
    })
}
