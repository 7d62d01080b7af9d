//! The two processes: which watches feed which queues.

use std::{sync::Arc, time::Duration};

use deputy_aws::{AmbientOptions, Clients};
use deputy_delegation::{ClusterName, ObjectName, model::ObjectId};
use deputy_index::{Dirty, Subscription, Watched, World, watch};
use deputy_runtime::{
    health::Readiness,
    lease::{LeaseConfig, LeaseError, LeaseTask, campaign},
    metrics::Metrics,
    shutdown::Shutdown,
};
use kube::Client;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    account::AccountController,
    binding::BindingController,
    context::Context,
    limit::{LimitController, Sweeper},
    metrics::ControllerMetrics,
    queue::Queue,
    role::RoleController,
    work,
};

/// Reconciliations of one kind at once.
const WORKERS: usize = 8;
/// Between two sweeps, and between two while something is left that has to go.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
const SWEEP_AGAIN: Duration = Duration::from_secs(5);

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
}

/// Why a process has to end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The Lease can't be renewed: somebody else may hold it.
    #[error("the Lease: {0}")]
    Lease(#[from] LeaseError),
}

/// What the two processes have in common.
struct Process {
    ctx: Arc<Context>,
    changes: Subscription,
    lease: LeaseTask,
    watches: JoinHandle<()>,
}

fn start(
    config: &ProcessConfig,
    name: &'static str,
    client: Client,
    readiness: &Readiness,
    metrics: &Metrics,
) -> Process {
    let counters = ControllerMetrics::register(metrics);
    let options = AmbientOptions {
        allow_instance_metadata: config.allow_instance_metadata,
        observer: counters.observer(),
        ..AmbientOptions::default()
    };
    let world = Arc::new(World::new(config.cluster.clone()));
    let changes = world.subscribe();
    let lease_config = LeaseConfig::new(config.namespace.clone(), name, config.identity.clone());
    let (leadership, lease) = campaign(client.clone(), lease_config);
    let ctx = Arc::new(Context {
        cluster: config.cluster.clone(),
        client: client.clone(),
        aws: Arc::new(Clients::new(options)),
        world: world.clone(),
        leadership,
        metrics: counters,
        recorder: Context::recorder(client.clone(), name, Some(config.identity.clone())),
    });
    let synced = readiness.register("world");
    let watches = tokio::spawn(async move {
        let whole = async {
            world.synced(&Watched::KINDS).await;
            synced.ready();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = watch(client, world.clone(), &Watched::KINDS) => tracing::error!(error = %ended, "watching ended"),
            () = whole => {}
        }
    });
    Process {
        ctx,
        changes,
        lease,
        watches,
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
    readiness: Readiness,
    metrics: Metrics,
) -> Result<(), ProcessError> {
    let process = start(&config, "deputy-controller", client, &readiness, &metrics);
    let ctx = process.ctx.clone();
    let (accounts, roles, bindings): (Queue<ObjectName>, Queue<ObjectId>, Queue<ObjectId>) =
        Default::default();
    let work = {
        let (account, role, binding) = (
            Arc::new(AccountController::new(ctx.clone())),
            Arc::new(RoleController::new(ctx.clone())),
            Arc::new(BindingController::new(ctx.clone())),
        );
        let account = work::reconcile(account, |c, k| async move { c.reconcile(&k).await });
        let role = work::reconcile(role, |c, k| async move { c.reconcile(&k).await });
        let binding = work::reconcile(binding, |c, k| async move { c.reconcile(&k).await });
        let (accounts, roles, bindings, ctx) =
            (accounts.clone(), roles.clone(), bindings.clone(), ctx.clone());
        async move {
            tokio::join!(
                work::run("AWSAccount", accounts, &ctx, 2, account),
                work::run("AWSRole", roles, &ctx, WORKERS, role),
                work::run("AWSRoleBinding", bindings, &ctx, WORKERS, binding),
            );
        }
    };
    let route = |dirty: Dirty| {
        dirty.accounts.into_iter().for_each(|k| accounts.add(k));
        dirty.roles.into_iter().for_each(|k| roles.add(k));
        dirty.bindings.into_iter().for_each(|k| bindings.add(k));
    };
    supervise(process, shutdown, work, route).await
}

/// Runs `deputy limits` until it is told to stop.
///
/// # Errors
/// When the Lease is lost: the process must end, and begin anew.
pub async fn run_limits(
    config: ProcessConfig,
    client: Client,
    shutdown: Shutdown,
    readiness: Readiness,
    metrics: Metrics,
) -> Result<(), ProcessError> {
    let process = start(&config, "deputy-limits", client, &readiness, &metrics);
    let ctx = process.ctx.clone();
    let limits: Queue<ObjectName> = Queue::default();
    let sweep_now = Arc::new(Notify::new());
    let work = {
        let controller = Arc::new(LimitController::new(ctx.clone()));
        let reconcile = work::reconcile(controller, |c, k| async move { c.reconcile(&k).await });
        let (limits, ctx, sweep_now) = (limits.clone(), ctx.clone(), sweep_now.clone());
        async move {
            tokio::join!(
                work::run("DelegationLimit", limits, &ctx, 2, reconcile),
                sweep(&ctx, &sweep_now)
            );
        }
    };
    let route = |dirty: Dirty| {
        if !dirty.limits.is_empty() || !dirty.accounts.is_empty() {
            sweep_now.notify_one();
        }
        dirty.limits.into_iter().for_each(|k| limits.add(k));
    };
    supervise(process, shutdown, work, route).await
}

/// Sweeps after every change of a limit or account, and now and then; for ever.
async fn sweep(ctx: &Arc<Context>, now: &Notify) {
    let sweeper = Sweeper::new(ctx.clone());
    // A limit that is not known yet is not one that is gone.
    ctx.world.synced(&Watched::KINDS).await;
    loop {
        ctx.leadership.wait_until_leader().await;
        let left = sweeper.sweep().await.unwrap_or(true);
        let pause = if left { SWEEP_AGAIN } else { SWEEP_EVERY };
        let _either = tokio::time::timeout(pause, now.notified()).await;
    }
}

/// Routes changes into queues and lets the workers work, until the process is told to stop or loses its Lease.
async fn supervise(
    process: Process,
    shutdown: Shutdown,
    work: impl Future<Output = ()>,
    route: impl Fn(Dirty),
) -> Result<(), ProcessError> {
    let Process {
        ctx,
        changes,
        mut lease,
        watches,
    } = process;
    let routing = async {
        // Half of the world is no ground for decisions.
        ctx.world.synced(&Watched::KINDS).await;
        loop {
            route(changes.next().await);
        }
    };
    let outcome = tokio::select! {
        () = work => Ok(()),
        () = routing => Ok(()),
        () = shutdown.draining() => Ok(()),
        error = lease.failed() => Err(ProcessError::Lease(error)),
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
