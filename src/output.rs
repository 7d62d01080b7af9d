//! Standard output. A reader that has gone (`deputy … | head -1`) has seen what it wanted: nothing more is written, and
//! nothing is said about it. The exit code stays that of the answer, so that no denial turns into a yes.

use std::{
    fmt::Display,
    io::{BufWriter, ErrorKind, StdoutLock, Write},
};

use clap::ValueEnum;

use crate::exit::Failure;

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// Standard output, buffered.
pub struct Output {
    out: BufWriter<StdoutLock<'static>>,
    closed: bool,
}

impl Output {
    pub fn new() -> Self {
        Self {
            out: BufWriter::new(std::io::stdout().lock()),
            closed: false,
        }
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes `text` as it is.
    pub fn write(&mut self, text: impl Display) -> Result<(), Failure> {
        self.with(|out| write!(out, "{text}"))
    }

    /// Writes `text` and a line end.
    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        self.with(|out| writeln!(out, "{text}"))
    }

    /// Writes `value` as one line of JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        self.with(|out| {
            serde_json::to_writer(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }

    /// Hands over what was written. Without it nothing is certain to be.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.with(Write::flush)
    }

    fn with(
        &mut self,
        write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::process(format!("standard output: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

/// Writes `text` and a line end, and hands it over.
pub fn print(text: impl Display) -> Result<(), Failure> {
    let mut out = Output::new();
    out.line(text)?;
    out.flush()
}
