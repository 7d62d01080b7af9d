//! Which files arguments name: a folder is gone through to its end.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

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
    /// Why it can't be read, where that is known: a folder that can't be listed.
    pub fault: Option<String>,
}

impl NamedFile {
    fn found(path: PathBuf, fault: Option<String>) -> Self {
        Self {
            path,
            is_named: false,
            fault,
        }
    }
}

/// The files of `arguments`, in their order, those of a folder by name. `-` is standard input. In folders `*.yaml`, `*.yml` and `*.json`
/// count; each file is there once. Names that begin with a dot are left out, and links to folders are not followed. A folder that can't be listed is told as a
/// file that can't be read.
///
/// # Errors
/// More than 50,000 files.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<NamedFile>, Failure> {
    let mut found = Vec::new();
    for path in arguments {
        if path != Path::new("-") && path.is_dir() {
            folder(path, 0, &mut found)?;
        } else {
            found.push(NamedFile {
                path: path.clone(),
                is_named: true,
                fault: None,
            });
        }
    }
    if arguments.len() > 1 {
        found = once_each(found);
    }
    Ok(found)
}

/// Each file once, where arguments name it by several ways: `check . app.yaml`. Two files with one object are told, one file is not.
fn once_each(files: Vec<NamedFile>) -> Vec<NamedFile> {
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut kept: Vec<NamedFile> = Vec::with_capacity(files.len());
    for file in files {
        // Standard input, and what is not there, are as they are named.
        let is_read = file.fault.is_none() && file.path != Path::new("-");
        let place = is_read.then(|| file.path.canonicalize().ok()).flatten();
        let first = place.as_ref().and_then(|place| places.get(place));
        if let Some(first) = first.and_then(|first| kept.get_mut(*first)) {
            first.is_named |= file.is_named;
            continue;
        }
        if let Some(place) = place {
            places.insert(place, kept.len());
        }
        kept.push(file);
    }
    kept
}

fn folder(path: &Path, depth: usize, found: &mut Vec<NamedFile>) -> Result<(), Failure> {
    let listed = if depth > MAX_DEPTH {
        Err(format!("more than {MAX_DEPTH} folders deep"))
    } else {
        list(path).map_err(|error| error.to_string())
    };
    let mut paths = match listed {
        Ok(paths) => paths,
        Err(fault) => {
            found.push(NamedFile::found(path.to_owned(), Some(fault)));
            return Ok(());
        }
    };
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
        found.push(NamedFile::found(path, None));
    }
    Ok(())
}

fn list(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}
