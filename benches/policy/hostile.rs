//! Policies made to take long: what they are answered, after which time, and how much memory that takes.

use std::time::Duration;

use deputy_policy::{Candidate, Document, PolicyKind, contains};
use deputy_policy_benches::{duration, missed, row, shortest, word};
use deputy_policy_testing::hostile::{self, statements, texts};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const TIME: Duration = Duration::from_millis(50);
const MEBIBYTES: f64 = 32.0;

/// What `question` allocates at most beyond what is there already, in MiB.
fn peak<T>(question: impl FnOnce() -> T) -> f64 {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    drop(std::hint::black_box(question()));
    ALLOCATOR.peak_usage().saturating_sub(before) as f64 / f64::from(1 << 20)
}

fn main() {
    let figure = |time, memory| {
        format!(
            "≤ {}{}, ≤ {MEBIBYTES} MiB{}",
            duration(TIME),
            missed(time <= TIME),
            missed(memory <= MEBIBYTES)
        )
    };
    let of_statements = statements::pairs().into_iter();
    let of_statements = of_statements.map(|(name, _, candidate, ceiling)| (name, candidate, ceiling));
    for (name, candidate, ceiling) in hostile::pairs().into_iter().chain(of_statements) {
        let memory = peak(|| contains(&Candidate::new(&[&candidate]), &ceiling));
        let (time, answer) = shortest(10, || contains(&Candidate::new(&[&candidate]), &ceiling));
        row(
            &format!("hostile: {}", name.replace('*', "\\*")),
            &format!("*{}*, {}, {memory:.2} MiB", word(&answer), duration(time)),
            &figure(time, memory),
        );
    }
    // What comes before: the texts have to be read.
    let documents: Vec<(PolicyKind, String)> = hostile::pairs()
        .iter()
        .flat_map(|(_, candidate, ceiling)| [candidate, ceiling])
        .map(|document| (document.kind(), document.to_json()))
        .chain(
            texts::texts()
                .into_iter()
                .map(|(_, text)| (PolicyKind::Identity, text)),
        )
        .collect();
    let read = |(kind, text): &(PolicyKind, String)| Document::parse(text, *kind);
    let memory = documents
        .iter()
        .map(|text| peak(|| read(text)))
        .fold(0.0, f64::max);
    let time = documents.iter().map(|text| shortest(10, || read(text)).0).max();
    let time = time.unwrap_or_default();
    row(
        "hostile: parsing the worst of these documents, and of texts made for that",
        &format!("{}, {memory:.2} MiB", duration(time)),
        &figure(time, memory),
    );
}
