//! Whole decisions, as the AWS guide describes them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod accounts;
mod assume_role;
mod explanation;
mod guide;
mod organisation;
mod principals;
mod properties;
mod sessions;
mod sts;
mod support;
mod truth_table;
mod without_resource;
