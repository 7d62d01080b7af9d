//! Who waits for whom, on paused time: the queue and the call budgets as they are, before accounts of AWS that give as many calls a second
//! as the test says, refuse what is more, or do not answer.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use deputy_aws::{AwsError, BudgetSettings, CallBudget, CallPurpose, ErrorClass};
use proptest::prelude::*;
use tokio::task::JoinSet;

use super::{Key, place};
use crate::queue::*;

/// A role read whole, as the adapter reads it.
const READS: usize = 4;

/// One account as AWS has it.
struct SimulatedAccount {
    budget: CallBudget,
    /// Calls a second that AWS grants; `None` when it does not answer.
    granted: Option<f64>,
    /// Calls that it would grant now, and since when that is so.
    left: Mutex<(f64, Instant)>,
    answered: AtomicUsize,
    refused: AtomicUsize,
}

impl SimulatedAccount {
    fn new(granted: Option<f64>) -> Self {
        Self {
            budget: CallBudget::new(BudgetSettings::default()),
            granted,
            left: Mutex::new((1.0, Instant::now())),
            answered: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// One call with its attempts, as the adapter makes them.
    async fn call(&self, purpose: CallPurpose) -> Result<(), AwsError> {
        let mut patience = purpose.patience();
        for _ in 0..4 {
            patience -= self.budget.acquire("iam:GetRole", purpose, patience).await?;
            let started = Instant::now();
            let Some(rate) = self.granted else {
                tokio::time::sleep(Duration::from_secs(5)).await;
                self.budget.learn(started, false);
                return Err(AwsError::new("iam:GetRole", ErrorClass::Unreachable, "no answer"));
            };
            let is_granted = self.takes(rate);
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.budget.learn(started, !is_granted);
            if is_granted {
                self.answered.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        Err(AwsError::new(
            "iam:GetRole",
            ErrorClass::Throttled,
            "too many calls",
        ))
    }

    fn takes(&self, rate: f64) -> bool {
        let mut left = self.left.lock();
        let (tokens, since) = *left;
        let tokens = since.elapsed().as_secs_f64().mul_add(rate, tokens).min(2.0);
        let is_granted = tokens >= 1.0 - 1e-6;
        *left = (if is_granted { tokens - 1.0 } else { tokens }, Instant::now());
        is_granted
    }
}

struct World {
    queue: Queue<Key>,
    accounts: HashMap<u8, SimulatedAccount>,
    /// When the write of a key landed, or a look at it was over.
    landed: Mutex<HashMap<Key, Instant>>,
}

impl World {
    fn new(accounts: impl IntoIterator<Item = (u8, Option<f64>)>) -> Arc<Self> {
        let accounts = accounts.into_iter();
        let world = Arc::new(Self {
            queue: Queue::new(Workers::AWS, place),
            accounts: accounts
                .map(|(name, granted)| (name, SimulatedAccount::new(granted)))
                .collect(),
            landed: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&world).work());
        world
    }

    async fn work(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                item = self.queue.take() => {
                    let world = Arc::clone(&self);
                    tasks.spawn(async move {
                        let next = match world.reconcile(&item).await {
                            Ok(()) => Requeue::AwaitChange,
                            Err(_) => Requeue::Retry,
                        };
                        world.queue.done(item.key, next);
                    });
                }
                Some(_ended) = tasks.join_next() => {}
            }
        }
    }

    /// The calls of a role: what takes away reads the role and one policy, and writes both.
    async fn reconcile(&self, item: &WorkItem<Key>) -> Result<(), AwsError> {
        let account = &self.accounts[&item.key.0];
        let (purpose, reads, writes) = match item.lane {
            Lane::Revoke => (CallPurpose::Revoke, 2, 2),
            Lane::Change => (CallPurpose::Provision, READS, 1),
            Lane::Routine => (CallPurpose::Look, READS, 0),
        };
        for _ in 0..reads {
            account.call(purpose).await?;
        }
        for _ in 0..writes {
            account.call(purpose.of_write()).await?;
        }
        self.landed.lock().entry(item.key).or_insert_with(Instant::now);
        if writes > 0 {
            for _ in 0..reads {
                account.call(purpose).await?;
            }
        }
        Ok(())
    }

    /// How long it takes until `key` has landed, in seconds.
    async fn until_landed(&self, key: Key) -> f64 {
        let since = Instant::now();
        loop {
            if let Some(at) = self.landed.lock().get(&key) {
                return at.saturating_duration_since(since).as_secs_f64();
            }
            assert!(
                since.elapsed() < Duration::from_secs(36_000),
                "{key:?} never landed"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn on_paused_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// AWS grants one call a second. Whenever it comes, and also when it was one of those that wait.
    #[test]
    fn with_five_thousand_looks_waiting_a_suspension_lands_within_ten_seconds(
        after in 0u64..600_000,
        changes in 0u32..200,
        is_one_of_them: bool,
    ) {
        on_paused_time(async {
            let world = World::new([(1, Some(1.0))]);
            for number in 0..5_000 {
                world.queue.add((1, (number % 7) as u8, number), Lane::Routine);
            }
            for number in 0..changes {
                world.queue.add((1, 8, number), Lane::Change);
            }
            tokio::time::sleep(Duration::from_millis(after)).await;
            let suspended = if is_one_of_them { (1, 1, 4_999) } else { (1, 9, 0) };
            world.queue.add(suspended, Lane::Revoke);
            let seconds = world.until_landed(suspended).await;
            assert!(seconds <= 10.0, "{seconds} s");
        });
    }

    /// A tenant with 10,000 changes, an account that does not answer, and somebody who changes a role now and then: who has another
    /// account does not notice, and who shares it waits for the turns of the namespaces in it, and not for the 10,000.
    #[test]
    fn a_noisy_tenant_and_an_account_that_is_away_cost_nobody_else(
        rate in 2.0f64..15.0,
        after in 0u64..300_000,
        away in 1u8..9,
    ) {
        on_paused_time(async {
            let sick = (10..10 + away).map(|account| (account, None));
            let world = World::new([(1, Some(rate)), (2, Some(rate))].into_iter().chain(sick));
            for number in 0..10_000 {
                world.queue.add((1, 0, number), Lane::Change);
            }
            for account in 10..10 + away {
                for number in 0..500 {
                    world.queue.add((account, 0, number), Lane::Change);
                    world.queue.add((account, 0, 1_000 + number), Lane::Routine);
                }
            }
            tokio::time::sleep(Duration::from_millis(after)).await;
            world.queue.add((2, 0, 0), Lane::Change);
            world.queue.add((1, 1, 0), Lane::Change);
            let (alone, shared) = tokio::join!(world.until_landed((2, 0, 0)), world.until_landed((1, 1, 0)));
            // Five calls until it has landed, and the rate is found out meanwhile.
            assert!(alone <= 5.0 + 10.0 / rate, "{alone} s at {rate}/s");
            // Four are in hand, of nine calls each, one of them ends before it begins, and three are beside it.
            let calls = 9.0 * 8.0;
            assert!(shared <= 5.0 + calls / (0.6 * rate), "{shared} s at {rate}/s");
        });
    }
}

/// Throttled from the first second on: the rate is soon what AWS grants, and few calls are wasted on finding that out.
#[test]
fn the_budget_finds_out_what_aws_grants() {
    for granted in [1.0, 3.0, 10.0] {
        on_paused_time(async {
            let world = World::new([(1, Some(granted))]);
            for number in 0..5_000 {
                world.queue.add((1, 0, number), Lane::Routine);
            }
            tokio::time::sleep(Duration::from_secs(300)).await;
            let account = &world.accounts[&1];
            let answered = account.answered.load(Ordering::SeqCst) as f64;
            let refused = account.refused.load(Ordering::SeqCst) as f64;
            assert!(
                answered >= 0.6 * granted * 300.0,
                "{answered} answered at {granted}/s"
            );
            assert!(
                refused <= 0.4 * answered,
                "{refused} refused, {answered} answered at {granted}/s"
            );
        });
    }
}
