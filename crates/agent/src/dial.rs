//! Connections to the broker: by name, and by the Service's cluster address for pods whose DNS can't resolve
//! the name. Either way the certificate must name the host of `DEPUTY_BROKER_URL` and chain to
//! `DEPUTY_BROKER_CA`, or to what a broker that did has told since, so a wrong address or a hostile DNS answer gets no token.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    bundle::{BundleError, LearnedBundle, certificates},
    config::BrokerEndpoint,
};

/// Most roots trusted once the broker has told of others than those of `DEPUTY_BROKER_CA`.
pub(crate) const MAX_ROOTS: usize = 8;

/// How long a way to the broker may take, name resolution and TLS included, when it is the last one left.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the name may take when there is still the address to try: a first request must be able to go both
/// ways within its second.
const NAME_TIMEOUT: Duration = Duration::from_millis(400);
/// How long the address is tried first after the name failed.
const AVOID_NAME: Duration = Duration::from_secs(60);

/// Opens TLS connections to the broker.
pub struct Dialer {
    broker: BrokerEndpoint,
    tls: Mutex<TlsConnector>,
    learned: LearnedBundle,
    avoid_name_until: Mutex<Option<Instant>>,
}

/// Why the TLS client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// A certificate of `DEPUTY_BROKER_CA` is not one.
    #[error("DEPUTY_BROKER_CA: certificate {number} of the bundle can't be a root: {source}")]
    Root {
        /// Its place in the bundle, from 1.
        number: usize,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The provider and the protocol versions don't fit; a fault of the build.
    #[error("TLS: {0}")]
    Protocol(rustls::Error),
}

/// Why the broker was not reached, one line for each way tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DialError(String);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Name,
    Address,
}

impl Dialer {
    /// A dialer that trusts the roots of `broker` and, until told, nothing else.
    ///
    /// # Errors
    /// [`TlsSetupError`] names the certificate that is none.
    pub fn new(broker: BrokerEndpoint) -> Result<Self, TlsSetupError> {
        let roots = roots(&broker.ca).map_err(|(index, source)| TlsSetupError::Root {
            number: index.saturating_add(1),
            source,
        })?;
        let tls = connector(roots).map_err(TlsSetupError::Protocol)?;
        Ok(Self {
            broker,
            tls: Mutex::new(tls),
            learned: LearnedBundle::default(),
            avoid_name_until: Mutex::default(),
        })
    }

    /// Trusts the certificates of the bundle in `text` as well as those of `DEPUTY_BROKER_CA`, and no others, for connections made
    /// from now on. Gives how many roots that makes.
    ///
    /// # Errors
    /// [`BundleError`]; then all stays as it was.
    pub fn trust(&self, text: &[u8]) -> Result<usize, BundleError> {
        let mut all = self.broker.ca.clone();
        for certificate in certificates(text)? {
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
        if all.len() > MAX_ROOTS {
            return Err(BundleError::TooMany(all.len()));
        }
        let roots = roots(&all).map_err(|(_, source)| BundleError::Root(source))?;
        let tls = connector(roots).map_err(BundleError::Root)?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        self.learned.keep(text);
        Ok(all.len())
    }

    /// The last bundle that [`Self::trust`] took.
    pub fn learned(&self) -> &LearnedBundle {
        &self.learned
    }

    /// The broker this dialer goes to.
    pub fn broker(&self) -> &BrokerEndpoint {
        &self.broker
    }

    /// A new connection, over whichever way leads to the broker.
    ///
    /// # Errors
    /// [`DialError`] with what happened on each way.
    pub async fn dial(&self) -> Result<TlsStream<TcpStream>, DialError> {
        let routes: &[Route] = match (self.broker.address, self.avoids_name()) {
            (None, _) => &[Route::Name],
            (Some(_), false) => &[Route::Name, Route::Address],
            (Some(_), true) => &[Route::Address, Route::Name],
        };
        let mut problems = String::new();
        for route in routes {
            let limit = match route {
                Route::Name if routes.len() > 1 => NAME_TIMEOUT,
                _ => ROUTE_TIMEOUT,
            };
            let outcome = timeout(limit, self.connect(*route)).await.unwrap_or_else(|_| {
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer in {limit:?}"),
                ))
            });
            match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    if *route == Route::Name {
                        self.avoid_name();
                    }
                    if !problems.is_empty() {
                        problems.push_str("; ");
                    }
                    problems.push_str(&format!("{}: {error}", self.describe(*route)));
                }
            }
        }
        Err(DialError(problems))
    }

    async fn connect(&self, route: Route) -> io::Result<TlsStream<TcpStream>> {
        let tcp = match (route, self.broker.address) {
            (Route::Address, Some(address)) => TcpStream::connect(address).await?,
            _ => connect_name(&self.broker.host, self.broker.port).await?,
        };
        tcp.set_nodelay(true)?;
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tls.connect(self.broker.server_name.clone(), tcp).await
    }

    fn avoids_name(&self) -> bool {
        let until = *self
            .avoid_name_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn avoid_name(&self) {
        let until = Instant::now().checked_add(AVOID_NAME);
        *self
            .avoid_name_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn describe(&self, route: Route) -> impl fmt::Display {
        match (route, self.broker.address) {
            (Route::Address, Some(address)) => address.to_string(),
            _ => format!("{}:{}", self.broker.host, self.broker.port),
        }
    }
}

/// A store of `certificates`, or the index of the first that can't be a root.
fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, (usize, rustls::Error)> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|source| (index, source))?;
    }
    Ok(roots)
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect_name(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = None;
    for address in lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}
