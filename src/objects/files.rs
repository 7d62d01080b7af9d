//! What becomes of a file that is no manifest, or can't be read.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use deputy_api::GROUP;

use super::walk::NamedFile;
use crate::{
    exit::Failure,
    input::{self, failed},
};

/// Bytes that are looked through at a time.
const CHUNK: usize = 64 * 1024;

/// Where a file is said to be wrong as a whole.
const BEGINNING: (usize, usize) = (1, 1);

/// What a file has.
#[derive(Debug)]
pub enum FileContent {
    Text(String),
    /// It lies in a folder and has nothing of Deputy's: no regular file, or no text and without the name of Deputy's API group.
    Other,
    /// Why it can't be read, and the line and column from which on.
    Unreadable(String, (usize, usize)),
}

/// Reads a file. One that lies in a folder is read where it is a regular one: another would keep the reader waiting.
///
/// # Errors
/// When an argument names what is not there.
pub fn content(file: &NamedFile) -> Result<FileContent, Failure> {
    let path = file.path.as_path();
    if let Some(fault) = &file.fault {
        return Ok(FileContent::Unreadable(fault.clone(), BEGINNING));
    }
    if !file.is_named {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(FileContent::Other),
            // A link to nothing, too: a limit may have been there.
            Err(error) => return Ok(FileContent::Unreadable(error.to_string(), BEGINNING)),
        }
    }
    let (fault, at) = match input::manifests(path) {
        Ok(text) => return Ok(FileContent::Text(text)),
        Err(fault) => fault,
    };
    if file.is_named && path != Path::new("-") && !path.exists() {
        return Err(failed(path, &fault));
    }
    // What can't be looked through may be a manifest.
    if !file.is_named && !names_deputy(path).unwrap_or(true) {
        return Ok(FileContent::Other);
    }
    Ok(FileContent::Unreadable(fault, at))
}

/// Whether the name of Deputy's API group is in a file, in UTF-8 or in UTF-16.
fn names_deputy(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let (mut chunk, mut seen) = (vec![0; CHUNK], Vec::new());
    loop {
        let read = match file.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            return Ok(false);
        }
        let bytes = chunk.get(..read).unwrap_or_default();
        if bytes.contains(&0) {
            seen.extend(bytes.iter().filter(|byte| **byte != 0));
        } else {
            seen.extend_from_slice(bytes);
        }
        if String::from_utf8_lossy(&seen).contains(GROUP) {
            return Ok(true);
        }
        // The name may go on in the next chunk.
        seen.drain(..seen.len().saturating_sub(GROUP.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_wherever_it_stands() {
        let path = std::env::temp_dir().join(format!("deputy-names-{}", std::process::id()));
        let found = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            names_deputy(&path).unwrap()
        };
        assert!(!found(b""));
        assert!(!found(&vec![0xFF; 2 * CHUNK]));
        for before in [0, 1, CHUNK - 5, CHUNK, 2 * CHUNK - 1] {
            assert!(found(&[vec![0xFF; before], GROUP.into()].concat()), "{before}");
        }
        let wide: Vec<u8> = GROUP.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(found(&wide));
        std::fs::remove_file(&path).unwrap();
    }
}
