//! What a listing of the account means for a role: it confirms, it finds what somebody changed, and it justifies no write.

use deputy_delegation::plan::ObservedRole;

use super::{
    histories::Rig,
    paths::{paths, reads, refused},
    world::{Wish, World},
};
use crate::{fixtures::roles::Power, queue::Requeue};

async fn settled(rig: &Rig, wishes: &[Wish]) -> World {
    let mut world = World::new(&rig.leadership);
    world.furnish();
    for wish in wishes {
        world.wish(wish);
        world.settle(4, World::is_quiet).await;
    }
    world
}

#[tokio::test]
async fn after_a_restart_a_listing_confirms_what_is_as_it_should_be() {
    let rig = Rig::new().await;
    let (mut confirmed, mut unread) = (0, 0);
    for path in paths() {
        let mut wishes = path.before.clone();
        wishes.push(path.then.clone());
        let mut world = settled(&rig, &wishes).await;
        // What changed in AWS alone is not seen before somebody looks.
        world.restart();
        world.settle(4, World::is_quiet).await;
        let rest = world.rest();
        world.restart();
        let (looks, writes) = world.listed_anew().await;
        assert_eq!(writes, Vec::<&str>::new(), "{}", path.name);
        assert_eq!(world.rest(), rest, "{}", path.name);
        let is_ready = rest.ready.as_ref().is_some_and(|(status, _)| status == "True");
        // What AWS shows of a principal that was replaced has to be read.
        if is_ready && !path.name.contains("replaced") && !path.name.contains("not known") {
            assert_eq!(looks, 0, "{}", path.name);
            confirmed += 1;
            // Not even from the API server.
            unread += usize::from(world.script.calls().is_empty());
        }
    }
    assert!(confirmed > 15, "{confirmed}");
    assert!(unread > 10, "{unread} of {confirmed}");
}

#[tokio::test]
async fn after_a_restart_what_is_well_waits_for_the_listing_and_nothing_else_does() {
    let rig = Rig::new().await;
    // Of those that wait: how often the API server is asked.
    for (wishes, then, waits) in [
        (vec![reads()], None, Some(0)),
        (vec![reads().unbound()], None, Some(0)),
        (
            vec![reads().with(|wish| wish.session = &["s3:GetObject"])],
            None,
            Some(0),
        ),
        // What is not plain is read.
        (vec![reads(), refused()], None, Some(1)),
        // Sessions are cut.
        (vec![reads(), reads().unbound()], None, Some(1)),
        // Something about it changed while nobody looked.
        (vec![reads()], Some(reads().unbound()), None),
        (
            vec![reads()],
            Some(reads().bound_to(&["uploader", "other"])),
            None,
        ),
        (
            vec![reads()],
            Some(reads().with(|wish| wish.session = &["s3:GetObject"])),
            None,
        ),
        (vec![reads()], Some(refused()), None),
        (vec![reads()], Some(reads().doing(&["s3:PutObject"])), None),
        (vec![reads()], Some(reads().gone()), None),
        (
            vec![reads()],
            Some(reads().under("second", &["s3:GetObject"])),
            None,
        ),
        (
            vec![reads()],
            Some(reads().with(|w| w.issuer = "second-broker")),
            None,
        ),
    ] {
        let mut world = settled(&rig, &wishes).await;
        if let Some(then) = &then {
            world.wish(then);
        }
        world.restart();
        world.script.begin(&[]);
        let before = world.rest();
        let next = world.awaits_listing().await;
        let has_waited = matches!(next, Ok(Requeue::After(time)) if time.as_secs() <= 120)
            && world.rest() == before
            && world.script.calls().len() <= 1;
        let waited = has_waited.then(|| world.script.calls().len());
        assert_eq!(waited, waits, "{wishes:?} {then:?}: {next:?}");
    }
}

#[tokio::test]
async fn a_role_is_read_when_its_status_is_not_what_is_true() {
    let rig = Rig::new().await;
    let mut world = settled(&rig, &[reads()]).await;
    let rest = world.rest();
    world.restart();
    let unread = |world: &World| world.script.calls().is_empty();
    world.listed_anew().await;
    assert!(unread(&world));
    // Seen to be right within the hour, it is not asked about, and not read either.
    world.listed_anew().await;
    assert!(unread(&world));
    let changes: [fn(&mut serde_json::Value); 4] = [
        |role| role["status"]["conditions"][0]["message"] = "other words".into(),
        |role| role["status"]["roleARN"] = "arn:aws:iam::123456789012:role/other".into(),
        |role| role["status"]["sessions"]["serviceAccounts"] = serde_json::json!(["somebody"]),
        |role| role["metadata"]["finalizers"] = serde_json::json!([]),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        world.says(change);
        world.listed_anew().await;
        assert!(!unread(&world), "{number}");
        world.settle(4, World::is_quiet).await;
        world.listed_anew().await;
        assert_eq!(world.rest().ready, rest.ready, "{number}");
    }
}

#[tokio::test]
async fn a_role_that_is_not_read_is_held_as_one_that_is() {
    let rig = Rig::new().await;
    let mut world = settled(&rig, &[reads()]).await;
    world.restart();
    world.listed_anew().await;
    assert!(world.script.calls().is_empty());
    // Somebody takes its finalizer off while it is being deleted: what this process knows of it is enough.
    world.vanishes();
    world.settle(4, |_| false).await;
    assert_eq!(world.rest().role, None);
}

type Change = fn(&mut ObservedRole);

#[tokio::test]
async fn what_somebody_changed_is_found_by_a_listing_and_put_right() {
    const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:user/alice"},"Action":"sts:AssumeRole"}]}"#;
    const ALL: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let admin = |role: &mut ObservedRole| {
        role.attached
            .push("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    };
    let changes: [(Change, &str); 7] = [
        (|role| role.trust = OPEN.to_owned(), "alice"),
        (
            |role| {
                role.inline.insert("deputy".to_owned(), ALL.to_owned());
            },
            "the inline policy deputy had {\"Action\":\"*\"",
        ),
        (
            |role| {
                role.inline.insert("extra".to_owned(), ALL.to_owned());
            },
            "there was an inline policy extra",
        ),
        (admin, "AdministratorAccess was attached"),
        (|role| role.boundary = None, "the permissions boundary was none"),
        (
            |role| {
                role.tags.insert("deputy-uid".to_owned(), "uid-other".to_owned());
            },
            "deputy-uid was \"uid-other\" instead of \"uid-uploader\"",
        ),
        (
            |role| role.max_session_seconds = 43_200,
            "43200 s instead of 3600 s",
        ),
    ];
    let rig = Rig::new().await;
    for (change, said) in changes {
        for restarted in [false, true] {
            let mut world = settled(&rig, &[reads()]).await;
            let rest = world.rest();
            if restarted {
                world.restart();
            }
            world.tamper(change);
            world.take_events();
            let (looks, writes) = world.listed_anew().await;
            assert!(looks > 0, "{said}: nothing is written that was not read");
            assert!(!writes.is_empty(), "{said}");
            assert_eq!(world.rest(), rest, "{said}");
            let events = world.take_events();
            assert!(
                events
                    .iter()
                    .any(|event| event.starts_with("DriftReverted") && event.contains(said)),
                "{said}: {events:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_role_that_is_not_listed_is_looked_at_and_made_again() {
    let rig = Rig::new().await;
    let mut world = settled(&rig, &[reads()]).await;
    let power = world.power();
    world.uproot();
    assert_eq!(world.power(), Power::new());
    world.take_events();
    world.listed_anew().await;
    world.settle(2, World::is_quiet).await;
    assert_eq!(world.power(), power);
    let events = world.take_events();
    assert!(
        events.iter().any(|event| event.contains("no role of its name")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_changed_annotation_has_a_role_looked_at_whatever_a_listing_shows() {
    let rig = Rig::new().await;
    let mut world = settled(&rig, &[reads()]).await;
    let rest = world.rest();
    for (value, is_looked_at) in [("1", true), ("1", false), ("2", true)] {
        world.annotate("deputy.dev/reconcile-requested-at", value);
        world.take_calls();
        world.settle(1, |_| true).await;
        world.settle(1, |_| true).await;
        let calls = world.take_calls();
        assert_eq!(
            calls.iter().any(|call| call == "iam:GetRole"),
            is_looked_at,
            "{value}"
        );
        assert_eq!(world.rest(), rest, "{value}");
    }
}

#[tokio::test]
async fn a_role_whose_sessions_aws_refuses_is_read_whatever_a_listing_shows() {
    let rig = Rig::new().await;
    for (refused, is_read) in [
        (Some("AccessDenied"), true),
        (Some("Throttled"), false),
        (None, false),
    ] {
        for restarted in [false, true] {
            let mut world = settled(&rig, &[reads()]).await;
            let rest = world.rest();
            if restarted {
                world.restart();
            }
            world.refuses(None);
            world.listed_anew().await;
            world.refuses(refused);
            let (looks, writes) = world.listed_anew().await;
            assert_eq!(looks > 0, is_read, "{refused:?}");
            assert_eq!(writes, Vec::<&str>::new(), "{refused:?}");
            // Once.
            assert_eq!(world.listed_anew().await.0, 0, "{refused:?}");
            world.refuses(None);
            world.refuses(refused);
            assert_eq!(world.listed_anew().await.0, 0, "{refused:?}: not again so soon");
            assert_eq!(world.rest(), rest, "{refused:?}");
        }
    }
}

#[tokio::test]
async fn why_aws_refuses_sessions_of_a_role_is_found_and_put_right() {
    const NOBODY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    let rig = Rig::new().await;
    let mut world = settled(&rig, &[reads()]).await;
    let rest = world.rest();
    world.tamper(|role| role.trust = NOBODY.to_owned());
    world.take_events();
    world.settle(1, |_| true).await;
    assert_ne!(world.rest(), rest, "it was seen to be right a moment ago");
    world.refuses(Some("AccessDenied"));
    world.settle(1, |_| true).await;
    assert_eq!(world.rest(), rest);
    let events = world.take_events();
    assert!(
        events.iter().any(|event| event.starts_with("DriftReverted")),
        "{events:?}"
    );
}
