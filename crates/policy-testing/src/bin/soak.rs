//! The long run of `make soak`: docs/assurance.md says what it checks.
//!
//! It takes the profiles in turn, on all processors, each thread other seeds. `SOAK_SECONDS` (60) or `SOAK_CHECKS` say how
//! long, `SOAK_SEED` where to begin, `SOAK_PROFILE` which profiles (names with commas between them; all), `SOAK_THREADS` on
//! how many threads. A contradiction ends the run with profile, seed and documents; `SOAK_ONE=<seed>` with `SOAK_PROFILE`
//! takes that one pair again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a run of tests ends where one of these does"
)]

use std::{
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use deputy_policy_testing::generate::{profiles::SoakProfile, samples};
use deputy_policy_testing::soak::SoakCounts;

/// A thread takes so many seeds of a profile at a time.
const BATCH: u64 = 64;

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    let text = text(name)?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => fail(&format!("{name} is a number, not {text}")),
    }
}

fn fail(what: &str) -> ! {
    eprintln!("{what}");
    std::process::exit(2);
}

fn profiles() -> Vec<SoakProfile> {
    let Some(names) = text("SOAK_PROFILE") else {
        return SoakProfile::ALL.to_vec();
    };
    let named = |name: &str| {
        let known = || SoakProfile::ALL.map(SoakProfile::name).join(", ");
        SoakProfile::named(name)
            .unwrap_or_else(|| fail(&format!("SOAK_PROFILE is one of {}, not {name}", known())))
    };
    names.split(',').map(named).collect()
}

/// What all threads share.
struct Run {
    profiles: Vec<SoakProfile>,
    seed: u64,
    start: Instant,
    checks: Option<u64>,
    seconds: Option<u64>,
    /// Batches taken.
    taken: AtomicU64,
    seen: Mutex<Vec<SoakCounts>>,
    contradiction: Mutex<Option<String>>,
}

impl Run {
    fn is_over(&self) -> bool {
        let checks = || {
            self.seen
                .lock()
                .unwrap()
                .iter()
                .map(|counts| counts.checks)
                .sum::<u64>()
        };
        self.contradiction.lock().unwrap().is_some()
            || self.checks.is_some_and(|wanted| checks() >= wanted)
            || self
                .seconds
                .is_some_and(|seconds| self.start.elapsed() >= Duration::from_secs(seconds))
    }

    /// Batch `n` is of profile `n % profiles`; the seeds of a profile follow one another.
    fn work(&self) {
        let profiles = self.profiles.len() as u64;
        while !self.is_over() {
            let batch = self.taken.fetch_add(1, Ordering::Relaxed);
            let which = (batch % profiles) as usize;
            let from = self.seed.wrapping_add(batch / profiles * BATCH);
            let mut counts = SoakCounts::default();
            for seed in (0..BATCH).map(|i| from.wrapping_add(i)) {
                if let Err(wrong) = counts.trial(seed, self.profiles[which]) {
                    self.contradiction.lock().unwrap().get_or_insert(wrong);
                    return;
                }
            }
            self.seen.lock().unwrap()[which] += counts;
        }
    }
}

fn main() -> ExitCode {
    let profiles = profiles();
    if let Some(seed) = number("SOAK_ONE") {
        let mut counts = SoakCounts::default();
        for profile in profiles {
            if let Err(wrong) = counts.trial(seed, profile) {
                println!("CONTRADICTION\n{wrong}");
                return ExitCode::FAILURE;
            }
        }
        println!("{counts}");
        return ExitCode::SUCCESS;
    }
    let (managed, own) = samples::counts();
    if managed == 0 {
        println!(
            "SKIPPED: AWS's managed policies are not there (hack/bench-data fetches them); profile managed has {own} documents of our own"
        );
    } else {
        println!("profile managed has {managed} managed policies and {own} documents of our own");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let checks = number("SOAK_CHECKS");
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let threads = number("SOAK_THREADS").unwrap_or(processors);
    let run = Run {
        seen: Mutex::new(vec![SoakCounts::default(); profiles.len()]),
        profiles,
        seed: number("SOAK_SEED").unwrap_or(now.as_secs() << 20),
        start: Instant::now(),
        seconds: number("SOAK_SECONDS").or(if checks.is_none() { Some(60) } else { None }),
        checks,
        taken: AtomicU64::new(0),
        contradiction: Mutex::new(None),
    };
    println!("seed {}, {threads} threads", run.seed);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run.work());
        }
        let mut said = Instant::now();
        while !run.is_over() {
            std::thread::sleep(Duration::from_millis(200));
            if said.elapsed() >= Duration::from_secs(60) {
                said = Instant::now();
                let all = total(&run.seen.lock().unwrap());
                println!(
                    "{} s, {} pairs, {} checks",
                    run.start.elapsed().as_secs(),
                    all.pairs,
                    all.checks
                );
            }
        }
    });
    report(&run)
}

fn total(seen: &[SoakCounts]) -> SoakCounts {
    let mut all = SoakCounts::default();
    seen.iter().for_each(|counts| all += *counts);
    all
}

fn report(run: &Run) -> ExitCode {
    let elapsed = run.start.elapsed().as_secs_f64();
    let seen = run.seen.lock().unwrap();
    let mut failed = false;
    for (profile, counts) in run.profiles.iter().zip(seen.iter()) {
        println!("{}, seeds {} and on\n{counts}", profile.name(), run.seed);
        if let Some(wrong) = counts.vacuous(profile.thresholds()) {
            println!("  SAYS TOO LITTLE: {wrong}");
            failed = true;
        }
    }
    let all = total(&seen);
    println!("all\n{all}");
    println!(
        "{elapsed:.0} s, {:.0} request checks and {:.0} pairs a second",
        all.checks as f64 / elapsed,
        all.pairs as f64 / elapsed
    );
    if let Some(wrong) = run.contradiction.lock().unwrap().as_ref() {
        println!("CONTRADICTION (again with SOAK_ONE=<seed> SOAK_PROFILE=<profile>)\n{wrong}");
        failed = true;
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
