//! Which files arguments name: a folder is gone through to its end.

use std::path::{Path, PathBuf};

use crate::{exit::Failure, input::failed};

/// So many files are read at most.
const MAX_FILES: usize = 50_000;
/// Deeper than any repository; folders that contain themselves by a mount end here.
const MAX_DEPTH: usize = 64;
/// What a manifest's file is called in a folder.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    pub path: PathBuf,
    /// An argument names it. Else it was found in a folder.
    pub is_named: bool,
}

/// The files of `arguments`, in their order, those of a folder by name. `-` is standard input. In folders `*.yaml`, `*.yml` and `*.json`
/// count; names that begin with a dot are left out, and links to folders are not followed.
///
/// # Errors
/// What is not there or can't be listed, and more than 50,000 files.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<NamedFile>, Failure> {
    let mut found = Vec::new();
    for path in arguments {
        if path != Path::new("-") && path.is_dir() {
            folder(path, 0, &mut found)?;
        } else {
            found.push(NamedFile {
                path: path.clone(),
                is_named: true,
            });
        }
    }
    Ok(found)
}

fn folder(path: &Path, depth: usize, found: &mut Vec<NamedFile>) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(failed(path, &format!("more than {MAX_DEPTH} folders deep")));
    }
    let entries = std::fs::read_dir(path).map_err(|error| failed(path, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(path, &error))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        let is_link = path.is_symlink();
        if path.is_dir() {
            if !is_link {
                folder(&path, depth + 1, found)?;
            }
            continue;
        }
        let extension = path.extension().unwrap_or_default();
        if !EXTENSIONS.iter().any(|known| extension == *known) {
            continue;
        }
        if found.len() >= MAX_FILES {
            return Err(failed(&path, &format!("more than {MAX_FILES} files")));
        }
        found.push(NamedFile {
            path,
            is_named: false,
        });
    }
    Ok(())
}
