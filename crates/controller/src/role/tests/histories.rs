//! Every history of a role with one trouble or two, at whichever call to AWS or to the API server, and however that fails: the
//! whole reconciliation runs, as often as the queue would have it. What must hold all the time is looked at after each call.

use std::sync::atomic::{AtomicUsize, Ordering};

use deputy_runtime::lease::{Leadership, LeaseConfig, LeaseTask, campaign};

use super::{
    paths::{Path, paths, reads, refused},
    world::{Bounds, Moment, Rest, World},
};
use crate::fixtures::{
    histories::Found,
    nothing_there,
    roles::{Power, sessions},
    script::{Call, Trouble},
};

/// A path, and what it comes to when nothing fails.
struct Explored {
    name: &'static str,
    world: World,
    /// When it was asked for, before anything was done.
    moment: Moment,
    rest: Rest,
    /// The unique id of the role before; a role that is there is never deleted and made again.
    role_id: Option<String>,
    /// Between what the role may before and afterwards.
    bounds: Bounds,
    /// That it takes.
    calls: Vec<Call>,
}

/// A Lease that is held all the time.
pub struct Rig {
    pub leadership: Leadership,
    _lease: LeaseTask,
}

impl Rig {
    pub async fn new() -> Self {
        let lease = LeaseConfig::new("deputy".to_owned(), "deputy-controller", "pod-0".to_owned());
        let (leadership, lease) = campaign(nothing_there(), lease);
        leadership.wait_until_leader().await;
        Self {
            leadership,
            _lease: lease,
        }
    }

    async fn explored(&self, path: &Path) -> Explored {
        let mut world = World::new(&self.leadership);
        world.furnish();
        for wish in &path.before {
            world.wish(wish);
            world.settle(4, World::is_quiet).await;
        }
        assert_eq!(world.faults(), Vec::<String>::new(), "{}: before", path.name);
        let before = world.power();
        world.wish(&path.then);
        // What the limit takes away is gone with the boundary, before anything is done about the role.
        let old: Power = before.intersection(&world.power()).cloned().collect();
        let (moment, role_id) = (world.moment(), world.role_id());
        world.restore(&moment);
        world.script.begin(&[]);
        world.settle(4, World::is_quiet).await;
        let calls = world.script.calls();
        let new = world.power();
        let (rest, idle) = (world.rest(), world.idle_writes().await);
        assert_eq!(
            idle,
            (Vec::new(), Vec::new()),
            "{}: unchanged means no write",
            path.name
        );
        assert_eq!(world.faults(), Vec::<String>::new(), "{}", path.name);
        Explored {
            name: path.name,
            world,
            moment,
            rest,
            role_id,
            bounds: Bounds {
                at_least: old.intersection(&new).cloned().collect(),
                at_most: old.union(&new).cloned().collect(),
                cut: sessions(old.difference(&new)).collect(),
            },
            calls,
        }
    }
}

impl Explored {
    /// One history; gives its calls. What must not be is added to `found`.
    async fn run(&mut self, troubles: &[(usize, Trouble)], found: &mut Found) -> Vec<Call> {
        let world = &mut self.world;
        world.restore(&self.moment);
        world.script.begin(troubles);
        world.bound(Some(self.bounds.clone()));
        let (tries, rest) = (4 + 3 * troubles.len(), &self.rest);
        world
            .settle(tries, |world| world.is_quiet() && world.rest() == *rest)
            .await;
        let calls = world.script.calls();
        let mut wrong = world.faults();
        if world.rest() != *rest {
            wrong.push(format!("comes to rest as {:?} instead of {rest:?}", world.rest()));
        }
        let (before, now) = (&self.role_id, world.role_id());
        if before.is_some() && now.is_some() && *before != now {
            wrong.push(format!("the role was {before:?} and is {now:?}"));
        }
        let idle = world.idle_writes().await;
        if idle != (Vec::new(), Vec::new()) {
            wrong.push(format!("writes when there is nothing to do: {idle:?}"));
        }
        found.explored += 1;
        if !wrong.is_empty() {
            found
                .wrong
                .push(format!("{}: {troubles:?}: {}", self.name, wrong.join("; ")));
        }
        calls
    }

    /// Every history with one trouble.
    async fn with_one(&mut self, found: &mut Found) {
        for (index, call) in self.calls.clone().into_iter().enumerate() {
            for trouble in Trouble::ALL.into_iter().filter(|t| t.can_happen_to(call)) {
                self.run(&[(index, trouble)], found).await;
            }
        }
    }

    /// Every history with two troubles, of those that stand for the others.
    async fn with_two(&mut self, found: &mut Found) {
        for (index, call) in self.calls.clone().into_iter().enumerate() {
            for first in Trouble::FEW.into_iter().filter(|t| t.can_happen_to(call)) {
                let calls = self.run(&[(index, first)], found).await;
                for (later, call) in calls.into_iter().enumerate().skip(index + 1) {
                    for second in Trouble::FEW.into_iter().filter(|t| t.can_happen_to(call)) {
                        let troubles = [(index, first), (later, second)];
                        // What is hidden at two looks is believed to be gone, which takes a minute when time passes.
                        let is_hidden = |(_, trouble)| trouble == Trouble::NotYetVisible;
                        if !troubles.into_iter().all(is_hidden) {
                            self.run(&troubles, found).await;
                        }
                    }
                }
            }
        }
    }
}

/// Of so many paths, with such troubles.
fn of_paths(troubles: &str) -> String {
    format!("{} paths with {troubles}", paths().len())
}

/// Explores all paths, on all processors.
fn explore(run: impl AsyncFn(&mut Explored, &mut Found) + Sync) -> Found {
    let (paths, next) = (paths(), AtomicUsize::new(0));
    Found::on_all_processors(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let (rig, mut found) = (Rig::new().await, Found::default());
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                run(&mut rig.explored(path).await, &mut found).await;
            }
            found
        })
    })
}

#[test]
fn every_history_with_one_trouble_ends_as_it_should() {
    explore(async |explored, found| explored.with_one(found).await).tell(&of_paths("one trouble"));
}

#[test]
fn every_history_with_two_troubles_ends_as_it_should() {
    explore(async |explored, found| explored.with_two(found).await).tell(&of_paths("two troubles"));
}

/// With three troubles, and of a role that is made in between: the other histories have two, of one change.
#[tokio::test]
async fn an_absence_from_before_a_role_was_made_says_nothing_of_it() {
    let rig = Rig::new().await;
    let mut world = World::new(&rig.leadership);
    world.furnish();
    for (wish, trouble) in [
        (reads(), Some((Call::WriteAws, Trouble::Refused))),
        // It is not there, and that is noted down.
        (refused(), None),
        (reads(), Some((Call::WriteAws, Trouble::AnswerLost))),
        (reads().gone(), Some((Call::ReadAws, Trouble::NotYetVisible))),
    ] {
        world.wish(&wish);
        world.script.begin_with(trouble);
        world.settle(1, |_| true).await;
    }
    assert_eq!(world.faults(), Vec::<String>::new());
}

/// What was verified once is not true any more when somebody has written since, however that ended.
#[tokio::test]
async fn what_an_attempt_that_is_given_up_has_written_is_taken_back() {
    let rig = Rig::new().await;
    let mut world = World::new(&rig.leadership);
    world.furnish();
    for (wish, trouble) in [
        (reads().unbound(), None),
        (reads(), Some((Call::WriteAws, Trouble::Superseded))),
    ] {
        world.wish(&wish);
        world.script.begin_with(trouble);
        world.settle(1, |_| true).await;
    }
    assert_ne!(
        world.power_of_new_sessions(),
        Power::new(),
        "the trust policy is open"
    );
    world.wish(&reads().unbound());
    world.script.begin(&[]);
    world.settle(1, |_| true).await;
    assert_eq!(world.power_of_new_sessions(), Power::new());
}

/// That AWS shows no role is not believed at once; meanwhile what was said of it stays.
#[tokio::test]
async fn a_refused_role_that_was_never_made_costs_a_new_process_no_write() {
    let rig = Rig::new().await;
    let mut world = World::new(&rig.leadership);
    world.furnish();
    world.wish(&reads());
    world.script.begin_with(Some((Call::WriteAws, Trouble::Refused)));
    world.settle(1, |_| true).await;
    world.wish(&refused());
    world.script.begin(&[]);
    world.settle(4, World::is_quiet).await;
    assert_eq!(world.idle_writes().await, (Vec::new(), Vec::new()));
}
