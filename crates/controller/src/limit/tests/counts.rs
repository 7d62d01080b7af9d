//! How often grants are counted.

use std::{collections::BTreeSet, time::Duration};

use deputy_delegation::{
    ObjectName,
    model::{RoleId, RoleKind},
};
use deputy_index::LimitTally;
use tokio::time::Instant;

use crate::{
    limit::counts::{CHANGED_MAX, COUNT_EVERY, CountTimes, Tallies},
    queue::{Lane, Place, Queue, Requeue, Workers},
};

fn limit() -> ObjectName {
    ObjectName::new("payments").unwrap()
}

/// How often a limit is counted while `events` of its grants come in, `apart` from each other, and until nothing is left to do.
async fn counts(events: u32, apart: Duration) -> u32 {
    let (queue, times) = (
        Queue::new(Workers::each(1), |_| Place::default()),
        CountTimes::default(),
    );
    let worker = {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut counted = 0;
            loop {
                let Ok(item) = tokio::time::timeout(COUNT_EVERY * 2, queue.take()).await else {
                    return counted;
                };
                let next = match times.begin(&item.key, 1) {
                    Some(left) => Requeue::After(left),
                    None => {
                        counted += 1;
                        times.end(&item.key, Duration::from_millis(50));
                        Requeue::AwaitChange
                    }
                };
                queue.done(item.key, next);
            }
        })
    };
    for _ in 0..events {
        queue.add(limit(), Lane::Change);
        tokio::time::sleep(apart).await;
    }
    worker.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_of_grants_are_counted_a_few_times() {
    // All within five seconds: the first at once, the rest together.
    assert_eq!(counts(1000, Duration::from_millis(5)).await, 2);
    // A thousand within 100 s: once in ten seconds.
    assert_eq!(counts(1000, Duration::from_millis(100)).await, 11);
    // One by one, seldom: each at once.
    assert_eq!(counts(10, COUNT_EVERY).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_changed_is_counted_at_once_and_one_that_takes_long_less_often() {
    let times = CountTimes::default();
    assert_eq!(times.begin(&limit(), 1), None);
    assert_eq!(times.begin(&limit(), 1), Some(COUNT_EVERY));
    assert_eq!(times.begin(&limit(), 2), None, "another generation");
    let begun = Instant::now();
    tokio::time::advance(Duration::from_secs(3)).await;
    times.end(&limit(), begun.elapsed());
    assert_eq!(times.begin(&limit(), 2), Some(Duration::from_secs(60)));
}

fn roles(numbers: std::ops::Range<usize>) -> BTreeSet<RoleId> {
    let role = |number| RoleId {
        kind: RoleKind::AWSRole,
        namespace: "payments".parse().unwrap(),
        name: format!("r{number}").parse().unwrap(),
    };
    numbers.map(role).collect()
}

#[test]
fn only_what_changed_is_counted_again_also_what_changes_during_a_count() {
    let tallies = Tallies::default();
    tallies.changed(&limit(), &roles(0..1));
    let all = (None, BTreeSet::new());
    assert_eq!(tallies.begin(&limit()), all, "never counted");
    tallies.changed(&limit(), &roles(1..2));
    tallies.end(&limit(), LimitTally::default());
    tallies.changed(&limit(), &roles(2..3));
    assert_eq!(
        tallies.begin(&limit()),
        (Some(LimitTally::default()), roles(1..3))
    );
    // Broken off.
    tallies.changed(&limit(), &roles(3..4));
    assert_eq!(tallies.begin(&limit()), all);
    tallies.end(&limit(), LimitTally::default());
    tallies.changed(&limit(), &roles(0..CHANGED_MAX + 1));
    assert_eq!(tallies.begin(&limit()), all, "too many to remember");
}
