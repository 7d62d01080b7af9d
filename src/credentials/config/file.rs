//! AWS's configuration file: where it is, and one text in the place of another.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use crate::{
    credentials::settings::Settings,
    exit::Failure,
    input::{MAX_FILE_BYTES, failed},
};

/// `AWS_CONFIG_FILE`, else `~/.aws/config`.
///
/// # Errors
/// When there is no home.
pub fn config_file(settings: &Settings<'_>) -> Result<PathBuf, Failure> {
    let home = || {
        let home = settings.variable("HOME").map(PathBuf::from);
        home.ok_or_else(|| Failure::input("where is ~/.aws/config? set HOME or AWS_CONFIG_FILE"))
    };
    match settings.variable("AWS_CONFIG_FILE") {
        Some(named) => match named.strip_prefix("~/") {
            Some(below) => Ok(home()?.join(below)),
            None => Ok(PathBuf::from(named)),
        },
        None => Ok(home()?.join(".aws").join("config")),
    }
}

/// A file that is read, and then written once.
pub struct ConfigFile {
    /// Where it really is: links are followed, so that they stay.
    path: PathBuf,
    text: Option<String>,
}

impl ConfigFile {
    /// Reads it; one that is not there is empty.
    ///
    /// # Errors
    /// When it can't be read, is no file of text, or is too large.
    pub fn read(named: &Path) -> Result<Self, Failure> {
        let path = match named.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound && named.symlink_metadata().is_err() => {
                return Ok(Self {
                    path: named.to_owned(),
                    text: None,
                });
            }
            Err(error) => return Err(failed(named, &error)),
        };
        let text = read(&path)?;
        Ok(Self {
            path,
            text: Some(text),
        })
    }

    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Puts `text` into its place, whole, with the mode and the owner that it has.
    ///
    /// # Errors
    /// When it can't be written, or somebody else wrote it meanwhile.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let wrong = |error: std::io::Error| Failure::process(format!("{}: {error}", self.path.display()));
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        if self.text.is_none() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(wrong)?;
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = folder.join(name);
        // Of a process of this number that died here.
        drop(std::fs::remove_file(&beside));
        let done = self
            .write_beside(&beside, text)
            .map_err(wrong)
            .and_then(|()| self.is_unchanged())
            .and_then(|()| std::fs::rename(&beside, &self.path).map_err(wrong));
        if done.is_err() {
            drop(std::fs::remove_file(&beside));
        }
        done
    }

    fn write_beside(&self, beside: &Path, text: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(beside)?;
        if self.text.is_some() {
            let (before, now) = (self.path.metadata()?, file.metadata()?);
            if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(before.mode() & 0o7777))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn is_unchanged(&self) -> Result<(), Failure> {
        let now = match &self.text {
            Some(_) => Some(read(&self.path)?),
            None if self.path.symlink_metadata().is_err() => None,
            None => Some(String::new()),
        };
        if now == self.text {
            Ok(())
        } else {
            Err(Failure::process(format!(
                "{} was changed by somebody else meanwhile: ask again",
                self.path.display()
            )))
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    if !path.metadata().map_err(|error| failed(path, &error))?.is_file() {
        return Err(failed(path, &"it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(failed(path, &format!("more than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| failed(path, &"it is not UTF-8"))
}
