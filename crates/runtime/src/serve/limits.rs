//! What each listener grants its clients.

use std::time::Duration;

/// A listener of a Deputy process. Every server is one of these, so every server has limits, and the tests hold all of
/// them to the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Reviews, from API servers.
    Webhook,
    /// Credentials, from agents.
    Broker,
    /// Sessions of people, from API servers.
    People,
    /// Health and metrics, for people and Prometheus.
    Admin,
    /// Health, for the kubelet alone.
    Probes,
}

/// What one server grants its clients. Every wait of a connection is bounded by one of these, whatever the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at a time. One more closes the longest idle one of the address that has most.
    pub connections: usize,
    /// Connections at a time of one address. One more closes its own longest idle one.
    pub connections_per_peer: usize,
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// How long a connection lives on which no request was [accepted](super::AcceptedConnection), where requests carry a proof of
    /// who asks. `None`: they carry none.
    pub unaccepted: Option<Duration>,
    /// From the end of the handshake to the end of the first request's head (with HTTP/2 this includes the preface), and
    /// from the first byte of a later head to its end (HTTP/1).
    pub head: Duration,
    /// From the end of a response to the end of the next request's head, whatever else the client sends (pings, parts of
    /// a head).
    pub idle: Duration,
    /// From the end of a request's head to the end of its response: a body that never ends, or a response that nobody
    /// takes.
    pub request: Duration,
    /// How long the client may take nothing of what is sent to it.
    pub write: Duration,
    /// The longest life of a connection. Then it takes no further request and is closed when what is in flight is
    /// answered.
    pub age: Duration,
    /// Bytes of a request's head. At least 8,192.
    pub header_bytes: u32,
    /// Requests in flight on one connection of HTTP/2. `None`: HTTP/1.1 only, one request at a time.
    pub http2_streams: Option<u32>,
    /// How long requests in flight may take when the process stops.
    pub drain: Duration,
}

/// Open files that are left to everything else: the API server, AWS, the other listeners, standard streams.
const OTHER_FILES: u64 = 256;

impl Endpoint {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Webhook,
        Self::Broker,
        Self::People,
        Self::Admin,
        Self::Probes,
    ];

    /// Its name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Broker => "broker",
            Self::People => "people",
            Self::Admin => "admin",
            Self::Probes => "probes",
        }
    }

    /// What it grants.
    pub fn limits(self) -> ListenerLimits {
        let seconds = Duration::from_secs;
        match self {
            // API servers come from few addresses, keep their connections, and send many requests on each.
            Self::Webhook => ListenerLimits {
                connections: 1024,
                connections_per_peer: 128,
                handshake: seconds(5),
                unaccepted: None,
                head: seconds(5),
                idle: seconds(75),
                // The API server waits at most 30 s for a review.
                request: seconds(40),
                write: seconds(10),
                age: seconds(600),
                header_bytes: 32 * 1024,
                http2_streams: Some(250),
                drain: seconds(5),
            },
            // Agents send one request in a while. Where addresses are translated, those of a node share one.
            Self::Broker => ListenerLimits {
                connections: 2048,
                connections_per_peer: 256,
                handshake: seconds(5),
                unaccepted: Some(seconds(5)),
                head: seconds(5),
                idle: seconds(10),
                // Answers come within a second.
                request: seconds(5),
                write: seconds(5),
                age: seconds(600),
                header_bytes: 32 * 1024,
                http2_streams: None,
                drain: seconds(5),
            },
            // API servers show a certificate in the handshake. Whose count may change: no connection outlives that for long.
            Self::People => ListenerLimits {
                connections: 256,
                connections_per_peer: 32,
                handshake: seconds(5),
                unaccepted: None,
                head: seconds(5),
                idle: seconds(30),
                request: seconds(15),
                write: seconds(5),
                age: seconds(60),
                // All groups of a person are in the head, and some have a thousand.
                header_bytes: 256 * 1024,
                http2_streams: Some(100),
                drain: seconds(5),
            },
            Self::Admin => ListenerLimits {
                connections: 64,
                connections_per_peer: 8,
                handshake: seconds(5),
                unaccepted: None,
                head: seconds(5),
                idle: seconds(10),
                request: seconds(10),
                write: seconds(5),
                age: seconds(60),
                header_bytes: 8 * 1024,
                http2_streams: None,
                drain: seconds(1),
            },
            // A connection for each probe, and two probes.
            Self::Probes => ListenerLimits {
                connections: 64,
                connections_per_peer: 8,
                handshake: seconds(2),
                unaccepted: None,
                head: seconds(2),
                idle: seconds(2),
                request: seconds(2),
                write: seconds(1),
                age: seconds(10),
                header_bytes: 8 * 1024,
                http2_streams: None,
                drain: seconds(1),
            },
        }
    }
}

impl ListenerLimits {
    /// The same with no more connections than a process that may have so many files open can hold.
    pub(super) fn within(mut self, open_files: u64) -> Self {
        let room = usize::try_from(open_files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        // However few there may be, some serve.
        self.connections = self.connections.min(room.max(16));
        self.connections_per_peer = self.connections_per_peer.min((self.connections / 4).max(1));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener that is not in the list would escape the tests below.
    #[test]
    fn every_listener_is_in_the_list() {
        for (index, endpoint) in Endpoint::ALL.iter().enumerate() {
            assert_eq!(*endpoint as usize, index);
        }
        let last = Endpoint::ALL[Endpoint::ALL.len() - 1];
        // The compiler asks for an arm when there is a new one; it must be the last of the list then.
        match last {
            Endpoint::Webhook | Endpoint::Broker | Endpoint::People | Endpoint::Admin | Endpoint::Probes => {}
        }
    }

    #[test]
    fn no_limit_of_any_listener_is_forgotten() {
        let seconds = Duration::from_secs;
        for endpoint in Endpoint::ALL {
            let name = endpoint.as_str();
            let ListenerLimits {
                connections,
                connections_per_peer,
                handshake,
                unaccepted,
                head,
                idle,
                request,
                write,
                age,
                header_bytes,
                http2_streams,
                drain,
            } = endpoint.limits();
            assert!((1..=4096).contains(&connections), "{name}");
            assert!(
                (1..=connections / 8).contains(&connections_per_peer),
                "{name}: the share of one address is a fraction"
            );
            for (what, value, most) in [
                ("handshake", handshake, 5),
                ("unaccepted", unaccepted.unwrap_or(seconds(1)), 5),
                ("head", head, 5),
                ("idle", idle, 75),
                ("request", request, 40),
                ("write", write, 10),
                ("age", age, 600),
                ("drain", drain, 5),
            ] {
                assert!(
                    (seconds(1)..=seconds(most)).contains(&value),
                    "{name}: {what} is {value:?}"
                );
            }
            assert!(idle <= age && request <= age, "{name}: an age that never counts");
            let most = if endpoint == Endpoint::People { 256 } else { 32 };
            assert!((8 * 1024..=most * 1024).contains(&header_bytes), "{name}");
            assert!(
                http2_streams.is_none_or(|most| (1..=250).contains(&most)),
                "{name}"
            );
        }
    }

    #[test]
    fn agents_are_served_by_http_1_alone_and_strangers_for_five_seconds() {
        let limits = Endpoint::Broker.limits();
        assert_eq!(limits.http2_streams, None);
        assert_eq!(limits.unaccepted, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_process_with_few_files_takes_fewer_connections() {
        for (files, connections, per_peer) in [
            (u64::MAX, 2048, 256),
            (65_536, 2048, 256),
            (1024, 768, 192),
            (256, 16, 4),
            (0, 16, 4),
        ] {
            let limits = Endpoint::Broker.limits().within(files);
            assert_eq!(
                (limits.connections, limits.connections_per_peer),
                (connections, per_peer),
                "{files} files"
            );
        }
    }
}
