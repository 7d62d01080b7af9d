//! What stands between one process and AWS and the API server: calls that fail, that take long, and that come when somebody else leads.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{dice::Dice, people::Deed};
use crate::fixtures::script::{Call, Gate, Trouble};

/// So long after a write IAM may not show it.
const UNSEEN: Duration = Duration::from_secs(30);

/// What a run has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub histories: usize,
    pub steps: usize,
    pub calls: usize,
    pub deeds: BTreeMap<Deed, usize>,
    pub troubles: BTreeMap<Trouble, usize>,
    /// Calls that took long.
    pub slow: usize,
    /// Of them those that AWS took when their process led no more.
    pub late: usize,
    pub handovers: usize,
    pub restarts: usize,
    pub suspensions: usize,
    /// Roles that were left because too many were to be deleted at once, and that nobody made again.
    pub held: usize,
    pub listings: usize,
    /// Events that came to a process after others of a later time.
    pub lagging: usize,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.calls += other.calls;
        for (deed, count) in &other.deeds {
            *self.deeds.entry(*deed).or_default() += count;
        }
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(*trouble).or_default() += count;
        }
        self.slow += other.slow;
        self.late += other.late;
        self.handovers += other.handovers;
        self.restarts += other.restarts;
        self.suspensions += other.suspensions;
        self.held += other.held;
        self.listings += other.listings;
        self.lagging += other.lagging;
    }

    /// What a run that has explored something has seen, and this one has not.
    pub fn missing(&self) -> Vec<String> {
        let counts = [
            ("slow call", self.slow),
            ("late call", self.late),
            ("handover", self.handovers),
            ("restart", self.restarts),
            ("suspension", self.suspensions),
            ("held deletion", self.held),
            ("listing", self.listings),
            ("event out of order", self.lagging),
        ];
        let of_counts = counts.into_iter().filter(|(_, count)| *count == 0);
        let deeds = Deed::ALL
            .into_iter()
            .filter(|deed| !self.deeds.contains_key(deed));
        let troubles = Trouble::ALL.into_iter().chain([Trouble::Fenced]);
        let troubles = troubles.filter(|trouble| !self.troubles.contains_key(trouble));
        of_counts
            .map(|(what, _)| what.to_owned())
            .chain(deeds.map(|deed| format!("{deed:?}")))
            .chain(troubles.map(|trouble| format!("{trouble:?}")))
            .collect()
    }
}

/// What all processes of a world have in common.
#[derive(Debug)]
pub struct Chaos {
    pub dice: Dice,
    /// Of a hundred calls so many meet with trouble, and so many to AWS take long.
    pub trouble: usize,
    pub slow: usize,
    pub seen: Seen,
    /// When AWS took a write of this role or policy last.
    pub written: BTreeMap<String, Instant>,
    /// What must never be, as it was found.
    pub faults: Vec<String>,
    /// What happened, for whoever looks for the cause of a fault.
    pub story: Vec<String>,
}

impl Chaos {
    pub fn new(seed: u64) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            dice: Dice::seeded(seed),
            trouble: 0,
            slow: 0,
            seen: Seen::default(),
            written: BTreeMap::new(),
            faults: Vec::new(),
            story: Vec::new(),
        }))
    }

    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        self.story.push(what());
    }

    /// What happens to a call that is not a dead process's.
    fn trouble(&mut self, call: Call, about: &str) -> Option<Trouble> {
        if !self.dice.chance(self.trouble) {
            return None;
        }
        let is_recent = |at: &Instant| at.elapsed() < UNSEEN;
        let may_be_unseen = self.written.get(about).is_some_and(is_recent);
        let can_be = |trouble: &Trouble| match trouble {
            Trouble::Superseded => call == Call::WriteAws,
            Trouble::NotYetVisible => may_be_unseen && trouble.can_happen_to(call),
            _ => trouble.can_happen_to(call),
        };
        let all: Vec<Trouble> = Trouble::ALL.into_iter().filter(can_be).collect();
        // What can seldom happen shall not be left out by chance.
        if self.dice.chance(50) {
            let times = |trouble: &&Trouble| self.seen.troubles.get(trouble).copied().unwrap_or_default();
            return all.iter().min_by_key(times).copied();
        }
        self.dice.pick(&all)
    }
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Waits,
    Leads,
    /// It has lost the Lease with calls under way.
    Deposed,
    Dead,
}

struct State {
    standing: Standing,
    waiting: Vec<oneshot::Sender<()>>,
    supersede: Option<Box<dyn Fn() + Send>>,
}

/// Of one process.
pub struct ProcessGate {
    name: String,
    chaos: Arc<Mutex<Chaos>>,
    state: Mutex<State>,
    /// A call of what is being done takes long.
    is_slow: Notify,
}

impl ProcessGate {
    pub fn new(name: String, chaos: &Arc<Mutex<Chaos>>) -> Arc<Self> {
        Arc::new(Self {
            name,
            chaos: Arc::clone(chaos),
            state: Mutex::new(State {
                standing: Standing::Waits,
                waiting: Vec::new(),
                supersede: None,
            }),
            is_slow: Notify::new(),
        })
    }

    pub fn standing(&self) -> Standing {
        self.state.lock().standing
    }

    pub fn stands(&self, standing: Standing) {
        self.state.lock().standing = standing;
    }

    /// Waits until a call of what is being done takes long; what ends that.
    pub async fn slow_calls(&self) -> Vec<oneshot::Sender<()>> {
        self.is_slow.notified().await;
        std::mem::take(&mut self.state.lock().waiting)
    }

    /// This supersedes what is being done.
    pub fn superseded_by(&self, supersede: impl Fn() + Send + 'static) {
        self.state.lock().supersede = Some(Box::new(supersede));
    }

    /// A call that takes long: whether its time is before it is sent.
    async fn takes_long(&self, call: Call, about: &str) -> Option<Trouble> {
        let (is_slow, is_before) = {
            let mut chaos = self.chaos.lock();
            let slow = chaos.slow;
            (chaos.dice.chance(slow), chaos.dice.chance(50))
        };
        if !is_slow || matches!(call, Call::ReadApi | Call::WriteApi) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.state.lock().waiting.push(sender);
        self.is_slow.notify_one();
        self.chaos.lock().seen.slow += 1;
        self.chaos
            .lock()
            .tell(|| format!("    {}: {call:?} of {about} takes long", self.name));
        drop(receiver.await);
        let is_led = self.standing() == Standing::Leads;
        if call != Call::WriteAws || is_led {
            return None;
        }
        let mut chaos = self.chaos.lock();
        if is_before {
            *chaos.seen.troubles.entry(Trouble::Fenced).or_default() += 1;
            return Some(Trouble::Fenced);
        }
        chaos.seen.late += 1;
        None
    }
}

#[async_trait]
impl Gate for ProcessGate {
    async fn pass(&self, call: Call, about: &str) -> Option<Trouble> {
        match (self.standing(), call) {
            (Standing::Dead, _) => return Some(Trouble::DiesBefore),
            (Standing::Waits | Standing::Deposed, Call::WriteAws) => {
                let mut chaos = self.chaos.lock();
                let what = format!("{} begins a write of {about} without the Lease", self.name);
                chaos.faults.push(what);
            }
            _ => {}
        }
        if let Some(trouble) = self.takes_long(call, about).await {
            return Some(trouble);
        }
        let mut chaos = self.chaos.lock();
        chaos.seen.calls += 1;
        let trouble = chaos.trouble(call, about);
        chaos.tell(|| format!("    {}: {call:?} of {about}: {trouble:?}", self.name));
        if call == Call::WriteAws && trouble.is_none_or(Trouble::is_done) {
            chaos.written.insert(about.to_owned(), Instant::now());
        }
        let trouble = trouble?;
        *chaos.seen.troubles.entry(trouble).or_default() += 1;
        if matches!(trouble, Trouble::DiesBefore | Trouble::DiesAfter) {
            self.stands(Standing::Dead);
        }
        Some(trouble)
    }

    fn supersede(&self) {
        if let Some(supersede) = &self.state.lock().supersede {
            supersede();
        }
    }
}
