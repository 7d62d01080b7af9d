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

pub mod certificates;
pub mod choices;
pub mod edits;
pub mod engine;
pub mod flow;
pub mod model;
pub mod naive;
pub mod naive_values;
pub mod pairs;
pub mod policies;
pub mod possible;
pub mod requests;
pub mod soak;
pub mod targets;
pub mod values;
