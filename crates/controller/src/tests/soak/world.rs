//! Two accounts, a cluster with many objects, and two processes of each program between them, of which one leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use deputy_aws::model::InMemoryIam;
use deputy_delegation::model::{Account, RoleId};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    controllers::Program,
    gate::{Chaos, Standing},
    guard::{Asked, Eye, in_aws},
    objects::objects,
    people::{Numbers, act},
    process::{Ground, Process},
    wishes::{ACCOUNTS, Grant, ISSUERS, Wishes},
};
use crate::{
    fixtures::{api_server::ApiServer, roles::DEPLOY},
    objects::parse,
};

/// What the API server has to tell, and to nobody has told yet.
type Outbox = Arc<Mutex<Vec<(String, Option<Value>)>>>;

pub struct World {
    pub ground: Ground,
    pub eye: Eye,
    /// Two of `deputy controller`, then two of `deputy limits`.
    pub processes: Vec<Process>,
    pub wishes: Wishes,
    outbox: Outbox,
    numbers: Numbers,
    begun: usize,
    /// When the world began, by its own clock.
    start: Timestamp,
    started: Instant,
}

fn account(name: &str, wishes: &Wishes) -> Account {
    let path = crate::fixtures::api_server::path_of("awsaccounts", None, name);
    let object = serde_json::from_value(objects(wishes)[&path].clone()).unwrap();
    parse(&object, deputy_api::parse_account).unwrap()
}

fn iam_of(account: &Account) -> Arc<InMemoryIam> {
    let iam = Arc::new(InMemoryIam::new(account.partition.clone(), account.id.clone()));
    for issuer in ISSUERS {
        iam.add_principal(&format!("arn:aws:iam::{}:{issuer}", account.id));
    }
    iam.add_principal(DEPLOY);
    iam
}

impl World {
    /// Where these are asked for, and nothing is done yet.
    pub fn new(seed: u64, wishes: Wishes) -> Self {
        let accounts: Vec<Account> = ACCOUNTS.iter().map(|(name, _)| account(name, &wishes)).collect();
        let iams: Vec<_> = accounts.iter().map(iam_of).collect();
        let chaos = Chaos::new(seed);
        let eye = Eye {
            iams: iams.clone(),
            chaos: Arc::clone(&chaos),
            asked: Arc::new(Mutex::new(Asked {
                versions: vec![wishes.clone()],
                // They are made one call after the other.
                refused: Grant::all(),
                ..Asked::default()
            })),
            noted: Arc::default(),
        };
        let outbox = Outbox::default();
        let (telling, looking) = (Arc::clone(&outbox), eye.clone());
        let api = ApiServer::new(Box::new(move |path, object| {
            looking.hears(path, object);
            telling.lock().push((path.to_owned(), object.cloned()));
        }));
        let start = Timestamp::from_second(1_767_323_045).unwrap();
        let started = Instant::now();
        let now = move || start + started.elapsed();
        let (role_eye, policy_eye, guarded) = (eye.clone(), eye.clone(), Arc::clone(&api));
        let ground = Ground {
            api,
            accounts,
            iams,
            chaos,
            clock: Arc::new(now),
            most_deleted: if seed.is_multiple_of(2) { 1 } else { 10 },
            guard: Box::new(move |account| role_eye.of_roles(account, &guarded)),
            policy_guard: Arc::new(move |account| policy_eye.of_policies(account)),
        };
        let mut world = Self {
            ground,
            eye,
            processes: Vec::new(),
            wishes,
            outbox,
            numbers: Numbers::default(),
            begun: 0,
            start,
            started,
        };
        world.write(&BTreeMap::new(), &objects(&world.wishes));
        for place in 0..4 {
            let process = world.process(place);
            world.processes.push(process);
        }
        world.elect();
        world
    }

    fn process(&mut self, place: usize) -> Process {
        self.begun += 1;
        let (program, name) = if place < 2 {
            (Program::Controller, "controller")
        } else {
            (Program::Limits, "limits")
        };
        Process::new(program, format!("{name}-{}", self.begun), &self.ground)
    }

    /// Where there is no leader, somebody who waits becomes it.
    fn elect(&mut self) {
        for pair in [0..2, 2..4] {
            let stands = |place: &usize, standing| self.processes[*place].gate.standing() == standing;
            let mut places = pair.clone();
            if places.any(|place| stands(&place, Standing::Leads)) {
                continue;
            }
            if let Some(next) = pair.clone().find(|place| stands(place, Standing::Waits)) {
                self.processes[next].leads();
            }
        }
    }

    /// Processes that have ended are followed by new ones.
    pub fn succeed(&mut self) {
        for place in 0..4 {
            let process = &self.processes[place];
            let is_over = match process.gate.standing() {
                Standing::Dead => true,
                Standing::Deposed => process.is_idle(),
                Standing::Waits | Standing::Leads => false,
            };
            if is_over {
                self.processes[place] = self.process(place);
                self.ground.chaos.lock().seen.restarts += 1;
            }
        }
        self.elect();
    }

    /// Watches will show what has changed.
    pub fn spread(&mut self) {
        for (path, object) in self.outbox.lock().drain(..) {
            for process in &mut self.processes {
                process.hears(&path, object.clone());
            }
        }
    }

    pub fn leaders(&self) -> Vec<usize> {
        (0..4)
            .filter(|place| self.processes[*place].gate.standing() == Standing::Leads)
            .collect()
    }

    pub async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
        let now = self.start + self.started.elapsed();
        for iam in &self.ground.iams {
            iam.set_now(now);
        }
    }

    /// People write these objects instead of those.
    fn write(&self, old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) {
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let api = &self.ground.api;
        for path in paths {
            if old.get(path) == new.get(path) {
                continue;
            }
            let there = api.get(path);
            let Some(mut object) = new.get(path).cloned() else {
                if let Some(mut there) = there {
                    there["metadata"]["deletionTimestamp"] = json!("2026-01-03T03:04:05Z");
                    api.put(path, Some(there));
                }
                continue;
            };
            object["metadata"]["generation"] = json!(api.next_version().parse::<i64>().unwrap());
            if let Some(there) = there {
                let is_same = there["metadata"]["uid"] == object["metadata"]["uid"];
                if let Some(finalizers) = there["metadata"].get("finalizers") {
                    object["metadata"]["finalizers"] = finalizers.clone();
                }
                let keeps_status = is_same || path.contains("/clusterawsroles/");
                if let Some(status) = there.get("status").filter(|_| keeps_status) {
                    object["status"] = status.clone();
                }
            }
            api.put(path, Some(object));
        }
    }

    /// Somebody does something, if that can be.
    fn people(&mut self) {
        let mut wishes = self.wishes.clone();
        let deed = act(&mut wishes, &mut self.ground.chaos.lock().dice, &mut self.numbers);
        let Some(deed) = deed else { return };
        let (old, new) = (objects(&self.wishes), objects(&wishes));
        // What is being deleted can't be made.
        let is_going = |path: &String| {
            let there = self.ground.api.get(path);
            there.is_some_and(|there| there["metadata"].get("deletionTimestamp").is_some())
        };
        if old == new || new.keys().any(is_going) {
            return;
        }
        {
            let mut chaos = self.ground.chaos.lock();
            *chaos.seen.deeds.entry(deed).or_default() += 1;
            chaos.tell(|| format!("{deed:?}: {wishes:?}"));
        }
        self.eye.asked.lock().versions.push(wishes.clone());
        self.write(&old, &new);
        self.wishes = wishes;
    }

    fn roll(&self, count: usize) -> usize {
        self.ground.chaos.lock().dice.below(count)
    }

    /// Other troubles begin.
    pub fn begin_history(&self) {
        let mut chaos = self.ground.chaos.lock();
        chaos.story.clear();
        let (trouble, slow) = (chaos.dice.below(4) * 4, chaos.dice.below(4) * 8);
        (chaos.trouble, chaos.slow) = (trouble, slow);
    }

    /// One thing happens.
    pub async fn step(&mut self) {
        self.ground.chaos.lock().seen.steps += 1;
        self.succeed();
        self.spread();
        match self.roll(100) {
            0..=9 => self.people(),
            10..=29 => self.listen(),
            30..=78 => self.work().await,
            79..=87 => self.resume().await,
            88..=90 => self.hand_over(),
            91 => {
                let place = self.roll(4);
                self.processes[place].gate.stands(Standing::Dead);
            }
            92..=96 => {
                let seconds = 1 + self.roll(20);
                self.pass(Duration::from_secs(seconds as u64)).await;
            }
            _ => self.list(),
        }
        self.spread();
    }

    fn listen(&mut self) {
        let place = self.roll(4);
        let behind = self.processes[place].behind();
        let kind = self.ground.chaos.lock().dice.pick(&behind);
        let Some(kind) = kind else { return };
        let count = 1 + self.roll(3);
        self.processes[place].listens(kind, count);
        // What is not shown yet of other kinds may be older.
        if behind.len() > 1 {
            self.ground.chaos.lock().seen.lagging += 1;
        }
    }

    async fn work(&mut self) {
        let leaders = self.leaders();
        let place = self.ground.chaos.lock().dice.pick(&leaders);
        let Some(place) = place else { return };
        let ready = self.processes[place].ready();
        let work = self.ground.chaos.lock().dice.pick(&ready);
        if let Some(work) = work {
            self.processes[place].begin(work, &self.ground.api).await;
        }
    }

    async fn resume(&mut self) {
        let busy: Vec<usize> = (0..4).filter(|place| !self.processes[*place].is_idle()).collect();
        let place = self.ground.chaos.lock().dice.pick(&busy);
        let Some(place) = place else { return };
        let number = self.roll(self.processes[place].count_in_hand());
        self.processes[place].resume(number).await;
    }

    fn hand_over(&mut self) {
        let mut leaders = self.leaders();
        // Best while a call is under way.
        let is_busy = |place: &usize| !self.processes[*place].is_idle();
        if leaders.iter().any(is_busy) {
            leaders.retain(is_busy);
        }
        let place = self.ground.chaos.lock().dice.pick(&leaders);
        let Some(place) = place else { return };
        self.processes[place].is_deposed();
        let mut chaos = self.ground.chaos.lock();
        chaos.seen.handovers += 1;
        chaos.tell(|| format!("{} is deposed", self.processes[place].name));
    }

    fn list(&mut self) {
        let leaders = self.leaders();
        let Some(place) = leaders.into_iter().find(|place| *place < 2) else {
            return;
        };
        if self.roll(2) == 0 {
            self.processes[place].hears_of_listing();
            return;
        }
        let number = self.roll(2);
        let shown: BTreeMap<RoleId, _> = Grant::all()
            .into_iter()
            .filter_map(|grant| {
                let (account, name) = in_aws(grant);
                let role = self.ground.iams[account].role(&name)?;
                (account == number).then(|| (grant.id(), role))
            })
            .collect();
        let name = self.ground.accounts[number].name.clone();
        self.processes[place].lists(&name, shown);
        self.ground.chaos.lock().seen.listings += 1;
    }
}
