//! Unit tests of what is said about limits.

mod copies;
mod counts;
mod status;
