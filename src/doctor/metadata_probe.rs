//! Whether the instance metadata service answers who asks from here.

use std::{
    collections::BTreeMap,
    io::{Error, ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use super::snapshot::{MetadataAnswer, Sight};

/// Nodes have it at both, or at the second alone.
const ADDRESSES: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
const PORT: u16 = 80;
/// A pod whose packets go nowhere waits as long.
const DEADLINE: Duration = Duration::from_secs(2);
/// What Linux says where there is no IPv6 at all (EAFNOSUPPORT); the standard library has no word for it.
const NO_SUCH_FAMILY: i32 = 97;

/// Asks it at each of its addresses, as an SDK would begin to.
pub fn ask() -> BTreeMap<&'static str, Sight<MetadataAnswer>> {
    let ask = |address: &str| match address.parse::<IpAddr>() {
        Ok(ip) => ask_at(SocketAddr::new(ip, PORT), DEADLINE),
        Err(error) => Err(error.to_string()),
    };
    ADDRESSES.map(|address| (address, ask(address))).into()
}

fn ask_at(address: SocketAddr, deadline: Duration) -> Sight<MetadataAnswer> {
    let host = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    // A token that ends after a second, and is not read. With a hop limit of 1 it does not come back, and all else does.
    let token = format!(
        "PUT /latest/api/token HTTP/1.1\r\nHost: {host}\r\nX-aws-ec2-metadata-token-ttl-seconds: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let token = status(address, &token, deadline);
    if token == Ok(Some(200)) {
        return Ok(MetadataAnswer::Token);
    }
    let open = format!("GET /latest/meta-data/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let open = status(address, &open, deadline);
    if open == Ok(Some(200)) {
        return Ok(MetadataAnswer::Open);
    }
    for answer in [token, open] {
        match answer? {
            // Nobody is there, or refuses. One that is busy may give it the next time.
            None | Some(400..=428 | 430..=499) => {}
            Some(status) => return Err(format!("it answers {status}")),
        }
    }
    Ok(MetadataAnswer::Closed)
}

/// The status of an answer; none where nobody can be reached or answers in time. What fails otherwise says nothing.
fn status(address: SocketAddr, request: &str, deadline: Duration) -> Sight<Option<u16>> {
    let failed = |error: Error| format!("asking it failed: {error}");
    let mut stream = match TcpStream::connect_timeout(&address, deadline) {
        Ok(stream) => stream,
        Err(error) if is_no_way(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    stream.set_read_timeout(Some(deadline)).map_err(failed)?;
    stream.set_write_timeout(Some(deadline)).map_err(failed)?;
    // `HTTP/1.1 200`: what comes after may be a secret.
    let mut head = [0; 12];
    let asked = stream.write_all(request.as_bytes());
    match asked.and_then(|()| stream.read_exact(&mut head)) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let head = std::str::from_utf8(&head).ok();
    let status = head
        .and_then(|head| head.strip_prefix("HTTP/1."))
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    match status {
        Some(status) => Ok(Some(status)),
        None => Err("it answers with something else than HTTP".to_owned()),
    }
}

/// Whether there is no way from here to an address.
fn is_no_way(error: &Error) -> bool {
    let by_kind = matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
            | ErrorKind::AddrNotAvailable
    );
    by_kind || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Of a service that never answers.
    const SILENCE: &str = "silence";

    /// What is made of a service that answers a PUT and a GET so.
    fn asked(put: &'static str, get: &'static str) -> Sight<MetadataAnswer> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                let is_put = request.starts_with(b"PUT");
                match if is_put { put } else { get } {
                    SILENCE => drop(stream.read_to_end(&mut request)),
                    answer => drop(stream.write_all(answer.as_bytes())),
                }
                if is_put && put.contains(" 200 ") {
                    return;
                }
            }
        });
        let answer = ask_at(address, Duration::from_millis(200));
        server.join().unwrap();
        answer
    }

    #[test]
    fn what_it_answers_says_what_a_pod_gets() {
        const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";
        const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\n\r\n";
        const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\n\r\n";
        const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\n\r\n";
        const BROKEN: &str = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        for (put, get, expected) in [
            (OK, "", Ok(MetadataAnswer::Token)),
            (FORBIDDEN, OK, Ok(MetadataAnswer::Open)),
            (BROKEN, OK, Ok(MetadataAnswer::Open)),
            (SILENCE, OK, Ok(MetadataAnswer::Open)),
            (FORBIDDEN, UNAUTHORIZED, Ok(MetadataAnswer::Closed)),
            // The hop limit of 1.
            (SILENCE, UNAUTHORIZED, Ok(MetadataAnswer::Closed)),
            (BUSY, UNAUTHORIZED, Err("it answers 429")),
            (BROKEN, UNAUTHORIZED, Err("it answers 503")),
            (FORBIDDEN, BROKEN, Err("it answers 503")),
            ("", UNAUTHORIZED, Err("asking it failed")),
            (FORBIDDEN, "HTTP/1.1 2", Err("asking it failed")),
            (
                "SSH-2.0-OpenSSH_9.9\r\n",
                UNAUTHORIZED,
                Err("it answers with something else than HTTP"),
            ),
        ] {
            match (asked(put, get), expected) {
                (Err(why), Err(says)) => assert!(why.contains(says), "{put:?} {get:?}: {why}"),
                (answer, expected) => {
                    assert_eq!(answer, expected.map_err(str::to_owned), "{put:?} {get:?}");
                }
            }
        }
    }

    #[test]
    fn only_where_there_is_no_way_nobody_is_there() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask_at(nobody, DEADLINE), Ok(MetadataAnswer::Closed));
        // ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL, EAFNOSUPPORT.
        for error in [111, 113, 101, 110, 99, NO_SUCH_FAMILY] {
            assert!(is_no_way(&Error::from_raw_os_error(error)), "{error}");
        }
        // EPERM, EACCES, EMFILE, ECONNRESET, ENOBUFS.
        for error in [1, 13, 24, 104, 105] {
            assert!(!is_no_way(&Error::from_raw_os_error(error)), "{error}");
        }
    }

    #[test]
    fn it_is_asked_at_both_of_its_addresses() {
        for address in ADDRESSES {
            assert!(address.parse::<IpAddr>().is_ok(), "{address}");
        }
        assert!(ADDRESSES.iter().any(|address| address.contains(':')));
    }
}
