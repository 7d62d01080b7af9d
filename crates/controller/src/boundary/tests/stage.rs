//! One limit and one account in memory, and what `deputy limits` does about them, step by step: all that it reads and writes goes through
//! one [`Script`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use deputy_api::{BoundaryStatus, conditions};
use deputy_aws::{AmbientOptions, Clients, NewPolicy, Policies as _, Roles as _, model::Snapshot};
use deputy_delegation::{
    IamPath, MaxSessionDuration, ObjectName, PolicyArn, RoleName,
    model::Account,
    naming,
    plan::{DesiredRole, IamCall},
};
use deputy_index::{BoundaryKey, Index, ResourceKind, Subscription};
use deputy_policy::{Document, PolicyKind};
use deputy_runtime::lease::Leadership;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    rest::{Rest, untrue},
    world::FakeApi,
};
use crate::{
    boundary::{
        BoundaryController,
        sweep::{Explained, Sweeper},
    },
    context::ControllerContext,
    events::EventRecorder,
    fixtures::{
        self,
        cloud::Cloud,
        script::{Call, Script},
    },
    limit::LimitController,
    limit_status::LimitStatuses,
    queue::{Place, Queue, Requeue, Workers},
};

/// What people ask for, or do in AWS themselves.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// The limit allows these actions.
    Limit(&'static [&'static str]),
    /// It was deleted and is made again: another uid, and no status.
    LimitAgain(&'static [&'static str]),
    NoLimit,
    /// It names another account.
    Elsewhere,
    /// The account has this cost center, among the tags of everything there.
    CostCenter(&'static str),
    ByHand(Hand),
}

/// What somebody does to the policy in AWS.
#[derive(Debug, Clone, Copy)]
pub enum Hand {
    Widens,
    Deletes,
    /// Adds versions until there is room for none.
    FillsUp,
    /// Takes Deputy's tags off.
    Disowns,
    /// Makes one of that name.
    Makes,
    /// Makes a role that has it as its boundary.
    Uses,
}

/// A world as it was.
pub struct Moment {
    iam: Snapshot,
    limits: BTreeMap<String, Value>,
    account: DynamicObject,
}

/// What runs in the process.
struct Process {
    boundary: BoundaryController,
    limit: LimitController,
    sweeper: Sweeper,
    /// Limits that the other controller tells of.
    told: Queue<ObjectName>,
    is_boundary_due: bool,
    is_limit_due: bool,
    is_sweep_due: bool,
    /// What was explained when it was last swept.
    swept: Option<Explained>,
}

pub struct Stage {
    pub script: Arc<Script>,
    pub cloud: Arc<Cloud>,
    api: Arc<FakeApi>,
    index: Arc<Index>,
    ctx: Arc<ControllerContext>,
    changes: Subscription,
    account: DynamicObject,
    generation: i64,
    process: Process,
    faults: Faults,
    /// Whether there is a policy that has to be left alone: it is looked at again and again, and that is as it should be.
    pub is_left_alone: bool,
}

/// What must never be, as it was found.
type Faults = Arc<Mutex<Vec<String>>>;

fn name() -> ObjectName {
    ObjectName::new("payments").unwrap()
}

fn key() -> BoundaryKey {
    BoundaryKey {
        limit: name(),
        account: ObjectName::new("production").unwrap(),
    }
}

fn arn() -> PolicyArn {
    naming::boundary_arn(&fixtures::cluster(), &fixtures::account(), &name())
}

impl Stage {
    /// Without a limit. `leadership` holds a Lease that nothing here takes away.
    pub fn new(leadership: &Leadership) -> Self {
        Self::with_identity_of(leadership, &fixtures::account())
    }

    /// The same with the identity of some account, which may be another one than the AWSAccount says.
    pub fn with_identity_of(leadership: &Leadership, identity: &Account) -> Self {
        let (script, index) = (
            Arc::new(Script::default()),
            Arc::new(Index::new(fixtures::cluster())),
        );
        for kind in ResourceKind::KINDS {
            index.reset(kind, []);
        }
        index.reset(ResourceKind::Accounts, [fixtures::account_object()]);
        let account = fixtures::account();
        let cloud = Cloud::new(identity, script.clone());
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        aws.set_policies(&account, cloud.clone());
        let api = FakeApi::new(&index, &script);
        let ctx = Arc::new(ControllerContext {
            // Events go nowhere.
            recorder: EventRecorder::new(fixtures::nothing_there(), "deputy-limits", "deputy-limits-0"),
            ..fixtures::context(
                "limits",
                api.client(),
                aws,
                Arc::clone(&index),
                leadership.clone(),
            )
        });
        let faults = Faults::default();
        let (seen, iam) = (Arc::clone(&faults), Arc::clone(&cloud));
        api.watched_by(move |before, limit| seen.lock().extend(untrue(&iam.iam, &arn(), before, limit)));
        Self {
            faults,
            is_left_alone: false,
            process: Process::new(&ctx),
            changes: index.subscribe(),
            account: fixtures::account_object(),
            generation: 1,
            script,
            cloud,
            api,
            index,
            ctx,
        }
    }

    /// Somebody asks for something, or does it.
    pub async fn ask(&mut self, ask: Ask) {
        self.generation += 1;
        match ask {
            Ask::Limit(actions) => self.put_limit(actions, &["production"], "uid-payments"),
            Ask::LimitAgain(actions) => {
                self.api.reset(&BTreeMap::new());
                self.put_limit(actions, &["production"], "uid-again");
            }
            Ask::NoLimit => self.api.reset(&BTreeMap::new()),
            Ask::Elsewhere => self.put_limit(&["s3:GetObject"], &["elsewhere"], "uid-payments"),
            Ask::CostCenter(center) => {
                self.account.metadata.generation = Some(self.generation);
                self.account.data["spec"]["tags"]["cost-center"] = json!(center);
                self.index.apply(ResourceKind::Accounts, self.account.clone());
            }
            Ask::ByHand(hand) => {
                self.do_by_hand(hand).await;
                // It was time to look, or a new process looks.
                self.restart();
            }
        }
    }

    fn put_limit(&self, actions: &[&str], accounts: &[&str], uid: &str) {
        let mut limit = serde_json::to_value(fixtures::limit_object(actions)).unwrap();
        let known = self.api.limits.lock().get(name().as_str()).cloned();
        limit["status"] = known.map_or(json!({}), |known| known["status"].clone());
        limit["spec"]["accounts"] = json!(accounts);
        limit["metadata"]["uid"] = json!(uid);
        limit["metadata"]["generation"] = json!(self.generation);
        limit["metadata"]["resourceVersion"] = json!(format!("asked-{}", self.generation));
        self.api.put(limit);
    }

    async fn do_by_hand(&self, hand: Hand) {
        let (iam, arn) = (&self.cloud.iam, arn());
        let document = |actions: &[&str]| {
            Document::parse(&fixtures::policy(actions).to_string(), PolicyKind::Boundary).unwrap()
        };
        match hand {
            Hand::Widens => drop(
                iam.create_policy_version(&arn, &document(&["s3:*"]))
                    .await
                    .unwrap(),
            ),
            Hand::Deletes => iam.delete_policy(&arn).await.unwrap(),
            Hand::FillsUp => {
                let there = iam.get_policy(&arn).await.unwrap().unwrap();
                let same = Document::parse(&there.document, PolicyKind::Boundary).unwrap();
                while iam.create_policy_version(&arn, &same).await.is_ok() {}
            }
            Hand::Disowns => {
                let there = iam.get_policy(&arn).await.unwrap().unwrap();
                let keys: Vec<String> = there.tags.into_keys().collect();
                iam.untag_policy(&arn, &keys).await.unwrap();
            }
            Hand::Makes => {
                let theirs = NewPolicy {
                    name: naming::limit_policy_name(&fixtures::cluster(), &name()),
                    path: naming::limit_path(&fixtures::cluster()),
                    tags: BTreeMap::new(),
                    document: document(&["s3:ListBucket"]),
                };
                drop(iam.create_policy(&theirs).await.unwrap());
            }
            Hand::Uses => iam.execute(&role_under(&arn)).await.unwrap(),
        }
    }

    pub fn moment(&self) -> Moment {
        Moment {
            iam: self.cloud.iam.snapshot(),
            limits: self.api.limits.lock().clone(),
            account: self.account.clone(),
        }
    }

    /// Everything is as it was then, and a new process begins.
    pub fn restore(&mut self, moment: &Moment) {
        self.cloud.iam.restore(&moment.iam);
        self.account = moment.account.clone();
        self.index.reset(ResourceKind::Accounts, [moment.account.clone()]);
        self.api.reset(&moment.limits);
        self.cloud.begin();
        self.faults.lock().clear();
        self.restart();
    }

    /// What was found that must never be.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().clone()
    }

    /// Another process, which remembers nothing.
    pub fn restart(&mut self) {
        self.process = Process::new(&self.ctx);
    }

    /// What is in force now; an empty text without a policy.
    pub async fn document(&self) -> String {
        self.rest()
            .await
            .policy
            .map_or_else(String::new, |policy| policy.0)
    }

    /// The watch has not shown any limit yet.
    pub fn hide_limits(&self) {
        self.index.reset(ResourceKind::Limits, []);
    }

    /// A policy with our tags, of a limit that there is not.
    pub async fn leave_policy(&self) {
        let (cluster, uid) = (fixtures::cluster(), fixtures::cluster_uid());
        let document = fixtures::policy(&["s3:ListBucket"]).to_string();
        let policy = NewPolicy {
            name: naming::limit_policy_name(&cluster, &name()),
            path: naming::limit_path(&cluster),
            tags: naming::limit_tags(&cluster, &uid, &fixtures::account(), &name(), None),
            document: Document::parse(&document, PolicyKind::Boundary).unwrap(),
        };
        self.cloud.iam.create_policy(&policy).await.unwrap();
    }

    /// How many policies there are below our path.
    pub async fn count_policies(&self) -> usize {
        let path = naming::limit_path(&fixtures::cluster());
        self.cloud.iam.list_policies(&path).await.unwrap().len()
    }

    /// Sweeps; gives whether something is left.
    pub async fn sweep(&self) -> bool {
        let explained = self.process.sweeper.explained();
        self.process.sweeper.sweep(&explained).await.unwrap()
    }

    /// How it stands.
    pub async fn rest(&self) -> Rest {
        let policy = self.cloud.iam.get_policy(&arn()).await.unwrap();
        let is_there = self.api.limits.lock().contains_key(name().as_str());
        let status = is_there.then(|| self.api.status(name().as_str()));
        let ready = status
            .as_ref()
            .and_then(|s| conditions::find(&s.conditions, conditions::ConditionType::Ready))
            .map(|ready| (ready.status.clone(), ready.reason.clone()));
        let entry = status.and_then(|s| s.boundaries.into_iter().next());
        Rest {
            policy: policy.map(|p| (p.document, p.versions.len(), p.tags)),
            entry: entry.map(|entry| BoundaryStatus {
                last_verified: None,
                version_id: None,
                ..entry
            }),
            ready,
        }
    }

    /// What the queues would have done in so many rounds, or until nothing is left to do and it stands like this. Gives whether nothing
    /// is left.
    pub async fn settle(&mut self, rounds: usize, rest: Option<&Rest>) -> bool {
        for _ in 0..rounds {
            let is_quiet = self.round().await || self.is_left_alone;
            if self.script.revive() {
                self.restart();
            } else if is_quiet {
                if rest.is_none() || rest == Some(&self.rest().await) {
                    return true;
                }
                // Ten minutes later, which nothing but a list that came too early has to wait for.
                self.process.is_sweep_due |= self.cloud.is_list_late.swap(false, Ordering::SeqCst);
            }
        }
        false
    }

    /// One turn of everything that is due. Gives whether nothing is due any more.
    async fn round(&mut self) -> bool {
        let dirty = self.changes.take().unwrap_or_default();
        let process = &mut self.process;
        process.is_boundary_due |= dirty.boundaries.contains(&key());
        process.is_limit_due |= dirty.limits.contains(&name());
        let mut pause = None;
        if std::mem::take(&mut process.is_boundary_due) {
            match process.boundary.reconcile(&key()).await {
                Ok(Requeue::AwaitChange) => {}
                Ok(Requeue::After(left)) if left > SOON => {}
                Ok(Requeue::After(left)) => {
                    process.is_boundary_due = true;
                    pause = Some(left);
                }
                Ok(Requeue::Retry | Requeue::RetryWithin(_)) | Err(_) => process.is_boundary_due = true,
            }
        }
        while process.told.depth().sum() > 0 {
            let told = process.told.take().await;
            process.told.done(told.key, Requeue::AwaitChange);
            process.is_limit_due = true;
        }
        if std::mem::take(&mut process.is_limit_due) {
            let summed = process.limit.reconcile(&name()).await;
            process.is_limit_due = !matches!(summed, Ok(Requeue::AwaitChange));
        }
        let explained = process.sweeper.explained();
        if std::mem::take(&mut process.is_sweep_due) || process.swept.as_ref() != Some(&explained) {
            process.is_sweep_due = process.sweeper.sweep(&explained).await.unwrap_or(true);
            process.swept = Some(explained);
        }
        let is_due = process.is_boundary_due || process.is_limit_due || process.is_sweep_due;
        if let Some(pause) = pause.filter(|pause| *pause <= AWAY) {
            tokio::time::sleep(pause).await;
        }
        !is_due
    }

    /// How many writes a new process makes at its start, to AWS and to the API server.
    pub async fn idle_writes(&mut self) -> usize {
        self.script.begin(&[]);
        self.restart();
        for _ in 0..2 {
            self.round().await;
        }
        let calls = self.script.calls();
        calls
            .into_iter()
            .filter(|call| matches!(call, Call::WriteAws | Call::WriteApi))
            .count()
    }
}

/// Somebody's role that has this boundary.
fn role_under(boundary: &PolicyArn) -> IamCall {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"},
    ]});
    let role = DesiredRole {
        name: RoleName::new("theirs").unwrap(),
        path: IamPath::new("/").unwrap(),
        trust: Document::parse(&trust.to_string(), PolicyKind::Trust).unwrap(),
        inline: None,
        attached: BTreeSet::new(),
        boundary: Some(boundary.clone().into()),
        tags: BTreeMap::new(),
        max_session_duration: MaxSessionDuration::HOUR,
    };
    IamCall::CreateRole { role: Box::new(role) }
}

/// What is looked at again no later is not as it should be: it is due.
const SOON: Duration = Duration::from_secs(600);
/// The longest pause of an account that can't be reached.
const AWAY: Duration = Duration::from_secs(120);

impl Process {
    fn new(ctx: &Arc<ControllerContext>) -> Self {
        let told = Queue::new(Workers::each(1), |_: &ObjectName| Place::default());
        let statuses = Arc::new(LimitStatuses::new(Arc::clone(ctx)));
        Self {
            boundary: BoundaryController::new(Arc::clone(ctx), Arc::clone(&statuses), told.clone()),
            limit: LimitController::new(Arc::clone(ctx), statuses),
            sweeper: Sweeper::new(Arc::clone(ctx)),
            told,
            is_boundary_due: true,
            is_limit_due: true,
            is_sweep_due: true,
            swept: None,
        }
    }
}
