//! Files of one user: made so that nobody else could ever read them, and not believed otherwise.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

/// Bits of a mode by which others than the owner may do something.
const OTHERS: u32 = 0o077;

/// Why a file or folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
    #[error("{0} is {1}, and sessions are kept in no such thing")]
    Kind(PathBuf, &'static str),
    #[error("{0} belongs to user {1}, and you are user {2}: remove it, or have it removed")]
    Owner(PathBuf, u32, u32),
    #[error("{0} has mode {1:04o}, so that others may read or change it: remove it, or chmod go-rwx {0}")]
    Mode(PathBuf, u32),
}

impl FileError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io(path, error)
    }
}

/// Makes a folder that only its owner enters, or finds it so. Those above it are made the same way where they are missing.
pub fn private_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    // Of a link to nowhere and the like the look says more.
    if let Err(error) = made
        && path.symlink_metadata().is_err()
    {
        return Err(FileError::Io(path.to_owned(), error));
    }
    let metadata = path.symlink_metadata().map_err(FileError::io(path))?;
    if !metadata.is_dir() {
        return Err(FileError::Kind(path.to_owned(), "no folder"));
    }
    is_private(path, &metadata)
}

/// The bytes of a private file, none when there is no such file or it has more than `largest`.
pub fn read_private(path: &Path, largest: u64) -> Result<Option<Vec<u8>>, FileError> {
    let seen = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        seen => seen.map_err(FileError::io(path))?,
    };
    is_private_file(path, &seen)?;
    let file = File::open(path).map_err(FileError::io(path))?;
    // What was opened, should another process have put something else there.
    is_private_file(path, &file.metadata().map_err(FileError::io(path))?)?;
    let mut bytes = Vec::new();
    file.take(largest + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::io(path))?;
    Ok((bytes.len() as u64 <= largest).then_some(bytes))
}

/// Opens a private file, and makes it where it is missing.
pub fn open_private(path: &Path) -> Result<File, FileError> {
    if let Ok(seen) = path.symlink_metadata() {
        is_private_file(path, &seen)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(FileError::io(path))?;
    is_private_file(path, &file.metadata().map_err(FileError::io(path))?)?;
    // It is in use: not to be swept. That it can't be said so is no harm within a day.
    drop(file.set_modified(SystemTime::now()));
    Ok(file)
}

/// Puts a private file in its place at once, whole.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let written = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    // Of a process of this number that died here.
    drop(std::fs::remove_file(&written));
    let written_whole = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&written)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&written, path));
    written_whole.map_err(|error| {
        drop(std::fs::remove_file(&written));
        FileError::Io(path.to_owned(), error)
    })
}

fn is_private_file(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if !metadata.is_file() {
        return Err(FileError::Kind(path.to_owned(), "no file"));
    }
    is_private(path, metadata)
}

fn is_private(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    is_own(
        path,
        (metadata.uid(), metadata.mode() & 0o7777),
        rustix::process::geteuid().as_raw(),
    )
}

/// Of an owner and mode, to the user `user`.
pub fn is_own(path: &Path, (owner, mode): (u32, u32), user: u32) -> Result<(), FileError> {
    if owner != user {
        return Err(FileError::Owner(path.to_owned(), owner, user));
    }
    if mode & OTHERS != 0 {
        return Err(FileError::Mode(path.to_owned(), mode));
    }
    Ok(())
}
