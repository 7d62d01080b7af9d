//! docs/contracts.md against the code: each table is read, and each value looked for where the code has it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail by panicking"
)]

mod kubernetes;
mod page;
mod protocol;
mod watching;
