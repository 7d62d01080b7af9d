//! A limit over many accounts, of which some can't be reached, with everything that `deputy limits` does about it: queues, workers, the
//! status in an API server, an IAM for each account. The time is the test's.

mod api;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use deputy_api::conditions;
use deputy_aws::{AmbientOptions, Clients, Policies as _};
use deputy_delegation::{ObjectName, boundary, model::LimitEntry};
use deputy_index::{BoundaryKey, Index, ResourceKind};
use deputy_runtime::{
    lease::{LeaseConfig, LeaseTask, campaign},
    shutdown::Shutdown,
};
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) use self::api::FakeApi;
use crate::{
    boundary::BoundaryController,
    context::ControllerContext,
    fixtures::{
        self,
        cloud::{Cloud, DEADLINE},
        script::Script,
    },
    limit::LimitController,
    limit_status::LimitStatuses,
    progress::WorkProgress,
    queue::{Lane, Place, Queue, Workers},
    work::{self, Reconciler},
};

fn account_name(number: usize) -> ObjectName {
    ObjectName::new(format!("a{number:03}")).unwrap()
}

fn account(number: usize) -> DynamicObject {
    let mut account = fixtures::account_object();
    let (name, id) = (
        account_name(number),
        format!("{:012}", 100_000_000_000_usize + number),
    );
    account.metadata.uid = Some(format!("uid-{name}"));
    account.metadata.name = Some(name.to_string());
    account.data["spec"]["issuer"]["principalARN"] = json!(format!("arn:aws:iam::{id}:user/deputy-broker"));
    account.data["spec"]["accountID"] = json!(id);
    account
}

fn limit(name: &str, accounts: usize, generation: usize, actions: &[&str]) -> Value {
    let mut limit = fixtures::limit_object(actions);
    limit.metadata.name = Some(name.to_owned());
    limit.metadata.generation = Some(i64::try_from(generation).unwrap());
    limit.metadata.resource_version = Some("1".to_owned());
    let names: Vec<ObjectName> = (0..accounts).map(account_name).collect();
    limit.data["spec"]["accounts"] = json!(names.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
    let mut limit = serde_json::to_value(limit).unwrap();
    limit["status"] = json!({});
    limit
}

struct World {
    index: Arc<Index>,
    api: Arc<FakeApi>,
    clouds: Arc<BTreeMap<ObjectName, Arc<Cloud>>>,
    accounts: usize,
    /// Renewed until it is dropped.
    _lease: LeaseTask,
}

impl World {
    /// Everything runs, and there is no limit yet.
    async fn new(accounts: usize, unreachable: &[usize]) -> Self {
        let index = Arc::new(Index::new(fixtures::cluster()));
        index.reset(ResourceKind::Accounts, (0..accounts).map(account));
        for kind in [
            ResourceKind::Limits,
            ResourceKind::Roles,
            ResourceKind::ClusterRoles,
            ResourceKind::Bindings,
            ResourceKind::FederatedBindings,
        ] {
            index.reset(kind, []);
        }
        let script = Arc::new(Script::default());
        let api = FakeApi::new(&index, &script);
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        let cloud = |number: usize| {
            let account = index.account(&account_name(number)).known().unwrap().clone();
            let cloud = Cloud::new(&account, script.clone());
            cloud
                .is_reachable
                .store(!unreachable.contains(&number), Ordering::SeqCst);
            aws.set_policies(&account, cloud.clone());
            (account.name.clone(), cloud)
        };
        let clouds = Arc::new((0..accounts).map(cloud).collect());
        let lease = LeaseConfig::new("deputy".to_owned(), "deputy-limits", "pod-0".to_owned());
        let (leadership, lease) = campaign(api.client(), lease);
        leadership.wait_until_leader().await;
        let ctx = Arc::new(fixtures::context(
            "limits",
            api.client(),
            aws,
            Arc::clone(&index),
            leadership,
        ));
        let world = Self {
            index,
            api,
            clouds,
            accounts,
            _lease: lease,
        };
        world.work(&ctx);
        world
    }

    fn work(&self, ctx: &Arc<ControllerContext>) {
        let limits = Queue::new(Workers::each(2), |_: &ObjectName| Place::default());
        let boundaries = Queue::new(crate::process::BOUNDARY_WORKERS, |key: &BoundaryKey| {
            Place::of_account(&key.account)
        });
        let statuses = Arc::new(LimitStatuses::new(Arc::clone(ctx)));
        let boundary = BoundaryController::new(Arc::clone(ctx), Arc::clone(&statuses), limits.clone());
        let boundary = Arc::new(boundary);
        let limit = Arc::new(LimitController::new(Arc::clone(ctx), statuses));
        let of_boundary: Reconciler<BoundaryKey> = Arc::new(move |key, _| {
            let boundary = Arc::clone(&boundary);
            Box::pin(async move { boundary.reconcile(&key).await })
        });
        let of_limit: Reconciler<ObjectName> = Arc::new(move |key, _| {
            let limit = Arc::clone(&limit);
            Box::pin(async move { limit.reconcile(&key).await })
        });
        let (shutdown, progress) = (Shutdown::manual(), WorkProgress::new("boundary policy"));
        tokio::spawn(work::run(
            progress.clone(),
            boundaries.clone(),
            Arc::clone(ctx),
            shutdown.clone(),
            of_boundary,
        ));
        tokio::spawn(work::run(
            progress,
            limits.clone(),
            Arc::clone(ctx),
            shutdown,
            of_limit,
        ));
        let changes = self.index.subscribe();
        tokio::spawn(async move {
            loop {
                let dirty = changes.next().await;
                dirty
                    .limits
                    .into_iter()
                    .for_each(|key| limits.add(key, Lane::Change));
                dirty
                    .boundaries
                    .into_iter()
                    .for_each(|key| boundaries.add(key, Lane::Change));
            }
        });
    }

    /// What there is, as the API server confirms from time to time.
    fn confirm(&self) {
        self.index
            .reset(ResourceKind::Accounts, (0..self.accounts).map(account));
        let limits = self.api.limits.lock();
        self.index
            .reset(ResourceKind::Limits, limits.values().map(FakeApi::object));
        for kind in [
            ResourceKind::Roles,
            ResourceKind::ClusterRoles,
            ResourceKind::Bindings,
            ResourceKind::FederatedBindings,
        ] {
            self.index.reset(kind, []);
        }
    }

    /// The accounts in which AWS has the boundary of a limit as that is now, and its status says so.
    async fn in_force(&self, name: &str) -> BTreeSet<ObjectName> {
        let (entry, _, _) = self.index.limit(&name.parse().unwrap()).unwrap();
        let LimitEntry::Valid(limit) = entry else {
            panic!("{entry:?}")
        };
        let mut found = BTreeSet::new();
        for (account_name, cloud) in self.clouds.iter() {
            let account = self.index.account(account_name).known().unwrap().clone();
            let wanted = boundary::compile(&fixtures::cluster(), &account, &limit)
                .unwrap()
                .document;
            let arn = deputy_delegation::naming::boundary_arn(&fixtures::cluster(), &account, &limit.name);
            let in_aws = cloud.iam.get_policy(&arn).await.unwrap();
            if in_aws.is_some_and(|policy| policy.document == wanted.to_json())
                && self.index.boundary_in_force(&limit.name, &account).is_ok()
            {
                found.insert(account_name.clone());
            }
        }
        found
    }

    /// Waits until the limit is in force in so many accounts; how long that takes.
    async fn until_in_force(&self, name: &str, count: usize) -> Duration {
        let begun = Instant::now();
        for _ in 0..300 {
            if self.in_force(name).await.len() >= count {
                return begun.elapsed();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            if begun.elapsed().as_secs().is_multiple_of(10) {
                self.confirm();
            }
        }
        panic!("in force in {} of {count}", self.in_force(name).await.len());
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds.div_ceil(10) {
            self.confirm();
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
}

const WIDE: &[&str] = &["s3:GetObject", "s3:PutObject"];
const NARROW: &[&str] = &["s3:GetObject"];

/// What can't be reached is first, last and in between: the order of names is nothing.
#[tokio::test(start_paused = true)]
async fn eight_accounts_that_can_not_be_reached_hold_up_none_of_the_others() {
    let unreachable = [0, 1, 2, 100, 101, 253, 254, 255];
    let world = World::new(256, &unreachable).await;
    world.api.put(limit("payments", 256, 1, WIDE));
    let took = world.until_in_force("payments", 248).await;
    assert!(took <= DEADLINE, "{took:?}");
    // Once those that can't be reached have had their time, the limit says how it stands.
    world.pass(30).await;
    let status = world.api.status("payments");
    assert_eq!(status.boundaries.len(), 256);
    for number in unreachable {
        let name = account_name(number);
        let entry = status
            .boundaries
            .iter()
            .find(|entry| entry.account == *name.as_str())
            .unwrap();
        assert_eq!(entry.problem.as_ref().unwrap().reason, "Unavailable");
        assert_eq!(
            (&entry.policy_arn, &entry.last_verified),
            (&None, &None),
            "nothing was seen there"
        );
    }
    let ready = conditions::find(&status.conditions, conditions::ConditionType::Ready).unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "Unavailable")
    );
    let begins = "its boundary policy is as it should be in 248 of 256 accounts; not in: a000: iam:GetPolicy";
    assert!(
        ready.message.starts_with(begins) && ready.message.contains("\na255: "),
        "{}",
        ready.message
    );

    // Narrowed, while they hang and are tried again.
    let written = world.api.writes.load(Ordering::SeqCst);
    let mut narrow = limit("payments", 256, 2, NARROW);
    narrow["status"] = world.api.limits.lock()["payments"]["status"].clone();
    narrow["metadata"]["resourceVersion"] =
        world.api.limits.lock()["payments"]["metadata"]["resourceVersion"].clone();
    world.api.put(narrow);
    let took = world.until_in_force("payments", 248).await;
    assert!(took <= DEADLINE, "{took:?}");
    assert_eq!(world.in_force("payments").await.len(), 248);
    let written = world.api.writes.load(Ordering::SeqCst) - written;
    assert!(
        written <= 128,
        "{written} writes of the status: entries that wait together are written together"
    );
    // And the whole time nothing was looked at twice.
    let calls = world.clouds[&account_name(50)].calls.load(Ordering::SeqCst);
    assert_eq!(
        calls, 5,
        "two looks, a policy, a version, and the deletion of one"
    );
}

/// Each of many limits has a policy in each account that can't be reached: there are more of those than workers.
#[tokio::test(start_paused = true)]
async fn many_limits_over_unreachable_accounts_hold_up_none_of_the_others() {
    let names: Vec<String> = (0..40).map(|number| format!("limit-{number:02}")).collect();
    let world = World::new(10, &[0, 1, 2, 3]).await;
    for name in &names {
        world.api.put(limit(name, 10, 1, WIDE));
    }
    let begun = Instant::now();
    for name in &names {
        world.until_in_force(name, 6).await;
    }
    assert!(begun.elapsed() <= DEADLINE * 2, "{:?}", begun.elapsed());
    // Of 40 policies in an account that can't be reached one at a time finds that out.
    let calls = || world.clouds[&account_name(0)].calls.load(Ordering::SeqCst);
    let before = calls();
    world.pass(600).await;
    assert!(calls() - before <= 8, "{} calls in ten minutes", calls() - before);
    // It comes back: everything there is made.
    for number in 0..4 {
        world.clouds[&account_name(number)]
            .is_reachable
            .store(true, Ordering::SeqCst);
    }
    let begun = Instant::now();
    for name in &names {
        world.until_in_force(name, 10).await;
    }
    assert!(
        begun.elapsed() <= Duration::from_secs(280),
        "{:?}",
        begun.elapsed()
    );
}
