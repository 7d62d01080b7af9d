//! Unit tests of what writes boundary policies.

mod policy;
mod prove;
mod said;
mod world;
