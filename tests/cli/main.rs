//! The command line as others call it: exact lines in and out, and exit codes (docs/contracts.md).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail by panicking"
)]

mod about;
mod batch;
mod bootstrap;
mod bootstrap_formats;
mod check;
mod check_input;
mod cluster_role;
mod credentials;
mod diff;
mod evaluate;
mod explain;
mod flags;
mod input;
mod lint;
mod manifest;
mod migrate;
mod oidc;
mod pages;
mod people;
mod pipe;
mod policy;
mod questions;
mod report;
mod request;
mod run;
mod statements;
mod suggest;
mod whole;
