//! The long run of `make soak`: docs/assurance.md says what it checks.
//!
//! `SOAK_SECONDS` (60) or `SOAK_CHECKS` say how long, `SOAK_SEED` where to begin. A contradiction ends the run with the
//! seed and the documents; `SOAK_ONE=<seed>` takes that one pair again.

#[path = "../crates/policy/tests/support/mod.rs"]
mod support;

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use support::soak::Counts;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => {
            eprintln!("{name} is a number, not {text}");
            std::process::exit(2);
        }
    }
}

fn main() -> ExitCode {
    let mut counts = Counts::default();
    if let Some(seed) = number("SOAK_ONE") {
        return match counts.trial(seed) {
            Ok(()) => {
                println!("{counts}");
                ExitCode::SUCCESS
            }
            Err(wrong) => {
                println!("CONTRADICTION\n{wrong}");
                ExitCode::FAILURE
            }
        };
    }
    let checks = number("SOAK_CHECKS");
    let seconds = number("SOAK_SECONDS").or(if checks.is_none() { Some(60) } else { None });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("SOAK_SEED").unwrap_or(now.as_secs() << 20);
    println!("seed {seed}");
    let start = Instant::now();
    let mut said = start;
    let mut trial = 0_u64;
    let done = |counts: &Counts| {
        checks.is_some_and(|checks| counts.checks >= checks)
            || seconds.is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds))
    };
    while !done(&counts) {
        for _ in 0..100 {
            if let Err(wrong) = counts.trial(seed.wrapping_add(trial)) {
                println!("{counts}\nCONTRADICTION (again with SOAK_ONE=<seed>)\n{wrong}");
                return ExitCode::FAILURE;
            }
            trial += 1;
        }
        if said.elapsed() >= Duration::from_secs(60) {
            said = Instant::now();
            println!("{} s, {} pairs, {} checks", start.elapsed().as_secs(), counts.pairs, counts.checks);
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    println!("seeds {seed} to {}, {elapsed:.0} s", seed.wrapping_add(trial.saturating_sub(1)));
    println!("{counts}");
    println!("{:.0} request checks a second", counts.checks as f64 / elapsed);
    match counts.vacuous() {
        None => ExitCode::SUCCESS,
        Some(wrong) => {
            println!("{wrong}");
            ExitCode::FAILURE
        }
    }
}
