//! Sessions that were made before, each in a file of its own that only its user reads: what a `credential_process` writes, and
//! nothing that lives longer. One process at a time makes a session; those that want the same one wait for it.

mod files;
mod key;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use self::files::FileError;
pub use self::key::{CacheKey, borrowed};
use super::{answer::ProcessCredentials, settings::Settings, wait::within};
use crate::exit::Failure;

/// More than a session's file has: tokens have a few kilobytes.
const LARGEST: u64 = 64 * 1024;
/// The longest session there is (GetSessionToken): what was not written for longer is over.
const LONGEST: Duration = Duration::from_secs(36 * 60 * 60);
/// So many files are looked at when those that are over are removed.
const SWEPT: usize = 1024;

/// A folder with sessions.
pub struct Cache {
    folder: PathBuf,
}

/// That nobody else makes the session, until it is dropped.
pub struct CacheTurn(#[expect(dead_code, reason = "holds the lock")] File);

impl Cache {
    /// The user's own: `$XDG_CACHE_HOME/deputy/credentials`, else `~/.cache/deputy/credentials`. It is made, or must be
    /// the user's own and nobody else's to read.
    ///
    /// # Errors
    /// When there is no home, or the folder can't be made or is not private.
    pub fn of_user(settings: &Settings<'_>) -> Result<Self, Failure> {
        let absolute = |name| {
            settings
                .variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        let Some(cache) = cache else {
            return Err(Failure::input(
                "there is no place for the cache: set HOME or XDG_CACHE_HOME to an absolute path, or give --no-cache",
            ));
        };
        Self::at(&cache.join("deputy").join("credentials")).map_err(told)
    }

    fn at(folder: &Path) -> Result<Self, FileError> {
        files::private_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The session of a key, whether or not it is over; none where there is none that can be read.
    ///
    /// # Errors
    /// When its file is not the user's own, or is others' to read.
    pub fn get(&self, key: &CacheKey) -> Result<Option<ProcessCredentials>, Failure> {
        let bytes = files::read_private(&self.session(key), LARGEST).map_err(told)?;
        Ok(bytes.and_then(|bytes| ProcessCredentials::from_json(&bytes)))
    }

    /// For how many seconds a session that is kept was good when it was put here.
    pub fn life(&self, key: &CacheKey, session: &ProcessCredentials) -> u32 {
        let written = self
            .session(key)
            .metadata()
            .and_then(|metadata| metadata.modified());
        let written = written.ok().and_then(|written| Timestamp::try_from(written).ok());
        let life = written.map(|written| session.expiration.as_second() - written.as_second());
        // Of one without such a time it is not known to be a short one.
        life.map_or(u32::MAX, |life| u32::try_from(life).unwrap_or(0))
    }

    /// Waits until nobody else makes the session of `key`.
    ///
    /// # Errors
    /// When somebody does for longer than `deadline`, or the lock can't be had.
    pub fn turn(&self, key: &CacheKey, deadline: Duration) -> Result<CacheTurn, Failure> {
        let path = self.folder.join(format!("{key}.lock"));
        let file = files::open_private(&path).map_err(told)?;
        match within(deadline, move || file.lock().map(|()| file)) {
            Some(Ok(file)) => Ok(CacheTurn(file)),
            Some(Err(error)) => Err(Failure::process(format!(
                "{}: it can't be locked: {error}",
                path.display()
            ))),
            None => Err(Failure::process(format!(
                "another process asks for the same session for more than {} s ({} is locked): it may wait for an MFA code, or for somebody to log in",
                deadline.as_secs(),
                path.display()
            ))),
        }
    }

    /// Keeps a session, in place of the one before: whoever reads sees one or the other.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put(&self, key: &CacheKey, session: &ProcessCredentials) -> Result<(), Failure> {
        let json = session.to_json().map_err(Failure::error)?;
        self.sweep(SystemTime::now());
        files::write_private(&self.session(key), json.as_bytes()).map_err(told)
    }

    /// Removes what is over whatever its key: sessions whose keys are not asked for any more.
    fn sweep(&self, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.take(SWEPT).flatten() {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let is_over = |written| now.duration_since(written).is_ok_and(|age| age > LONGEST);
            if written.is_ok_and(is_over) {
                // What stays is looked at the next time.
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    fn session(&self, key: &CacheKey) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

fn told(error: FileError) -> Failure {
    Failure::process(format!("{error}; --no-cache goes without the cache"))
}
