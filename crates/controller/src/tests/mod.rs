//! Tests of both programs together, and the AWS that tests of each have.

pub mod cloud;
pub mod roles;
mod soak;
