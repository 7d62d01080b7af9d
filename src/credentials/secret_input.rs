//! What vouches for whoever calls, from a file or standard input: within a limit, and never shown.

use std::{io::Read as _, path::Path, time::Duration};

use deputy_aws::SecretString;

use super::wait::within;
use crate::{exit::Failure, input};

/// A pipe that says nothing for so long says nothing any more.
const DEADLINE: Duration = Duration::from_secs(60);

/// The text of `path`, without white space around it. `what` is its name in messages.
///
/// # Errors
/// When it can't be read in time, is empty, is no text, or has more than `most` bytes.
pub fn read(path: &Path, what: &'static str, most: u64) -> Result<SecretString, Failure> {
    let file = path.to_owned();
    let read = within(DEADLINE, move || -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        input::open(&file)?
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| input::failed(&file, &error))?;
        Ok(bytes)
    });
    let Some(bytes) = read else {
        let late = format!("{what} was not there within {} s", DEADLINE.as_secs());
        return Err(input::failed(path, &late));
    };
    let bytes = bytes?;
    if bytes.len() as u64 > most {
        return Err(input::failed(path, &format!("{what} has more than {most} bytes")));
    }
    // Where it is no text is not said: what stands there may be part of the secret.
    let text =
        std::str::from_utf8(&bytes).map_err(|_| input::failed(path, &format!("{what} is not UTF-8")))?;
    match text.trim() {
        "" => Err(input::failed(path, &format!("{what} is empty"))),
        text => Ok(SecretString::from(text)),
    }
}
