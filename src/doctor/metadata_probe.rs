//! Whether the instance metadata service answers who asks from here.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::snapshot::{MetadataAnswer, Sight};

const ADDRESS: ([u8; 4], u16) = ([169, 254, 169, 254], 80);
/// A pod whose packets go nowhere waits as long.
const DEADLINE: Duration = Duration::from_secs(2);
/// What a token is asked for by; it ends after a second, and is not read.
const TOKEN: &str = "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const OPEN: &str = "GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n";

/// Asks it, as an SDK would begin to.
pub fn ask() -> Sight<MetadataAnswer> {
    ask_at(SocketAddr::from(ADDRESS))
}

fn ask_at(address: SocketAddr) -> Sight<MetadataAnswer> {
    // With a hop limit of 1 the token does not come back, and all else does.
    if status(address, TOKEN) == Some(200) {
        return Ok(MetadataAnswer::Token);
    }
    Ok(match status(address, OPEN) {
        Some(200) => MetadataAnswer::Open,
        _ => MetadataAnswer::Closed,
    })
}

/// The status of an answer; none where nothing came.
fn status(address: SocketAddr, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    stream.set_write_timeout(Some(DEADLINE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    // `HTTP/1.1 200`: what comes after may be a secret.
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    let head = std::str::from_utf8(&head).ok()?;
    head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener, thread};

    use super::*;

    /// A service that answers a PUT and a GET so.
    fn asked(put: &'static str, get: &'static str) -> Sight<MetadataAnswer> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let mut head = [0; 3];
                stream.read_exact(&mut head).unwrap();
                let status = if &head == b"PUT" { put } else { get };
                drop(stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()));
                if &head == b"PUT" && put.starts_with("200") {
                    return;
                }
            }
        });
        let answer = ask_at(address);
        server.join().unwrap();
        answer
    }

    #[test]
    fn what_it_answers_says_what_a_pod_gets() {
        assert_eq!(asked("200 OK", ""), Ok(MetadataAnswer::Token));
        assert_eq!(asked("403 Forbidden", "200 OK"), Ok(MetadataAnswer::Open));
        assert_eq!(
            asked("403 Forbidden", "401 Unauthorized"),
            Ok(MetadataAnswer::Closed)
        );
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask_at(nobody), Ok(MetadataAnswer::Closed));
    }
}
