//! Answers questions of `deputy policy contains --batch` and says how long each took: for comparison with other engines.

use std::io::{self, BufRead, Write};

use deputy_policy::{Candidate, Document, PolicyKind, contains};
use deputy_policy_benches::{shortest, word};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

#[derive(Deserialize)]
struct Line<'a> {
    id: serde_json::Value,
    #[serde(borrow)]
    candidate: &'a RawValue,
    #[serde(borrow)]
    ceiling: &'a RawValue,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let line: Line<'_> = serde_json::from_str(&line)?;
        let parsed = (
            Document::parse(line.candidate.get(), PolicyKind::Identity),
            Document::parse(line.ceiling.get(), PolicyKind::Boundary),
        );
        let answer = match parsed {
            (Ok(candidate), Ok(ceiling)) => {
                let (time, answer) = shortest(5, || contains(&Candidate::new(&[&candidate]), &ceiling));
                json!({"id": line.id, "verdict": word(&answer), "nanoseconds": time.as_nanos() as u64})
            }
            _ => json!({"id": line.id, "verdict": "invalid", "nanoseconds": 0}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
