//! A pattern, a text and the value of a variable.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::glob(data));
