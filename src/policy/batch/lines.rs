//! Lines in and out: each is read within its limit, handed to the command and answered.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    id::{self, MAX_LINE_BYTES},
    members::Members,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input,
    output::Output,
    text::decode,
};

/// What is answered to a line.
pub trait BatchAnswer: Serialize {
    /// The answer to a line that is not understood.
    fn invalid(reason: String) -> Self;
}

#[derive(Serialize)]
struct Numbered<'a, A> {
    /// As it was written.
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    answer: A,
}

/// Answers each line of `path`; lines of nothing but spaces, tabs and carriage returns are no lines. Stops without a word
/// when nobody reads the answers.
///
/// # Errors
/// When `path` can't be read, or the answers can't be written.
pub fn batch<A: BatchAnswer>(
    path: &Path,
    answer: impl Fn(&mut Members<'_>) -> Result<A, String>,
) -> CommandResult {
    let mut input = BufReader::new(input::open(path)?);
    let mut out = Output::new();
    let mut line = Vec::new();
    while !out.is_closed() {
        // Whoever waits for an answer before asking on gets it; a full buffer is answered at one go.
        if input.buffer().is_empty() {
            out.flush()?;
        }
        match next(&mut input, &mut line) {
            Ok(Line::End) => break,
            Ok(Line::TooLong { bytes, id }) => out.json(&Numbered {
                id: id.as_deref(),
                answer: A::invalid(format!(
                    "the line has {bytes} bytes; at most {MAX_LINE_BYTES} are read"
                )),
            })?,
            Ok(Line::Read) if line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) => {}
            Ok(Line::Read) => one(&line, &answer, &mut out)?,
            Err(error) => {
                out.flush()?;
                return Err(input::failed(path, &error));
            }
        }
    }
    out.flush()?;
    Ok(CommandAnswer::Yes)
}

fn one<A: BatchAnswer>(
    line: &[u8],
    answer: &impl Fn(&mut Members<'_>) -> Result<A, String>,
    out: &mut Output,
) -> Result<(), Failure> {
    let members = decode(line)
        .map_err(|not_text| format!("the line is not read: {not_text}"))
        .and_then(|line| Members::read(line, "the line"));
    let read = members.and_then(|mut members| {
        let id = members.take("id");
        match id.filter(|id| id::is_too_deep(id.get())) {
            Some(_) => Err(format!("id: nested more than {} deep", id::MAX_DEPTH)),
            None => Ok((id, members)),
        }
    });
    match read {
        Ok((id, mut members)) => {
            let answer = answer(&mut members).unwrap_or_else(A::invalid);
            out.json(&Numbered { id, answer })
        }
        Err(reason) => {
            let id = id::of(line);
            out.json(&Numbered {
                id: id.as_deref(),
                answer: A::invalid(reason),
            })
        }
    }
}

enum Line {
    Read,
    /// Read to its end, and not kept.
    TooLong {
        bytes: u64,
        id: Option<Box<RawValue>>,
    },
    End,
}

/// Reads the next line, without its end. Of a longer one than is read, no more is kept than its beginning and its id.
fn next(input: &mut BufReader<Box<dyn Read>>, line: &mut Vec<u8>) -> std::io::Result<Line> {
    line.clear();
    let most = MAX_LINE_BYTES + 1;
    input.by_ref().take(most as u64).read_until(b'\n', line)?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Read);
    }
    if line.len() <= MAX_LINE_BYTES {
        return Ok(Line::Read);
    }
    let mut finder = id::Finder::default();
    finder.read(line);
    let mut bytes = line.len() as u64;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let end = buffer.iter().position(|b| *b == b'\n');
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        finder.read(part);
        bytes += part.len() as u64;
        let (used, done) = (
            part.len() + usize::from(end.is_some()),
            end.is_some() || buffer.is_empty(),
        );
        input.consume(used);
        if done {
            let id = finder.found();
            return Ok(Line::TooLong { bytes, id });
        }
    }
}
