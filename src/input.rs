//! Reading what people hand over: files and standard input, within a limit, as UTF-8.

use std::{
    io::{Error, ErrorKind, Read},
    path::{Path, PathBuf},
};

use crate::{
    exit::Failure,
    text::{self, BYTE_ORDER_MARK},
};

/// The most that is read of one file; the API server takes 3 MiB of one object, and a file may hold many.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Whether a path is standard input: `-`, or one of the names that the system has for it.
fn is_standard_input(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]
        .iter()
        .any(|name| path == Path::new(name))
}

/// Refuses arguments of which two would read standard input: the second one would find it empty. Asked before anything is
/// read.
///
/// # Errors
/// A sentence with both arguments.
pub fn once<'a>(arguments: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Result<(), Failure> {
    let mut from_input = arguments
        .into_iter()
        .filter(|(_, path)| is_standard_input(path))
        .map(|(name, _)| name);
    match (from_input.next(), from_input.next()) {
        (Some(first), Some(second)) => Err(Failure::input(format!(
            "{first} and {second} would both read standard input, which can be read once; name a file for one of them"
        ))),
        _ => Ok(()),
    }
}

/// Arguments of one name for [`once`].
pub fn named<'a>(name: &'a str, paths: &'a [PathBuf]) -> impl Iterator<Item = (&'a str, &'a Path)> {
    paths.iter().map(move |path| (name, path.as_path()))
}

/// Arguments as a sentence names them.
pub fn listed(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| match is_standard_input(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    paths.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What reads `path`; `-` is standard input.
///
/// # Errors
/// When it can't be opened, with the path.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    opened(path).map_err(|error| failed(path, &error))
}

fn opened(path: &Path) -> std::io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    if path.is_dir() {
        let what = "it is a folder, and this reads one file: name a file in it";
        return Err(Error::new(ErrorKind::IsADirectory, what));
    }
    Ok(Box::new(std::fs::File::open(path)?))
}

/// The whole of `path`.
///
/// # Errors
/// When it can't be read, has more than [`MAX_FILE_BYTES`], or is not UTF-8 without byte order mark.
pub fn read(path: &Path) -> Result<String, Failure> {
    read_up_to(path, MAX_FILE_BYTES)
}

/// The whole of `path`, at most so many bytes.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, most: u64) -> Result<String, Failure> {
    text_up_to(path, most).map_err(|what| failed(path, &what))
}

/// The whole of a file of manifests. A byte order mark in front is passed over, as kubectl does: what is judged are the objects, and they
/// have none.
///
/// # Errors
/// As [`read`], without the path, and with the line and column where it ends to be text.
pub fn manifests(path: &Path) -> Result<String, (String, (usize, usize))> {
    let mut bytes = bytes_up_to(path, MAX_FILE_BYTES).map_err(|fault| (fault, (1, 1)))?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    of_utf8(bytes)
}

fn text_up_to(path: &Path, most: u64) -> Result<String, String> {
    of_utf8(bytes_up_to(path, most)?).map_err(|(fault, _)| fault)
}

fn bytes_up_to(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    opened(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!(
            "more than {most} bytes, which is the most that is read of a file"
        ));
    }
    Ok(bytes)
}

/// The text; else what it is, and from which line and column on.
fn of_utf8(bytes: Vec<u8>) -> Result<String, (String, (usize, usize))> {
    match text::decode(&bytes) {
        Ok(_) => String::from_utf8(bytes).map_err(|error| (error.to_string(), (1, 1))),
        Err(not_text) => Err((not_text.to_string(), not_text.position(&bytes))),
    }
}

/// A failure about a file.
pub fn failed(path: &Path, what: &dyn std::fmt::Display) -> Failure {
    Failure::input(format!("{}: {what}", path.display()))
}
