//! HTTP/1 and HTTP/2 servers, plain or over TLS, in which a client that is slow, silent or hostile costs one
//! connection and blocks nobody.
//!
//! - Connections are always accepted. When there are as many as there may be, the longest idle one goes, of the address
//!   that has most (`table`).
//! - When more handshakes are asked for than can be computed, the newest goes first, of who had fewest (`turns`).
//! - Each connection is a task of its own, and whatever it waits for has a deadline (`activity`), the same for both
//!   protocols: handshake, first request, idle, response, write, age.
//! - What each listener grants is said in one place ([`Endpoint`]).

mod activity;
mod connection;
mod io;
mod limits;
mod listen;
mod server;
mod table;
mod turns;

pub use connection::AcceptedConnection;
pub use limits::{Endpoint, ListenerLimits};
pub(crate) use listen::listen;
pub use listen::{ServeError, bind};
pub use server::{serve_plain, serve_tls};
