//! The pod's projected ServiceAccount token: what callers must present, and what the agent presents to the
//! broker.

use std::{
    fs::{File, Metadata},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::problem::AgentProblem;

/// Largest token file, in bytes. A ServiceAccount token has about 1 KiB.
pub const MAX_TOKEN: usize = 16 * 1024;

/// A token. It has no `Debug`: it is a secret.
pub type PodToken = Arc<Zeroizing<Vec<u8>>>;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file can't be read.
    #[error("token file {path}: {source}")]
    Io {
        /// `DEPUTY_TOKEN_FILE`.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than a token may be.
    #[error("token file {0} has more than {MAX_TOKEN} bytes")]
    TooLarge(PathBuf),
    /// The content can't be the value of an HTTP header.
    #[error("token file {0} does not hold a token: it is empty, or has bytes that no token has")]
    Malformed(PathBuf),
}

impl TokenFileError {
    /// A bounded name for logs.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Io { .. } => "TokenUnreadable",
            Self::TooLarge(_) => "TokenTooLarge",
            Self::Malformed(_) => "TokenMalformed",
        }
    }
}

impl From<TokenFileError> for AgentProblem {
    fn from(error: TokenFileError) -> Self {
        Self::unavailable(error.category(), error.to_string())
    }
}

/// The token file, read again when it changed. The kubelet rotates it by swapping a symbolic link; an SDK may
/// have read the content just before, so the content before the last rotation stays good until the next.
pub struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stamp: Option<Stamp>,
    current: Option<PodToken>,
    previous: Option<PodToken>,
}

/// What tells one version of the file from the next. The inode is in it: a symlink swap within the same
/// clock tick still changes that.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl TokenFile {
    /// The token file at `path`. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            state: Mutex::default(),
        }
    }

    /// The token in the file now. When the file can't be read for a moment, the last one that could.
    ///
    /// # Errors
    /// [`TokenFileError`] when there never was a token.
    pub fn current(&self) -> Result<PodToken, TokenFileError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let refreshed = refresh(&self.path, &mut state);
        match (&state.current, refreshed) {
            (Some(token), _) => Ok(Arc::clone(token)),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(TokenFileError::Malformed(self.path.clone())),
        }
    }

    /// Whether a caller's `Authorization` value is the token, current or previous. The time this takes tells
    /// nothing about where they differ.
    ///
    /// # Errors
    /// [`TokenFileError`] when there never was a token to compare with.
    pub fn accepts(&self, presented: &[u8]) -> Result<bool, TokenFileError> {
        let current = self.current()?;
        let previous = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .previous
            .clone();
        let is_current = presented.ct_eq(&current);
        let is_previous = previous.map_or(subtle::Choice::from(0), |token| presented.ct_eq(&token));
        Ok((is_current | is_previous).into())
    }
}

/// Reads the file again if it changed. Files of the projected volume are in memory: both the look and the
/// read take microseconds.
fn refresh(path: &Path, state: &mut State) -> Result<(), TokenFileError> {
    let io = |source| TokenFileError::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(io)?;
    let stamp = Stamp::from_metadata(&metadata);
    if state.stamp.as_ref() == Some(&stamp) {
        return Ok(());
    }
    let token = read(path)?;
    // The stamp was taken before the read: a change in between makes the next look read again.
    state.stamp = Some(stamp);
    if state.current.as_ref().is_none_or(|current| ***current != *token) {
        state.previous = state.current.replace(Arc::new(token));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TokenFileError> {
    let io = |source| TokenFileError::Io {
        path: path.to_owned(),
        source,
    };
    // Sized at once: growing would leave copies of the token behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_TOKEN + 1));
    let limit = u64::try_from(MAX_TOKEN).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .map_err(io)?
        .take(limit)
        .read_to_end(&mut content)
        .map_err(io)?;
    if content.len() > MAX_TOKEN {
        return Err(TokenFileError::TooLarge(path.to_owned()));
    }
    // A newline at the end, as an editor makes it, can't travel in a header anyway.
    let token = Zeroizing::new(content.trim_ascii_end().to_vec());
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(TokenFileError::Malformed(path.to_owned()));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes as the kubelet does: a new directory, then a symlink swap.
    fn rotate(dir: &Path, version: &str, content: &str) {
        let data = dir.join(version);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("token"), content).unwrap();
        let temporary = dir.join("..data_tmp");
        std::os::unix::fs::symlink(&data, &temporary).unwrap();
        std::fs::rename(&temporary, dir.join("..data")).unwrap();
    }

    fn volume() -> (tempfile::TempDir, TokenFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("..data/token"));
        (dir, file)
    }

    #[test]
    fn the_current_and_the_previous_token_are_accepted_and_no_older_one() {
        let (dir, file) = volume();
        rotate(dir.path(), "1", "one");
        assert!(file.accepts(b"one").unwrap());
        rotate(dir.path(), "2", "two");
        assert!(file.accepts(b"two").unwrap());
        assert!(file.accepts(b"one").unwrap());
        rotate(dir.path(), "3", "six");
        assert!(file.accepts(b"six").unwrap());
        assert!(file.accepts(b"two").unwrap());
        assert!(!file.accepts(b"one").unwrap());
    }

    #[test]
    fn nothing_else_is_accepted() {
        let (dir, file) = volume();
        rotate(dir.path(), "1", "token");
        for wrong in [
            &b""[..],
            b"toke",
            b"tokens",
            b"Token",
            b"Bearer token",
            b" token",
            b"token\n",
        ] {
            assert!(!file.accepts(wrong).unwrap());
        }
    }

    #[test]
    fn rewriting_the_same_content_keeps_the_previous_token() {
        let (dir, file) = volume();
        rotate(dir.path(), "1", "one");
        assert!(file.accepts(b"one").unwrap());
        rotate(dir.path(), "2", "two");
        assert!(file.accepts(b"two").unwrap());
        rotate(dir.path(), "3", "two");
        assert!(file.accepts(b"one").unwrap());
    }

    #[test]
    fn a_newline_at_the_end_does_not_count() {
        let (dir, file) = volume();
        rotate(dir.path(), "1", "token\n");
        assert!(file.accepts(b"token").unwrap());
    }

    #[test]
    fn a_file_that_is_away_or_broken_for_a_moment_leaves_the_last_token_good() {
        let (dir, file) = volume();
        rotate(dir.path(), "1", "one");
        assert!(file.accepts(b"one").unwrap());
        rotate(dir.path(), "2", "");
        assert!(file.accepts(b"one").unwrap());
        std::fs::remove_file(dir.path().join("..data")).unwrap();
        assert!(file.accepts(b"one").unwrap());
        assert!(!file.accepts(b"").unwrap());
    }

    #[test]
    fn without_a_token_nothing_is_accepted_not_even_nothing() {
        let (dir, file) = volume();
        assert!(matches!(file.accepts(b""), Err(TokenFileError::Io { .. })));
        rotate(dir.path(), "1", "\n");
        assert!(matches!(file.accepts(b""), Err(TokenFileError::Malformed(_))));
        rotate(dir.path(), "2", "a b");
        assert!(matches!(file.accepts(b"a b"), Err(TokenFileError::Malformed(_))));
        rotate(dir.path(), "3", &"a".repeat(MAX_TOKEN + 1));
        assert!(matches!(file.accepts(b"a"), Err(TokenFileError::TooLarge(_))));
        rotate(dir.path(), "4", &"a".repeat(MAX_TOKEN));
        assert!(file.current().is_ok());
    }
}
