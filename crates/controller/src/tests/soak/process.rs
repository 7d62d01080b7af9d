//! One process of `deputy controller` or of `deputy limits`: its index, which lags behind, its Lease, its memory and its queue.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use deputy_aws::{AmbientOptions, Clients, model::InMemoryIam};
use deputy_delegation::{
    ObjectName,
    model::{Account, RoleId},
    plan::ObservedRole,
};
use deputy_index::{Index, ResourceKind, Subscription};
use deputy_runtime::lease::LeaseInHand;
use futures::future::LocalBoxFuture;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};

use super::{
    controllers::{Controllers, Outcome, Program, Work},
    gate::{Chaos, ProcessGate, Standing},
};
use crate::{
    census::Listing,
    context::{Clock, ControllerContext},
    fixtures::{
        api_server::ApiServer,
        cloud::Cloud,
        cluster, context,
        roles::{Guard, ScriptedRoles},
    },
    queue::{Lane, Requeue, Superseded},
    work::Urgency,
};

/// After a try that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// An index that is not confirmed for so long is not used.
const FRESH: Duration = Duration::from_secs(25);
/// No reconciliation takes longer.
const LONGEST: Duration = Duration::from_secs(120);

/// What all processes of a world are made of.
pub struct Ground {
    pub api: Arc<ApiServer>,
    pub accounts: Vec<Account>,
    pub iams: Vec<Arc<InMemoryIam>>,
    pub chaos: Arc<Mutex<Chaos>>,
    pub clock: Clock,
    /// How many roles of an account are deleted at once.
    pub most_deleted: usize,
    /// Looks at the writes of roles in the account of this number, and of policies.
    pub guard: Box<dyn Fn(usize) -> Guard>,
    pub policy_guard: Arc<dyn Fn(usize) + Send + Sync>,
}

/// What is being done, and a call of it takes long.
struct InHand {
    work: Work,
    doing: LocalBoxFuture<'static, Outcome>,
    calls: Vec<oneshot::Sender<()>>,
    begun: Instant,
    supersede: Arc<dyn Fn() + Send + Sync>,
}

type News = VecDeque<(String, Option<Value>)>;

pub struct Process {
    pub name: String,
    pub gate: Arc<ProcessGate>,
    pub index: Arc<Index>,
    lease: LeaseInHand,
    changes: Subscription,
    news: BTreeMap<ResourceKind, News>,
    confirmed: Instant,
    due: BTreeMap<Work, (Instant, Lane)>,
    in_hand: Vec<InHand>,
    controllers: Controllers,
    /// Listings under way, and what AWS had when they began.
    listings: Vec<(Listing, BTreeMap<RoleId, ObservedRole>)>,
    chaos: Arc<Mutex<Chaos>>,
}

/// The kind of the object at a path.
fn kind_of(path: &str) -> ResourceKind {
    match path.rsplit('/').nth(1) {
        Some("awsaccounts") => ResourceKind::Accounts,
        Some("delegationlimits") => ResourceKind::Limits,
        Some("awsroles") => ResourceKind::Roles,
        Some("clusterawsroles") => ResourceKind::ClusterRoles,
        Some("awsfederateduserbindings") => ResourceKind::FederatedBindings,
        _ => ResourceKind::Bindings,
    }
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).unwrap()
}

impl Process {
    /// A new process, which has read everything.
    pub fn new(program: Program, name: String, ground: &Ground) -> Self {
        let gate = ProcessGate::new(name.clone(), &ground.chaos);
        let index = Arc::new(Index::new(cluster()));
        let changes = index.subscribe();
        let (lease, leadership) = LeaseInHand::new();
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        for (number, (account, iam)) in ground.accounts.iter().zip(&ground.iams).enumerate() {
            let roles = ScriptedRoles {
                iam: Arc::clone(iam),
                gate: gate.clone(),
                watch: Mutex::new((ground.guard)(number)),
            };
            aws.set_roles(account, Arc::new(roles));
            let cloud = Cloud::over(Arc::clone(iam), gate.clone());
            let guard = Arc::clone(&ground.policy_guard);
            cloud.watched_by(move |_, _| guard(number));
            aws.set_policies(account, cloud);
        }
        let ctx = Arc::new(ControllerContext {
            clock: Arc::clone(&ground.clock),
            ..context(
                "controller",
                ground.api.client(gate.clone()),
                aws,
                Arc::clone(&index),
                leadership,
            )
        });
        let mut process = Self {
            controllers: Controllers::new(program, &ctx, ground.most_deleted),
            name,
            gate,
            index,
            lease,
            changes,
            news: BTreeMap::new(),
            confirmed: Instant::now(),
            due: BTreeMap::new(),
            in_hand: Vec::new(),
            listings: Vec::new(),
            chaos: Arc::clone(&ground.chaos),
        };
        process.confirm(&ground.api);
        if program == Program::Limits {
            process.is_due(Work::Sweep, Lane::Change);
        }
        process
    }

    pub fn leads(&self) {
        self.lease.take();
        self.gate.stands(Standing::Leads);
        if let Controllers::Roles { role, .. } = &self.controllers {
            role.census().leads();
        }
    }

    /// It has lost the Lease, which it notices at its next write.
    pub fn is_deposed(&self) {
        self.lease.lose();
        self.gate.stands(Standing::Deposed);
    }

    pub fn is_idle(&self) -> bool {
        self.in_hand.is_empty()
    }

    /// A watch will show this.
    pub fn hears(&mut self, path: &str, object: Option<Value>) {
        self.news
            .entry(kind_of(path))
            .or_default()
            .push_back((path.to_owned(), object));
    }

    /// The watch of some kind shows so many events.
    pub fn listens(&mut self, kind: ResourceKind, count: usize) -> bool {
        let Some(news) = self.news.get_mut(&kind) else {
            return false;
        };
        let many = count.min(news.len());
        for (path, value) in news.drain(..many).collect::<Vec<_>>() {
            self.chaos
                .lock()
                .tell(|| format!("  {} sees {path} {}", self.name, value.is_some()));
            match value {
                Some(value) => self.index.apply(kind, object(&value)),
                None => {
                    let mut parts = path.rsplit('/');
                    let name = parts.next().map(str::to_owned);
                    let namespace = path.split_once("/namespaces/");
                    let namespace = namespace.and_then(|(_, rest)| rest.split('/').next());
                    let meta = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                        name,
                        namespace: namespace.map(str::to_owned),
                        ..Default::default()
                    };
                    self.index.delete(kind, &meta);
                }
            }
        }
        self.route();
        many > 0
    }

    /// The kinds of which something is not shown yet.
    pub fn behind(&self) -> Vec<ResourceKind> {
        let behind = self.news.iter().filter(|(_, news)| !news.is_empty());
        behind.map(|(kind, _)| *kind).collect()
    }

    /// Everything is read anew.
    pub fn confirm(&mut self, api: &ApiServer) {
        self.news.clear();
        let all = api.all();
        for kind in ResourceKind::KINDS {
            let of_kind = all.iter().filter(|(path, _)| kind_of(path) == kind);
            self.index.reset(kind, of_kind.map(|(_, value)| object(value)));
        }
        self.confirmed = Instant::now();
        self.route();
    }

    fn is_due(&mut self, work: Work, lane: Lane) {
        if let Some(held) = self.in_hand.iter().find(|held| held.work == work) {
            // What is being done is superseded by what is more urgent.
            if lane == Lane::Revoke {
                (held.supersede)();
            }
        }
        self.due.insert(work, (Instant::now(), lane));
    }

    /// What changed goes where it is worked on.
    fn route(&mut self) {
        let Some(dirty) = self.changes.take() else {
            return;
        };
        match &self.controllers {
            Controllers::Roles { .. } => {
                for id in dirty.roles {
                    let is_going = self.index.role(&id).is_none_or(|role| role.meta.terminating);
                    let is_urgent = is_going || dirty.unbound_roles.contains(&id);
                    let lane = if is_urgent { Lane::Revoke } else { Lane::Change };
                    self.is_due(Work::Role(id), lane);
                }
                for name in dirty.cluster_roles {
                    self.is_due(Work::ClusterRole(name), Lane::Change);
                }
                for id in dirty.bindings {
                    self.is_due(Work::Binding(id), Lane::Change);
                }
            }
            Controllers::Limits { .. } => {
                if !dirty.limits.is_empty() || !dirty.accounts.is_empty() || !dirty.roles.is_empty() {
                    self.is_due(Work::Sweep, Lane::Change);
                }
                for key in dirty.boundaries {
                    self.is_due(Work::Boundary(key), Lane::Change);
                }
                for name in dirty.limits {
                    self.is_due(Work::Limit(name), Lane::Change);
                }
            }
        }
    }

    /// What may be begun now.
    pub fn ready(&self) -> Vec<Work> {
        let now = Instant::now();
        let is_free = |work: &Work| self.in_hand.iter().all(|held| held.work != *work);
        let due = self
            .due
            .iter()
            .filter(|(work, (at, _))| *at <= now && is_free(work));
        due.map(|(work, _)| work.clone()).collect()
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.values().map(|(at, _)| *at).min()
    }

    /// It is time to look at everything.
    pub fn looks_at_all(&mut self) {
        for (at, _) in self.due.values_mut() {
            *at = Instant::now();
        }
    }

    /// Begins with something, and goes on until it is done or a call takes long.
    pub async fn begin(&mut self, work: Work, api: &ApiServer) {
        if self.confirmed.elapsed() > FRESH {
            self.confirm(api);
        }
        let lane = self.due.remove(&work).map_or(Lane::Routine, |(_, lane)| lane);
        self.chaos
            .lock()
            .tell(|| format!("  {} begins {work:?} ({lane:?})", self.name));
        let (supersede, superseded) = Superseded::by_hand();
        let doing = self.controllers.doing(&work, Urgency { lane, superseded });
        let held = InHand {
            work,
            doing,
            calls: Vec::new(),
            begun: Instant::now(),
            supersede: Arc::new(supersede),
        };
        self.drive(held).await;
    }

    /// A call that took long has ended, if there is one.
    pub async fn resume(&mut self, number: usize) {
        let mut held = self.in_hand.remove(number);
        for call in held.calls.drain(..) {
            let _gone = call.send(());
        }
        if held.begun.elapsed() > LONGEST {
            // It was given up meanwhile.
            self.due.insert(held.work, (Instant::now(), Lane::Change));
            return;
        }
        self.drive(held).await;
    }

    pub fn count_in_hand(&self) -> usize {
        self.in_hand.len()
    }

    async fn drive(&mut self, mut held: InHand) {
        let supersede = Arc::clone(&held.supersede);
        self.gate.superseded_by(move || supersede());
        let outcome = tokio::select! {
            biased;
            outcome = &mut held.doing => Some(outcome),
            calls = self.gate.slow_calls() => {
                held.calls = calls;
                None
            }
        };
        let Some(outcome) = outcome else {
            self.in_hand.push(held);
            return;
        };
        self.chaos
            .lock()
            .tell(|| format!("  {} ends {:?}: {outcome:?}", self.name, held.work));
        let next = match outcome {
            Ok(Requeue::AwaitChange) => None,
            Ok(Requeue::After(left)) => Some((left, Lane::Routine)),
            Ok(Requeue::Retry | Requeue::RetryWithin(_)) | Err(_) => Some((AGAIN, Lane::Change)),
        };
        if let Some((left, lane)) = next {
            // What became due meanwhile stays so.
            let at = (Instant::now() + left, lane);
            self.due.entry(held.work).or_insert(at);
        }
        if let Controllers::Limits { told, .. } = &self.controllers {
            let (told, mut names) = (told.clone(), Vec::new());
            while told.depth().sum() > 0 {
                let item = told.take().await;
                names.push(item.key.clone());
                told.done(item.key, Requeue::AwaitChange);
            }
            for name in names {
                self.is_due(Work::Limit(name), Lane::Change);
            }
        }
    }

    /// A listing of an account begins, or one that began is heard of.
    pub fn lists(&mut self, account: &ObjectName, shown: BTreeMap<RoleId, ObservedRole>) {
        let Controllers::Roles { role, .. } = &self.controllers else {
            return;
        };
        let Some(account) = self.index.account(account).known().cloned() else {
            return;
        };
        self.listings.push((role.census().begin(&account), shown));
    }

    /// The oldest listing under way is heard of.
    pub fn hears_of_listing(&mut self) {
        if self.listings.is_empty() {
            return;
        }
        let (listing, shown) = self.listings.remove(0);
        let Controllers::Roles { role, .. } = &self.controllers else {
            return;
        };
        let mut ids = Vec::new();
        for id in self.index.roles() {
            if self.index.account_of_role(&id).as_ref() == Some(&listing.account().name) {
                role.census().saw(&listing, &id, shown.get(&id).cloned());
                ids.push(id);
            }
        }
        for id in ids {
            self.due.insert(Work::Role(id), (Instant::now(), Lane::Routine));
        }
    }
}
