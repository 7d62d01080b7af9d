//! The agent's configuration: environment variables that the pod webhook sets.

use std::{net::SocketAddr, path::PathBuf};

use http::Uri;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::{
    binding::{MAX_BINDINGS, SelectedBinding},
    bundle::{self, BundleDigest},
};

/// Where the agent listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7419";
/// Where the projected token is unless told otherwise.
pub const DEFAULT_TOKEN_FILE: &str = "/var/run/secrets/deputy.dev/serviceaccount/token";
/// Largest `DEPUTY_BROKER_CA`, in bytes.
const MAX_CA: usize = 64 * 1024;

/// What the start of the pod waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// The first credential of every binding in use.
    Credential,
    /// Only that the agent listens.
    Listener,
}

/// The broker as the agent reaches it.
#[derive(Clone, Debug)]
pub struct BrokerEndpoint {
    /// Host of `DEPUTY_BROKER_URL`: resolved, and always the name that the broker's certificate must have.
    pub host: String,
    /// Port of `DEPUTY_BROKER_URL`.
    pub port: u16,
    /// The name for TLS, from `host`.
    pub server_name: ServerName<'static>,
    /// `DEPUTY_BROKER_ADDRESS`: where to connect when the name does not resolve or connect.
    pub address: Option<SocketAddr>,
    /// `DEPUTY_BROKER_CA`: the roots trusted from the start.
    pub ca: Vec<CertificateDer<'static>>,
    /// Of the text of `DEPUTY_BROKER_CA`.
    pub ca_digest: BundleDigest,
}

/// The agent's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The loopback address to listen on.
    pub listen: SocketAddr,
    /// `DEPUTY_TOKEN_FILE`: the ServiceAccount token that the kubelet projects and rotates.
    pub token_file: PathBuf,
    /// Where the broker is, and how it proves that it is the broker.
    pub broker: BrokerEndpoint,
    /// The bindings to fetch on start, without repetition.
    pub bindings: Vec<SelectedBinding>,
    /// What readiness means.
    pub wait_for: WaitFor,
}

/// A variable that is missing or makes no sense. The message names it and says what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self {
            variable,
            problem: problem.into(),
        }
    }

    /// The same, said of the file that the bundle came from, where it came from one.
    fn of_file(self, file: Option<&str>) -> Self {
        match file {
            Some(file) if self.variable == "DEPUTY_BROKER_CA" => {
                Self::new("DEPUTY_BROKER_CA_FILE", format!("{file:?} {}", self.problem))
            }
            _ => self,
        }
    }
}

impl Config {
    /// Reads the configuration with `variable`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = &|name: &str| variable(name).filter(|value| !value.is_empty());
        let listen = listen(get("DEPUTY_LISTEN"))?;
        let token_file = token_file(get);
        let broker = BrokerEndpoint::read(get)?;
        let bindings = bindings(&get("DEPUTY_BINDINGS").unwrap_or_default())?;
        let wait_for = match get("DEPUTY_WAIT_FOR").as_deref() {
            None | Some("credential") => WaitFor::Credential,
            Some("listener") => WaitFor::Listener,
            Some(other) => {
                let problem = format!("{other:?} is neither \"credential\" nor \"listener\"");
                return Err(ConfigError::new("DEPUTY_WAIT_FOR", problem));
            }
        };
        Ok(Self {
            listen,
            token_file,
            broker,
            bindings,
            wait_for,
        })
    }
}

/// Reads `DEPUTY_TOKEN_FILE`.
pub(crate) fn token_file(get: impl Fn(&str) -> Option<String>) -> PathBuf {
    get("DEPUTY_TOKEN_FILE").map_or_else(|| PathBuf::from(DEFAULT_TOKEN_FILE), PathBuf::from)
}

/// Reads `DEPUTY_LISTEN`.
///
/// # Errors
/// Not an address with a port, port 0, or not loopback: whoever reaches the listener over a network could
/// read credentials that travel in clear text.
pub fn listen(value: Option<String>) -> Result<SocketAddr, ConfigError> {
    const NAME: &str = "DEPUTY_LISTEN";
    let value = value.unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let address: SocketAddr = value.parse().map_err(|_| {
        ConfigError::new(
            NAME,
            format!("{value:?} is not ADDRESS:PORT, such as {DEFAULT_LISTEN}"),
        )
    })?;
    if !address.ip().is_loopback() {
        return Err(ConfigError::new(
            NAME,
            format!("{address} is not a loopback address; use {DEFAULT_LISTEN}"),
        ));
    }
    if address.port() == 0 {
        return Err(ConfigError::new(
            NAME,
            "port 0 would be a port that no client knows",
        ));
    }
    Ok(address)
}

fn bindings(value: &str) -> Result<Vec<SelectedBinding>, ConfigError> {
    const NAME: &str = "DEPUTY_BINDINGS";
    let mut bindings = Vec::new();
    for name in value.split(',') {
        let binding = SelectedBinding::parse(name.trim())
            .map_err(|error| ConfigError::new(NAME, format!("{name:?} is {error}")))?;
        if !bindings.contains(&binding) {
            bindings.push(binding);
        }
    }
    if bindings.len() > MAX_BINDINGS {
        let problem = format!(
            "names {} bindings; at most {MAX_BINDINGS} are allowed",
            bindings.len()
        );
        return Err(ConfigError::new(NAME, problem));
    }
    Ok(bindings)
}

impl BrokerEndpoint {
    /// Reads the variables about the broker. Its bundle is in `DEPUTY_BROKER_CA`, or in the file that `DEPUTY_BROKER_CA_FILE` names.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        const FILE: &str = "DEPUTY_BROKER_CA_FILE";
        let url =
            get("DEPUTY_BROKER_URL").ok_or_else(|| ConfigError::new("DEPUTY_BROKER_URL", "is not set"))?;
        let file = get(FILE).filter(|_| get("DEPUTY_BROKER_CA").is_none());
        let ca = match &file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| ConfigError::new(FILE, format!("{file:?} can't be read: {error}")))?,
            None => {
                get("DEPUTY_BROKER_CA").ok_or_else(|| ConfigError::new("DEPUTY_BROKER_CA", "is not set"))?
            }
        };
        Self::parse(&url, get("DEPUTY_BROKER_ADDRESS").as_deref(), &ca)
            .map_err(|error| error.of_file(file.as_deref()))
    }

    /// Reads the URL, the optional `IP:PORT` and the PEM bundle of the broker.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn parse(url: &str, address: Option<&str>, ca: &str) -> Result<Self, ConfigError> {
        const URL: &str = "DEPUTY_BROKER_URL";
        let wrong = |problem: &str| ConfigError::new(URL, format!("{url:?} {problem}"));
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("does not start with https://"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("must be https://HOST:PORT and nothing more"));
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        let server_name = ServerName::try_from(host.clone())
            .map_err(|_| wrong("has a host that no certificate can name"))?;
        let port = match authority.port_u16() {
            Some(port) if port != 0 => port,
            // A port that is no number up to 65535 is not told from none.
            None if authority.as_str() == authority.host() => 443,
            _ => return Err(wrong("has an invalid port")),
        };
        let address = address
            .map(|value| {
                value.parse::<SocketAddr>().map_err(|_| {
                    ConfigError::new("DEPUTY_BROKER_ADDRESS", format!("{value:?} is not IP:PORT"))
                })
            })
            .transpose()?;
        Ok(Self {
            host,
            port,
            server_name,
            address,
            ca: certificates(ca)?,
            ca_digest: BundleDigest::of(ca.as_bytes()),
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    const NAME: &str = "DEPUTY_BROKER_CA";
    if pem.len() > MAX_CA {
        let problem = format!("has {} bytes; at most {MAX_CA} are allowed", pem.len());
        return Err(ConfigError::new(NAME, problem));
    }
    bundle::certificates(pem.as_bytes()).map_err(|error| ConfigError::new(NAME, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        rcgen::generate_simple_self_signed(vec!["broker".to_owned()])
            .unwrap()
            .cert
            .pem()
    }

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let pem = pem();
        Config::read(|name| {
            let changed = changes
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned());
            changed.or_else(|| match name {
                "DEPUTY_BROKER_URL" => Some("https://deputy-broker.deputy.svc:7418".to_owned()),
                "DEPUTY_BROKER_CA" => Some(format!("{pem}{pem}")),
                _ => None,
            })
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7419");
        assert_eq!(
            config.token_file.to_str(),
            Some("/var/run/secrets/deputy.dev/serviceaccount/token")
        );
        assert_eq!(config.bindings, [SelectedBinding::Default]);
        assert_eq!(config.wait_for, WaitFor::Credential);
        assert_eq!(
            (config.broker.host.as_str(), config.broker.port),
            ("deputy-broker.deputy.svc", 7418)
        );
        assert_eq!(config.broker.address, None);
        assert_eq!(config.broker.ca.len(), 2);
    }

    #[test]
    fn an_empty_name_is_the_default_binding_and_repetitions_count_once() {
        let named = |name: &str| SelectedBinding::Named(name.into());
        assert_eq!(
            read(&[("DEPUTY_BINDINGS", "a,b,a")]).unwrap().bindings,
            [named("a"), named("b")]
        );
        assert_eq!(
            read(&[("DEPUTY_BINDINGS", ",a")]).unwrap().bindings,
            [SelectedBinding::Default, named("a")]
        );
        assert_eq!(
            read(&[("DEPUTY_BINDINGS", "")]).unwrap().bindings,
            [SelectedBinding::Default]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many = (0..65).map(|n| format!("b{n}")).collect::<Vec<_>>().join(",");
        let huge = "x".repeat(MAX_CA + 1);
        for (name, value, says) in [
            (
                "DEPUTY_LISTEN",
                "0.0.0.0:7419",
                "0.0.0.0:7419 is not a loopback address",
            ),
            ("DEPUTY_LISTEN", "[::]:7419", "not a loopback address"),
            ("DEPUTY_LISTEN", "10.0.0.1:7419", "not a loopback address"),
            ("DEPUTY_LISTEN", "localhost:7419", "is not ADDRESS:PORT"),
            ("DEPUTY_LISTEN", "127.0.0.1:0", "port 0"),
            ("DEPUTY_BROKER_URL", "", "is not set"),
            (
                "DEPUTY_BROKER_URL",
                "http://broker:7418",
                "does not start with https://",
            ),
            ("DEPUTY_BROKER_URL", "broker:7418", "does not start with https://"),
            ("DEPUTY_BROKER_URL", "https://u@broker:7418", "nothing more"),
            ("DEPUTY_BROKER_URL", "https://broker:7418/v1", "nothing more"),
            ("DEPUTY_BROKER_URL", "https://broker:7418/?q", "nothing more"),
            ("DEPUTY_BROKER_URL", "https://bro_ker!:7418", "certificate"),
            ("DEPUTY_BROKER_URL", "https://broker:99999", "invalid port"),
            ("DEPUTY_BROKER_URL", "https://broker:0", "invalid port"),
            ("DEPUTY_BROKER_ADDRESS", "broker:7418", "is not IP:PORT"),
            ("DEPUTY_BROKER_ADDRESS", "10.0.0.1", "is not IP:PORT"),
            ("DEPUTY_BROKER_CA", "", "is not set"),
            ("DEPUTY_BROKER_CA", "hello", "holds no certificate"),
            ("DEPUTY_BROKER_CA", &huge, "at most 65536"),
            ("DEPUTY_BINDINGS", "a,B", "\"B\" is not a name of a binding"),
            ("DEPUTY_BINDINGS", "a/../b", "is not a name of a binding"),
            ("DEPUTY_BINDINGS", &many, "names 65 bindings; at most 64"),
            ("DEPUTY_WAIT_FOR", "nothing", "neither"),
        ] {
            let error = read(&[(name, value)]).err().unwrap_or_default();
            assert!(
                error.starts_with(name) && error.contains(says),
                "{name}={value}: {error}"
            );
        }
    }

    #[test]
    fn a_broker_by_address_is_fine() {
        let config = read(&[
            ("DEPUTY_BROKER_URL", "https://[::1]:7418"),
            ("DEPUTY_BROKER_ADDRESS", "10.0.0.1:7418"),
            ("DEPUTY_LISTEN", "[::1]:7419"),
        ])
        .unwrap();
        assert_eq!(config.broker.host, "::1");
        assert!(matches!(config.broker.server_name, ServerName::IpAddress(_)));
        assert_eq!(config.broker.address.unwrap().to_string(), "10.0.0.1:7418");
    }
}
