//! Containment of the AWS managed policies: each in itself, each in ReadOnlyAccess, and random pairs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deputy_benches::{MANAGED_POLICY_CHARACTERS, Verdicts, managed_policies};
use deputy_policy::{Document, contains};

fn containment(criterion: &mut Criterion) {
    let all = managed_policies();
    let small: Vec<&Document> = all
        .iter()
        .map(|(_, d)| d)
        .filter(|d| d.size() <= MANAGED_POLICY_CHARACTERS)
        .collect();
    println!(
        "of these, up to {MANAGED_POLICY_CHARACTERS} characters: {}",
        small.len()
    );

    let mut selves = Verdicts::default();
    for document in &small {
        selves.measure(20, || contains(&[document], document));
    }
    selves.print("each in itself");

    if let Some((_, read_only)) = all.iter().find(|(name, _)| name == "ReadOnlyAccess") {
        println!("ReadOnlyAccess has {} characters", read_only.size());
        let mut verdicts = Verdicts::default();
        for document in &small {
            verdicts.measure(5, || contains(&[document], read_only));
        }
        verdicts.print("each in ReadOnlyAccess");
    }

    let pairs = random_pairs(100_000, all.len());
    let mut verdicts = Verdicts::default();
    for (a, b) in &pairs {
        verdicts.measure(1, || contains(&[&all[*a].1], &all[*b].1));
    }
    verdicts.print("random pairs of all");

    let mut group = criterion.benchmark_group("containment");
    group.throughput(Throughput::Elements(small.len() as u64));
    group.bench_function("each managed policy in itself", |b| {
        b.iter(|| small.iter().filter(|d| contains(&[d], d).is_contained()).count());
    });
    let some = &pairs[..1000];
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("1,000 random pairs", |b| {
        b.iter(|| {
            some.iter()
                .filter(|(x, y)| contains(&[&all[*x].1], &all[*y].1).is_contained())
                .count()
        });
    });
    group.finish();
}

/// The same pairs in every run: a linear congruential generator (Knuth's MMIX).
fn random_pairs(count: usize, below: usize) -> Vec<(usize, usize)> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..count).map(|_| (next(), next())).collect()
}

criterion_group!(benches, containment);
criterion_main!(benches);
