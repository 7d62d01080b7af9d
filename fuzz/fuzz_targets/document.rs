//! Any text, read as a policy document of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::document(data));
