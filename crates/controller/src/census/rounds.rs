//! The rounds of the census: AWS is asked for the roles of an account, and each that it shows is put where it is looked at.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use deputy_api::{AWSAccount, AWSAccountStatus};
use deputy_aws::{AwsError, CallPurpose, ErrorClass, ListedRole, Roles};
use deputy_delegation::{
    ObjectName, RoleName, Uid,
    model::{Account, RoleId},
    naming,
    plan::ObservedRole,
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::shutdown::Shutdown;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::Instrument as _;

use super::{
    observations::{Census, Listing},
    told,
};
use crate::{
    context::ControllerContext,
    error::{ReconcileError, chain},
    objects,
    orphans::{
        self, LOOKS, ObservedOrphan, OrphanFacts, SweepPlan, SweepScope, SweptRound, UnexplainedRole, sweep,
    },
    queue::{Lane, Queue},
    report,
};

/// How often the roles of an account are listed, give or take a fifth: accounts are not asked all at once.
const EVERY: Duration = Duration::from_secs(30 * 60);
/// After a listing that failed for a passing reason; doubled with each further one, up to [`EVERY`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Accounts whose roles are shown at the same time. What AWS shows is held until it is looked at, 3 KB for each role or so; and all accounts are asked
/// when a process begins.
const SHOWN_AT_ONCE: usize = 8;
/// How often it is looked whether there is another account.
const NEW_ACCOUNTS: Duration = Duration::from_secs(5);
/// Roles that were shown and not looked at yet, beyond which no further page is asked for: with a page they are 1,000.
const LEFT: usize = 500;
/// So long a page waits for those before it at most. What was not looked at by then is forgotten: the next listing shows it again.
const PAGE_WITHIN: Duration = Duration::from_secs(120);
/// An end for a server that never says "last". AWS may give pages that have few.
const MAX_PAGES: usize = 1000;
/// Tries to write the status, which others write as well.
const TRIES: usize = 3;

/// Lists the roles of every account now and then, until the process drains.
pub async fn list_for_ever(
    ctx: &Arc<ControllerContext>,
    shutdown: &Shutdown,
    census: &Arc<Census>,
    queue: &Queue<RoleId>,
    take: TakeInHand,
) {
    let for_ever = async {
        ctx.leadership.wait_until_leader().await;
        // Also what another process wrote is shown then.
        tokio::time::sleep_until(census.leads()).await;
        let (mut under_way, mut known) = (JoinSet::new(), HashSet::new());
        let turns = Rounds::turns();
        loop {
            ctx.index.until_current(&ResourceKind::KINDS).await;
            for name in ctx.index.accounts() {
                if known.insert(name.clone()) {
                    let rounds = Rounds {
                        ctx: Arc::clone(ctx),
                        census: Arc::clone(census),
                        queue: queue.clone(),
                        take: Arc::clone(&take),
                        turns: Arc::clone(&turns),
                        since: Mutex::default(),
                    };
                    let span = tracing::info_span!("listing", account = %name);
                    under_way.spawn(async move { rounds.of_account(name).await }.instrument(span));
                }
            }
            tokio::time::sleep(NEW_ACCOUNTS).await;
            while let Some(ended) = under_way.try_join_next() {
                match ended {
                    Ok(name) => {
                        known.remove(&name);
                    }
                    // Which one it was is not known: all that are not under way are begun anew.
                    Err(error) => {
                        tracing::warn!(%error, "a listing ended by a fault");
                        under_way.abort_all();
                        known.clear();
                    }
                }
            }
        }
    };
    tokio::select! {
        () = for_ever => {}
        () = shutdown.draining() => {}
    }
}

/// Give or take a fifth.
fn jittered(time: Duration) -> Duration {
    let percent = RandomState::new().hash_one(time) % 41;
    time * (80 + u32::try_from(percent).unwrap_or(20)) / 100
}

/// Takes a role of which there is no object into hand, to delete it: whose it was, and the account.
pub type TakeInHand = Arc<dyn Fn(&RoleId, &Uid, &ObjectName) + Send + Sync>;

/// What AWS lists of an account.
pub struct ListedAccount {
    /// When it was asked.
    pub began: Timestamp,
    /// Roles at the path of this cluster.
    pub roles: usize,
    /// Those of them that no object explains.
    pub unexplained: Vec<ObservedOrphan>,
    /// Whether it showed them in full.
    pub shown: Result<(), AwsError>,
}

/// A role that there may be in an account.
struct ExpectedRole {
    id: RoleId,
    /// Its status says that it is there, and that it is Deputy's.
    is_there: bool,
}

/// The rounds of one account.
pub struct Rounds {
    pub ctx: Arc<ControllerContext>,
    pub census: Arc<Census>,
    pub queue: Queue<RoleId>,
    pub take: TakeInHand,
    /// Those of all accounts.
    pub turns: Arc<Semaphore>,
    /// By unique id: since when nothing explains roles that the status of the account has no room for. A process that begins counts anew.
    pub since: Mutex<BTreeMap<String, Timestamp>>,
}

impl Rounds {
    /// For all accounts together.
    pub fn turns() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(SHOWN_AT_ONCE))
    }

    /// Until the account is no more, or can't be used.
    async fn of_account(self, name: ObjectName) -> ObjectName {
        let mut failed: u32 = 0;
        loop {
            self.ctx.index.until_current(&ResourceKind::KINDS).await;
            let Some(account) = self.ctx.index.account(&name).known().cloned() else {
                self.census.forget(&name);
                return name;
            };
            let listed = self.list(&account).await;
            for waited in self.census.end(&name) {
                self.queue.add(waited, Lane::Routine);
            }
            let mut pause = match &listed {
                Err(ListingError::Aws(error)) if error.class() != ErrorClass::AccessDenied => {
                    failed = failed.saturating_add(1);
                    EVERY.min(FIRST_PAUSE * (1 << (failed - 1).min(5)))
                }
                Err(ListingError::Here(_)) => FIRST_PAUSE,
                _ => {
                    failed = 0;
                    EVERY
                }
            };
            match self.tell(&account, listed).await {
                Ok(Some(grace_ends)) => {
                    let left = grace_ends.duration_since(self.ctx.now());
                    let left = Duration::try_from(left).unwrap_or_default();
                    // Not before it.
                    pause = pause.min(left * 5 / 4).max(FIRST_PAUSE);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    error = chain(&error),
                    "failed to say how the IAM roles were listed"
                ),
            }
            tokio::time::sleep(jittered(pause)).await;
        }
    }

    /// Lists the roles once.
    pub async fn list(&self, account: &Arc<Account>) -> Result<ListedAccount, ListingError> {
        let roles = self.ctx.aws.roles(account, CallPurpose::Look);
        let listing = self.census.begin(account);
        let began = self.ctx.now();
        let listed = roles.list_roles(&naming::role_path(&self.ctx.cluster)).await?;
        let names: HashSet<RoleName> = listed.iter().map(|role| role.name.clone()).collect();
        // Only now: an account that does not answer takes no turn. The semaphore is never closed.
        let turn = self.turns.acquire().await.ok();
        // After it: what AWS lists was made for an object that is known by now.
        let mut expected = self.expected(account).await?;
        let others = names.iter().filter(|name| !expected.contains_key(*name));
        let explained_elsewhere = self.with_object(others.cloned().collect()).await?;
        let mut unexplained = Vec::new();
        let shown = self
            .show(&listing, roles.as_ref(), listed, &mut expected, &mut unexplained)
            .await;
        if let Err(error) = &shown {
            tracing::info!(%error, "AWS does not list the IAM roles in full");
        }
        // What should be there and was not shown, or is not even in the list where nothing was shown.
        for (name, role) in expected {
            if role.is_there && (shown.is_ok() || !names.contains(&name)) {
                self.saw(&listing, &role.id, None);
            }
        }
        self.census
            .until_few_are_left(&account.name, 0, PAGE_WITHIN)
            .await;
        drop(turn);
        unexplained.retain(|observed: &ObservedOrphan| !explained_elsewhere.contains(&observed.role.name));
        // Those that are gone by now explain nothing.
        let explained = names.len() - unexplained.len();
        let unexplained = self.look_at(roles.as_ref(), unexplained).await;
        Ok(ListedAccount {
            began,
            roles: explained + unexplained.len(),
            unexplained,
            shown,
        })
    }

    /// Hands on what AWS shows in full, page by page, and takes that from what is expected. What is not expected is put aside.
    async fn show(
        &self,
        listing: &Listing,
        roles: &dyn Roles,
        listed: Vec<ListedRole>,
        expected: &mut HashMap<RoleName, ExpectedRole>,
        others: &mut Vec<ObservedOrphan>,
    ) -> Result<(), AwsError> {
        let mut listed: HashMap<RoleName, ListedRole> =
            listed.into_iter().map(|role| (role.name.clone(), role)).collect();
        let shown = self
            .show_pages(listing, roles, &mut listed, expected, others)
            .await;
        let not_shown = listed
            .into_values()
            .filter(|role| !expected.contains_key(&role.name));
        others.extend(not_shown.map(|role| ObservedOrphan { role, tags: None }));
        shown
    }

    async fn show_pages(
        &self,
        listing: &Listing,
        roles: &dyn Roles,
        listed: &mut HashMap<RoleName, ListedRole>,
        expected: &mut HashMap<RoleName, ExpectedRole>,
        others: &mut Vec<ObservedOrphan>,
    ) -> Result<(), AwsError> {
        let account = listing.account();
        let path = naming::role_path(&self.ctx.cluster);
        let mut marker = None;
        for _ in 0..MAX_PAGES {
            self.census
                .until_few_are_left(&account.name, LEFT, PAGE_WITHIN)
                .await;
            let page = roles.role_details(&path, marker.as_deref()).await?;
            for details in page.roles {
                let Some(role) = listed.remove(&details.name) else {
                    // Made since: whoever made it looks at it.
                    continue;
                };
                // An identity of another account is shown other roles.
                let is_here = role.arn.account() == &account.id && role.arn.partition() == &account.partition;
                let found = details.with(&role).filter(|_| is_here);
                match (found, expected.remove(&role.name)) {
                    (Some(found), Some(known)) => self.saw(listing, &known.id, Some(found)),
                    (found, None) => others.push(ObservedOrphan {
                        role,
                        tags: found.map(|found| found.tags),
                    }),
                    (None, Some(_)) => {}
                }
            }
            match page.next {
                Some(next) => marker = Some(next),
                None => return Ok(()),
            }
        }
        Err(AwsError::new(
            "iam:GetAccountAuthorizationDetails",
            ErrorClass::Other,
            "the answer makes no sense: a listing of more than 1,000 pages",
        ))
    }

    /// Looks at roles that nothing explains: at some of them, at others in the next round. One that was deleted while AWS was asked, as its object
    /// was, is no orphan; and where AWS did not show tags, they are read.
    async fn look_at(&self, roles: &dyn Roles, unexplained: Vec<ObservedOrphan>) -> Vec<ObservedOrphan> {
        let order = RandomState::new();
        let mut unexplained = unexplained;
        unexplained.sort_by_key(|observed| order.hash_one(&observed.role.unique_id));
        let (mut looks, mut left) = (0, Vec::new());
        for observed in unexplained {
            if looks == LOOKS || observed.is_to_stay() {
                left.push(observed);
                continue;
            }
            looks += 1;
            match roles.get_role(&observed.role.name).await {
                Ok(Some(role)) if role.unique_id == observed.role.unique_id => left.push(ObservedOrphan {
                    tags: Some(role.tags),
                    ..observed
                }),
                Ok(_) => {}
                Err(error) => {
                    tracing::info!(
                        aws_role = %observed.role.name,
                        %error,
                        "failed to read an IAM role that no object explains"
                    );
                    left.push(observed);
                }
            }
        }
        left
    }

    fn saw(&self, listing: &Listing, id: &RoleId, role: Option<ObservedRole>) {
        self.census.saw(listing, id, role);
        self.queue.add(id.clone(), Lane::Routine);
    }

    /// The roles that there may be for objects that name the account.
    async fn expected(
        &self,
        account: &Arc<Account>,
    ) -> Result<HashMap<RoleName, ExpectedRole>, ReconcileError> {
        let (cluster, account) = (self.ctx.cluster.clone(), Arc::clone(account));
        let of_objects = move |index: &Index| {
            let roles = index.roles_naming(&account.name).into_iter().map(|id| {
                let is_there = index.role(&id).is_some_and(|role| {
                    let is_existing = role.head().is_some_and(|role| role.is_existing);
                    !is_existing && role.state.role_id.is_some()
                });
                (naming::role_name(&cluster, &id), ExpectedRole { id, is_there })
            });
            roles.collect()
        };
        self.ctx.decide(of_objects).await
    }

    /// Those of the names that a role has for an object which names another account, or can't be read, and so may name any.
    async fn with_object(&self, names: HashSet<RoleName>) -> Result<HashSet<RoleName>, ReconcileError> {
        if names.is_empty() {
            return Ok(names);
        }
        let cluster = self.ctx.cluster.clone();
        let of_objects = move |index: &Index| {
            let all = index.roles().into_iter();
            all.map(|id| naming::role_name(&cluster, &id))
                .filter(|name| names.contains(name))
                .collect()
        };
        self.ctx.decide(of_objects).await
    }

    /// Says in the status of the account what came of it, and has those roles deleted that are to go. Gives when a grace ends.
    pub async fn tell(
        &self,
        account: &Arc<Account>,
        listed: Result<ListedAccount, ListingError>,
    ) -> Result<Option<Timestamp>, ReconcileError> {
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let mut last = Ok(None);
        for _ in 0..TRIES {
            let Some(object) = api.get_opt(account.name.as_str()).await? else {
                return Ok(None);
            };
            let old: AWSAccountStatus = objects::status_of(&object);
            let generation = object.metadata.generation;
            let now = self.ctx.now();
            let mut plan = SweepPlan::default();
            let new = match &listed {
                Ok(listed) => {
                    let facts = orphans::facts(&old, &object.metadata, &listed.unexplained);
                    let facts = self.remembering(facts, &listed.unexplained, now);
                    plan = self.sweep(account, listed, &facts);
                    let round = SweptRound {
                        began: listed.began,
                        roles: listed.roles,
                        accepted: facts.accepted,
                    };
                    let new = match &listed.shown {
                        Ok(()) => told::listed(&old, listed.roles, generation, now),
                        Err(error) => told::not_listed(&old, error, generation, now),
                    };
                    orphans::swept(&new, &plan, round, generation, now)
                }
                Err(ListingError::Aws(error)) => {
                    let new = told::not_listed(&old, error, generation, now);
                    orphans::not_listed(&new, error, generation, now)
                }
                Err(ListingError::Here(error)) => {
                    tracing::warn!(error = chain(error), "failed to list IAM roles");
                    return Ok(None);
                }
            };
            last = report::write_status::<AWSAccount, _>(&self.ctx, &api, &object, &old, &new)
                .await
                .map(|_| plan.next);
            if last.is_ok() {
                // After it: what is deleted has been told.
                self.remove(account, &plan);
                break;
            }
        }
        last
    }

    /// The facts with what this process remembers of the roles that nothing explains.
    fn remembering(&self, facts: OrphanFacts, unexplained: &[ObservedOrphan], now: Timestamp) -> OrphanFacts {
        let mut remembered = self.since.lock();
        let since = unexplained.iter().map(|observed| {
            let id = &observed.role.unique_id;
            let known = facts.since.get(id).or_else(|| remembered.get(id));
            (id.clone(), known.copied().unwrap_or(now))
        });
        let since: BTreeMap<_, _> = since.collect();
        remembered.clone_from(&since);
        OrphanFacts { since, ..facts }
    }

    fn sweep(&self, account: &Account, listed: &ListedAccount, facts: &OrphanFacts) -> SweepPlan {
        let scope = SweepScope {
            cluster: &self.ctx.cluster,
            cluster_uid: &self.ctx.cluster_uid,
            account,
        };
        let explained = listed.roles - listed.unexplained.len();
        sweep(scope, &listed.unexplained, explained, facts, self.ctx.now())
    }

    fn remove(&self, account: &Account, plan: &SweepPlan) {
        let is_removed = |orphan: &&UnexplainedRole| plan.removed.contains(&orphan.role.name);
        for orphan in plan.orphans.iter().filter(is_removed) {
            tracing::warn!(role = %orphan.id, aws_role = %orphan.role.name, "deleting an IAM role: there is no object of it");
            (self.take)(&orphan.id, &orphan.uid, &account.name);
            self.queue.add(orphan.id.clone(), Lane::Routine);
        }
    }
}

/// Why roles were not listed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// AWS does not say.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// It is not known what there should be.
    #[error(transparent)]
    Here(#[from] ReconcileError),
}
