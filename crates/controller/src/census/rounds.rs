//! The rounds of the census: AWS is asked for the roles of an account, and each that it shows is put where it is looked at.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use deputy_api::{AWSAccount, AWSAccountStatus};
use deputy_aws::{AwsError, CallPurpose, ErrorClass, ListedRole, Roles};
use deputy_delegation::{
    ObjectName, RoleName,
    model::{Account, RoleId},
    naming,
    plan::ObservedRole,
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::shutdown::Shutdown;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{
    observations::{Census, Listing},
    told,
};
use crate::{
    context::ControllerContext,
    error::{ReconcileError, chain},
    objects,
    queue::{Lane, Queue},
    report,
};

/// How often the roles of an account are listed, give or take a fifth: accounts are not asked all at once.
const EVERY: Duration = Duration::from_secs(30 * 60);
/// After a listing that failed for a passing reason; doubled with each further one, up to [`EVERY`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
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
) {
    let for_ever = async {
        ctx.leadership.wait_until_leader().await;
        // Also what another process wrote is shown then.
        tokio::time::sleep_until(census.leads()).await;
        let (mut under_way, mut known) = (JoinSet::new(), HashSet::new());
        loop {
            ctx.index.until_current(&ResourceKind::KINDS).await;
            for name in ctx.index.accounts() {
                if known.insert(name.clone()) {
                    let rounds = Rounds {
                        ctx: Arc::clone(ctx),
                        census: Arc::clone(census),
                        queue: queue.clone(),
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

/// A role that there may be in an account.
struct ExpectedRole {
    id: RoleId,
    /// Its status says that it is there, and that it is Deputy's.
    is_there: bool,
}

/// The rounds of one account.
pub(super) struct Rounds {
    pub(super) ctx: Arc<ControllerContext>,
    pub(super) census: Arc<Census>,
    pub(super) queue: Queue<RoleId>,
}

impl Rounds {
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
            let pause = match &listed {
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
            if let Err(error) = self.tell(&name, listed).await {
                tracing::warn!(
                    error = chain(&error),
                    "failed to say how the IAM roles were listed"
                );
            }
            tokio::time::sleep(jittered(pause)).await;
        }
    }

    /// Lists the roles once. Gives how many there are.
    pub(super) async fn list(&self, account: &Arc<Account>) -> Result<usize, ListingError> {
        let roles = self.ctx.aws.roles(account, CallPurpose::Look);
        let listing = self.census.begin(account);
        let listed = roles.list_roles(&naming::role_path(&self.ctx.cluster)).await?;
        let names: HashSet<RoleName> = listed.iter().map(|role| role.name.clone()).collect();
        // After it: what AWS lists was made for an object that is known by now.
        let mut expected = self.expected(account).await?;
        let shown = self.show(&listing, roles.as_ref(), listed, &mut expected).await;
        if let Err(ListingError::Aws(error)) = &shown {
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
        shown.map(|()| names.len())
    }

    /// Hands on what AWS shows in full, page by page, and takes that from what is expected.
    async fn show(
        &self,
        listing: &Listing,
        roles: &dyn Roles,
        listed: Vec<ListedRole>,
        expected: &mut HashMap<RoleName, ExpectedRole>,
    ) -> Result<(), ListingError> {
        let account = listing.account();
        let mut listed: HashMap<RoleName, ListedRole> =
            listed.into_iter().map(|role| (role.name.clone(), role)).collect();
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
                if let (Some(found), Some(known)) = (found, expected.remove(&role.name)) {
                    self.saw(listing, &known.id, Some(found));
                }
            }
            match page.next {
                Some(next) => marker = Some(next),
                None => return Ok(()),
            }
        }
        Err(ListingError::Aws(AwsError::new(
            "iam:GetAccountAuthorizationDetails",
            ErrorClass::Other,
            "the answer makes no sense: a listing of more than 1,000 pages",
        )))
    }

    fn saw(&self, listing: &Listing, id: &RoleId, role: Option<ObservedRole>) {
        self.census.saw(listing, id, role);
        self.queue.add(id.clone(), Lane::Routine);
    }

    /// The roles that there may be in the account, by their names there.
    async fn expected(
        &self,
        account: &Arc<Account>,
    ) -> Result<HashMap<RoleName, ExpectedRole>, ReconcileError> {
        let (cluster, name) = (self.ctx.cluster.clone(), account.name.clone());
        let expected = move |index: &Index| {
            let ids = index.roles().into_iter();
            let of_account = ids.filter(|id| index.account_of_role(id).as_ref() == Some(&name));
            of_account
                .map(|id| {
                    let is_there = index.role(&id).is_some_and(|role| {
                        let is_existing = role.parsed.is_ok_and(|role| role.existing().is_some());
                        !is_existing && role.state.role_id.is_some()
                    });
                    (naming::role_name(&cluster, &id), ExpectedRole { id, is_there })
                })
                .collect()
        };
        self.ctx.decide(expected).await
    }

    /// Says in the status of the account what came of it.
    async fn tell(
        &self,
        name: &ObjectName,
        listed: Result<usize, ListingError>,
    ) -> Result<(), ReconcileError> {
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let mut last = Ok(());
        for _ in 0..TRIES {
            let Some(object) = api.get_opt(name.as_str()).await? else {
                return Ok(());
            };
            let old: AWSAccountStatus = objects::status_of(&object);
            let (generation, now) = (object.metadata.generation, self.ctx.now());
            let new = match &listed {
                Ok(roles) => told::listed(&old, *roles, generation, now),
                Err(ListingError::Aws(error)) => told::not_listed(&old, error, generation, now),
                Err(ListingError::Here(error)) => {
                    tracing::warn!(error = chain(error), "failed to list IAM roles");
                    return Ok(());
                }
            };
            last = report::write_status::<AWSAccount, _>(&self.ctx, &api, &object, &old, &new)
                .await
                .map(drop);
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

/// Why roles were not listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    /// AWS does not say.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// It is not known what there should be.
    #[error(transparent)]
    Here(#[from] ReconcileError),
}
