//! The file that says that a node's agent serves, written again and again while it does: its probe has no address to ask, for the agent of
//! before may serve the same one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// How old the file of an agent that serves may be: that is several times as long as it takes to be written again.
const STALE: Duration = Duration::from_secs(30);
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
        removed(&path).map(|()| Self(path))
    }

    /// Takes it away, if it is there.
    ///
    /// # Errors
    /// It can't be taken away.
    pub(super) fn remove(&self) -> io::Result<()> {
        removed(&self.0)
    }

    /// Writes it, as of now.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn write(&self) -> io::Result<()> {
        fs::write(&self.0, "ready\n")
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        self.remove().unwrap_or_default();
    }
}

fn removed(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Why the agent that writes `file` does not serve, if it does not.
fn check(file: &Path) -> Result<(), String> {
    let name = file.display();
    let written = fs::metadata(file).and_then(|file| file.modified());
    let written = written.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "{name} is not there: the agent does not serve, has no keys yet, or the node has lost an address of its"
        ),
        _ => format!("{name} can't be looked at: {error}"),
    })?;
    // From the future is one that was written before the clock was put back: the next one tells.
    let age = written.elapsed().unwrap_or_default();
    if age > STALE {
        return Err(format!(
            "{name} was written {} s ago, and an agent that serves writes it every few seconds: it hangs",
            age.as_secs()
        ));
    }
    Ok(())
}

/// Whether the agent that writes `file` serves, waited for as long as `limit`.
///
/// # Errors
/// It does not, in words.
pub fn wait_for_file(file: &Path, limit: Duration) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match check(file) {
            Err(_) if start.elapsed() < limit => sleep(LOOK),
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

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
        // That of an agent that hangs, or that ended without a word.
        let written = |ago: Duration| {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - ago).unwrap();
            wait_for_file(&path, Duration::ZERO)
        };
        assert_eq!(written(STALE / 2), Ok(()));
        let error = written(STALE * 2).unwrap_err();
        assert!(
            error.contains("60 s ago") && error.contains("it hangs"),
            "{error}"
        );
        ready.write().unwrap();
        assert_eq!(wait_for_file(&path, Duration::ZERO), Ok(()));
        drop(ready);
        assert!(!path.exists());
    }
}
