//! By which proxy the API server is reached, as kubectl decides it: the kubeconfig's, else the environment's.

use std::net::IpAddr;

use http::Uri;

use crate::exit::Failure;

/// The proxy for `server`. `named` is the one of the kubeconfig.
///
/// # Errors
/// What is no proxy. It is not shown, since it may hold a password.
pub fn proxy(
    server: &Uri,
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, Failure> {
    let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return parse("proxy-url of the kubeconfig", named).map(Some);
    }
    let host = server.host().unwrap_or_default();
    let port = server.port_u16().unwrap_or(443);
    if server.scheme_str() != Some("https") || is_here(host) {
        return Ok(None);
    }
    let Some(address) = either("HTTPS_PROXY") else {
        return Ok(None);
    };
    let rules = either("NO_PROXY").unwrap_or_default();
    if rules.split(',').any(|rule| is_named(host, port, rule.trim())) {
        return Ok(None);
    }
    parse("HTTPS_PROXY", &address).map(Some)
}

fn parse(place: &str, address: &str) -> Result<Uri, Failure> {
    let address = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let proxy = address.parse::<Uri>().ok();
    proxy
        .filter(|proxy| ["http", "https", "socks5"].contains(&proxy.scheme_str().unwrap_or_default()))
        .ok_or_else(|| {
            Failure::input(format!(
                "{place} is no address of a proxy: http://, https:// or socks5://, then [user:password@]host[:port]"
            ))
        })
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_here(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a rule of NO_PROXY is about a host: `*`, a name (with all below it), `.name` (what is below it), an address, a network
/// `address/bits`; a name or address with a port is about that port alone.
fn is_named(host: &str, port: u16, rule: &str) -> bool {
    if let Some((network, bits)) = rule.split_once('/') {
        let (network, bits) = (network.parse::<IpAddr>(), bits.parse::<u8>());
        return match (address(host), network, bits) {
            (Some(address), Ok(network), Ok(bits)) => is_within(address, network, bits),
            _ => false,
        };
    }
    let (rule, of_port) = match rule.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse().ok()),
        _ => (rule, None),
    };
    if rule.is_empty() || of_port.is_some_and(|of_port: u16| of_port != port) {
        return false;
    }
    if let (Some(one), Some(other)) = (address(host), address(rule)) {
        return one == other;
    }
    let (host, rule) = (host.to_ascii_lowercase(), rule.to_ascii_lowercase());
    let suffix = rule.trim_start_matches('*').trim_start_matches('.');
    let is_below = host
        .strip_suffix(suffix)
        .is_some_and(|before| before.ends_with('.') || suffix.is_empty());
    is_below || host == rule
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (address, network, length) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (u128::from(address.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let Some(rest) = u32::checked_sub(length, bits.into()) else {
        return false;
    };
    // All bits may be the rest: then any address is within.
    (address ^ network).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(
        server: &str,
        named: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy(&server.parse().unwrap(), named, variable)
            .map(|proxy| proxy.map(|proxy| proxy.to_string()))
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_proxy_is_the_kubeconfigs_else_that_of_the_environment() {
        let server = "https://api.example.com:6443";
        let set = [("HTTPS_PROXY", "http://p:3128")];
        assert_eq!(decided(server, None, &[]), Ok(None));
        assert_eq!(decided(server, None, &set), Ok(Some("http://p:3128/".into())));
        assert_eq!(
            decided(server, None, &[("https_proxy", "p:3128")]),
            Ok(Some("http://p:3128/".into()))
        );
        let named = decided("http://127.0.0.1:1", Some("socks5://s:1080"), &set);
        assert_eq!(named, Ok(Some("socks5://s:1080/".into())));
        for server in [
            "https://127.0.0.1:6443",
            "https://[::1]:6443",
            "https://localhost",
            "http://localhost",
        ] {
            assert_eq!(decided(server, None, &set), Ok(None), "{server}");
        }
        let said = decided(server, Some("ftp://u:hunter2@p"), &[]).unwrap_err();
        assert!(said.contains("proxy-url") && !said.contains("hunter2"), "{said}");
        assert!(decided(server, None, &[("HTTPS_PROXY", "a b")]).is_err());
    }

    #[test]
    fn hosts_of_no_proxy_are_reached_directly() {
        for (host, rules, is) in [
            ("api.example.com", "*", true),
            ("api.example.com", "other, example.com", true),
            ("api.example.com", ".example.com", true),
            ("api.example.com", "API.example.com", true),
            ("api.example.com", "api.example.com:6443", true),
            ("api.example.com", "api.example.com:443", false),
            ("api.example.com", "ple.com", false),
            ("api.example.com", "api.example.com.org", false),
            ("api.example.com", ",,", false),
            ("10.1.2.3", "10.1.0.0/16", true),
            ("10.1.2.3", "10.2.0.0/16", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3/40", false),
            ("[fd00::1]", "fd00::/8", true),
            ("[fd00::1]", "::/0", true),
            ("[fd00::1]", "fd00::1", true),
            ("[fd00::1]", "10.0.0.0/8", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://p"), ("NO_PROXY", rules)];
            let found = decided(&format!("https://{host}:6443"), None, &variables).unwrap();
            assert_eq!(found.is_none(), is, "{host} {rules}");
        }
    }
}
