//! The file that says that a node's agent serves: its probe has no address to ask, for the agent of before may serve the same one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// How often a probe that waits looks.
const LOOK: Duration = Duration::from_millis(200);

/// The ready file, which goes when this is dropped.
pub(super) struct ReadyFile(PathBuf);

impl ReadyFile {
    /// None yet: what a process before has left is taken away.
    ///
    /// # Errors
    /// It can't be taken away.
    pub(super) fn absent(path: PathBuf) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self(path)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn write(&self) -> io::Result<()> {
        fs::write(&self.0, "ready\n")
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

/// Whether the agent that writes `file` serves, waited for as long as `limit`.
///
/// # Errors
/// It does not, in words.
pub fn wait_for_file(file: &Path, limit: Duration) -> Result<(), String> {
    let start = Instant::now();
    while !file.exists() {
        if start.elapsed() >= limit {
            let file = file.display();
            return Err(format!(
                "{file} is not there: the agent does not serve, or has no keys yet"
            ));
        }
        sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_from_the_word_to_the_end_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        fs::write(&path, "of a process before").unwrap();
        let ready = ReadyFile::absent(path.clone()).unwrap();
        let error = wait_for_file(&path, Duration::ZERO).unwrap_err();
        assert!(error.contains("is not there"), "{error}");
        ready.write().unwrap();
        assert_eq!(wait_for_file(&path, Duration::ZERO), Ok(()));
        drop(ready);
        assert!(!path.exists());
    }
}
