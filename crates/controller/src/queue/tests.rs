use super::*;

/// The next key, if there is one without waiting.
async fn now(queue: &Queue<u32>) -> Option<u32> {
    tokio::time::timeout(Duration::ZERO, queue.take()).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_key_added_many_times_is_worked_on_once() {
    let queue = Queue::default();
    for _ in 0..5 {
        queue.add(7);
    }
    assert_eq!(now(&queue).await, Some(7));
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_hand_is_given_to_nobody_else_and_comes_back_if_it_changed() {
    let queue = Queue::default();
    queue.add(7);
    assert_eq!(now(&queue).await, Some(7));
    queue.add(7);
    assert_eq!(now(&queue).await, None);
    queue.done(7, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, Some(7));
    queue.done(7, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn failures_pause_longer_each_time_and_a_success_forgets_them() {
    let queue = Queue::default();
    queue.add(1);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let before = Instant::now();
        assert_eq!(queue.take().await, 1);
        pauses.push(before.elapsed().as_millis());
        queue.done(1, Requeue::Retry);
    }
    assert_eq!(pauses[..5], [0, 500, 1000, 2000, 4000]);
    assert_eq!(*pauses.last().unwrap(), LAST_BACKOFF.as_millis());
    assert_eq!(queue.take().await, 1);
    queue.done(1, Requeue::AwaitChange);
    queue.add(1);
    assert_eq!(queue.take().await, 1);
    queue.done(1, Requeue::Retry);
    let before = Instant::now();
    assert_eq!(queue.take().await, 1);
    assert_eq!(before.elapsed(), FIRST_BACKOFF);
}

#[tokio::test(start_paused = true)]
async fn a_change_comes_before_the_pause_is_over_and_replaces_it() {
    let queue = Queue::default();
    queue.add(1);
    assert_eq!(queue.take().await, 1);
    queue.done(1, Requeue::After(Duration::from_secs(600)));
    assert_eq!(now(&queue).await, None);
    queue.add(1);
    assert_eq!(now(&queue).await, Some(1));
    queue.done(1, Requeue::AwaitChange);
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_worked_on_before_the_routine_and_once() {
    let queue = Queue::default();
    for key in [1, 2, 3] {
        queue.add_routine(key);
    }
    queue.add(9);
    queue.add(3);
    let mut order = Vec::new();
    while let Some(key) = now(&queue).await {
        order.push(key);
        queue.done(key, Requeue::AwaitChange);
    }
    assert_eq!(order, [9, 3, 1, 2]);
    assert_eq!(queue.depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_it_is_time_to_look_at_waits_for_changes() {
    let queue = Queue::default();
    queue.add(1);
    assert_eq!(queue.take().await, 1);
    queue.done(1, Requeue::After(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_secs(61)).await;
    queue.add(2);
    assert_eq!(now(&queue).await, Some(2));
    assert_eq!(now(&queue).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_put_back_is_the_first_again() {
    let queue = Queue::default();
    queue.add(1);
    queue.add(2);
    assert_eq!(now(&queue).await, Some(1));
    // Something about it changed meanwhile: once is enough.
    queue.add(1);
    queue.put_back(1);
    assert_eq!(now(&queue).await, Some(1));
    queue.done(1, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, Some(2));
    queue.done(2, Requeue::AwaitChange);
    assert_eq!(now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn two_workers_share_the_keys() {
    let queue = Queue::default();
    let worker = |q: Queue<u32>| tokio::spawn(async move { q.take().await });
    let (a, b) = (worker(queue.clone()), worker(queue.clone()));
    tokio::task::yield_now().await;
    queue.add(1);
    queue.add(2);
    let mut got = [a.await.unwrap(), b.await.unwrap()];
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}
