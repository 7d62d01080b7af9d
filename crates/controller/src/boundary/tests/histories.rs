//! Every history of a boundary policy with one trouble or two, at whichever call to AWS or to the API server, and however that fails. All
//! that `deputy limits` does about a limit runs: the policy, its entry, the summing up, the sweep, as often as their queues would have it.

use std::sync::atomic::{AtomicUsize, Ordering};

use deputy_aws::{ErrorClass, model::Fault};
use deputy_runtime::lease::{Leadership, LeaseConfig, LeaseTask, campaign};

use super::{
    rest::Rest,
    stage::{Ask, Hand, Moment, Stage},
};
use crate::fixtures::{
    histories::Found,
    nothing_there,
    script::{Call, Trouble},
};

const READ: &[&str] = &["s3:GetObject"];
const WRITE: &[&str] = &["s3:PutObject"];
const BOTH: &[&str] = &["s3:GetObject", "s3:PutObject"];

/// Rounds in which everything that is due is done that a history may take, and so many more for each of its troubles.
const ROUNDS: usize = 4;
const ROUNDS_MORE: usize = 4;
/// Multiplied by this, numbers that follow each other are far apart.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A change, and how it ends.
struct Path {
    name: &'static str,
    /// What is there and settled.
    before: &'static [Ask],
    /// What is asked for then.
    then: &'static [Ask],
    /// In how many versions there is a policy in the end.
    versions: usize,
    ends: End,
}

/// How a change ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With nothing left to do, and this reason where the limit is still there.
    Settled(&'static str),
    /// With a policy that has to be left alone: it is looked at again and again.
    LeftAlone,
}

const READY: End = End::Settled("Ready");

const fn path(
    name: &'static str,
    before: &'static [Ask],
    then: &'static [Ask],
    versions: usize,
    ends: End,
) -> Path {
    Path {
        name,
        before,
        then,
        versions,
        ends,
    }
}

const PATHS: &[Path] = &[
    path("made", &[], &[Ask::Limit(BOTH)], 1, READY),
    path("narrowed", &[Ask::Limit(BOTH)], &[Ask::Limit(READ)], 1, READY),
    path("widened", &[Ask::Limit(READ)], &[Ask::Limit(BOTH)], 1, READY),
    path("replaced", &[Ask::Limit(READ)], &[Ask::Limit(WRITE)], 1, READY),
    path(
        "tagged",
        &[Ask::Limit(READ)],
        &[Ask::CostCenter("team")],
        1,
        READY,
    ),
    path(
        "narrowed and tagged without room for a version",
        &[Ask::Limit(BOTH)],
        &[
            Ask::ByHand(Hand::FillsUp),
            Ask::CostCenter("team"),
            Ask::Limit(READ),
        ],
        1,
        READY,
    ),
    path(
        "made again",
        &[Ask::Limit(BOTH)],
        &[Ask::LimitAgain(READ)],
        1,
        READY,
    ),
    path(
        "widened by hand",
        &[Ask::Limit(READ)],
        &[Ask::ByHand(Hand::Widens)],
        1,
        READY,
    ),
    path(
        "deleted by hand",
        &[Ask::Limit(READ)],
        &[Ask::ByHand(Hand::Deletes)],
        1,
        READY,
    ),
    path(
        "narrowed while widened by hand",
        &[Ask::Limit(BOTH)],
        &[Ask::ByHand(Hand::Widens), Ask::Limit(READ)],
        1,
        READY,
    ),
    path("deleted", &[Ask::Limit(BOTH)], &[Ask::NoLimit], 0, READY),
    path(
        "deleted with more versions",
        &[Ask::Limit(BOTH)],
        &[Ask::ByHand(Hand::FillsUp), Ask::NoLimit],
        0,
        READY,
    ),
    path(
        "elsewhere",
        &[Ask::Limit(BOTH)],
        &[Ask::Elsewhere],
        0,
        End::Settled("AccountNotFound"),
    ),
    path(
        "deleted while a role has it",
        &[Ask::Limit(BOTH)],
        &[Ask::ByHand(Hand::Uses), Ask::NoLimit],
        1,
        End::LeftAlone,
    ),
    path(
        "disowned by hand, and narrowed",
        &[Ask::Limit(BOTH)],
        &[Ask::ByHand(Hand::Disowns), Ask::Limit(READ)],
        1,
        End::LeftAlone,
    ),
    path(
        "in the way",
        &[Ask::ByHand(Hand::Makes)],
        &[Ask::Limit(READ)],
        1,
        End::LeftAlone,
    ),
];

/// A path, and what it comes to when nothing fails.
struct Explored {
    path: &'static Path,
    stage: Stage,
    /// When it was asked for, before anything was done.
    moment: Moment,
    rest: Rest,
    /// What may be in force from then on: what was, and what will be.
    old: String,
    new: String,
    /// That it takes.
    calls: Vec<Call>,
    /// After how many calls to AWS what will be is in force.
    granted: usize,
}

/// A Lease that is held all the time.
pub async fn lease() -> (Leadership, LeaseTask) {
    let lease = LeaseConfig::new("deputy".to_owned(), "deputy-limits", "pod-0".to_owned());
    let (leadership, lease) = campaign(nothing_there(), lease);
    leadership.wait_until_leader().await;
    (leadership, lease)
}

impl Explored {
    async fn new(leadership: &Leadership, path: &'static Path) -> Self {
        let (name, mut stage) = (path.name, Stage::new(leadership));
        for ask in path.before {
            stage.ask(*ask).await;
            assert!(stage.settle(ROUNDS, None).await, "{name}: before: {ask:?}");
        }
        for ask in path.then {
            stage.ask(*ask).await;
        }
        let (moment, old) = (stage.moment(), stage.document().await);
        stage.restore(&moment);
        stage.script.begin(&[]);
        let is_settled = stage.settle(ROUNDS, None).await;
        assert_eq!(is_settled, path.ends != End::LeftAlone, "{name}");
        let (rest, new) = (stage.rest().await, stage.document().await);
        let versions = rest.policy.as_ref().map_or(0, |policy| policy.1);
        assert_eq!(versions, path.versions, "{name}");
        if let Some((_, reason)) = &rest.ready {
            let expected = match path.ends {
                End::Settled(reason) => reason,
                End::LeftAlone => "Conflict",
            };
            assert_eq!(reason, expected, "{name}");
        }
        stage.is_left_alone = path.ends == End::LeftAlone;
        stage.restore(&moment);
        stage.script.begin(&[]);
        assert!(stage.settle(ROUNDS, Some(&rest)).await, "{name}");
        let calls = stage.script.calls();
        let granted = stage.cloud.granted_until(&new).unwrap_or_default();
        assert!(
            old == new || new.is_empty() || granted <= CALLS_MAX,
            "{name}: {granted} calls"
        );
        assert_eq!(stage.idle_writes().await, 0, "{name}: unchanged means no write");
        assert_eq!(stage.faults(), Vec::<String>::new(), "{name}");
        Self {
            path,
            stage,
            moment,
            rest,
            old,
            new,
            calls,
            granted,
        }
    }

    /// One history; gives its calls. What must not be is added to `found`.
    async fn run(&mut self, troubles: &[(usize, Trouble)], found: &mut Found) -> Vec<Call> {
        let stage = &mut self.stage;
        stage.restore(&self.moment);
        stage.script.begin(troubles);
        let rounds = ROUNDS + ROUNDS_MORE * troubles.len();
        let is_settled = stage.settle(rounds, Some(&self.rest)).await;
        let (calls, rest) = (stage.script.calls(), stage.rest().await);
        let mut wrong = stage.faults();
        if rest != self.rest {
            wrong.push(format!("comes to rest with {}", rest.difference(&self.rest)));
        } else if !is_settled {
            wrong.push(format!("something is still due after {rounds} rounds"));
        }
        for document in stage.cloud.documents() {
            if document != self.old && document != self.new {
                wrong.push(format!(
                    "in force was {document:?}, neither the old one nor the new one"
                ));
            }
        }
        let granted = stage.cloud.granted_until(&self.new).unwrap_or_default();
        if self.old != self.new && granted > self.granted + CALLS_MAX * troubles.len() {
            let expected = self.granted;
            wrong.push(format!(
                "in force after {granted} calls that AWS granted, of which {expected} do it"
            ));
        }
        match stage.idle_writes().await {
            0 => {}
            writes => wrong.push(format!("{writes} writes when there is nothing to do")),
        }
        found.explored += 1;
        if !wrong.is_empty() {
            let (name, wrong) = (self.path.name, wrong.join("; "));
            found.wrong.push(format!("{name}: {troubles:?}: {wrong}"));
        }
        calls
    }

    async fn with_one(&mut self, found: &mut Found) {
        for (index, call) in self.calls.clone().into_iter().enumerate() {
            for trouble in Trouble::ALL.into_iter().filter(|t| t.can_happen_to(call)) {
                self.run(&[(index, trouble)], found).await;
            }
        }
    }

    /// Every history with two troubles, of those that stand for the others; or one in `of` of them.
    async fn with_two(&mut self, of: u64, found: &mut Found) {
        let mut number = 0_u64;
        for (index, call) in self.calls.clone().into_iter().enumerate() {
            for first in Trouble::FEW.into_iter().filter(|t| t.can_happen_to(call)) {
                let calls = self.run(&[(index, first)], found).await;
                for (later, call) in calls.into_iter().enumerate().skip(index + 1) {
                    for second in Trouble::FEW.into_iter().filter(|t| t.can_happen_to(call)) {
                        number += 1;
                        // Always the same ones, and of each kind.
                        if (number.wrapping_mul(SPREAD) >> 32).is_multiple_of(of) {
                            self.run(&[(index, first), (later, second)], found).await;
                        }
                    }
                }
            }
        }
    }
}

/// Of so many paths, with such troubles.
fn of_paths(troubles: &str) -> String {
    format!("{} paths of a boundary policy with {troubles}", PATHS.len())
}

/// Explores all paths, on all processors.
fn explore(run: impl AsyncFn(&mut Explored, &mut Found) + Sync) -> Found {
    let next = AtomicUsize::new(0);
    Found::on_all_processors(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let ((leadership, _lease), mut found) = (lease().await, Found::default());
            while let Some(path) = PATHS.get(next.fetch_add(1, Ordering::Relaxed)) {
                run(&mut Explored::new(&leadership, path).await, &mut found).await;
            }
            found
        })
    })
}

#[test]
fn every_history_of_a_policy_with_one_trouble_ends_as_it_should() {
    explore(async |explored, found| explored.with_one(found).await).tell(&of_paths("one trouble"));
}

/// All of them take two minutes and a half on one processor, those of this sample a third of that.
#[test]
fn a_third_of_the_histories_of_a_policy_with_two_troubles_end_as_they_should() {
    explore(async |explored, found| explored.with_two(3, found).await)
        .tell(&of_paths("two troubles, one of three"));
}

#[test]
#[ignore = "takes minutes: it is run with `--ignored`"]
fn every_history_of_a_policy_with_two_troubles_ends_as_it_should() {
    explore(async |explored, found| explored.with_two(1, found).await).tell(&of_paths("two troubles"));
}

/// Calls in which a narrower document is in force: a look, the deletions that make room for it, and its version.
const CALLS_MAX: usize = 6;

/// All that there can be to do at once, and one kind of call that AWS refuses for good.
#[tokio::test(start_paused = true)]
async fn a_narrowing_lands_whichever_other_call_fails_for_good() {
    let (leadership, _lease) = lease().await;
    let operations = [
        // Whether it lands nevertheless: with room for a version, and without.
        ("iam:GetPolicy", [false, false]),
        ("iam:CreatePolicyVersion", [false, false]),
        ("iam:DeletePolicyVersion", [true, false]),
        ("iam:TagPolicy", [true, true]),
        ("iam:UntagPolicy", [true, true]),
        ("iam:ListPolicies", [true, true]),
        ("iam:CreatePolicy", [true, true]),
        ("iam:DeletePolicy", [true, true]),
    ];
    for (operation, lands) in operations {
        for (is_full, lands) in [false, true].into_iter().zip(lands) {
            for class in [
                ErrorClass::AccessDenied,
                ErrorClass::Throttled,
                ErrorClass::Service,
                ErrorClass::Unreachable,
            ] {
                let what = format!("{operation} {class}, full: {is_full}");
                let mut stage = Stage::new(&leadership);
                stage.ask(Ask::Limit(BOTH)).await;
                assert!(stage.settle(ROUNDS, None).await, "{what}");
                let old = stage.rest().await;
                if is_full {
                    stage.ask(Ask::ByHand(Hand::FillsUp)).await;
                }
                stage.ask(Ask::CostCenter("team")).await;
                stage.ask(Ask::Limit(READ)).await;
                let before = stage.document().await;
                let iam = &stage.cloud.iam;
                iam.fail(Fault::before(class).of(operation).times(usize::MAX));
                iam.clear_log();
                stage.settle(1, None).await;
                let made = stage.cloud.iam.log();
                let at = made
                    .iter()
                    .position(|call| call.operation == "iam:CreatePolicyVersion");
                stage.settle(ROUNDS, None).await;
                stage.cloud.iam.revive();
                let rest = stage.rest().await;
                let (document, _, _) = rest.policy.clone().unwrap();
                assert_eq!(document != before, lands, "{what}");
                let (entry, known) = (rest.entry.clone().unwrap(), old.entry.unwrap());
                assert_eq!(
                    entry.document_hash != known.document_hash,
                    lands,
                    "{what}: it is told"
                );
                assert!(!lands || at.unwrap() < CALLS_MAX, "{what}: {made:#?}");
                let is_told = entry.problem.is_some() || entry.untagged.is_some();
                let is_used = made.iter().any(|call| call.operation == operation);
                assert!(is_told || !is_used || operation == "iam:ListPolicies", "{what}");
                // And once AWS lets it be, all is as it should be.
                stage.restart();
                assert!(stage.settle(ROUNDS, None).await, "{what}");
                let rest = stage.rest().await;
                assert_eq!(rest.ready.unwrap().1, "Ready", "{what}");
                assert_eq!(rest.policy.unwrap().1, 1, "{what}");
            }
        }
    }
}
