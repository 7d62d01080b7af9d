//! A pair made from the bytes, and its certificate changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::certificate(data));
