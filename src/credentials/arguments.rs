//! Flags that several ways have.

use clap::{Args, ValueEnum};
use deputy_aws::SecretString;
use deputy_delegation::names::seconds_in;

/// Who calls, and where.
#[derive(Debug, Args)]
pub struct PlaceArguments {
    /// The profile of ~/.aws/config and ~/.aws/credentials; by default AWS_PROFILE, else `default`
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The region of STS; by default AWS_REGION, AWS_DEFAULT_REGION or the profile's
    #[arg(long)]
    pub region: Option<String>,
}

/// How the answer is given.
#[derive(Debug, Args)]
pub struct AnswerArguments {
    /// How the credentials are written
    #[arg(long, value_enum, default_value_t)]
    pub print: PrintFormat,
    /// Take no session from the cache and put none into it
    #[arg(long)]
    pub no_cache: bool,
}

/// MFA of a user.
#[derive(Debug, Args)]
pub struct MfaArguments {
    /// Serial number of the MFA device, or ARN of a virtual one; by default the profile's mfa_serial
    #[arg(long, value_name = "SERIAL")]
    pub serial_number: Option<String>,
    /// The code that the device shows; without it the terminal is asked, when the code is needed
    #[arg(long, value_name = "CODE")]
    pub token_code: Option<SecretString>,
}

/// What is written to standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PrintFormat {
    /// What AWS's SDKs and CLI read of a credential_process
    #[default]
    Json,
    /// Lines for a shell: export NAME='VALUE'
    Env,
}

/// Reads `900`, `15m`, `1h30m`.
///
/// # Errors
/// Another form.
pub fn duration(text: &str) -> Result<u32, String> {
    let seconds = match text.parse::<u32>() {
        Ok(seconds) => Some(seconds),
        Err(_) => seconds_in(text).and_then(|seconds| u32::try_from(seconds).ok()),
    };
    seconds.ok_or_else(|| "a duration is such as 1h, 90m, 1h30m or 3600 (seconds)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_has_units() {
        for (text, seconds) in [
            ("900", 900),
            ("15m", 900),
            ("1h30m", 5400),
            ("36h", 129_600),
            ("60s", 60),
        ] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "1h30", "-1", "1.5h", "1d", "99999999999", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
