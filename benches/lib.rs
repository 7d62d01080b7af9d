//! What the benchmarks measure on, and how they sum up many single measurements.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use deputy_policy::{Containment, Document, PolicyKind};
use serde_json::{Map, Value};

/// IAM's limit for a managed policy, whitespace not counted.
pub const MANAGED_POLICY_CHARACTERS: usize = 6_144;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The AWS managed policies that the dialect takes, by name; says how many it refuses.
///
/// # Panics
/// Without the file that `make bench` writes first.
pub fn managed_policies() -> Vec<(String, Document)> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let file = target.join("bench-data/managed-policies.json");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}; run make bench", file.display()));
    let all: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let count = all.len();
    let mut refused = Vec::new();
    let mut parsed = Vec::new();
    for (name, document) in all {
        match Document::parse(&document.to_string(), PolicyKind::Identity) {
            Ok(document) => parsed.push((name, document)),
            Err(e) => refused.push(format!("{name}: {e}")),
        }
    }
    println!(
        "managed policies: {count}; taken by the dialect: {}; refused: {}",
        parsed.len(),
        refused.len()
    );
    for line in refused.iter().take(3) {
        println!("  {line}");
    }
    parsed
}

/// How answers were spread.
#[derive(Default)]
pub struct Verdicts {
    contained: usize,
    exceeds: usize,
    unknown: usize,
    times: Vec<Duration>,
}

impl Verdicts {
    /// Measures `question` `repeats` times and keeps the shortest: the others were disturbed.
    pub fn measure(&mut self, repeats: u32, question: impl Fn() -> Containment) {
        let mut shortest = Duration::MAX;
        let mut answer = None;
        for _ in 0..repeats {
            let began = Instant::now();
            let given = std::hint::black_box(question());
            shortest = shortest.min(began.elapsed());
            answer = Some(given);
        }
        match answer {
            Some(Containment::Contained(_)) => self.contained += 1,
            Some(Containment::Exceeds(_)) => self.exceeds += 1,
            Some(Containment::Unknown(_)) | None => self.unknown += 1,
        }
        self.times.push(shortest);
    }

    /// Prints counts and percentiles.
    pub fn print(mut self, title: &str) {
        self.times.sort();
        let at = |share: f64| {
            let index = ((self.times.len() - 1) as f64 * share).round() as usize;
            self.times[index].as_nanos() as f64 / 1000.0
        };
        println!(
            "{title}: {} questions: contained {}, exceeds {}, unknown {}; p50 {:.2} µs, p99 {:.1} µs, max {:.0} µs",
            self.times.len(),
            self.contained,
            self.exceeds,
            self.unknown,
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}
