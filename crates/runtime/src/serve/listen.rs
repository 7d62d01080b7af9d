//! Listening on both families of addresses.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("failed to listen on {addr}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl ServeError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "bind",
        }
    }
}

/// Connections that wait to be accepted; the kernel's own limit (`net.core.somaxconn`, 4096 since Linux 5.4) holds too.
const BACKLOG: i32 = 4096;

/// Listens on `addr`. Clients may connect from now on, and wait until the listener is served.
///
/// The unspecified address of IPv6 (`[::]`) listens for both families, whatever the system's default
/// (`net.ipv6.bindv6only`) is; on a node whose kernel has no IPv6 it listens on `0.0.0.0`.
///
/// # Errors
/// [`ServeError::Bind`] names the address.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::from_std(listen(addr)?).map_err(|source| ServeError::Bind { addr, source })
}

/// Like [`bind`], for a runtime that is yet to be.
pub(crate) fn listen(addr: SocketAddr) -> Result<std::net::TcpListener, ServeError> {
    listen_or_fall_back(addr, open).map_err(|source| ServeError::Bind { addr, source })
}

fn listen_or_fall_back<T>(addr: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match open(addr) {
        Err(error) if is_any_of_ipv6(addr) && has_no_ipv6(&error) => {
            let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port()));
            tracing::info!(%addr, instead = %ipv4, %error, "this node has no IPv6");
            open(ipv4)
        }
        result => result,
    }
}

fn is_any_of_ipv6(addr: SocketAddr) -> bool {
    addr.is_ipv6() && addr.ip().is_unspecified()
}

/// No such family of sockets (`ipv6.disable=1`), or no such address (`disable_ipv6`).
fn has_no_ipv6(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    errno == Some(rustix::io::Errno::AFNOSUPPORT) || errno == Some(rustix::io::Errno::ADDRNOTAVAIL)
}

fn open(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if is_any_of_ipv6(addr) {
        socket.set_only_v6(false)?;
    }
    // A process that is started again need not wait for the connections of the one before it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The address as people and allow-lists write it: an IPv4 client of a socket for both families is seen as
/// `::ffff:a.b.c.d`.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use rustix::io::Errno;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_unspecified_address_of_ipv6_takes_clients_of_both_families() {
        let listener = bind("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut clients: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
        if tokio::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0))
            .await
            .is_ok()
        {
            clients.push(Ipv6Addr::LOCALHOST.into());
        }
        for client in clients {
            let stream = TcpStream::connect((client, port)).await.unwrap();
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(canonical(peer), stream.local_addr().unwrap());
            assert_eq!(canonical(peer).ip(), client, "{peer}");
        }
    }

    #[test]
    fn a_node_without_ipv6_listens_on_ipv4() {
        let any: SocketAddr = "[::]:8443".parse().unwrap();
        for errno in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL] {
            let taken = listen_or_fall_back(any, |addr| match addr {
                SocketAddr::V4(_) => Ok(addr),
                SocketAddr::V6(_) => Err(errno.into()),
            });
            assert_eq!(taken.unwrap(), "0.0.0.0:8443".parse().unwrap());
        }
        for (addr, errno) in [
            ("[::]:8443", Errno::ADDRINUSE),
            ("[::]:443", Errno::ACCESS),
            ("[::1]:8443", Errno::ADDRNOTAVAIL),
            ("10.0.0.1:8443", Errno::ADDRNOTAVAIL),
        ] {
            let refused = listen_or_fall_back(addr.parse().unwrap(), |_| Err::<(), _>(errno.into()));
            assert_eq!(
                refused.unwrap_err().raw_os_error(),
                Some(errno.raw_os_error()),
                "{addr}"
            );
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error_that_names_it() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let error = bind(addr).await.unwrap_err();
        assert_eq!(error.to_string(), format!("failed to listen on {addr}"));
    }
}
