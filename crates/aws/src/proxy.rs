//! The way to AWS through an egress proxy. For calls to AWS alone: never for the API server, agents, or what tells this
//! process its identity (container credentials and instance metadata, which are plain HTTP beside it).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn},
    runtime_components::RuntimeComponents,
};

/// A proxy for HTTPS. Its address may hold a password, so it is not printed.
#[derive(Clone)]
pub struct Proxy(ProxyConfig);

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy")
    }
}

/// The address of a proxy can't be used. It is not shown: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("HTTPS_PROXY is no address of a proxy: http://[user:password@]host[:port], or https://")]
pub struct ProxyError;

impl Proxy {
    /// By `HTTPS_PROXY` and `NO_PROXY`, as other programs read them: in capitals, else in small letters; an empty one counts
    /// as none. `HTTP_PROXY` and `ALL_PROXY` are not read.
    ///
    /// # Errors
    /// [`ProxyError`]: whoever sets a proxy does not want to go without it.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let value = |upper: &str, lower: &str| {
            let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            set(upper).or_else(|| set(lower))
        };
        let Some(address) = value("HTTPS_PROXY", "https_proxy") else {
            return Ok(None);
        };
        let config = ProxyConfig::https(address.trim()).map_err(|_| ProxyError)?;
        Ok(Some(Self(match value("NO_PROXY", "no_proxy") {
            Some(rules) => config.no_proxy(rules.trim()),
            None => config,
        })))
    }
}

/// Connectors are kept by the deadlines that calls have: IAM and STS have others.
type Deadlines = (Option<Duration>, Option<Duration>);

/// What speaks HTTP to AWS: rustls with ring, directly or through `proxy`.
pub(crate) fn http_client(proxy: Option<Proxy>) -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let Some(Proxy(proxy)) = proxy else {
        return Builder::new().tls_provider(tls).build_https();
    };
    // The library's own client takes no proxy yet, its connectors do.
    let connectors: Arc<Mutex<HashMap<Deadlines, SharedHttpConnector>>> = Arc::default();
    http_client_fn(move |settings, components: &RuntimeComponents| {
        let deadlines = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let mut connector = Connector::builder();
            connector.set_connector_settings(Some(settings.clone()));
            connector.set_sleep_impl(components.sleep_impl());
            connector.set_proxy_config(Some(proxy.clone()));
            SharedHttpConnector::new(connector.tls_provider(tls.clone()).build())
        };
        connectors.entry(deadlines).or_insert_with(make).clone()
    })
}

/// A connector for calls that are in no SDK, with the same stack and the same proxy.
pub(crate) fn http_connector(
    proxy: Option<&Proxy>,
    connect: Duration,
    read: Duration,
) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(connect)
        .read_timeout(read)
        .build();
    let mut connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new());
    connector.set_proxy_config(proxy.map(|Proxy(proxy)| proxy.clone()));
    let tls = Provider::Rustls(CryptoMode::Ring);
    SharedHttpConnector::new(connector.tls_provider(tls).build())
}

#[cfg(test)]
mod tests {
    use deputy_delegation::model::Endpoints;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{AmbientOptions, Clients, ErrorClass, sdk::tests::account};

    fn proxy(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        Proxy::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_variables_of_other_programs_are_read() {
        for (variables, is_set) in [
            (&[][..], false),
            (&[("HTTPS_PROXY", "")], false),
            (
                &[("HTTP_PROXY", "http://p:1"), ("ALL_PROXY", "http://p:1")],
                false,
            ),
            (&[("NO_PROXY", "*")], false),
            (&[("HTTPS_PROXY", "http://p:3128")], true),
            (&[("https_proxy", " https://u:w@p ")], true),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "http://p")], true),
        ] {
            assert_eq!(proxy(variables).unwrap().is_some(), is_set, "{variables:?}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_and_not_shown() {
        for address in [
            "p:3128",
            "socks5://p",
            "http://",
            "hunter2",
            "http://u:hunter2@ p",
        ] {
            let error = proxy(&[("HTTPS_PROXY", address)]).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let set = proxy(&[("HTTPS_PROXY", "http://u:hunter2@p")]).unwrap();
        assert_eq!(format!("{set:?}"), "Some(Proxy)");
    }

    /// A proxy that refuses everything, and the first lines and heads of what it was asked.
    async fn refusing() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&head[..read]).into_owned();
                log.lock().unwrap().push(text);
                stream
                    .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .ok();
            }
        });
        (address, asked)
    }

    /// Asks STS at `endpoint`; gives what the proxy was asked.
    async fn through(endpoint: &str, no_proxy: &str) -> Vec<String> {
        let (address, asked) = refusing().await;
        let address = format!("http://user:word@{address}");
        let options = AmbientOptions {
            proxy: proxy(&[("HTTPS_PROXY", &address), ("NO_PROXY", no_proxy)]).unwrap(),
            sts_attempts: 1,
            ..AmbientOptions::default()
        };
        let account = account(Endpoints {
            sts: Some(endpoint.to_owned()),
            ..Endpoints::default()
        });
        let clients = Clients::new(options).with_identity("AKIAEXAMPLE", "secret");
        let error = clients.sts(&account).caller_identity().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unreachable, "{error}");
        std::mem::take(&mut *asked.lock().unwrap())
    }

    #[tokio::test]
    async fn calls_to_aws_go_through_the_proxy_and_what_is_excepted_does_not() {
        let asked = through("https://sts.example.invalid", "").await;
        assert!(
            asked[0].starts_with("CONNECT sts.example.invalid:443 HTTP/1.1\r\n"),
            "{asked:?}"
        );
        // user:word
        assert!(
            asked[0]
                .to_lowercase()
                .contains("proxy-authorization: basic dxnlcjp3b3jk"),
            "{asked:?}"
        );
        for (endpoint, no_proxy) in [
            ("https://sts.example.invalid", "localhost,.example.invalid"),
            ("https://sts.example.invalid", "*"),
            ("https://127.0.0.1:1", "127.0.0.0/8"),
            // Plain HTTP: a test double, or what tells the process its identity.
            ("http://127.0.0.1:1", ""),
        ] {
            let asked = through(endpoint, no_proxy).await;
            assert!(asked.is_empty(), "{endpoint} {no_proxy}: {asked:?}");
        }
    }
}
