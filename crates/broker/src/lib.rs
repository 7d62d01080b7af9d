//! The broker.
pub mod issuer;
pub mod token;
