//! The two processes: which watches feed which queues.

use std::{hash::Hash, sync::Arc, time::Duration};

use deputy_aws::{AmbientOptions, Clients, Proxy};
use deputy_delegation::{ClusterName, ObjectName, model::ObjectId};
use deputy_index::{Dirty, Index, ResourceKind, Subscription, WatchError, watch};
use deputy_runtime::{
    health::Health,
    lease::{LeaseConfig, LeaseError, LeaseTask, campaign},
    metrics::Metrics,
    shutdown::Shutdown,
};
use kube::Client;
use tokio::{sync::Notify, task::JoinHandle, time::MissedTickBehavior};

use crate::{
    account::AccountController,
    binding::BindingController,
    context::Context,
    identity::BoundaryWriterController,
    limit::{LimitController, copy_for_ever, sweep_for_ever},
    metrics::ControllerMetrics,
    progress::Progress,
    queue::Queue,
    role::RoleController,
    work,
};

/// Reconciliations of one kind at once.
const WORKERS: usize = 8;
/// How long what is in hand may take when the process is told to stop.
const LAST_WORK: Duration = Duration::from_secs(8);
/// How often gauges are set.
const GAUGE_EVERY: Duration = Duration::from_secs(5);

/// What `deputy limits` watches: also the namespaces, for the copies of limits in them. Nothing is decided by those.
const WITH_NAMESPACES: [ResourceKind; 5] = [
    ResourceKind::Accounts,
    ResourceKind::Limits,
    ResourceKind::Roles,
    ResourceKind::Bindings,
    ResourceKind::Namespaces,
];

/// What both processes are told.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// This cluster.
    pub cluster: ClusterName,
    /// The namespace of the Lease.
    pub namespace: String,
    /// Who holds the Lease: the pod's name, or something as unique.
    pub identity: String,
    /// Whether the identity of the node may be used towards AWS.
    pub allow_instance_metadata: bool,
    /// The proxy through which AWS is reached.
    pub proxy: Option<Proxy>,
}

/// Why a process has to end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The Lease can't be renewed: somebody else may hold it.
    #[error("the Lease: {0}")]
    Lease(#[from] LeaseError),
    /// There is work, and nothing gets done.
    #[error("{0}")]
    Stuck(String),
    /// It can't follow the cluster any more.
    #[error("watching ended: {0}")]
    Watch(String),
}

/// What the two processes have in common.
struct Process {
    ctx: Arc<Context>,
    changes: Subscription,
    lease: LeaseTask,
    watches: JoinHandle<WatchError>,
    health: Health,
}

fn start(
    config: &ProcessConfig,
    name: &'static str,
    client: Client,
    health: Health,
    metrics: &Metrics,
    kinds: &'static [ResourceKind],
) -> Process {
    let counters = ControllerMetrics::register(metrics);
    let options = AmbientOptions {
        allow_instance_metadata: config.allow_instance_metadata,
        proxy: config.proxy.clone(),
        observer: counters.observer(),
        ..AmbientOptions::default()
    };
    let index = Arc::new(Index::new(config.cluster.clone()));
    let changes = index.subscribe();
    let lease_config = LeaseConfig::new(config.namespace.clone(), name, config.identity.clone());
    let (leadership, lease) = campaign(client.clone(), lease_config);
    let ctx = Arc::new(Context {
        cluster: config.cluster.clone(),
        client: client.clone(),
        aws: Arc::new(Clients::new(options)),
        index: index.clone(),
        leadership,
        metrics: counters,
        recorder: Context::recorder(client.clone(), name, Some(config.identity.clone())),
        deciding: Context::processors(),
        decisions: Progress::new("decisions"),
    });
    let known = index.clone();
    health.readiness.check("index", move || {
        known
            .current(&ResourceKind::KINDS)
            .map_err(|stale| stale.to_string())
    });
    let known = index.clone();
    metrics.index_ages(move || known.ages(kinds));
    let watches = tokio::spawn(async move { watch(client, index, kinds).await });
    Process {
        ctx,
        changes,
        lease,
        watches,
        health,
    }
}

/// Runs `deputy controller` until it is told to stop.
///
/// # Errors
/// When the Lease is lost: the process must end, and begin anew.
pub async fn run_controller(
    config: ProcessConfig,
    client: Client,
    shutdown: Shutdown,
    health: Health,
    metrics: Metrics,
) -> Result<(), ProcessError> {
    let process = start(
        &config,
        "deputy-controller",
        client,
        health,
        &metrics,
        &ResourceKind::KINDS,
    );
    let ctx = process.ctx.clone();
    let (accounts, roles, bindings): (Queue<ObjectName>, Queue<ObjectId>, Queue<ObjectId>) =
        Default::default();
    let [of_accounts, of_roles, of_bindings] = ["AWSAccount", "AWSRole", "AWSRoleBinding"].map(Progress::new);
    let work = {
        let (account, role, binding) = (
            Arc::new(AccountController::new(ctx.clone())),
            Arc::new(RoleController::new(ctx.clone())),
            Arc::new(BindingController::new(ctx.clone())),
        );
        let account = work::reconcile(account, |c, k| async move { c.reconcile(&k).await });
        let role = work::reconcile(role, |c, k| async move { c.reconcile(&k).await });
        let binding = work::reconcile(binding, |c, k| async move { c.reconcile(&k).await });
        let run = (ctx.clone(), shutdown.clone());
        let (accounts, roles, bindings) = (accounts.clone(), roles.clone(), bindings.clone());
        let progress = (of_accounts.clone(), of_roles.clone(), of_bindings.clone());
        async move {
            let (ctx, stop) = run;
            tokio::join!(
                work::run(progress.0, accounts, ctx.clone(), stop.clone(), 2, account),
                work::run(progress.1, roles, ctx.clone(), stop.clone(), WORKERS, role),
                work::run(progress.2, bindings, ctx, stop, WORKERS, binding),
            );
        }
    };
    let waiting = [
        (of_accounts, depth_of(&accounts)),
        (of_roles, depth_of(&roles)),
        (of_bindings, depth_of(&bindings)),
    ];
    let route = |dirty: Dirty, news: News| {
        dirty.accounts.into_iter().for_each(|k| news.put(&accounts, k));
        dirty.roles.into_iter().for_each(|k| news.put(&roles, k));
        dirty.bindings.into_iter().for_each(|k| news.put(&bindings, k));
    };
    supervise(process, shutdown, work, waiting.into(), route).await
}

/// Runs `deputy limits` until it is told to stop.
///
/// # Errors
/// When the Lease is lost: the process must end, and begin anew.
pub async fn run_limits(
    config: ProcessConfig,
    client: Client,
    shutdown: Shutdown,
    health: Health,
    metrics: Metrics,
) -> Result<(), ProcessError> {
    let process = start(
        &config,
        "deputy-limits",
        client,
        health,
        &metrics,
        &WITH_NAMESPACES,
    );
    let ctx = process.ctx.clone();
    let (limits, accounts): (Queue<ObjectName>, Queue<ObjectName>) = Default::default();
    let [of_limits, of_accounts] = ["DelegationLimit", "AWSAccount"].map(Progress::new);
    let (changed, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let scopes_changed = Arc::new(Notify::new());
    let work = {
        let controller = Arc::new(LimitController::new(ctx.clone()));
        let reconcile = work::reconcile(controller, |c, k| async move { c.reconcile(&k).await });
        let writer = Arc::new(BoundaryWriterController::new(ctx.clone()));
        let identify = work::reconcile(writer, |c, k| async move { c.reconcile(&k).await });
        let (limits, accounts) = (limits.clone(), accounts.clone());
        let (changed, gone) = (changed.clone(), gone.clone());
        let scopes_changed = scopes_changed.clone();
        let progress = (of_limits.clone(), of_accounts.clone());
        let (ctx, shutdown) = (ctx.clone(), shutdown.clone());
        async move {
            tokio::join!(
                work::run(progress.0, limits, ctx.clone(), shutdown.clone(), 2, reconcile),
                work::run(progress.1, accounts, ctx.clone(), shutdown.clone(), 2, identify),
                sweep_for_ever(&ctx, &shutdown, &changed, &gone),
                copy_for_ever(&ctx, &shutdown, &scopes_changed)
            );
        }
    };
    let waiting = vec![(of_limits, depth_of(&limits)), (of_accounts, depth_of(&accounts))];
    let route = |dirty: Dirty, news: News| {
        changed.notify_one();
        if !dirty.limits.is_empty() || !dirty.namespaces.is_empty() {
            scopes_changed.notify_one();
        }
        if dirty.limits.iter().any(|name| ctx.index.limit(name).is_none()) {
            gone.notify_one();
        }
        dirty.limits.into_iter().for_each(|k| news.put(&limits, k));
        dirty.accounts.into_iter().for_each(|k| news.put(&accounts, k));
    };
    supervise(process, shutdown, work, waiting, route).await
}

/// Whether what is routed has changed, or is what was there when the process began.
#[derive(Clone, Copy)]
enum News {
    Old,
    New,
}

impl News {
    fn put<K: Clone + Eq + Hash>(self, queue: &Queue<K>, key: K) {
        match self {
            Self::Old => queue.add_routine(key),
            Self::New => queue.add(key),
        }
    }
}

/// How many keys wait in a queue.
type Depth = Box<dyn Fn() -> usize + Send>;

fn depth_of<K: Clone + Eq + Hash + Send + 'static>(queue: &Queue<K>) -> Depth {
    let queue = queue.clone();
    Box::new(move || queue.depth())
}

/// Routes changes into queues and lets the workers work, until the process is told to stop or loses its Lease.
///
/// Told to stop, the workers finish what they have in hand, and only then the Lease is given up: a call to AWS that is
/// under way must not meet those of the next leader.
async fn supervise(
    process: Process,
    shutdown: Shutdown,
    work: impl Future<Output = ()>,
    waiting: Vec<(Progress, Depth)>,
    route: impl Fn(Dirty, News),
) -> Result<(), ProcessError> {
    let Process {
        ctx,
        changes,
        mut lease,
        mut watches,
        health,
    } = process;
    let mut watched: Vec<Progress> = waiting.iter().map(|(progress, _)| progress.clone()).collect();
    watched.push(ctx.decisions.clone());
    for progress in watched.clone() {
        let name = format!("progress/{}", progress.what());
        health.liveness.register(name, move || progress.check());
    }
    let routing = async {
        // Nothing is decided before every kind has been read whole.
        ctx.index.synced(&ResourceKind::KINDS).await;
        let mut news = News::Old;
        loop {
            route(changes.next().await, news);
            news = News::New;
        }
    };
    let measuring = async {
        let mut ticker = tokio::time::interval(GAUGE_EVERY);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticker.tick().await;
            ctx.metrics.leader(ctx.leadership.is_leader());
            let should_work = ctx.leadership.is_leader() && ctx.index.current(&ResourceKind::KINDS).is_ok();
            for (progress, depth) in &waiting {
                let depth = depth();
                ctx.metrics.waiting(progress.what(), depth);
                progress.look(depth, should_work);
            }
            ctx.decisions.look(0, true);
            // Whoever is stuck gives the Lease up: the other replica may not be.
            if let Some(stuck) = watched.iter().find_map(|p| p.check().err()) {
                break ProcessError::Stuck(stuck);
            }
        }
    };
    let too_long = async {
        shutdown.draining().await;
        tokio::time::sleep(LAST_WORK).await;
    };
    let outcome = tokio::select! {
        () = work => Ok(()),
        () = routing => Ok(()),
        stuck = measuring => Err(stuck),
        () = too_long => Ok(()),
        error = lease.failed() => Err(ProcessError::Lease(error)),
        ended = &mut watches => Err(ProcessError::Watch(match ended {
            Ok(ended) => ended.to_string(),
            Err(error) => error.to_string(),
        })),
    };
    watches.abort();
    if outcome.is_ok()
        && let Err(error) = lease.release().await
    {
        // The next one waits until it runs out.
        tracing::warn!(%error, "the Lease was not released");
    }
    outcome
}
