//! The configuration of a node's agent: environment variables that its chart sets.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use deputy_token::NodeName;

use crate::config::{BrokerEndpoint, ConfigError, token_file};

/// Where pods of a node reach its agent, on IPv4. AWS's SDKs take a URL without TLS for loopback, and for the addresses of ECS (169.254.170.2)
/// and of EKS Pod Identity, which are these two.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
pub const NODE_IPV4: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
/// The same on IPv6.
pub const NODE_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
/// The port unless told otherwise: one that needs no capability, and beside that of EKS Pod Identity's own agent, which is 80.
pub const NODE_PORT: u16 = 7419;
const LISTEN: &str = "DEPUTY_LISTEN";
/// Most addresses: one of each family.
const MAX_ADDRESSES: usize = 2;

/// The configuration of a node's agent.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// `DEPUTY_TOKEN_FILE`: the agent's own token.
    pub token_file: PathBuf,
    /// Where the broker is, and how it proves that it is the broker.
    pub broker: BrokerEndpoint,
    /// `NODE_NAME`: only tokens of pods of this node are taken.
    pub node: NodeName,
    /// `DEPUTY_READY_FILE`: there while the agent serves.
    pub ready_file: Option<PathBuf>,
}

impl NodeConfig {
    /// Reads the configuration with `variable`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = &|name: &str| variable(name).filter(|value| !value.is_empty());
        let listen = node_addresses(get(LISTEN))?;
        let node = get("NODE_NAME").ok_or_else(|| ConfigError::new("NODE_NAME", "is not set"))?;
        let node = NodeName::new(node.as_str())
            .map_err(|error| ConfigError::new("NODE_NAME", format!("{node:?} is {error}")))?;
        Ok(Self {
            listen,
            token_file: token_file(get),
            broker: BrokerEndpoint::read(get)?,
            node,
            ready_file: ready_file(variable),
        })
    }
}

/// Reads `DEPUTY_READY_FILE` with `variable`.
pub fn ready_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    variable("DEPUTY_READY_FILE")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Reads `DEPUTY_LISTEN` of a node's agent: addresses with or without a port, with commas between. Without it, both addresses.
///
/// # Errors
/// What is no address; one that is neither loopback nor one of those that AWS's SDKs take without TLS: other machines have a way to it, and
/// credentials travel in clear text.
pub fn node_addresses(value: Option<String>) -> Result<Vec<SocketAddr>, ConfigError> {
    let Some(value) = value else {
        return Ok(vec![(NODE_IPV4, NODE_PORT).into(), (NODE_IPV6, NODE_PORT).into()]);
    };
    let addresses: Vec<SocketAddr> = value
        .split(',')
        .map(|text| address(text.trim()))
        .collect::<Result<_, _>>()?;
    if addresses.len() > MAX_ADDRESSES {
        let problem = format!(
            "names {} addresses; at most {MAX_ADDRESSES} are allowed",
            addresses.len()
        );
        return Err(ConfigError::new(LISTEN, problem));
    }
    Ok(addresses)
}

fn address(text: &str) -> Result<SocketAddr, ConfigError> {
    let wrong = |problem: String| ConfigError::new(LISTEN, problem);
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = text
        .parse()
        .or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, NODE_PORT)))
        .map_err(|_| {
            wrong(format!(
                "{text:?} is not ADDRESS:PORT, such as {NODE_IPV4}:{NODE_PORT} or [{NODE_IPV6}]:{NODE_PORT}"
            ))
        })?;
    if !is_taken_without_tls(address.ip()) {
        return Err(wrong(format!(
            "{address} is neither {NODE_IPV4} nor {NODE_IPV6}: AWS's SDKs take no other, and other machines might reach it"
        )));
    }
    if address.port() == 0 {
        return Err(wrong("port 0 would be a port that no client knows".to_owned()));
    }
    Ok(address)
}

/// Whether SDKs take `address` without TLS, and no router has a way to it. That does not wall it off: Linux answers for an address of its own on
/// any interface, so a host on the same segment that sets up a route reaches the port. It needs a token of a pod of this node all the same.
pub(super) fn is_taken_without_tls(address: IpAddr) -> bool {
    address.is_loopback() || address == NODE_IPV4 || address == NODE_IPV6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(value: &str) -> Result<Vec<String>, String> {
        node_addresses(Some(value.to_owned()))
            .map(|all| all.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_nodes_agent_listens_where_sdks_ask_without_tls() {
        assert_eq!(
            addresses("169.254.170.23").unwrap(),
            addresses("169.254.170.23:7419").unwrap()
        );
        assert_eq!(
            addresses("169.254.170.23:9000, [fd00:ec2::23]").unwrap(),
            ["169.254.170.23:9000", "[fd00:ec2::23]:7419"]
        );
        assert_eq!(addresses("127.0.0.1:9000").unwrap(), ["127.0.0.1:9000"]);
        let both = node_addresses(None).unwrap();
        assert_eq!(
            both.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["169.254.170.23:7419", "[fd00:ec2::23]:7419"]
        );
        for (value, says) in [
            ("0.0.0.0:7419", "is neither"),
            ("169.254.170.2:7419", "is neither"),
            ("10.0.0.1", "is neither"),
            ("[::]:7419", "is neither"),
            ("localhost:7419", "is not ADDRESS:PORT"),
            ("", "is not ADDRESS:PORT"),
            ("169.254.170.23:0", "port 0"),
            ("127.0.0.1,127.0.0.1,127.0.0.1", "names 3 addresses; at most 2"),
        ] {
            let error = addresses(value).unwrap_err();
            assert!(
                error.starts_with("DEPUTY_LISTEN") && error.contains(says),
                "{value}: {error}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_nodes_variables_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("ca.crt");
        let certificate = rcgen::generate_simple_self_signed(vec!["broker".to_owned()]).unwrap();
        std::fs::write(&bundle, certificate.cert.pem()).unwrap();
        let read = |changes: &[(&str, &str)]| {
            NodeConfig::read(|name| {
                let changed = changes.iter().find(|(n, _)| *n == name);
                match (changed, name) {
                    (Some((_, value)), _) => Some((*value).to_owned()),
                    (None, "DEPUTY_BROKER_URL") => Some("https://broker:7418".to_owned()),
                    (None, "DEPUTY_BROKER_CA_FILE") => Some(bundle.to_string_lossy().into_owned()),
                    (None, "NODE_NAME") => Some("n1".to_owned()),
                    (None, _) => None,
                }
            })
            .map_err(|error| error.to_string())
        };
        let config = read(&[("DEPUTY_READY_FILE", "/run/ready")]).unwrap();
        assert_eq!((config.node.as_str(), config.listen.len()), ("n1", 2));
        assert_eq!(
            (config.broker.ca.len(), config.ready_file),
            (1, Some("/run/ready".into()))
        );
        for (name, value, says) in [
            ("NODE_NAME", "", "is not set"),
            ("NODE_NAME", "N 1", "not a name of a node"),
            ("DEPUTY_BROKER_CA_FILE", "/nowhere", "can't be read"),
            (
                "DEPUTY_BROKER_CA_FILE",
                "/dev/null",
                "\"/dev/null\" holds no certificate",
            ),
            ("DEPUTY_BROKER_CA", "hello", "holds no certificate"),
            ("DEPUTY_BROKER_URL", "", "is not set"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(name) && error.contains(says),
                "{name}={value}: {error}"
            );
        }
    }
}
