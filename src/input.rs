//! Reading manifests as `kubectl` does: YAML or JSON, several documents a file, and no key twice.

use std::{io::Read, path::Path};

use serde_json::Value;

use crate::exit::Failure;

/// The most that is read of one file; the API server takes 3 MiB of one object.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// All documents of a file; `-` is standard input.
pub fn manifests(path: &Path) -> Result<Vec<Value>, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let mut text = String::new();
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|e| failed(&e))?)
    };
    input
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(&e))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::input(format!(
            "{}: more than {MAX_BYTES} bytes",
            path.display()
        )));
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|e| failed(&e))?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}
