//! The two processes: which watches feed which queues.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use deputy_aws::{AccountIdentity, AmbientOptions, Clients, Proxy, RolesAnywhere, WriteFence};
use deputy_delegation::{ClusterName, ClusterUid};
use deputy_index::{BoundaryKey, Dirty, Index, ResourceKind, Subscription, WatchError, watch};
use deputy_runtime::{
    health::Health,
    lease::{LeaseConfig, LeaseError, LeaseTask, campaign},
    metrics::Metrics,
    shutdown::Shutdown,
};
use kube::Client;
use tokio::{
    sync::Notify,
    task::{JoinError, JoinHandle},
    time::MissedTickBehavior,
};

use crate::{
    account::AccountController,
    boundary::{BoundaryController, SweepNews, sweep_for_ever},
    census::{TakeInHand, list_for_ever},
    cluster_role::ClusterRoleController,
    context::{ControllerContext, PeopleApi},
    events::EventRecorder,
    grant_queues::GrantQueues,
    instances::Instances,
    kind_queue::{Depth, KindQueue, Origin},
    limit::{CountController, LimitController, copy_for_ever},
    limit_status::LimitStatuses,
    metrics::ControllerMetrics,
    progress::{NoProgressError, WorkProgress},
    queue::{Place, Workers},
    role::RoleController,
    triage::Triage,
};

/// Boundary policies that are looked at at once: what can't be reached keeps its place for as long as a call may take.
pub(crate) const BOUNDARY_WORKERS: Workers = Workers::each(32);
/// How long what is in hand may take when the process is told to stop.
const LAST_WORK: Duration = Duration::from_secs(8);
/// How often gauges are set.
const GAUGE_EVERY: Duration = Duration::from_secs(5);

/// What `deputy limits` watches: also the namespaces, for the copies of limits in them. Nothing is decided by those.
const WITH_NAMESPACES: [ResourceKind; 8] = [
    ResourceKind::Accounts,
    ResourceKind::Limits,
    ResourceKind::Roles,
    ResourceKind::ClusterRoles,
    ResourceKind::Bindings,
    ResourceKind::FederatedBindings,
    ResourceKind::Statements,
    ResourceKind::Namespaces,
];

/// What both processes are told.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// This cluster.
    pub cluster: ClusterName,
    /// Which cluster of that name it is.
    pub cluster_uid: ClusterUid,
    /// The namespace of the Lease.
    pub namespace: String,
    /// Who holds the Lease: the pod's name, or something as unique.
    pub identity: String,
    /// Whether the identity of the node may be used towards AWS.
    pub allow_instance_metadata: bool,
    /// The identity towards AWS, where a certificate gives it.
    pub roles_anywhere: Option<RolesAnywhere>,
    /// The proxy through which AWS is reached.
    pub proxy: Option<Proxy>,
    /// Whether the broker gives sessions to people.
    pub people: PeopleApi,
}

/// Why a process has to end.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The Lease can't be renewed: somebody else may hold it.
    #[error("the Lease: {0}")]
    Lease(#[from] LeaseError),
    /// There is work, and nothing gets done.
    #[error(transparent)]
    Stuck(#[from] NoProgressError),
    /// It can't follow the cluster any more.
    #[error("watching ended: {0}")]
    Watch(#[from] WatchError),
    /// What follows the cluster ended by a fault.
    #[error("watching ended: {0}")]
    WatchTask(#[from] JoinError),
}

/// What the two processes have in common.
struct Process {
    ctx: Arc<ControllerContext>,
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
    let index = Arc::new(Index::new(config.cluster.clone()));
    let changes = index.subscribe();
    let lease_config = LeaseConfig::new(config.namespace.clone(), name, config.identity.clone());
    let (leadership, lease) = campaign(client.clone(), lease_config);
    let fence = leadership.clone();
    let options = AmbientOptions {
        allow_instance_metadata: config.allow_instance_metadata,
        roles_anywhere: config.roles_anywhere.clone(),
        proxy: config.proxy.clone(),
        observer: counters.observer(),
        fence: WriteFence::new(move |longest| fence.may_write(longest)),
        ..AmbientOptions::default()
    };
    let ctx = Arc::new(ControllerContext {
        cluster: config.cluster.clone(),
        cluster_uid: config.cluster_uid.clone(),
        client: client.clone(),
        aws: Arc::new(Clients::new(options)),
        index: index.clone(),
        leadership,
        metrics: counters,
        recorder: EventRecorder::new(client.clone(), name, &config.identity),
        people: config.people,
        deciding: ControllerContext::processors(),
        decisions: WorkProgress::new("decisions"),
        clock: ControllerContext::system_clock(),
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
) -> Result<(), ControllerError> {
    let process = start(
        &config,
        "deputy-controller",
        client,
        health,
        &metrics,
        &ResourceKind::GRANTS,
    );
    let ctx = process.ctx.clone();
    let account = Arc::new(AccountController::new(ctx.clone(), AccountIdentity::Provisioner));
    let instances = Arc::new(Instances::new(ctx.clone()));
    let role = Arc::new(RoleController::new(ctx.clone(), instances.clone()));
    let cluster_role = Arc::new(ClusterRoleController::new(ctx.clone(), instances));
    let accounts = KindQueue::new("AWSAccount", Workers::AWS, Place::of_account);
    let placing = role.clone();
    let roles = KindQueue::new("AWSRole", Workers::AWS, move |id| placing.place(id));
    let cluster_roles = KindQueue::new("ClusterAWSRole", Workers::each(2), |_| Place::default());
    let grants = GrantQueues::new(&ctx);
    let triage = Triage::default();
    let taking = role.clone();
    let take: TakeInHand = Arc::new(move |id, uid, account| taking.take_in_hand(id, uid, account));
    let (census, doubts) = (role.census().clone(), role.doubts().clone());
    let draining = shutdown.clone();
    let work = async {
        tokio::join!(
            accounts.work(&ctx, &draining, move |key, _| {
                let account = account.clone();
                async move { account.reconcile(&key).await }
            }),
            roles.work(&ctx, &draining, move |key, urgency| {
                let role = role.clone();
                async move { role.reconcile(&key, &urgency).await }
            }),
            cluster_roles.work(&ctx, &draining, move |key, _| {
                let cluster_role = cluster_role.clone();
                async move { cluster_role.reconcile(&key).await }
            }),
            grants.work(&ctx, &draining),
            triage.run(&ctx, &roles.queue, &draining),
            list_for_ever(&ctx, &draining, &census, &roles.queue, take),
        );
    };
    let [of_roles, of_users, of_statements] = grants.observed();
    let queues = [
        accounts.observed(),
        roles.observed(),
        cluster_roles.observed(),
        of_roles,
        of_users,
        of_statements,
    ];
    let route = |dirty: Dirty, origin: Origin| {
        origin.enqueue(&accounts.queue, dirty.accounts, &dirty.echoed_accounts);
        for id in &dirty.roles {
            if dirty.echoed_roles.contains(id) {
                roles.queue.add_echo(id.clone());
            } else {
                let is_unbound = dirty.unbound_roles.contains(id);
                roles
                    .queue
                    .add(id.clone(), origin.lane_of_role(&ctx.index, id, is_unbound));
            }
        }
        triage.add(dirty.roles);
        origin.enqueue(&cluster_roles.queue, dirty.cluster_roles, &BTreeSet::new());
        doubts.hear(
            &ctx.index,
            &dirty.bindings,
            origin == Origin::Change,
            &roles.queue,
        );
        grants.enqueue(origin, dirty.bindings, dirty.federated, dirty.statements);
    };
    supervise(process, shutdown, work, queues.into(), route).await
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
) -> Result<(), ControllerError> {
    let process = start(
        &config,
        "deputy-limits",
        client,
        health,
        &metrics,
        &WITH_NAMESPACES,
    );
    let ctx = process.ctx.clone();
    let limits = KindQueue::new("DelegationLimit", Workers::each(2), |_| Place::default());
    let boundaries = KindQueue::new("boundary policy", BOUNDARY_WORKERS, |key: &BoundaryKey| {
        Place::of_account(&key.account)
    });
    let counts = KindQueue::new("grant count", Workers::each(1), |_| Place::default());
    let accounts = KindQueue::new("AWSAccount", Workers::AWS, Place::of_account);
    let statuses = Arc::new(LimitStatuses::new(ctx.clone()));
    let limit = Arc::new(LimitController::new(ctx.clone(), statuses.clone()));
    let boundary = Arc::new(BoundaryController::new(
        ctx.clone(),
        statuses.clone(),
        limits.queue.clone(),
    ));
    let count = Arc::new(CountController::new(ctx.clone(), statuses));
    let counter = count.clone();
    let account = Arc::new(AccountController::new(
        ctx.clone(),
        AccountIdentity::BoundaryWriter,
    ));
    let (news, scope_changed) = (SweepNews::default(), Notify::new());
    let draining = shutdown.clone();
    let work = async {
        tokio::join!(
            limits.work(&ctx, &draining, move |key, _| {
                let limit = limit.clone();
                async move { limit.reconcile(&key).await }
            }),
            boundaries.work(&ctx, &draining, move |key, _| {
                let boundary = boundary.clone();
                async move { boundary.reconcile(&key).await }
            }),
            counts.work(&ctx, &draining, move |key, _| {
                let count = count.clone();
                async move { count.count(&key).await }
            }),
            accounts.work(&ctx, &draining, move |key, _| {
                let account = account.clone();
                async move { account.reconcile(&key).await }
            }),
            sweep_for_ever(&ctx, &draining, &news),
            copy_for_ever(&ctx, &draining, &scope_changed)
        );
    };
    let queues = [
        limits.observed(),
        boundaries.observed(),
        counts.observed(),
        accounts.observed(),
    ];
    let route = |dirty: Dirty, origin: Origin| {
        if !dirty.limits.is_empty() || !dirty.accounts.is_empty() {
            news.wanted.notify_one();
        }
        if !dirty.roles.is_empty() {
            news.freed.notify_one();
        }
        if !dirty.limits.is_empty() || !dirty.namespaces.is_empty() {
            scope_changed.notify_one();
        }
        if dirty.limits.iter().any(|name| ctx.index.limit(name).is_none()) {
            news.gone.notify_one();
        }
        origin.enqueue(&boundaries.queue, dirty.boundaries, &BTreeSet::new());
        origin.enqueue(&limits.queue, dirty.limits, &BTreeSet::new());
        counter.changed(&dirty.counted);
        origin.enqueue(&counts.queue, dirty.counted.into_keys(), &BTreeSet::new());
        origin.enqueue(&accounts.queue, dirty.accounts, &dirty.echoed_accounts);
    };
    supervise(process, shutdown, work, queues.into(), route).await
}

/// Routes changes into queues and lets the workers work, until the process is told to stop or loses its Lease.
///
/// Told to stop, the workers finish what they have in hand, and only then the Lease is given up: a call to AWS that is
/// under way must not meet those of the next leader.
async fn supervise(
    process: Process,
    shutdown: Shutdown,
    work: impl Future<Output = ()>,
    queues: Vec<(WorkProgress, Depth)>,
    route: impl Fn(Dirty, Origin),
) -> Result<(), ControllerError> {
    let Process {
        ctx,
        changes,
        mut lease,
        mut watches,
        health,
    } = process;
    let mut watched: Vec<WorkProgress> = queues.iter().map(|(progress, _)| progress.clone()).collect();
    watched.push(ctx.decisions.clone());
    for progress in watched.clone() {
        let name = format!("progress/{}", progress.kind());
        health
            .liveness
            .register(name, move || progress.check().map_err(|e| e.to_string()));
    }
    let routing = async {
        // Nothing is decided before all kinds are known: what is not known yet is not absent.
        ctx.index.synced(&ResourceKind::KINDS).await;
        let mut origin = Origin::Start;
        loop {
            route(changes.next().await, origin);
            origin = Origin::Change;
        }
    };
    let measuring = async {
        let mut ticker = tokio::time::interval(GAUGE_EVERY);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticker.tick().await;
            ctx.metrics.leader(ctx.leadership.is_leader());
            let should_work = ctx.leadership.is_leader() && ctx.index.current(&ResourceKind::KINDS).is_ok();
            for (progress, depth) in &queues {
                let depth = depth();
                ctx.metrics.waiting(progress.kind(), &depth);
                progress.observe_queue(depth.sum(), should_work);
            }
            ctx.decisions.observe_queue(0, true);
            // Whoever is stuck gives the Lease up: the other replica may not be.
            if let Some(stuck) = watched.iter().find_map(|p| p.check().err()) {
                break stuck.into();
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
        error = lease.failed() => Err(ControllerError::Lease(error)),
        ended = &mut watches => Err(match ended {
            Ok(error) => error.into(),
            Err(error) => error.into(),
        }),
    };
    watches.abort();
    if outcome.is_ok()
        && let Err(error) = lease.release().await
    {
        // The next one waits until it runs out.
        tracing::warn!(%error, "failed to release the Lease");
    }
    outcome
}
