//! Manifests as `kubectl` reads them: YAML or JSON, several documents a file, and no key twice.

use std::path::Path;

use serde_json::Value;

use crate::{exit::Failure, input, text::position, yaml};

/// All documents of a file; `-` is standard input.
///
/// # Errors
/// What [`input::read`] refuses, what is not YAML, and keys that are there twice; with file, line and column.
pub fn manifests(path: &Path) -> Result<Vec<Value>, Failure> {
    parse(path, &input::read(path)?, yaml::MAX_VALUES)
}

/// All documents of the text of a file, with at most so many values.
///
/// # Errors
/// What is not YAML, and keys that are there twice; with file, line and column.
pub fn parse(path: &Path, text: &str, most: usize) -> Result<Vec<Value>, Failure> {
    let documents = yaml::read_up_to(text, most).map_err(|problem| {
        let (line, column) = problem.at.unwrap_or((1, 1));
        let message = format!("neither a JSON nor a YAML document: {}", problem.message);
        Failure::input(format!("{}:{line}:{column}: {message}", path.display()))
    })?;
    let mut values = Vec::with_capacity(documents.len());
    for document in documents {
        if let Some((key, span)) = document.repeated_keys().first() {
            let (line, column) = position(text, span.start).unwrap_or((1, 1));
            return Err(Failure::input(format!(
                "{}:{line}:{column}: {key}: the key is there more than once",
                path.display()
            )));
        }
        values.push(document.to_value());
    }
    Ok(values)
}
