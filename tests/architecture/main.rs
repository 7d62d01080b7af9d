//! The invariants of ARCHITECTURE.md that show in dependencies, sources and documents.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail by panicking"
)]

mod code;
mod commits;
mod dependencies;
mod documents;
mod files;
mod modules;
mod style;
mod testing;
