//! The code of an MFA device: given, or asked for on the terminal. It is shown while it is typed: it is good once, and a terminal
//! that was left without echo would be worse.

use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    time::Duration,
};

use deputy_aws::{ExposeSecret as _, MfaDevice, SecretString};

use super::{arguments::MfaArguments, settings::Settings, wait::within};
use crate::exit::Failure;

/// How long somebody may look for the device.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// The process's own terminal, whatever standard input and output are: of a `credential_process` both are pipes.
const TERMINAL: &str = "/dev/tty";
/// More than a line with a code has.
const LONGEST_LINE: u64 = 256;

/// A device whose code is asked for when it is needed. No `Debug`.
pub struct Device {
    pub serial_number: String,
    code: Option<SecretString>,
}

impl Device {
    /// The device of the flags, else of the profile; none where neither names one.
    ///
    /// # Errors
    /// A code without device, or what is no serial number or code.
    pub fn of(arguments: &MfaArguments, settings: &Settings<'_>) -> Result<Option<Self>, Failure> {
        let serial = arguments
            .serial_number
            .clone()
            .or_else(|| settings.get("mfa_serial"));
        let Some(serial_number) = serial else {
            return match arguments.token_code {
                Some(_) => Err(Failure::input(
                    "--token-code needs the device: give --serial-number, or mfa_serial in the profile",
                )),
                None => Ok(None),
            };
        };
        if !is_serial_number(&serial_number) {
            return Err(Failure::input(format!(
                "{serial_number:?} is no serial number of an MFA device: 9 to 256 letters, digits or _+=/:,.@-, such as \
                 arn:aws:iam::123456789012:mfa/alice"
            )));
        }
        let code = arguments.token_code.clone();
        if code.as_ref().is_some_and(|code| !is_code(code.expose_secret())) {
            return Err(Failure::input("--token-code: a code has six digits"));
        }
        Ok(Some(Self { serial_number, code }))
    }

    /// The device with its code, which the terminal is asked for unless it was given.
    ///
    /// # Errors
    /// When there is no terminal, or nobody types a code in time.
    pub fn with_code(&self) -> Result<MfaDevice, Failure> {
        let code = match &self.code {
            Some(code) => code.clone(),
            None => ask(&self.serial_number)?,
        };
        Ok(MfaDevice {
            serial_number: self.serial_number.clone(),
            code,
        })
    }
}

fn is_serial_number(text: &str) -> bool {
    (9..=256).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c))
}

fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())
}

fn ask(serial_number: &str) -> Result<SecretString, Failure> {
    let device = serial_number.to_owned();
    let asked = within(DEADLINE, move || -> std::io::Result<String> {
        let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        write!(terminal, "MFA code of {device}: ")?;
        terminal.flush()?;
        let mut line = String::new();
        BufReader::new(terminal.take(LONGEST_LINE)).read_line(&mut line)?;
        Ok(line)
    });
    let line = match asked {
        Some(Ok(line)) => line,
        Some(Err(error)) => {
            return Err(Failure::input(format!(
                "{serial_number} must show a code, and there is no terminal to ask for it ({error}): give --token-code"
            )));
        }
        None => {
            return Err(Failure::input(format!(
                "no code of {serial_number} was typed within {} s",
                DEADLINE.as_secs()
            )));
        }
    };
    let code = line.trim();
    if is_code(code) {
        Ok(SecretString::from(code))
    } else {
        Err(Failure::input("what was typed is no code: it has six digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_and_a_device_a_serial_number() {
        for (code, is) in [
            ("123456", true),
            ("12345", false),
            ("1234567", false),
            ("12345a", false),
            ("１２３４５６", false),
        ] {
            assert_eq!(is_code(code), is, "{code}");
        }
        for (serial, is) in [
            ("arn:aws:iam::123456789012:mfa/alice", true),
            ("GAHT12345678", true),
            ("short", false),
            ("GAHT 12345678", false),
        ] {
            assert_eq!(is_serial_number(serial), is, "{serial}");
        }
    }
}
