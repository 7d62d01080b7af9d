//! A role that is in AWS, and whose object is gone although nobody deleted the role.

use deputy_api::{
    AWSAccountStatus,
    conditions::{self, ConditionType},
};
use jiff::SignedDuration;

use super::{histories::Rig, paths::reads, world::World};
use crate::{fixtures::roles::Power, role::dereference::FINALIZER};

async fn orphaned(rig: &Rig) -> World {
    let mut world = World::new(&rig.leadership);
    world.furnish();
    world.pass(SignedDuration::ZERO);
    world.wish(&reads());
    world.settle(4, World::is_quiet).await;
    // Older than a grace.
    world.pass(SignedDuration::from_hours(2));
    world
}

/// The reason of `Swept`, and how many orphans there are.
fn told(status: &AWSAccountStatus) -> (&str, i64) {
    let swept = conditions::find(&status.conditions, ConditionType::Swept).unwrap();
    (
        &swept.reason,
        status.orphans.as_ref().map_or(0, |orphans| orphans.count),
    )
}

const GRACE: SignedDuration = SignedDuration::from_mins(30);

#[tokio::test(start_paused = true)]
async fn a_role_without_an_object_is_told_and_goes_when_a_person_accepts_that() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    let (_, status) = world.sweeps().await;
    assert_eq!(told(&status), ("UpToDate", 0));
    let may = world.power();
    world.orphan();
    let (next, status) = world.sweeps().await;
    assert_eq!(told(&status), ("Orphaned", 1));
    let orphan = &status.orphans.as_ref().unwrap().oldest[0];
    assert_eq!(orphan.object, "AWSRole payments/uploader");
    assert_eq!(orphan.role_id, world.role_id());
    assert_eq!(next, Some(orphan.since.0 + GRACE));
    // It was the only one: that is what a cluster looks like that is about to be restored.
    world.pass(GRACE);
    let (_, status) = world.sweeps().await;
    assert_eq!(told(&status), ("OrphansHeld", 1));
    assert_eq!(world.power(), may, "nothing was done to it");
    world.accept_removing("0");
    assert_eq!(told(&world.sweeps().await.1), ("OrphansHeld", 1));
    world.accept_removing("1");
    world.sweeps().await;
    assert_eq!(world.power(), Power::new());
    assert_eq!(world.role_id(), None);
    assert_eq!(told(&world.sweeps().await.1), ("UpToDate", 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_whose_object_is_restored_within_the_grace_is_no_orphan() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    let (mut object, role_id, may) = (world.object(), world.role_id(), world.power());
    world.orphan();
    assert_eq!(told(&world.accept_removing_all().await), ("Orphaned", 1));
    object["metadata"]["finalizers"] = serde_json::json!([FINALIZER]);
    world.put_back(object);
    world.pass(GRACE);
    let (_, status) = world.sweeps().await;
    assert_eq!(told(&status), ("UpToDate", 0));
    assert_eq!((world.role_id(), world.power()), (role_id, may));
}

#[tokio::test(start_paused = true)]
async fn a_role_whose_object_came_back_unseen_is_not_deleted() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    let (object, role_id, may) = (world.object(), world.role_id(), world.power());
    world.orphan();
    assert_eq!(told(&world.accept_removing_all().await), ("Orphaned", 1));
    world.pass(GRACE);
    // The API server has it, and no watch has shown it.
    world.put_back_unseen(object);
    world.sweeps().await;
    assert_eq!((world.role_id(), world.power()), (role_id, may));
}

#[tokio::test(start_paused = true)]
async fn a_role_whose_object_cant_be_read_is_no_orphan() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    let (mut object, role_id) = (world.object(), world.role_id());
    // Not even which account it is in is known.
    object["spec"]["policies"] = serde_json::json!("none");
    object["metadata"]["generation"] = serde_json::json!(99);
    world.put_back(object);
    for _ in 0..2 {
        let (_, status) = world.sweeps().await;
        assert_eq!(told(&status), ("UpToDate", 0));
        world.pass(GRACE);
    }
    assert_eq!(world.role_id(), role_id);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_once_the_role_that_stays_is_closed_and_noted_down() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    world.sweeps().await;
    world.keeps_roles();
    world.take_events();
    world.wish(&reads().gone());
    world.settle(3, |_| false).await;
    assert_eq!(
        world.power_of_new_sessions(),
        Power::new(),
        "it is closed at once"
    );
    assert!(world.is_there(), "while the namespace stays the object does");
    assert_eq!(told(&world.account_status()), ("UpToDate", 0));
    world.delete_namespace();
    world.settle(1, |_| false).await;
    assert!(!world.is_there());
    let status = world.account_status();
    assert_eq!(told(&status).1, 1);
    let orphan = &status.orphans.as_ref().unwrap().oldest[0];
    assert_eq!(orphan.object, "AWSRole payments/uploader");
    assert_eq!(orphan.role_id, world.role_id());
    assert!(
        orphan.reason.ends_with("nobody can become it"),
        "{}",
        orphan.reason
    );
    let events = world.take_events();
    let of_it = events.iter().filter(|event| event.starts_with("Orphaned: "));
    assert_eq!(of_it.count(), 1, "{events:#?}");
    // The next listing finds it still.
    assert_eq!(told(&world.sweeps().await.1), ("Orphaned", 1));
}

/// A role that was deleted with many others, and what its account says then.
async fn held(rig: &Rig) -> World {
    let mut world = orphaned(rig).await;
    world.sweeps().await;
    world.take_events();
    world.wish(&reads().held());
    world.settle(3, |world| !world.is_there()).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_role_deleted_with_many_others_is_shut_and_told_and_its_object_goes() {
    let rig = Rig::new().await;
    let mut world = held(&rig).await;
    assert!(!world.is_there());
    assert_eq!(world.power(), Power::new(), "nobody, and no session that runs");
    assert_eq!(world.faults(), Vec::<String>::new());
    let status = world.account_status();
    assert_eq!(told(&status), ("DeletionsHeld", 1));
    let orphan = &status.orphans.as_ref().unwrap().oldest[0];
    assert_eq!(orphan.object, "AWSRole payments/uploader");
    assert!(orphan.role_id.is_some() && orphan.role_id == world.role_id());
    let events = world.take_events();
    let of_it = events.iter().filter(|event| event.starts_with("DeletionsHeld: "));
    assert_eq!(of_it.count(), 1, "{events:#?}");
    // The next listing finds it, and says so still; after its grace it is as any other.
    assert_eq!(told(&world.sweeps().await.1), ("DeletionsHeld", 1));
    world.pass(GRACE);
    assert_eq!(told(&world.sweeps().await.1), ("OrphansHeld", 1));
    // What a person accepts goes, however many others go.
    world.accept_removing("1");
    world.sweeps().await;
    assert_eq!(world.role_id(), None);
    assert_eq!(told(&world.sweeps().await.1), ("UpToDate", 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_deleted_with_many_others_is_the_same_when_its_object_is_back() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    let (role_id, may) = (world.role_id(), world.power_of_new_sessions());
    world.wish(&reads().held());
    world.settle(3, |world| !world.is_there()).await;
    world.take_calls();
    world.wish(&reads().with(|wish| wish.uid = Some("uid-restored")));
    world.settle(4, World::is_quiet).await;
    assert_eq!(world.role_id(), role_id);
    assert_eq!(world.power_of_new_sessions(), may, "its trust is open again");
    let calls = world.take_calls();
    let made = calls.iter().filter(|call| call.contains("CreateRole"));
    assert_eq!(made.count(), 0, "{calls:?}");
    world.pass(SignedDuration::from_mins(1));
    let (_, status) = world.sweeps().await;
    assert_eq!(told(&status), ("UpToDate", 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_goes_at_once_with_as_many_others_as_a_person_has_accepted() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    world.sweeps().await;
    world.wish(&reads().held());
    world.accept_removing("1");
    world.settle(3, |world| !world.is_there()).await;
    assert_eq!(world.role_id(), None);
    assert_eq!(told(&world.account_status()), ("UpToDate", 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_can_not_be_noted_down_keeps_its_object_and_is_shut() {
    let rig = Rig::new().await;
    let mut world = orphaned(&rig).await;
    world.wish(&reads().held());
    world.loses_account();
    world.settle(3, |world| !world.is_there()).await;
    assert!(world.is_there());
    assert_eq!(world.power(), Power::new());
    world.has_account();
    world.settle(1, |world| !world.is_there()).await;
    assert!(!world.is_there());
    assert_eq!(told(&world.account_status()), ("DeletionsHeld", 1));
}
