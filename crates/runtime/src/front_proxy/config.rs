//! The ConfigMap `extension-apiserver-authentication`, and the headers that it names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use rustls::{
    RootCertStore,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::CertificateDer;

use crate::tls::{CertificateError, certificates_of};

/// The most names and headers of one list.
const LIST_MAX: usize = 64;
/// The most groups of a user that are read.
const GROUPS_MAX: usize = 2_000;

const CA: &str = "requestheader-client-ca-file";
const CLIENT_CA: &str = "client-ca-file";
const NAMES: &str = "requestheader-allowed-names";
const USER: &str = "requestheader-username-headers";
const GROUP: &str = "requestheader-group-headers";
const EXTRA: &str = "requestheader-extra-headers-prefix";

// The headers that the aggregation layer sets, and takes out of what a client sends. Another one of the lists would be the client's own.
const REMOTE_USER: &str = "x-remote-user";
const REMOTE_GROUP: &str = "x-remote-group";
const REMOTE_EXTRA: &str = "x-remote-extra-";

/// Whose certificates count, and which of its headers say who the user is.
#[derive(Debug)]
pub struct FrontProxy {
    /// Verifies that a certificate is of one of the authorities.
    pub(super) authorities: Arc<dyn ClientCertVerifier>,
    /// Common names that it may have; empty: any.
    pub(super) names: BTreeSet<String>,
    /// Whether groups, and what else was said, are read.
    reads_groups: bool,
    reads_extra: bool,
}

/// Who the API server says that the user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUser {
    /// Name.
    pub name: String,
    /// Groups, as they came.
    pub groups: Vec<String>,
    /// What else the authenticator said.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why the ConfigMap can't be gone by, or a request says no user.
#[derive(Debug, thiserror::Error)]
pub enum FrontProxyError {
    /// A key is missing: the API server has no aggregation layer.
    #[error("the ConfigMap has no key {0:?}: the API server runs without an aggregation layer")]
    Missing(&'static str),
    /// The certificates can't be read.
    #[error("the certificates of {key:?} can't be read")]
    Certificates {
        /// The key.
        key: &'static str,
        /// What is wrong with them.
        #[source]
        source: CertificateError,
    },
    /// The header that the aggregation layer sets is not among those that say the user.
    #[error("{USER:?} does not have X-Remote-User, by which the API server says who the user is")]
    NoUserHeader,
    /// A list can't be read.
    #[error("{0:?} is no JSON list of at most {LIST_MAX} names")]
    List(&'static str),
    /// Anybody with a client certificate of the cluster could say to be anybody.
    #[error(
        "{NAMES:?} is empty, and an authority of {CA:?} is also one of {CLIENT_CA:?}: whoever has a client certificate of the cluster \
         could say to be anybody. Give the aggregation layer an authority of its own, or name its certificates"
    )]
    AnyClient,
    /// The request names nobody, or several.
    #[error("the request says {0} user names; it must be one")]
    NotOneUser(usize),
    /// The request has more groups than are read.
    #[error("the user is in {0} groups; at most {GROUPS_MAX} are read")]
    TooManyGroups(usize),
    /// A header has bytes that no text has.
    #[error("a header about the user is no text")]
    NoText,
}

impl FrontProxy {
    /// Reads the data of the ConfigMap.
    ///
    /// # Errors
    /// [`FrontProxyError`]: nobody is believed then.
    pub fn parse(data: &BTreeMap<String, String>) -> Result<Self, FrontProxyError> {
        let authorities = certificates(data, CA)?.ok_or(FrontProxyError::Missing(CA))?;
        let names: BTreeSet<String> = list(data, NAMES)?.into_iter().collect();
        if names.is_empty()
            && let Some(clients) = certificates(data, CLIENT_CA)?
            && authorities.iter().any(|one| clients.contains(one))
        {
            return Err(FrontProxyError::AnyClient);
        }
        let mut roots = RootCertStore::empty();
        let unusable = |source| FrontProxyError::Certificates { key: CA, source };
        for certificate in authorities {
            roots
                .add(certificate)
                .map_err(|_| unusable(CertificateError::Der))?;
        }
        let provider = Arc::new(ring::default_provider());
        let authorities = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| unusable(CertificateError::Bundle))?;
        if !lists(data, USER, REMOTE_USER)? {
            return Err(FrontProxyError::NoUserHeader);
        }
        Ok(Self {
            authorities,
            names,
            reads_groups: lists(data, GROUP, REMOTE_GROUP)?,
            reads_extra: lists(data, EXTRA, REMOTE_EXTRA)?,
        })
    }

    /// Who the user of a request is. Only for requests of a connection with the API server's certificate.
    ///
    /// # Errors
    /// [`FrontProxyError::NotOneUser`], [`FrontProxyError::TooManyGroups`], [`FrontProxyError::NoText`].
    pub fn user_of(&self, headers: &HeaderMap) -> Result<RequestUser, FrontProxyError> {
        let texts = |name: &str| {
            let texts: Option<Vec<String>> = headers.get_all(name).iter().map(text).collect();
            texts.ok_or(FrontProxyError::NoText)
        };
        let mut names = texts(REMOTE_USER)?;
        let name = match (names.pop(), names.len()) {
            (Some(name), 0) if !name.is_empty() => name,
            (_, more) => return Err(FrontProxyError::NotOneUser(more)),
        };
        let groups = if self.reads_groups {
            texts(REMOTE_GROUP)?
        } else {
            Vec::new()
        };
        if groups.len() > GROUPS_MAX {
            return Err(FrontProxyError::TooManyGroups(groups.len()));
        }
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (header, value) in headers {
            let key = header.as_str().strip_prefix(REMOTE_EXTRA);
            let key = key.filter(|_| self.reads_extra);
            // Characters that no header has are escaped.
            if let Some(key) = key {
                let value = text(value).ok_or(FrontProxyError::NoText)?;
                extra
                    .entry(percent_decode_str(key).decode_utf8_lossy().into_owned())
                    .or_default()
                    .push(value);
            }
        }
        Ok(RequestUser { name, groups, extra })
    }
}

fn text(value: &http::HeaderValue) -> Option<String> {
    std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

fn certificates(
    data: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<Option<Vec<CertificateDer<'static>>>, FrontProxyError> {
    let Some(pem) = data.get(key) else {
        return Ok(None);
    };
    let read = certificates_of(pem.as_bytes());
    let certificates = read.map_err(|source| FrontProxyError::Certificates { key, source })?;
    Ok(Some(certificates))
}

fn list(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<String>, FrontProxyError> {
    let Some(text) = data.get(key) else {
        return Ok(Vec::new());
    };
    let list: Option<Vec<String>> = serde_json::from_str(text).ok();
    list.filter(|list| list.len() <= LIST_MAX)
        .ok_or(FrontProxyError::List(key))
}

/// Whether a list of headers has this one.
fn lists(data: &BTreeMap<String, String>, key: &'static str, header: &str) -> Result<bool, FrontProxyError> {
    let listed = list(data, key)?;
    Ok(listed.iter().any(|name| name.eq_ignore_ascii_case(header)))
}
