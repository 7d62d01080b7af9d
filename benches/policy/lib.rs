//! What the benchmarks of the policy engine measure on, and how they sum up many single measurements.
//!
//! Whatever goes to `docs/benchmarks.md` is printed as a row of a table: what, result, figure. `hack/bench` collects them.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends where one of these does"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use deputy_policy::{Containment, Document, PolicyKind};
use serde_json::{Map, Value};

/// IAM's limit for a managed policy, whitespace not counted.
pub const MANAGED_POLICY_CHARACTERS: usize = 6_144;

/// The AWS managed policies that the dialect takes, by name; says how many it refuses.
///
/// # Panics
/// Without the file that `make bench` writes first.
pub fn managed_policies() -> Vec<(String, Document)> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
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
    row(
        "AWS managed policies",
        &format!(
            "{count}, of which the dialect takes {} and refuses {}",
            parsed.len(),
            refused.len()
        ),
        "",
    );
    for line in &refused {
        println!("  refused: {line}");
    }
    parsed
}

/// Prints a row of the table.
pub fn row(what: &str, result: &str, figure: &str) {
    println!("| {what} | {result} | {figure} |");
}

/// The word for an answer.
pub fn word(answer: &Containment) -> &'static str {
    match answer {
        Containment::Contained(_) => "contained",
        Containment::Exceeds(_) => "exceeds",
        Containment::Unknown(_) => "unknown",
    }
}

/// A duration with two significant digits at least.
pub fn duration(time: Duration) -> String {
    let micros = time.as_nanos() as f64 / 1000.0;
    match micros {
        m if m < 10.0 => format!("{m:.2} µs"),
        m if m < 1_000.0 => format!("{m:.0} µs"),
        m if m < 100_000.0 => format!("{:.1} ms", m / 1000.0),
        m => format!("{:.0} ms", m / 1000.0),
    }
}

/// What a distribution of times should stay below. No answer may be *unknown* besides.
#[derive(Default)]
pub struct Figure {
    /// The median.
    pub p50: Option<Duration>,
    /// All but one in a hundred.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
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
        let (time, answer) = shortest(repeats, question);
        match answer {
            Containment::Contained(_) => self.contained += 1,
            Containment::Exceeds(_) => self.exceeds += 1,
            Containment::Unknown(_) => self.unknown += 1,
        }
        self.times.push(time);
    }

    /// Prints counts and percentiles.
    ///
    /// # Panics
    /// When nothing was measured.
    pub fn print(mut self, what: &str, figure: &Figure) {
        self.times.sort();
        let at = |share: f64| self.times[((self.times.len() - 1) as f64 * share).round() as usize];
        let measured = [
            ("p50", at(0.5), figure.p50),
            ("p99", at(0.99), figure.p99),
            ("max", at(1.0), figure.max),
        ];
        let times: Vec<String> = measured
            .iter()
            .map(|(name, time, _)| format!("{name} {}", duration(*time)))
            .collect();
        let mut figures: Vec<String> = measured
            .iter()
            .filter_map(|(name, time, figure)| {
                figure.map(|figure| format!("{name} < {}{}", duration(figure), missed(*time < figure)))
            })
            .collect();
        figures.push(format!("unknown 0{}", missed(self.unknown == 0)));
        row(
            &format!("{what}: {} questions", self.times.len()),
            &format!(
                "{} *contained*, {} *exceeds*, {} *unknown*; {}",
                self.contained,
                self.exceeds,
                self.unknown,
                times.join(", ")
            ),
            &figures.join(", "),
        );
    }
}

/// What stands behind a figure.
pub fn missed(reached: bool) -> &'static str {
    if reached { "" } else { " **missed**" }
}

/// The shortest of some measurements, and the last answer.
///
/// # Panics
/// When `repeats` is 0.
pub fn shortest<T>(repeats: u32, question: impl Fn() -> T) -> (Duration, T) {
    let mut shortest = Duration::MAX;
    let mut answer = None;
    for _ in 0..repeats {
        let began = Instant::now();
        let given = std::hint::black_box(question());
        shortest = shortest.min(began.elapsed());
        answer = Some(given);
    }
    (shortest, answer.unwrap())
}
