//! A cluster and an account in memory, and the controller of roles between them: all that it reads and writes goes through one
//! [`Script`].

mod sweeps;
mod wish;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use deputy_aws::{AmbientOptions, Clients, model::InMemoryIam};
use deputy_delegation::{naming::TAG_CLUSTER_UID, plan::ObservedRole};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::lease::Leadership;
use jiff::Timestamp;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Value, json};

pub use self::wish::Wish;
use crate::{
    census::Listing,
    context::ControllerContext,
    error::ReconcileError,
    fixtures::{
        OTHER_CLUSTER, account,
        api_server::{ApiServer, Watcher, path_of},
        binding, binding_object, cluster, context,
        roles::{Guard, Power, RoleWrite, ScriptedRoles, power, sessions},
        script::Script,
        uploader,
    },
    instances::Instances,
    queue::{Lane, Place, Queue, Requeue, Superseded, Workers},
    role::{RoleController, dereference::FINALIZER},
    work::Urgency,
};

/// A world as it was: what people asked for, and what AWS and the API server have.
pub struct Moment {
    iam: deputy_aws::model::Snapshot,
    role: Option<Value>,
    account: Option<Value>,
    now: Timestamp,
}

/// What a role may be, from one moment to another.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    pub at_least: Power,
    pub at_most: Power,
    /// What sessions may now and not afterwards: once they may not, they never may again.
    pub cut: Power,
}

/// As [`crate::orphans::DeletionBrake`] has it.
const MOST_DELETED: usize = 10;

/// What must never be, as it was found.
type Faults = Arc<Mutex<Vec<String>>>;

/// How the world stands when nothing is left to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// Without what differs from one making to the next: its unique id.
    pub role: Option<ObservedRole>,
    /// Status and reason of `Ready`; `None` when the object is gone.
    pub ready: Option<(String, String)>,
    /// The roles that the account names as without an object.
    pub orphans: BTreeSet<String>,
}

pub struct World {
    pub script: Arc<Script>,
    iam: Arc<InMemoryIam>,
    api: Arc<ApiServer>,
    index: Arc<Index>,
    ctx: Arc<ControllerContext>,
    controller: RoleController,
    bounds: Arc<Mutex<Option<Bounds>>>,
    faults: Faults,
    /// What time it is. It does not pass by itself.
    now: Arc<Mutex<Timestamp>>,
    is_quiet: bool,
    /// How urgent it is what people asked for last, as the queue has it.
    lane: Mutex<Lane>,
    /// A listing that was asked for before the last try, which nobody has heard of yet.
    listed: Option<(Listing, Option<ObservedRole>)>,
    /// How many roles of an account are deleted at once.
    most_deleted: usize,
}

impl World {
    /// An empty one. `leadership` holds a Lease that nothing here takes away.
    pub fn new(leadership: &Leadership) -> Self {
        let script = Arc::new(Script::default());
        let index = Arc::new(Index::new(cluster()));
        for kind in ResourceKind::KINDS {
            index.reset(kind, []);
        }
        let account = account();
        let iam = Arc::new(InMemoryIam::new(account.partition.clone(), account.id.clone()));
        let faults = Faults::default();
        let now = Arc::new(Mutex::new(Timestamp::from_second(1_767_323_045).unwrap()));
        let clock = Arc::clone(&now);
        let bounds = Arc::new(Mutex::new(None));
        let api = ApiServer::new(watcher(&index, &iam, &faults));
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        let roles = ScriptedRoles {
            iam: Arc::clone(&iam),
            gate: script.clone(),
            watch: Mutex::new(guard(&api, &iam, &bounds, &faults)),
        };
        aws.set_roles(&account, Arc::new(roles));
        let ctx = Arc::new(ControllerContext {
            clock: Arc::new(move || *clock.lock()),
            ..context(
                "controller",
                api.client(script.clone()),
                aws,
                Arc::clone(&index),
                leadership.clone(),
            )
        });
        Self {
            controller: controller(&ctx, MOST_DELETED),
            script,
            iam,
            api,
            index,
            ctx,
            bounds,
            faults,
            now,
            is_quiet: false,
            lane: Mutex::new(Lane::Change),
            listed: None,
            most_deleted: MOST_DELETED,
        }
    }

    pub fn moment(&self) -> Moment {
        Moment {
            iam: self.iam.snapshot(),
            role: self.object_there(),
            account: self.api.get(&of_account()),
            now: *self.now.lock(),
        }
    }

    /// It is so much later.
    pub fn wait(&self, time: Duration) {
        let mut now = self.now.lock();
        *now = now.checked_add(time).unwrap();
    }

    /// Everything is as it was then, and a new process begins.
    pub fn restore(&mut self, moment: &Moment) {
        self.iam.restore(&moment.iam);
        *self.now.lock() = moment.now;
        self.api.put(&of_account(), moment.account.clone());
        self.put(moment.role.clone());
        self.bound(None);
        self.faults.lock().clear();
        self.restart();
    }

    /// From now on whatever is found is within these, or a fault.
    pub fn bound(&self, bounds: Option<Bounds>) {
        *self.bounds.lock() = bounds;
    }

    /// What was found that must never be.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().clone()
    }

    /// What others may by the role now than those who have sessions of it already.
    pub fn power_of_new_sessions(&self) -> Power {
        let power = self.power();
        let running: Power = sessions(power.iter()).collect();
        power.difference(&running).cloned().collect()
    }

    /// Who may do what by the role now.
    pub fn power(&self) -> Power {
        power(&self.iam, self.role().as_ref())
    }

    fn role(&self) -> Option<ObservedRole> {
        self.iam.role_names().first().and_then(|name| self.iam.role(name))
    }

    /// The unique id of the role now.
    pub fn role_id(&self) -> Option<String> {
        self.role().map(|role| role.unique_id)
    }

    /// The AWSRole as it is.
    fn object_there(&self) -> Option<Value> {
        self.api.get(&path())
    }

    fn put(&self, role: Option<Value>) {
        self.api.put(&path(), role);
    }

    /// How it stands.
    pub fn rest(&self) -> Rest {
        let role = self.role().map(|role| ObservedRole {
            unique_id: String::new(),
            ..role
        });
        let conditions = self
            .object_there()
            .and_then(|role| role.pointer("/status/conditions").cloned());
        let conditions = conditions
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut ready = conditions.filter(|c| c["type"] == "Ready").map(|c| {
            let word = |key: &str| c[key].as_str().unwrap_or_default().to_owned();
            (word("status"), word("reason"))
        });
        Rest {
            role,
            ready: ready.next(),
            orphans: orphans(self.api.get(&of_account()).as_ref()),
        }
    }

    /// Whether the last try left nothing to do at once.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// A new process begins: it knows what the API server and AWS have.
    pub fn restart(&mut self) {
        self.controller = controller(&self.ctx, self.most_deleted);
        self.listed = None;
    }

    /// A listing of the account begins, and shows the role as it is now, if it shows it at all.
    fn lists(&self) -> (Listing, Option<ObservedRole>) {
        let production = account().name;
        let account = self.index.account(&production).known().cloned().unwrap();
        (self.controller.census().begin(&account), self.role())
    }

    /// Every second try hears of a listing from before the last one.
    fn hears_of_listing(&mut self) {
        match self.listed.take() {
            Some((listing, role)) => self.controller.census().saw(&listing, &uploader(), role),
            None => self.listed = Some(self.lists()),
        }
    }

    /// What one try asks of AWS, and then writes there, when a listing shows the role as it is now and it is time to look.
    pub async fn listed_anew(&self) -> (usize, Vec<&'static str>) {
        self.script.begin(&[]);
        self.iam.clear_log();
        let (listing, role) = self.lists();
        self.controller.census().saw(&listing, &uploader(), role);
        let urgency = Urgency {
            lane: Lane::Routine,
            ..Urgency::change()
        };
        let _outcome = self.controller.reconcile(&uploader(), &urgency).await;
        let log = self.iam.log();
        let looks = log.iter().filter(|call| call.operation == "iam:GetRole");
        (looks.count(), self.iam.writes())
    }

    /// How long the role waits for a listing, when it is time to look.
    pub async fn awaits_listing(&self) -> Result<Requeue, ReconcileError> {
        let urgency = Urgency {
            lane: Lane::Routine,
            ..Urgency::change()
        };
        self.script.begin(&[]);
        self.controller.census().leads();
        self.controller.reconcile(&uploader(), &urgency).await
    }

    /// Somebody, or another process, says something else of the AWSRole beside its spec.
    pub fn says(&self, change: impl FnOnce(&mut Value)) {
        let mut role = self.object_there().unwrap();
        change(&mut role);
        self.put(Some(role));
    }

    /// The AWSRole is gone, whatever held it, and its role in AWS is still there.
    pub fn vanishes(&self) {
        self.put(None);
        self.faults.lock().clear();
    }

    /// Somebody annotates the AWSRole.
    pub fn annotate(&self, key: &str, value: &str) {
        let mut role = self.object_there().unwrap();
        role["metadata"]["annotations"][key] = value.into();
        self.put(Some(role));
    }

    /// The broker says of the binding that its sessions are refused for `reason`, or not.
    pub fn refuses(&self, reason: Option<&str>) {
        let mut object = self.written(binding_object("uploader"));
        let (status, reason) = reason.map_or(("True", "Ready"), |reason| ("False", reason));
        let condition = json!({"type": "SessionsIssued", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z"});
        object.data["status"] = json!({"conditions": [condition]});
        self.index.reset(ResourceKind::Bindings, [object]);
        let queue = Queue::new(Workers::each(1), |_| Place::default());
        let changed = [binding().id].into();
        self.controller.doubts().hear(&self.index, &changed, true, &queue);
    }

    /// What was asked of AWS since it was asked last, as operations.
    pub fn take_calls(&self) -> Vec<String> {
        let calls = self
            .iam
            .log()
            .iter()
            .map(|call| call.operation.to_string())
            .collect();
        self.iam.clear_log();
        calls
    }

    /// Somebody changes the role in AWS by hand.
    pub fn tamper(&self, change: impl FnOnce(&mut ObservedRole)) {
        if let Some(name) = self.iam.role_names().first() {
            self.iam.tamper(name, change);
        }
    }

    /// Somebody deletes it.
    pub fn uproot(&self) {
        if let Some(name) = self.iam.role_names().first() {
            self.iam.uproot(name);
        }
    }

    /// What was told as events since the last call of this.
    pub fn take_events(&self) -> Vec<String> {
        self.api.take_events()
    }

    /// Works as the queue does, until `is_done`, and so often at most.
    pub async fn settle(&mut self, tries: usize, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..tries {
            let (supersede, superseded) = Superseded::by_hand();
            self.script.superseded_by(supersede);
            self.hears_of_listing();
            let lane = *self.lane.lock();
            let urgency = Urgency { superseded, lane };
            let result = self.controller.reconcile(&uploader(), &urgency).await;
            if self.script.revive() {
                self.restart();
                continue;
            }
            self.is_quiet = matches!(result, Ok(Requeue::AwaitChange | Requeue::After(_)));
            if is_done(self) {
                return;
            }
        }
    }

    /// What one more try writes after all is done, by a process that knows nothing: calls to AWS, and to the API server.
    pub async fn idle_writes(&mut self) -> (Vec<&'static str>, Vec<Value>) {
        self.restart();
        self.script.begin(&[]);
        self.iam.clear_log();
        self.api.take_writes();
        let _outcome = self.controller.reconcile(&uploader(), &Urgency::change()).await;
        let mut writes = self.iam.writes();
        // And what one writes that a listing shows the role when it is time to look.
        self.restart();
        writes.extend(self.listed_anew().await.1);
        (writes, self.api.take_writes())
    }
}

/// Of the AWSRole in the API server.
fn path() -> String {
    path_of("awsroles", Some("payments"), "uploader")
}

/// Of the AWSAccount.
fn of_account() -> String {
    path_of("awsaccounts", None, "production")
}

/// The ARNs of the roles that an AWSAccount names as without an object.
fn orphans(account: Option<&Value>) -> BTreeSet<String> {
    let oldest = account.and_then(|account| account.pointer("/status/orphans/oldest")?.as_array());
    let arns = oldest.into_iter().flatten().map(|orphan| &orphan["roleARN"]);
    arns.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn controller(ctx: &Arc<ControllerContext>, most_deleted: usize) -> RoleController {
    let controller = RoleController::new(Arc::clone(ctx), Arc::new(Instances::new(Arc::clone(ctx))));
    // A second look is enough: nothing here takes time.
    controller
        .believing_after(Duration::ZERO)
        .giving_up_after(Duration::ZERO)
        .deleting_at_most(most_deleted)
}

/// Tells the index, as a watch does; and looks at what is in AWS when the object is gone.
fn watcher(index: &Arc<Index>, iam: &Arc<InMemoryIam>, faults: &Faults) -> Watcher {
    let (index, iam, faults) = (Arc::clone(index), Arc::clone(iam), Arc::clone(faults));
    let noted = Mutex::new(BTreeSet::new());
    Box::new(move |of, role| {
        if of == of_account() {
            *noted.lock() = orphans(role);
        }
        if of != path() {
            return;
        }
        let Some(role) = role else {
            index.reset(ResourceKind::Roles, []);
            let left = iam.role_names().first().and_then(|name| iam.role(name));
            let is_theirs = |role: &ObservedRole| {
                role.tags
                    .get(TAG_CLUSTER_UID)
                    .is_some_and(|uid| uid == OTHER_CLUSTER)
            };
            if left.as_ref().is_some_and(is_theirs) {
                return;
            }
            let is_explained = left
                .as_ref()
                .is_none_or(|role| role.tags.contains_key("deputy-retained"));
            let is_held = left
                .as_ref()
                .is_some_and(|role| noted.lock().contains(&role.arn.to_string()));
            // Sessions of a role that stays in the account run until they expire; those of one that is held are cut.
            let may = power(&iam, left.as_ref());
            let is_shut = is_held && may.is_empty();
            if !is_shut && (!is_explained || sessions(may.iter()).collect::<Power>() != may) {
                faults
                    .lock()
                    .push(format!("the object is gone, and AWS has {left:?}"));
            }
            return;
        };
        let object: DynamicObject = serde_json::from_value(role.clone()).unwrap();
        index.apply(ResourceKind::Roles, object);
    })
}

/// Looks at each change in AWS: the role is explained by an object with our finalizer, and what it may is within the bounds.
fn guard(
    api: &Arc<ApiServer>,
    iam: &Arc<InMemoryIam>,
    bounds: &Arc<Mutex<Option<Bounds>>>,
    faults: &Faults,
) -> Guard {
    let (api, iam) = (Arc::clone(api), Arc::clone(iam));
    let (bounds, faults) = (Arc::clone(bounds), Arc::clone(faults));
    Box::new(move |call, written| {
        let RoleWrite::Done(role) = written else {
            // What AWS says it will not do is not waited for: what is taken away instead is taken away.
            bounds
                .lock()
                .iter_mut()
                .for_each(|bounds| bounds.at_least.clear());
            return;
        };
        let found = |what: String| faults.lock().push(format!("after {}: {what}", call.action()));
        let finalizers = api
            .get(&path())
            .and_then(|role| role.pointer("/metadata/finalizers").cloned());
        let has_finalizer =
            finalizers.is_some_and(|f| f.as_array().is_some_and(|f| f.contains(&FINALIZER.into())));
        if role.is_some() && !has_finalizer {
            found("a role that no finalizer holds".to_owned());
        }
        if role.is_some_and(|role| role.boundary.is_none()) {
            found("no boundary".to_owned());
        }
        let mut bounds = bounds.lock();
        let Some(Bounds {
            at_least,
            at_most,
            cut,
        }) = bounds.as_mut()
        else {
            return;
        };
        let now = power(&iam, role);
        // A session that is cut stays cut.
        let is_cut = |may: &(String, &'static str)| cut.contains(may) && !now.contains(may);
        at_most.retain(|may| !is_cut(may));
        if !now.is_subset(at_most) {
            found(format!("{now:?} is more than {at_most:?}"));
        }
        if !now.is_superset(at_least) {
            found(format!("{now:?} is less than {at_least:?}"));
        }
    })
}
