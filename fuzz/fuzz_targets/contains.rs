#![no_main]

#[path = "../../crates/policy/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::targets::contains(data));
