//! What AWS's Service Authorization Reference says: which actions there are, which resources each of them takes, which
//! condition keys it has, and what values those have.
//!
//! The reference is AWS's statement about one day: services get actions and resource types every week, and it has gaps.
//! So nothing that allows or proves anything may rest on the absence of something here alone; it is for messages, for lints,
//! for examples that exist, and for what a permissions boundary holds in AWS ([`impossible()`]). [`date`] belongs into every
//! message.
//!
//! The table is `reference.txt`, which `hack/service-reference` writes and which explains its form in its head. The text
//! stays as it is in memory; a service is decoded when somebody asks for it. Measured on 2026-11-28, optimised, on one
//! core of a shared virtual machine, with 22,091 actions in 375 kB of text:
//!
//! | first use | time | memory |
//! |---|---|---|
//! | of the table | 0.28 ms | 109 kB |
//! | of the condition keys of a service (s3) | 0.02 ms | 6 kB |
//! | of a service: s3, ec2 (the largest) | 0.12 ms, 0.43 ms | 30 kB, 120 kB |
//! | of all 456 services | 13 ms | 2.5 MB |
//!
//! After that an action or a key is found in 0.1 to 0.3 µs.

pub(crate) mod condition_key;
mod parse;
pub(crate) mod service;
pub(crate) mod shape;
pub(crate) mod table;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use table::{action, condition_key, managing_permissions, prefixes, service};
pub use table::{date, has_action, has_service, source, takes_no_resource};
