use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn budget() -> CallBudget {
    CallBudget::new(BudgetSettings {
        burst: 2.0,
        initial_rate: 4.0,
        min_rate: 0.5,
        max_rate: 8.0,
        growth: 1.0,
        recovery: 1.0,
    })
}

/// One call at a time, `rate` a second, whatever AWS says.
fn steady(rate: f64) -> CallBudget {
    CallBudget::new(BudgetSettings {
        burst: 1.0,
        initial_rate: rate,
        min_rate: rate,
        max_rate: rate,
        growth: 0.0,
        recovery: 0.0,
    })
}

async fn look(budget: &CallBudget) -> Result<Duration, AwsError> {
    budget.acquire("iam:GetRole", CallPurpose::Look, PATIENCE).await
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_burst_wait_their_turn() {
    let budget = budget();
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push(look(&budget).await.unwrap().as_millis());
    }
    assert_eq!(waits, [0, 0, 250, 250]);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_does_not_come_in_time_is_refused_and_takes_nothing() {
    let budget = budget();
    for _ in 0..2 {
        look(&budget).await.unwrap();
    }
    let patience = Duration::from_millis(100);
    let refused = budget
        .acquire("iam:CreateRole", CallPurpose::Revoke, patience)
        .await;
    let error = refused.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::Throttled, Some("CallBudget"))
    );
    assert!(!error.outcome_unknown());
    assert!(budget.is_idle());
    assert_eq!(look(&budget).await.unwrap().as_millis(), 150);
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_the_rate_once_for_all_calls_under_way() {
    let budget = budget();
    let started = Instant::now();
    tokio::time::advance(Duration::from_millis(10)).await;
    budget.learn(started, true);
    budget.learn(started, true);
    assert_eq!(budget.rate(), 2.0);
    tokio::time::advance(Duration::from_millis(10)).await;
    budget.learn(Instant::now(), true);
    assert_eq!(budget.rate(), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_rate_stays_within_its_bounds() {
    let budget = budget();
    for _ in 0..20 {
        tokio::time::advance(Duration::from_secs(1)).await;
        budget.learn(Instant::now(), true);
    }
    assert_eq!(budget.rate(), 0.5);
    for _ in 0..20 {
        budget.learn(Instant::now(), false);
    }
    assert_eq!(budget.rate(), 8.0);
}

#[tokio::test(start_paused = true)]
async fn after_a_storm_the_rate_is_soon_where_it_may_be_and_then_grows_slowly() {
    let budget = CallBudget::default();
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(1)).await;
        budget.learn(Instant::now(), true);
    }
    assert_eq!(budget.rate(), 0.5);
    for _ in 0..9 {
        budget.learn(Instant::now(), false);
    }
    assert_eq!(budget.rate(), 5.0, "half of what it was before");
    budget.learn(Instant::now(), false);
    assert!((budget.rate() - 5.05).abs() < 1e-9);
    // AWS gives no more than this: what is safe is another rate now.
    tokio::time::advance(Duration::from_secs(1)).await;
    budget.learn(Instant::now(), true);
    assert!((budget.rate() - 2.525).abs() < 1e-9);
    budget.learn(Instant::now(), false);
    assert!((budget.rate() - 2.575).abs() < 1e-9);
}

/// In which order calls have their turn that come in this order.
async fn order_of(purposes: &[CallPurpose]) -> Vec<CallPurpose> {
    let budget = Rc::new(steady(1.0));
    look(&budget).await.unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let local = tokio::task::LocalSet::new();
    for purpose in purposes.iter().copied() {
        let (budget, order) = (Rc::clone(&budget), Rc::clone(&order));
        local.spawn_local(async move {
            let patience = Duration::from_secs(3600);
            budget.acquire("iam:GetRole", purpose, patience).await.unwrap();
            order.borrow_mut().push(purpose);
        });
    }
    local.await;
    assert!(budget.is_idle());
    order.take()
}

#[tokio::test(start_paused = true)]
async fn what_takes_away_overtakes_all_that_waits() {
    use CallPurpose::{Look, Provision, Revoke};
    let order = order_of(&[Look, Look, Provision, Look, Revoke, Provision]).await;
    assert_eq!(order, [Revoke, Provision, Provision, Look, Look, Look]);
}

#[tokio::test(start_paused = true)]
async fn no_purpose_starves_for_ever() {
    use CallPurpose::{Look, Provision, Revoke};
    let mut calls = vec![Look; 3];
    calls.extend([Provision; 5]);
    calls.extend([Revoke; 100]);
    let order = order_of(&calls).await;
    let places = |purpose| -> Vec<usize> {
        let all = order.iter().enumerate().filter(|(_, p)| **p == purpose);
        all.map(|(place, _)| place).collect()
    };
    assert_eq!(places(Look), [19, 39, 59]);
    assert_eq!(places(Provision), [9, 20, 30, 40, 50]);
    assert_eq!(places(Revoke).len(), 100);
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_leaves_its_turn_to_the_next_one() {
    let budget = Arc::new(steady(1.0));
    look(&budget).await.unwrap();
    let waiter = |purpose| {
        let budget = Arc::clone(&budget);
        tokio::spawn(async move { budget.acquire("iam:GetRole", purpose, PATIENCE).await })
    };
    let gone: Vec<_> = (0..50).map(|_| waiter(CallPurpose::Revoke)).collect();
    let stays = waiter(CallPurpose::Look);
    tokio::task::yield_now().await;
    for one in &gone {
        one.abort();
    }
    assert_eq!(stays.await.unwrap().unwrap().as_millis(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_and_was_not_taken_is_the_next_ones() {
    let budget = steady(1.0);
    look(&budget).await.unwrap();
    let first = budget.join(Instant::now(), CallPurpose::Revoke);
    let mut second = budget.join(Instant::now(), CallPurpose::Look);
    tokio::time::advance(Duration::from_secs(1)).await;
    budget.change(State::hand_out);
    assert!(!second.has_come());
    drop(first);
    assert!(second.has_come());
    drop(second);
    assert!(
        look(&budget).await.unwrap().as_millis() >= 1000,
        "it was taken once"
    );
}

fn purposes() -> impl Strategy<Value = CallPurpose> {
    prop_oneof![
        1 => Just(CallPurpose::Revoke),
        3 => Just(CallPurpose::Provision),
        10 => Just(CallPurpose::Look)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever waits, and whoever gives up, a call that takes away waits for those before it of its own purpose, and for the shares
    /// of the others: at most (p + 2) / 0.85 calls if it is the p-th.
    #[test]
    fn a_call_that_takes_away_waits_for_few(
        rate in 0.5f64..20.0,
        callers in prop::collection::vec((purposes(), 0u64..20_000, prop::bool::weighted(0.1)), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let budget = Arc::new(steady(rate));
            let begun = Instant::now();
            let made = Arc::new(AtomicUsize::new(0));
            let revoking = Arc::new(AtomicUsize::new(0));
            let mut tasks = tokio::task::JoinSet::new();
            for (purpose, at, gives_up) in callers {
                let (budget, made, revoking) = (budget.clone(), made.clone(), revoking.clone());
                tasks.spawn(async move {
                    tokio::time::sleep_until(begun + Duration::from_millis(at)).await;
                    let patience = if gives_up { Duration::from_millis(50) } else { Duration::from_secs(10_000) };
                    let is_revoking = purpose == CallPurpose::Revoke;
                    let place = if is_revoking { revoking.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
                    let waited = budget.acquire("iam:GetRole", purpose, patience).await;
                    if is_revoking {
                        revoking.fetch_sub(1, Ordering::SeqCst);
                    }
                    let Ok(waited) = waited else {
                        assert!(gives_up, "only who has no patience is refused");
                        return;
                    };
                    made.fetch_add(1, Ordering::SeqCst);
                    if is_revoking {
                        let calls = (place as f64 + 2.0) / 0.85 + 1.0;
                        // Timers count in milliseconds.
                        let most = calls / rate + 0.002 * calls;
                        assert!(waited.as_secs_f64() <= most, "{place}: {waited:?} > {most} s at {rate}/s");
                    }
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
            // No faster than it may.
            let most = rate.mul_add(begun.elapsed().as_secs_f64(), 1.0) + 1e-3;
            assert!(made.load(Ordering::SeqCst) as f64 <= most);
            assert!(budget.is_idle());
        });
    }
}
