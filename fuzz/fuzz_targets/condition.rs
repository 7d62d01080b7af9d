//! Two values under every typed operator.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::condition(data));
