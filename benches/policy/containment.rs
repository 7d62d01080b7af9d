//! Containment of the AWS managed policies: each in itself, each in ReadOnlyAccess, and random pairs. And the evaluator, on
//! the requests that were found.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends where one of these does"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deputy_policy::{Candidate, Containment, Document, Layers, Request, contains, evaluate};
use deputy_policy_benches::{
    Figure, MANAGED_POLICY_CHARACTERS, Verdicts, duration, managed_policies, row, shortest,
};

fn containment(criterion: &mut Criterion) {
    let all = managed_policies();
    let small: Vec<&Document> = all
        .iter()
        .map(|(_, d)| d)
        .filter(|d| d.size() <= MANAGED_POLICY_CHARACTERS)
        .collect();
    let small_policies = "managed policies up to 6,144 characters";

    let mut selves = Verdicts::default();
    for document in &small {
        selves.measure(20, || contains(&Candidate::new(&[document]), document));
    }
    selves.print(
        &format!("{small_policies}, each in itself"),
        &Figure {
            p50: Some(Duration::from_micros(5)),
            max: Some(Duration::from_micros(500)),
            ..Figure::default()
        },
    );

    if let Some((_, read_only)) = all.iter().find(|(name, _)| name == "ReadOnlyAccess") {
        let mut verdicts = Verdicts::default();
        for document in &small {
            verdicts.measure(5, || contains(&Candidate::new(&[document]), read_only));
        }
        let size = read_only.size();
        verdicts.print(
            &format!("{small_policies}, each in `ReadOnlyAccess` ({size} characters)"),
            &Figure::default(),
        );
    }

    let pairs = random_pairs(100_000, all.len());
    let mut verdicts = Verdicts::default();
    for (a, b) in &pairs {
        verdicts.measure(1, || contains(&Candidate::new(&[&all[*a].1]), &all[*b].1));
    }
    verdicts.print(
        "random pairs of managed policies, once each",
        &Figure {
            p50: Some(Duration::from_nanos(2_500)),
            p99: Some(Duration::from_micros(80)),
            ..Figure::default()
        },
    );

    let mut group = criterion.benchmark_group("containment");
    group.throughput(Throughput::Elements(small.len() as u64));
    group.bench_function("each managed policy in itself", |b| {
        b.iter(|| {
            small
                .iter()
                .filter(|d| contains(&Candidate::new(&[d]), d).is_contained())
                .count()
        });
    });
    let some = &pairs[..1000];
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("1,000 random pairs", |b| {
        b.iter(|| {
            some.iter()
                .filter(|(x, y)| contains(&Candidate::new(&[&all[*x].1]), &all[*y].1).is_contained())
                .count()
        });
    });
    group.finish();

    evaluation(criterion, &all, &pairs[..10_000]);
}

/// Each witness is a request that the candidate allows and the ceiling does not.
fn evaluation(criterion: &mut Criterion, all: &[(String, Document)], pairs: &[(usize, usize)]) {
    let questions: Vec<(Request, &Document)> = pairs
        .iter()
        .filter_map(|(a, b)| {
            let (candidate, ceiling) = (&all.get(*a)?.1, &all.get(*b)?.1);
            let Containment::Exceeds(witness) = contains(&Candidate::new(&[candidate]), ceiling) else {
                return None;
            };
            let request = Request {
                action: witness.action.clone(),
                resource: witness.resource.clone(),
                principal: None,
                context: witness.context.clone(),
            };
            Some([(request.clone(), candidate), (request, ceiling)])
        })
        .flatten()
        .collect();
    let allowed = |(request, document): &(Request, &Document)| {
        let layers = Layers {
            identity: &[document],
            ..Layers::default()
        };
        evaluate(&layers, request).is_allowed()
    };
    let (time, count) = shortest(5, || questions.iter().filter(|q| allowed(q)).count());
    let each = time / u32::try_from(questions.len()).unwrap();
    row(
        &format!(
            "`evaluate` of one managed policy: {} requests, {count} allowed",
            questions.len()
        ),
        &format!(
            "{} each, {:.1} million/s on one core",
            duration(each),
            1.0 / each.as_secs_f64() / 1e6
        ),
        "",
    );
    let mut group = criterion.benchmark_group("evaluation");
    let some = &questions[..1000];
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("1,000 requests", |b| {
        b.iter(|| some.iter().filter(|q| allowed(q)).count());
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
