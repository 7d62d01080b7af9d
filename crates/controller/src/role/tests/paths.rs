//! Every way that a role can go: what is there and settled, and what is asked for then.

use std::time::Duration;

use super::world::Wish;
use crate::fixtures::roles::{ALICE, DEPLOY, NOBODY};

const READ: &[&str] = &["s3:GetObject"];
const WRITE: &[&str] = &["s3:PutObject"];
const BOTH: &[&str] = &["s3:GetObject", "s3:PutObject"];
const READER: &[&str] = &["arn:aws:iam::aws:policy/Reader"];
const WRITER: &[&str] = &["arn:aws:iam::aws:policy/Writer"];

pub struct Path {
    pub name: &'static str,
    pub before: Vec<Wish>,
    pub then: Wish,
}

fn path(name: &'static str, before: &[Wish], then: Wish) -> Path {
    let before = before.to_vec();
    Path { name, before, then }
}

/// A role that reads.
pub fn reads() -> Wish {
    Wish::default()
}

fn writes() -> Wish {
    reads().doing(WRITE)
}

fn both() -> Wish {
    reads().doing(BOTH)
}

/// One that its limit does not allow.
pub fn refused() -> Wish {
    reads().under("payments", WRITE)
}

fn second(wish: Wish) -> Wish {
    wish.with(|w| w.uid = Some("uid-second"))
}

fn retained(wish: Wish) -> Wish {
    wish.with(|w| w.is_retained = true)
}

fn revoking(wish: Wish) -> Wish {
    wish.with(|w| w.revokes_all = true)
}

fn late(wish: Wish) -> Wish {
    wish.with(|w| w.is_boundary_there = false)
}

/// That it is made, suspended, deleted, and what comes after.
fn lives() -> Vec<Path> {
    vec![
        path("made", &[], reads()),
        path("made without a binding", &[], reads().unbound()),
        path("suspended", &[reads()], refused()),
        path("accepted again", &[reads(), refused()], reads()),
        path(
            "accepted again as something else",
            &[reads(), refused()],
            writes(),
        ),
        path("deleted", &[reads()], reads().gone()),
        path("deleted while suspended", &[reads(), refused()], reads().gone()),
        path("left in the account", &[retained(reads())], reads().gone()),
        path(
            "taken back",
            &[retained(reads()), reads().gone()],
            second(reads()),
        ),
        path("deleted with many others", &[reads()], reads().held()),
        path(
            "deleted with many others while suspended",
            &[reads(), refused()],
            reads().held(),
        ),
        path(
            "deleted with many others, and made again",
            &[reads(), reads().held()],
            second(reads()),
        ),
        path(
            "deleted with many others, and made again as something else",
            &[reads(), reads().held()],
            second(writes()),
        ),
        path("restored from a backup", &[reads()], second(reads())),
        path("restored as something else", &[reads()], second(writes())),
        path("restored before its limit", &[reads()], second(refused())),
    ]
}

/// Its namespace is made again, and so are its ServiceAccounts: whose sessions run is nobody any more.
fn namespaces() -> Vec<Path> {
    let again = |wish: Wish| second(wish).with(|w| w.is_namespace_new = true);
    vec![
        path("in a namespace made again", &[reads()], again(reads())),
        path(
            "in a namespace made again, as something else",
            &[reads()],
            again(writes()),
        ),
        path(
            "in a namespace made again, with a late boundary",
            &[reads()],
            late(again(both())),
        ),
        path(
            "in a namespace made again, with managed policies",
            &[reads().managed(READER)],
            again(reads().managed(READER)),
        ),
        path(
            "taken back by a namespace made again",
            &[retained(reads()), reads().gone()],
            again(reads()),
        ),
        path(
            "deleted with many others, and in a namespace made again",
            &[reads(), reads().held()],
            again(reads()),
        ),
        path(
            "suspended, and in a namespace made again",
            &[reads(), refused()],
            again(reads()),
        ),
        path(
            "adopted from another cluster by a namespace made again",
            &[reads()],
            again(reads()).taken_over(),
        ),
    ]
}

/// Another cluster of the name owns it, and gives it up or not.
fn clusters() -> Vec<Path> {
    vec![
        path(
            "of another cluster",
            &[reads()],
            second(writes()).of_another_cluster(),
        ),
        path(
            "deleted while another cluster owns it",
            &[reads()],
            reads().gone().taken_over(),
        ),
        path(
            "adopted from another cluster",
            &[reads()],
            second(reads()).taken_over(),
        ),
        path(
            "adopted from another cluster as something else",
            &[reads(), second(writes()).of_another_cluster()],
            second(writes()).taken_over(),
        ),
        path(
            "adopted from another cluster, and refused",
            &[reads()],
            second(refused()).taken_over(),
        ),
        path(
            "adopted from another cluster with a late boundary",
            &[reads()],
            late(second(both())).taken_over(),
        ),
    ]
}

/// What it may, and who.
fn grants() -> Vec<Path> {
    vec![
        path("changed", &[reads()], writes()),
        path("widened", &[reads()], both()),
        path("narrowed", &[both()], reads()),
        path("bound", &[reads().unbound()], reads()),
        path("unbound", &[reads()], reads().unbound()),
        path("changed and unbound", &[reads()], writes().unbound()),
        path("changed and bound", &[reads().unbound()], writes()),
        path("managed policies", &[reads()], reads().managed(READER)),
        path(
            "managed policies exchanged",
            &[reads().doing(&[]).managed(READER)],
            reads().doing(&[]).managed(WRITER),
        ),
        path(
            "managed policies instead of inline",
            &[reads()],
            reads().doing(&[]).managed(READER),
        ),
        path(
            "inline instead of managed policies",
            &[reads().doing(&[]).managed(READER)],
            reads(),
        ),
    ]
}

/// What is around it: issuer, limits, boundaries; and what no permission depends on.
fn surroundings() -> Vec<Path> {
    let overlapping = || {
        reads().with(|w| {
            w.issuer = "second-broker";
            w.previous_issuer = Some("deputy-broker");
        })
    };
    let longer = || reads().with(|w| w.longest = "4h");
    vec![
        path(
            "another issuer",
            &[reads()],
            reads().with(|w| w.issuer = "second-broker"),
        ),
        path("another issuer, beside the former one", &[reads()], overlapping()),
        path(
            "the former issuer is taken away",
            &[overlapping()],
            reads().with(|w| w.issuer = "second-broker"),
        ),
        path(
            "the former issuer is taken away, and the role widened",
            &[overlapping()],
            both().with(|w| w.issuer = "second-broker"),
        ),
        path("under another limit", &[reads()], reads().under("second", BOTH)),
        path(
            "under another limit, narrowed",
            &[both()],
            reads().under("second", READ),
        ),
        path("late boundary, widened", &[reads()], late(both())),
        path("late boundary, narrowed", &[both()], late(reads())),
        path("longer sessions", &[reads()], longer()),
        path("shorter sessions", &[longer()], reads()),
        path(
            "another issuer, changed, and somebody is trusted by both",
            &[both().trusting(&[DEPLOY])],
            reads().trusting(&[DEPLOY]).with(|w| w.issuer = "second-broker"),
        ),
        path("another tag", &[reads()], reads().with(|w| w.tag = "other")),
    ]
}

/// Users and roles of AWS: one that AWS does not know, and one that is not who it was.
fn principals() -> Vec<Path> {
    const BOTH_OF_THEM: &[&str] = &[DEPLOY, ALICE];
    let trusting = || reads().trusting(BOTH_OF_THEM);
    let replaced = |wish: Wish| wish.with(|w| w.replaced = &[DEPLOY]);
    vec![
        path("principals", &[reads()], trusting()),
        path(
            "made with one that is not known",
            &[],
            reads().trusting(&[NOBODY, DEPLOY]),
        ),
        path(
            "one of them is not known",
            &[reads().trusting(&[DEPLOY])],
            reads().trusting(&[NOBODY, ALICE]),
        ),
        path("one was replaced", &[trusting()], replaced(trusting())),
        path(
            "one was replaced, and the role changes",
            &[trusting()],
            replaced(writes().trusting(BOTH_OF_THEM).unbound()),
        ),
        path(
            "one was replaced before it is suspended",
            &[trusting()],
            replaced(refused().trusting(BOTH_OF_THEM)),
        ),
        path(
            "one was replaced, and it is accepted again",
            &[trusting(), replaced(refused().trusting(BOTH_OF_THEM))],
            trusting(),
        ),
    ]
}

/// Sessions that run: of whom the role is taken from while it stays.
fn sessions() -> Vec<Path> {
    const TWO: &[&str] = &["uploader", "second"];
    let two = || reads().bound_to(TWO);
    let hours_later = |wish: Wish, hours: u64| wish.with(|w| w.later = Duration::from_secs(3600 * hours));
    vec![
        path("one of two removed", &[two()], reads()),
        path("one of two removed, and the role changes", &[two()], writes()),
        path(
            "one of two removed, and managed policies come",
            &[two()],
            reads().managed(READER),
        ),
        path(
            "one of two removed, of managed policies",
            &[two().managed(READER)],
            reads().managed(READER),
        ),
        path(
            "one of two removed, under a late boundary",
            &[two()],
            late(both()),
        ),
        path(
            "one after the other removed",
            &[two(), reads()],
            hours_later(reads().unbound(), 1),
        ),
        path("removed and bound again", &[two(), reads()], two()),
        path(
            "removed, and the cut is over",
            &[two(), reads()],
            hours_later(reads(), 13),
        ),
        path(
            "removed while it was suspended",
            &[two(), refused().bound_to(TWO)],
            reads(),
        ),
        // Both at once: a path more costs seconds.
        path(
            "a principal removed whom nobody can tell apart, and another session policy",
            &[revoking(two().trusting(&[DEPLOY]))],
            revoking(two().with(|w| w.session = READ)),
        ),
        path(
            "restored without its status",
            &[two()],
            reads().with(|w| w.is_restored = true),
        ),
    ]
}

pub fn paths() -> Vec<Path> {
    [
        lives(),
        namespaces(),
        clusters(),
        grants(),
        surroundings(),
        principals(),
        sessions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
