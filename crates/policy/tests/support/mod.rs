//! What the property tests, the soak run and the fuzz targets share.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    reason = "helpers of tests, of which each uses a part"
)]

pub mod callers;
pub mod certificates;
pub mod choices;
pub mod edits;
pub mod engine;
pub mod expect;
pub mod flow;
pub mod identities;
pub mod model;
pub mod naive;
pub mod pairs;
pub mod policies;
pub mod possible;
pub mod profiles;
pub mod requests;
pub mod samples;
pub mod soak;
pub mod targets;
pub mod values;
pub mod worlds;
