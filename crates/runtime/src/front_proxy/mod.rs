//! Whom an aggregated API believes: the API server, by the client certificate of its aggregation layer.
//!
//! The API server says in the headers of a request who the user is, and that counts only where the connection is its own. The authority behind
//! its certificate, the names that it may have and the headers stand in a ConfigMap that it keeps current, and that is followed here.
//! Kubernetes, "Configure the Aggregation Layer", "Authentication Flow".

mod config;
mod follow;
#[cfg(test)]
mod tests;
mod verifier;

pub use config::{FrontProxy, FrontProxyError, RequestUser};
pub use follow::{FrontProxyKeeper, follow_front_proxy};
