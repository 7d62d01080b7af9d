//! Whether the process still gets anything done. One that does not is killed and begins anew.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a runtime shows that it runs tasks.
const BEAT: Duration = Duration::from_secs(1);
/// How long it may not: work that holds every thread for so long is a fault. Long enough for a node that is short of
/// CPU; the kubelet asks six times before it kills.
const STILL_BEATING: Duration = Duration::from_secs(30);

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What has to go on for the process to be alive, by name. Clones are the same.
#[derive(Clone, Default)]
pub struct Liveness {
    checks: Arc<Mutex<BTreeMap<String, Check>>>,
}

impl Liveness {
    /// Nothing has to: alive as long as it answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check. It must answer at once, and its error is for people and must hold no secret. A second one of a name
    /// replaces the first.
    pub fn register(
        &self,
        name: impl Into<String>,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.into(), Arc::new(check));
    }

    /// The checks that fail, each with its reason.
    pub fn stuck(&self) -> BTreeMap<String, String> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        checks
            .into_iter()
            .filter_map(|(name, check)| Some((name, check().err()?)))
            .collect()
    }

    /// The check `runtime`: that the runtime this is called in runs tasks. Ask it from a thread of its own: on the
    /// runtime itself nobody would answer.
    pub fn watch_runtime(&self) {
        self.watch_runtime_within(BEAT, STILL_BEATING);
    }

    fn watch_runtime_within(&self, beat: Duration, limit: Duration) {
        let last = Arc::new(Mutex::new(Instant::now()));
        let beating = Arc::clone(&last);
        tokio::spawn(async move {
            loop {
                *beating.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                tokio::time::sleep(beat).await;
            }
        });
        self.register("runtime", move || {
            let age = last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            if age < limit {
                return Ok(());
            }
            Err(format!(
                "no task ran for {} s; at most {} s are normal",
                age.as_secs(),
                limit.as_secs()
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_that_fails_is_named() {
        let liveness = Liveness::new();
        assert!(liveness.stuck().is_empty());
        liveness.register("a", || Ok(()));
        liveness.register("b", || Err("no role was reconciled for 300 s".to_owned()));
        liveness.register("c", || Err("replaced".to_owned()));
        liveness.register("c", || Ok(()));
        assert_eq!(
            liveness.stuck(),
            BTreeMap::from([("b".to_owned(), "no role was reconciled for 300 s".to_owned())])
        );
    }

    #[test]
    fn a_runtime_whose_threads_are_all_held_is_stuck_until_they_are_free() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let liveness = Liveness::new();
        let other = liveness.clone();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (began, begun) = std::sync::mpsc::channel::<()>();
        runtime.spawn(async move {
            other.watch_runtime_within(Duration::from_millis(5), Duration::from_millis(200));
            began.send(()).unwrap();
        });
        begun.recv().unwrap();
        let until = |stuck: bool| {
            let start = Instant::now();
            while liveness.stuck().is_empty() == stuck {
                assert!(start.elapsed() < Duration::from_secs(10), "stuck: {stuck}");
                std::thread::yield_now();
            }
        };
        until(false);
        runtime.spawn(async move { held.recv().ok() });
        until(true);
        drop(hold);
        until(false);
    }
}
