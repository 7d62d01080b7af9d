//! What documents are accepted, and what is said about those that are not.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod conditions;
mod documents;
mod meaning;
mod patterns;
mod principals;
mod support;
