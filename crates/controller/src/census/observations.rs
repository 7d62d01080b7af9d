//! What a listing showed of roles, until each was looked at, and what of that may be believed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use deputy_delegation::{
    ObjectName,
    model::{Account, RoleId},
    plan::ObservedRole,
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::verified::PROPAGATION;

/// So long after this process begins to lead nothing is looked at that the status says is well: the first listing will show it. It begins
/// after [`PROPAGATION`].
const FIRST_LISTING_WITHIN: Duration = Duration::from_secs(120);

/// One listing of an account, from before its first call on.
#[derive(Debug, Clone)]
pub struct Listing {
    account: Arc<Account>,
    asked: Instant,
}

impl Listing {
    /// The account as it was when AWS was asked.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }
}

/// What a listing showed of a role.
#[derive(Debug, Clone)]
pub struct Sighting {
    listing: Listing,
    /// `None`: the listing has no role of its name, or not all of it.
    role: Option<Arc<ObservedRole>>,
}

impl Sighting {
    /// The account as it was when AWS was asked.
    #[must_use]
    pub fn account(&self) -> &Account {
        self.listing.account()
    }

    /// When AWS was asked: nothing that happened later is known by it.
    #[must_use]
    pub fn asked(&self) -> Instant {
        self.listing.asked
    }

    /// The role; `None` when it was not shown.
    #[must_use]
    pub fn role(&self) -> Option<&ObservedRole> {
        self.role.as_deref()
    }
}

#[derive(Default)]
struct State {
    /// Since when this process leads. Until then somebody else may have written.
    leads_since: Option<Instant>,
    /// When this process last began to write of a role.
    written: HashMap<RoleId, Instant>,
    /// Listings under way.
    running: HashMap<ObjectName, Instant>,
    /// What was shown and not looked at yet.
    held: HashMap<RoleId, Sighting>,
    /// How many of those are of an account: that is asked after every look at a role.
    left: HashMap<ObjectName, usize>,
    /// Accounts of which a first listing is done, or was not to be had.
    listed: HashSet<ObjectName>,
    /// Roles that the status says are well, and that wait for the first listing of their account.
    waiting: HashMap<RoleId, ObjectName>,
}

/// What AWS listed, and what of that may be believed.
///
/// IAM is eventually consistent: for [`PROPAGATION`] after a write an answer may be that of before. So a listing says nothing of a role of
/// which this process has begun a write less than that before AWS was asked, or since; and nothing at all, if AWS was asked so soon after this
/// process began to lead.
pub struct Census {
    state: Mutex<State>,
    taken: Notify,
    propagation: Duration,
}

impl Default for Census {
    fn default() -> Self {
        Self::believing_after(PROPAGATION)
    }
}

impl Census {
    /// With another time than [`PROPAGATION`].
    #[must_use]
    pub fn believing_after(propagation: Duration) -> Self {
        Self {
            state: Mutex::default(),
            taken: Notify::new(),
            propagation,
        }
    }

    /// This process leads, if it did not before. Gives when a first listing is worth its calls.
    pub fn leads(&self) -> Instant {
        let mut state = self.state.lock();
        *state.leads_since.get_or_insert_with(Instant::now) + self.propagation
    }

    /// A listing of the account begins: what is left of the one before is forgotten.
    #[must_use]
    pub fn begin(&self, account: &Arc<Account>) -> Listing {
        let asked = Instant::now();
        let mut state = self.state.lock();
        state.take_all(&account.name);
        state.running.insert(account.name.clone(), asked);
        let oldest = state.running.values().min().copied().unwrap_or(asked);
        // Nothing that was asked since then, or will be, depends on them.
        let propagation = self.propagation;
        state.written.retain(|_, begun| *begun + propagation >= oldest);
        state.shrink();
        Listing {
            account: Arc::clone(account),
            asked,
        }
    }

    /// The listing shows this of a role.
    pub fn saw(&self, listing: &Listing, id: &RoleId, role: Option<ObservedRole>) {
        let mut state = self.state.lock();
        if self.is_believable(&state, listing, id) {
            let sighting = Sighting {
                listing: listing.clone(),
                role: role.map(Arc::new),
            };
            state.hold(id, sighting);
        }
    }

    /// What was shown of a role, if it may be believed.
    #[must_use]
    pub fn sighting(&self, id: &RoleId) -> Option<Sighting> {
        let state = self.state.lock();
        let sighting = state.held.get(id)?;
        self.is_believable(&state, &sighting.listing, id)
            .then(|| sighting.clone())
    }

    /// What was shown of a role has been looked at, and it waits for nothing.
    pub fn looked_at(&self, id: &RoleId) {
        let mut state = self.state.lock();
        state.take(id);
        state.waiting.remove(id);
        drop(state);
        self.taken.notify_waiters();
    }

    /// A write of a role begins: what is known of it is true no more, however that ends.
    pub fn writes(&self, id: &RoleId) {
        let mut state = self.state.lock();
        state.take(id);
        state.written.insert(id.clone(), Instant::now());
        drop(state);
        self.taken.notify_waiters();
    }

    /// Waits until no more than `left` roles that were shown of the account are to be looked at, and so long at most.
    pub async fn until_few_are_left(&self, account: &ObjectName, left: usize, at_most: Duration) {
        let few = async {
            loop {
                let taken = self.taken.notified();
                tokio::pin!(taken);
                taken.as_mut().enable();
                if self.held_of(account) <= left {
                    return;
                }
                taken.await;
            }
        };
        let _either = tokio::time::timeout(at_most, few).await;
    }

    fn held_of(&self, account: &ObjectName) -> usize {
        self.state.lock().left.get(account).copied().unwrap_or_default()
    }

    /// The listing of the account is over, whatever came of it. Gives the roles that have waited for it and were not looked at since.
    pub fn end(&self, account: &ObjectName) -> HashSet<RoleId> {
        let mut state = self.state.lock();
        state.take_all(account);
        state.running.remove(account);
        state.listed.insert(account.clone());
        let waited = state.waiting.extract_if(|_, awaited| awaited == account);
        let waited = waited.map(|(id, _)| id).collect();
        state.shrink();
        waited
    }

    /// The account is no more.
    pub fn forget(&self, account: &ObjectName) {
        self.end(account);
        self.state.lock().listed.remove(account);
    }

    /// How long a role that the status says is well waits for the first listing of its account. `None`: it does not.
    #[must_use]
    pub fn awaits(&self, account: &ObjectName, id: &RoleId) -> Option<Duration> {
        let mut state = self.state.lock();
        let since = state.leads_since?;
        if state.listed.contains(account) || state.written.contains_key(id) {
            return None;
        }
        let left = FIRST_LISTING_WITHIN.checked_sub(since.elapsed())?;
        state.waiting.insert(id.clone(), account.clone());
        (!left.is_zero()).then_some(left)
    }

    fn is_believable(&self, state: &State, listing: &Listing, id: &RoleId) -> bool {
        let writers = [state.written.get(id), state.leads_since.as_ref()];
        let mut last = writers.into_iter().flatten();
        last.all(|last| listing.asked > *last + self.propagation)
    }
}

impl State {
    /// Roles by the thousand are written, shown or waited for at a time, and few at other times.
    fn shrink(&mut self) {
        self.written.shrink_to_fit();
        self.held.shrink_to_fit();
        self.waiting.shrink_to_fit();
    }

    /// This was shown of a role.
    fn hold(&mut self, id: &RoleId, sighting: Sighting) {
        self.take(id);
        *self
            .left
            .entry(sighting.listing.account.name.clone())
            .or_default() += 1;
        self.held.insert(id.clone(), sighting);
    }

    /// What was shown of a role is held no more.
    fn take(&mut self, id: &RoleId) {
        let Some(taken) = self.held.remove(id) else { return };
        if let Some(left) = self.left.get_mut(&taken.listing.account.name) {
            *left -= 1;
        }
    }

    /// What was shown of the roles of an account is held no more.
    fn take_all(&mut self, account: &ObjectName) {
        if self.left.remove(account).is_some_and(|left| left > 0) {
            self.held
                .retain(|_, sighting| sighting.listing.account.name != *account);
        }
    }
}
