//! Unit tests of what writes for limits.

mod boundary;
mod copies;
mod prove;
mod status;
