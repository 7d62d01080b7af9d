//! The `deputy-agent` binary.
fn main() {}
