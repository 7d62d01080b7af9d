mod simulation;

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{NamespaceName, ObjectName};
use proptest::prelude::*;

use super::*;

/// Keys that are all of one place.
fn queue() -> Queue<u32> {
    Queue::new(Workers::each(100), |_| Place::default())
}

/// The next key, if there is one without waiting.
async fn now<K: Clone + Eq + Hash>(queue: &Queue<K>) -> Option<K> {
    take_now(queue).await.map(|item| item.key)
}

async fn take_now<K: Clone + Eq + Hash>(queue: &Queue<K>) -> Option<WorkItem<K>> {
    tokio::time::timeout(Duration::ZERO, queue.take()).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_key_added_many_times_is_worked_on_once() {
    let queue = queue();
    for lane in [Lane::Change, Lane::Routine, Lane::Revoke, Lane::Change] {
        queue.add(7, lane);
        queue.add_echo(7);
    }
    assert_eq!(queue.depth().sum(), 1);
    let item = take_now(&queue).await.unwrap();
    assert_eq!(
        (item.key, item.lane),
        (7, Lane::Revoke),
        "the most urgent of all that is known"
    );
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_hand_is_given_to_nobody_else_and_comes_back_if_it_changed() {
    let queue = queue();
    queue.add(7, Lane::Change);
    assert_eq!(now(&queue).await, Some(7));
    queue.add(7, Lane::Change);
    assert_eq!(now(&queue).await, None);
    queue.done(7, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, Some(7));
    queue.done(7, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn failures_pause_longer_each_time_and_a_success_forgets_them() {
    let queue = queue();
    queue.add(1, Lane::Revoke);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let before = Instant::now();
        let item = queue.take().await;
        assert_eq!(item.lane, Lane::Revoke, "it is as urgent as it was");
        pauses.push(before.elapsed().as_millis());
        queue.done(1, Requeue::Retry);
    }
    assert_eq!(pauses[..5], [0, 500, 1000, 2000, 4000]);
    assert_eq!(*pauses.last().unwrap(), LAST_BACKOFF.as_millis());
    queue.take().await;
    queue.done(1, Requeue::AwaitChange);
    queue.add(1, Lane::Change);
    assert_eq!(queue.take().await.lane, Lane::Change);
    queue.done(1, Requeue::Retry);
    let before = Instant::now();
    queue.take().await;
    assert_eq!(before.elapsed(), FIRST_BACKOFF);
}

#[tokio::test(start_paused = true)]
async fn a_pause_after_a_failure_is_no_longer_than_it_may_be() {
    let queue = queue();
    queue.add(1, Lane::Revoke);
    let mut pauses = Vec::new();
    for longest in [60, 60, 60, 3, 3, 60] {
        let before = Instant::now();
        assert_eq!(queue.take().await.lane, Lane::Revoke);
        pauses.push(before.elapsed().as_millis());
        queue.done(1, Requeue::RetryWithin(Duration::from_secs(longest)));
    }
    assert_eq!(pauses, [0, 500, 1000, 2000, 3000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn a_change_comes_before_the_pause_is_over_and_replaces_it() {
    let queue = queue();
    queue.add(1, Lane::Change);
    assert_eq!(queue.take().await.key, 1);
    queue.done(1, Requeue::After(Duration::from_secs(600)));
    assert_eq!(now(&queue).await, None);
    queue.add(1, Lane::Change);
    assert_eq!(now(&queue).await, Some(1));
    queue.done(1, Requeue::AwaitChange);
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_own_status_does_not_end_the_pause_after_a_failure() {
    let queue = queue();
    for failures in 0..3u32 {
        queue.add_echo(1);
        let before = Instant::now();
        assert_eq!(queue.take().await.key, 1);
        let pause = [0, 500, 1000].map(Duration::from_millis)[failures as usize];
        assert_eq!(before.elapsed(), pause);
        // The status says what failed, and its change is heard of before or after the try ends.
        if failures == 1 {
            queue.add_echo(1);
        }
        queue.done(1, Requeue::Retry);
        queue.add_echo(1);
    }
    // Without a failure it is looked at: somebody else may have written it.
    queue.add(1, Lane::Change);
    assert_eq!(queue.take().await.key, 1);
    queue.add_echo(1);
    queue.done(1, Requeue::AwaitChange);
    let item = take_now(&queue).await.unwrap();
    assert_eq!((item.key, item.lane), (1, Lane::Routine));
}

#[tokio::test(start_paused = true)]
async fn what_takes_away_is_before_changes_and_those_before_the_routine() {
    let queue = queue();
    for key in [1, 2, 3] {
        queue.add(key, Lane::Routine);
    }
    queue.add(9, Lane::Change);
    queue.add(3, Lane::Change);
    queue.add(8, Lane::Revoke);
    queue.promote(&2, Lane::Revoke);
    queue.promote(&77, Lane::Revoke);
    assert_eq!(
        queue.depth(),
        PerLane {
            revoke: 2,
            change: 2,
            routine: 1
        }
    );
    let mut order = Vec::new();
    while let Some(key) = now(&queue).await {
        order.push(key);
        queue.done(key, Requeue::AwaitChange);
    }
    assert_eq!(order, [8, 2, 9, 3, 1]);
    assert_eq!(queue.depth().sum(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_it_is_time_to_look_at_waits_for_changes() {
    let queue = queue();
    queue.add(1, Lane::Change);
    assert_eq!(queue.take().await.key, 1);
    queue.done(1, Requeue::After(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_secs(61)).await;
    queue.add(2, Lane::Change);
    assert_eq!(now(&queue).await, Some(2));
    assert_eq!(now(&queue).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_put_back_is_the_first_again() {
    let queue = queue();
    queue.add(1, Lane::Change);
    queue.add(2, Lane::Change);
    let item = take_now(&queue).await.unwrap();
    assert_eq!(item.key, 1);
    // Something about it changed meanwhile: once is enough.
    queue.add(1, Lane::Change);
    queue.put_back(item);
    assert_eq!(now(&queue).await, Some(1));
    queue.done(1, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, Some(2));
    queue.done(2, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_works_on_a_key_hears_that_it_is_more_urgent_now() {
    for is_promoted in [false, true] {
        let queue = queue();
        queue.add(1, Lane::Change);
        let item = take_now(&queue).await.unwrap();
        queue.add(1, Lane::Change);
        queue.add(1, Lane::Routine);
        assert!(!item.superseded.is_superseded());
        if is_promoted {
            queue.promote(&1, Lane::Revoke);
        } else {
            queue.add(1, Lane::Revoke);
        }
        assert!(item.superseded.is_superseded());
        item.superseded.until_superseded().await;
        queue.done(1, Requeue::Retry);
        let again = take_now(&queue).await.unwrap();
        assert_eq!((again.key, again.lane), (1, Lane::Revoke), "without a pause");
        queue.add(1, Lane::Revoke);
        assert!(!again.superseded.is_superseded(), "nothing is more urgent");
    }
}

#[tokio::test(start_paused = true)]
async fn two_workers_share_the_keys() {
    let queue = queue();
    let worker = |q: Queue<u32>| tokio::spawn(async move { q.take().await.key });
    let (a, b) = (worker(queue.clone()), worker(queue.clone()));
    tokio::task::yield_now().await;
    queue.add(1, Lane::Change);
    queue.add(2, Lane::Change);
    let mut got = [a.await.unwrap(), b.await.unwrap()];
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}

/// An account, a namespace, and a number in that.
type Key = (u8, u8, u32);

fn place(&(account, namespace, _): &Key) -> Place {
    Place {
        account: Some(ObjectName::new(format!("account-{account}")).unwrap()),
        namespace: Some(NamespaceName::new(format!("team-{namespace}")).unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_and_namespaces_have_their_turn_one_after_the_other() {
    let queue = Queue::new(Workers::each(1), place);
    for number in 0..100 {
        queue.add((1, 1, number), Lane::Change);
    }
    queue.add((1, 2, 0), Lane::Change);
    queue.add((1, 3, 0), Lane::Change);
    queue.add((2, 1, 0), Lane::Change);
    queue.add((2, 1, 1), Lane::Change);
    let mut order = Vec::new();
    for _ in 0..8 {
        let key = now(&queue).await.unwrap();
        order.push(key);
        queue.done(key, Requeue::AwaitChange);
    }
    assert_eq!(
        order,
        [
            (1, 1, 0),
            (2, 1, 0),
            (1, 2, 0),
            (2, 1, 1),
            (1, 3, 0),
            (1, 1, 1),
            (1, 1, 2),
            (1, 1, 3)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_account_has_more_in_hand_than_its_share_and_each_has_one() {
    let workers = Workers {
        of_account: PerLane {
            revoke: 2,
            change: 2,
            routine: 1,
        },
        shared: 4,
    };
    let queue = Queue::new(workers, place);
    for account in 1..=6 {
        for number in 0..10 {
            queue.add((account, 1, number), Lane::Change);
        }
    }
    let mut in_hand: BTreeMap<u8, usize> = BTreeMap::new();
    let mut last = None;
    while let Some(key) = now(&queue).await {
        *in_hand.entry(key.0).or_default() += 1;
        last = Some(key);
    }
    // Four are shared, and whoever has none has one all the same.
    assert_eq!(in_hand, (1..=6).map(|account| (account, 1)).collect());
    // What is more urgent has hands of its own.
    queue.add((1, 1, 77), Lane::Revoke);
    assert_eq!(now(&queue).await, Some((1, 1, 77)));
    // A hand that is free again is used.
    queue.done(last.unwrap(), Requeue::AwaitChange);
    assert_eq!(now(&queue).await.unwrap().0, last.unwrap().0);
    assert_eq!(now(&queue).await, None);
}

#[derive(Debug, Clone)]
enum Deed {
    Add(u8, Lane),
    Echo(u8),
    Promote(u8),
    Take,
    Done(Requeue),
    PutBack,
    Pass(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let lane = prop::sample::select(Lane::ALL.to_vec());
    let next = prop_oneof![
        Just(Requeue::AwaitChange),
        Just(Requeue::Retry),
        (1u64..100).prop_map(|seconds| Requeue::After(Duration::from_secs(seconds))),
    ];
    let deed = prop_oneof![
        4 => (0u8..6, lane).prop_map(|(key, lane)| Deed::Add(key, lane)),
        1 => (0u8..6).prop_map(Deed::Echo),
        1 => (0u8..6).prop_map(Deed::Promote),
        6 => Just(Deed::Take),
        4 => next.prop_map(Deed::Done),
        1 => Just(Deed::PutBack),
        1 => (0u64..100).prop_map(Deed::Pass),
    ];
    prop::collection::vec(deed, 0..80)
}

/// What a queue must do, as simply as it can be said.
#[derive(Default)]
struct Promise {
    /// Keys about which something changed that nobody has looked at since.
    news: BTreeSet<u8>,
    in_hand: Vec<WorkItem<u8>>,
}

impl Promise {
    fn taken(&mut self, item: WorkItem<u8>) {
        assert!(
            self.in_hand.iter().all(|other| other.key != item.key),
            "it is in two hands"
        );
        self.news.remove(&item.key);
        self.in_hand.push(item);
    }
}

async fn carry_out(deeds: Vec<Deed>) {
    let queue = Queue::new(Workers::each(2), |key: &u8| place(&(key % 2, key % 3, 0)));
    let mut promise = Promise::default();
    for deed in deeds {
        match deed {
            Deed::Add(key, lane) => {
                queue.add(key, lane);
                promise.news.insert(key);
            }
            Deed::Echo(key) => queue.add_echo(key),
            Deed::Promote(key) => queue.promote(&key, Lane::Revoke),
            Deed::Take => {
                if let Some(item) = take_now(&queue).await {
                    promise.taken(item);
                }
            }
            Deed::Done(next) => {
                if let Some(item) = promise.in_hand.pop() {
                    queue.done(item.key, next);
                }
            }
            Deed::PutBack => {
                if let Some(item) = promise.in_hand.pop() {
                    promise.news.insert(item.key);
                    queue.put_back(item);
                }
            }
            Deed::Pass(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
        }
    }
    for item in std::mem::take(&mut promise.in_hand) {
        queue.done(item.key, Requeue::AwaitChange);
    }
    let mut left = BTreeSet::new();
    while let Some(key) = now(&queue).await {
        left.insert(key);
        queue.done(key, Requeue::AwaitChange);
    }
    assert!(promise.news.is_subset(&left), "{:?} were lost", promise.news);
    let s = queue.state.lock();
    assert_eq!(s.waiting.counts().sum(), 0);
    assert!(s.running.is_empty() && s.of_account.is_empty() && s.again.is_empty());
    assert_eq!(s.later.len(), s.due.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_done_no_key_is_in_two_hands_and_no_news_is_lost(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(carry_out(deeds));
    }
}
