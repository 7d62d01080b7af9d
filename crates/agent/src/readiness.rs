//! The first credentials: fetched on start, so that the application finds them there, and reported on
//! `/readyz`, which [`crate::ready`] asks before the application starts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{
    binding::SelectedBinding, broker::CredentialSource, config::WaitFor, jitter::backoff,
    keeper::CredentialKeeper, problem::AgentProblem,
};

/// First and longest pause between tries while the broker is unavailable.
const UNAVAILABLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// First and longest pause between tries while the broker refuses: the binding may still be on its way.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// The code by which [`crate::ready`] hears that there is nothing to wait for.
pub const POD_TERMINATING: &str = "PodTerminating";
/// Longest that a question is held, in seconds.
pub const MAX_HOLD: u64 = 60;
/// Most questions held at a time. The kubelet has one; more are answered at once.
const MAX_HELD: usize = 8;

/// Which first credentials are still missing, and why.
pub struct StartupReadiness {
    wait_for: WaitFor,
    missing: Mutex<BTreeMap<SelectedBinding, String>>,
    /// An application has asked for a credential, so it runs already.
    application_runs: AtomicBool,
    /// The pod is being deleted: a hook that goes on waiting holds its end up, for the kubelet ends no pod while one runs.
    pod_is_terminating: AtomicBool,
    /// Changes when one is there, an application asks, or the pod goes; `true` once the agent stops.
    changed: watch::Sender<bool>,
    held: Semaphore,
}

impl StartupReadiness {
    /// All of `bindings` are missing.
    pub fn new(wait_for: WaitFor, bindings: &[SelectedBinding]) -> Self {
        let missing = bindings
            .iter()
            .map(|b| (b.clone(), "not asked for yet".to_owned()))
            .collect();
        Self {
            wait_for,
            missing: Mutex::new(missing),
            application_runs: AtomicBool::new(false),
            pod_is_terminating: AtomicBool::new(false),
            changed: watch::Sender::new(false),
            held: Semaphore::new(MAX_HELD),
        }
    }

    /// [`Self::check`], as soon as it succeeds or after `limit`; at once when too many wait already, or the agent stops.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn wait(&self, limit: Duration) -> Result<(), AgentProblem> {
        let mut changed = self.changed.subscribe();
        let Ok(_held) = self.held.try_acquire() else {
            return self.check();
        };
        let ready = changed.wait_for(|stops| {
            *stops || self.pod_is_terminating.load(Ordering::Relaxed) || self.check().is_ok()
        });
        // Which of the ends it was, the check below says.
        let _over = timeout(limit, ready).await;
        self.check()
    }

    /// An application has shown the pod's token, so there is no start of it to hold back: no container that has the token starts
    /// before the hook has succeeded, and this agent is one that was started again. Were its hook to fail for what is still missing,
    /// the kubelet would end an agent that serves what is there.
    pub fn application_runs(&self) {
        if !self.application_runs.swap(true, Ordering::Relaxed) {
            self.changed.send_modify(|_| {});
        }
    }

    /// Lets go of everybody who waits.
    pub fn stop(&self) {
        self.changed.send_replace(true);
    }

    /// Whether the application may start. Once it may, it always may: this is for the start of the pod.
    ///
    /// # Errors
    /// 503 with every binding whose first credential is missing, and why.
    pub fn check(&self) -> Result<(), AgentProblem> {
        if self.wait_for == WaitFor::Listener || self.application_runs.load(Ordering::Relaxed) {
            return Ok(());
        }
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> = missing
            .iter()
            .map(|(binding, reason)| format!("{binding} binding: {reason}"))
            .collect();
        let reasons = reasons.join("; ");
        if self.pod_is_terminating.load(Ordering::Relaxed) {
            let message = format!("the pod is being deleted; {reasons}");
            return Err(AgentProblem::unavailable(POD_TERMINATING, message));
        }
        let message = format!("waiting for the first credential; {reasons}");
        Err(AgentProblem::unavailable("NotReady", message))
    }

    fn note(&self, binding: &SelectedBinding, problem: &AgentProblem) {
        let reason = format!("{}: {}", problem.code, problem.message);
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(binding.clone(), reason);
        if problem.pod_is_terminating && !self.pod_is_terminating.swap(true, Ordering::Relaxed) {
            self.changed.send_modify(|_| {});
        }
    }

    fn fetched(&self, binding: &SelectedBinding) {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(binding);
        self.changed.send_modify(|_| {});
    }
}

/// Asks for the credential of `binding` until it is there.
pub async fn fetch_first<S: CredentialSource>(
    keeper: Arc<CredentialKeeper<S>>,
    readiness: Arc<StartupReadiness>,
    binding: SelectedBinding,
) {
    let mut tries = 0;
    let mut refused = None;
    loop {
        let problem = match keeper.get(&binding).await {
            Ok(_) => return readiness.fetched(&binding),
            Err(problem) => problem,
        };
        readiness.note(&binding, &problem);
        // From refused to unavailable or back is a new situation.
        let is_refusal = problem.status != StatusCode::SERVICE_UNAVAILABLE;
        tries = if refused.replace(is_refusal) == Some(is_refusal) {
            tries + 1
        } else {
            0
        };
        let range = if is_refusal { REFUSED } else { UNAVAILABLE };
        tokio::time::sleep(backoff(tries, range, problem.retry_after)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn two() -> (Arc<StartupReadiness>, [SelectedBinding; 2]) {
        let bindings = [SelectedBinding::Default, SelectedBinding::Named("b".into())];
        let readiness = StartupReadiness::new(WaitFor::Credential, &bindings);
        (Arc::new(readiness), bindings)
    }

    /// Waits for a minute; gives the answer, and after how long it came.
    fn waiting(
        readiness: &Arc<StartupReadiness>,
    ) -> tokio::task::JoinHandle<(Result<(), AgentProblem>, Duration)> {
        let (readiness, start) = (Arc::clone(readiness), Instant::now());
        tokio::spawn(async move { (readiness.wait(Duration::from_secs(60)).await, start.elapsed()) })
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_the_last_credential_at_once() {
        let (readiness, [first, second]) = two();
        let start = Instant::now();
        let waiting = waiting(&readiness);
        tokio::time::sleep(Duration::from_secs(3)).await;
        readiness.fetched(&first);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(!waiting.is_finished());
        readiness.fetched(&second);
        assert_eq!(waiting.await.unwrap(), (Ok(()), Duration::from_secs(7)));
        assert_eq!(readiness.wait(Duration::from_secs(60)).await, Ok(()));
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_of_the_wait_and_of_the_agent_the_reason_is_said() {
        let (readiness, [first, _]) = two();
        readiness.note(&first, &AgentProblem::unavailable("NoBinding", "none"));
        let start = Instant::now();
        let problem = readiness.wait(Duration::from_secs(5)).await.unwrap_err();
        assert!(
            problem.message.contains("default binding: NoBinding: none"),
            "{problem}"
        );
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        readiness.stop();
        assert!(readiness.wait(Duration::from_secs(5)).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_pod_that_is_being_deleted() {
        let (readiness, [first, second]) = two();
        let waiting = waiting(&readiness);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let problem = AgentProblem {
            pod_is_terminating: true,
            ..AgentProblem::unavailable("NoBinding", "none")
        };
        readiness.note(&first, &problem);
        let (answer, after) = waiting.await.unwrap();
        assert_eq!(
            (answer.unwrap_err().code.as_str(), after),
            (POD_TERMINATING, Duration::from_secs(3))
        );
        // One that has begun has what it waited for, and nothing about it changes.
        readiness.fetched(&first);
        readiness.fetched(&second);
        assert_eq!(readiness.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_once_the_application_runs() {
        let (readiness, [first, _]) = two();
        readiness.note(&first, &AgentProblem::unavailable("NoBinding", "none"));
        let waiting = waiting(&readiness);
        tokio::time::sleep(Duration::from_secs(3)).await;
        readiness.application_runs();
        assert_eq!(waiting.await.unwrap(), (Ok(()), Duration::from_secs(3)));
        assert_eq!(readiness.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_too_many_is_not_held() {
        let (readiness, _) = two();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let readiness = Arc::clone(&readiness);
            waiting.spawn(async move { readiness.wait(Duration::from_secs(60)).await.is_err() });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut answered = 0;
        while waiting.try_join_next().is_some() {
            answered += 1;
        }
        assert_eq!(answered, 20 - MAX_HELD);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_listener_is_waited_for_when_that_is_all() {
        let readiness = StartupReadiness::new(WaitFor::Listener, &[SelectedBinding::Default]);
        assert_eq!(readiness.wait(Duration::from_secs(60)).await, Ok(()));
    }
}
