//! Unit tests of what writes boundary policies.

mod histories;
mod policy;
mod prove;
mod rest;
mod said;
mod stage;
mod sweep;
mod world;
