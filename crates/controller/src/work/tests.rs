use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use deputy_aws::{AmbientOptions, Clients};
use deputy_delegation::ClusterName;
use deputy_index::Index;
use deputy_log_testing::CapturedLog;
use deputy_runtime::lease::{LeaseConfig, LeaseTask, campaign};
use parking_lot::Mutex;

use super::*;
use crate::{
    fixtures::{context, nothing_there},
    queue::{Place, Workers},
};

struct Rig {
    ctx: Arc<ControllerContext>,
    shutdown: Shutdown,
    queue: Queue<usize>,
    done: Arc<AtomicUsize>,
    /// Renewed until it is dropped.
    _lease: LeaseTask,
}

impl Rig {
    async fn new() -> Self {
        let index = Arc::new(Index::new(ClusterName::new("demo").unwrap()));
        for kind in ResourceKind::KINDS {
            index.reset(kind, []);
        }
        let lease = LeaseConfig::new("deputy".to_owned(), "deputy-controller", "pod-0".to_owned());
        let (leadership, lease) = campaign(nothing_there(), lease);
        let ctx = context(
            "controller",
            nothing_there(),
            Arc::new(Clients::new(AmbientOptions::default())),
            index,
            leadership,
        );
        ctx.leadership.wait_until_leader().await;
        Self {
            ctx: Arc::new(ctx),
            shutdown: Shutdown::manual(),
            queue: Queue::new(Workers::each(2), |_| Place::default()),
            done: Arc::default(),
            _lease: lease,
        }
    }

    /// Works with two workers; `work` runs before a key counts as done.
    fn work<F>(&self, work: impl Fn(usize) -> F + Send + Sync + 'static) -> WorkProgress
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let done = Arc::clone(&self.done);
        let reconcile: Reconciler<usize> = Arc::new(move |key, _| {
            let (work, done) = (work(key), Arc::clone(&done));
            Box::pin(async move {
                work.await;
                done.fetch_add(1, Ordering::SeqCst);
                Ok(Requeue::AwaitChange)
            })
        });
        let progress = WorkProgress::new("AWSRole");
        let (ctx, queue, shutdown) = (Arc::clone(&self.ctx), self.queue.clone(), self.shutdown.clone());
        tokio::spawn(run(progress.clone(), queue, ctx, shutdown, reconcile));
        progress
    }

    async fn until_done(&self, count: usize) {
        while self.done.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// As it was, all workers were one task: the first to compute for ever held up all.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_reconciliation_that_holds_its_thread_holds_up_no_other() {
    let rig = Rig::new().await;
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    rig.work(move |key| {
        let held = Arc::clone(&held);
        async move {
            if key == 0 {
                held.lock().recv().ok();
            }
        }
    });
    for key in 0..50 {
        rig.queue.add(key, Lane::Change);
    }
    rig.until_done(49).await;
    assert!(rig.ctx.leadership.is_leader());
    drop(hold);
    rig.until_done(50).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_causes_a_panic_holds_up_no_other() {
    let rig = Rig::new().await;
    rig.work(|key| async move {
        assert_ne!(key, 3, "a fault");
    });
    for key in 0..10 {
        rig.queue.add(key, Lane::Change);
    }
    rig.until_done(9).await;
    // It is tried again, with pauses.
    tokio::time::sleep(Duration::from_secs(5)).await;
    rig.queue.add(20, Lane::Change);
    rig.until_done(10).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reconciled_on_an_index_that_is_old() {
    let rig = Rig::new().await;
    rig.work(|_| async {});
    rig.queue.add(1, Lane::Change);
    rig.until_done(1).await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    // The workers wait for keys already.
    rig.queue.add(2, Lane::Change);
    rig.queue.add(3, Lane::Change);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.done.load(Ordering::SeqCst), 1);
    assert_eq!(rig.queue.depth().sum(), 2, "they are not lost");
    for kind in ResourceKind::KINDS {
        rig.ctx.index.reset(kind, []);
    }
    rig.until_done(3).await;
}

#[tokio::test]
async fn a_decision_that_takes_long_holds_up_nothing_but_itself() {
    let rig = Rig::new().await;
    let (release, released) = mpsc::channel::<()>();
    let ctx = Arc::clone(&rig.ctx);
    let deciding = tokio::spawn(async move { ctx.decide(move |_| released.recv().is_err()).await });
    // On the one thread there is, everything else goes on.
    rig.work(|_| async {});
    rig.queue.add(1, Lane::Change);
    rig.until_done(1).await;
    assert!(!deciding.is_finished());
    drop(release);
    assert!(deciding.await.unwrap().unwrap());
    let fault = rig.ctx.decide(|_| -> () { panic!("a fault") }).await;
    assert_eq!(fault.unwrap_err().category(), "fault");
}

#[tokio::test(start_paused = true)]
async fn reconciliations_that_never_end_are_told_and_their_deadline_ends_them() {
    let rig = Rig::new().await;
    let progress = rig.work(|_| std::future::pending());
    for kind in ResourceKind::KINDS {
        rig.ctx.index.reset(kind, []);
    }
    rig.queue.add(1, Lane::Change);
    tokio::time::sleep(LONGEST + Duration::from_secs(1)).await;
    progress.observe_queue(rig.queue.depth().sum(), true);
    assert_eq!(progress.check(), Ok(()), "it was ended, and is tried again");
}

#[tokio::test(start_paused = true)]
async fn every_line_of_a_reconciliation_names_its_object() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let rig = Rig::new().await;
    rig.work(|key| async move {
        tracing::info!(key, "within");
        assert_ne!(key, 8, "a fault");
    });
    rig.queue.add(8, Lane::Change);
    rig.queue.add(7, Lane::Change);
    rig.until_done(1).await;
    let mut found = Vec::new();
    for line in log.lines() {
        let message = line["fields"]["message"].as_str().unwrap().to_owned();
        if ["within", "failed to reconcile"].contains(&message.as_str()) {
            let span = &line["span"];
            assert_eq!(
                (&span["name"], &span["kind"]),
                (&"reconcile".into(), &"AWSRole".into()),
                "{line}"
            );
            found.push((message, span["object"].as_str().unwrap().to_owned()));
        }
    }
    found.sort();
    let line = |message: &str, object: &str| (message.to_owned(), object.to_owned());
    assert_eq!(
        found,
        [
            line("failed to reconcile", "8"),
            line("within", "7"),
            line("within", "8")
        ]
    );
}
