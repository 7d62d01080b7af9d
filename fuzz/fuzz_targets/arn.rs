//! A pattern and an ARN.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deputy_policy_testing::targets::arn(data));
