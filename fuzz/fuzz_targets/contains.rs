//! A pair of policies made from the bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::contains(data));
