//! Places in files, and what is wrong at them.

use std::{fmt, rc::Rc};

use crate::text::{position, printable};

/// Where something stands: a file, and a line and column from 1; columns are characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenPlace {
    pub file: Rc<str>,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for WrittenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A file and its text.
#[derive(Debug)]
pub struct TextFile {
    pub name: Rc<str>,
    pub text: String,
}

impl TextFile {
    pub fn place(&self, at: usize) -> WrittenPlace {
        let (line, column) = position(&self.text, at).unwrap_or((1, 1));
        WrittenPlace {
            file: Rc::clone(&self.name),
            line,
            column,
        }
    }
}

/// What sort of problem an input has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemSort {
    /// It can't be read, or reads one way here and another way elsewhere.
    Unreadable,
    /// An API server would not take it.
    NotTaken,
}

/// Something that is wrong with an input.
#[derive(Debug, Clone)]
pub struct InputProblem {
    pub sort: ProblemSort,
    /// The object, where it is known.
    pub object: Option<String>,
    pub place: WrittenPlace,
    /// Empty where it is about the whole.
    pub field: String,
    pub message: String,
}

impl fmt::Display for InputProblem {
    /// One line, whatever names and messages have in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.to_string();
        let parts = [
            Some(place.as_str()),
            self.object.as_deref(),
            Some(self.field.as_str()),
        ];
        for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
            write!(f, "{}: ", printable(part))?;
        }
        f.write_str(&printable(&self.message))
    }
}
