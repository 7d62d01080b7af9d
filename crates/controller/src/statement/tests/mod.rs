//! A statement from its object to AWS.

mod world;

use std::time::Duration;

use deputy_index::ResourceKind;
use serde_json::json;

use self::world::*;
use crate::{
    fixtures::script::{Call, Trouble},
    queue::Requeue,
    report::LOOK_AGAIN,
};

#[tokio::test(start_paused = true)]
async fn a_statement_is_written_among_those_of_others() {
    let mut world = World::new();
    assert_eq!(world.settle().await, Requeue::After(LOOK_AGAIN));
    assert_eq!(world.ready().as_deref(), Some("True Ready"));
    let ours = world.ours().unwrap();
    assert_eq!(ours["Principal"], json!({"AWS": role_arn()}));
    assert_eq!(ours["Action"], "s3:GetObject");
    let object = world.api.get(&path()).unwrap();
    assert_eq!(object["status"]["sid"], sid().as_str());
    assert_eq!(object["status"]["principalARNs"], json!([role_arn()]));
    assert_eq!(object["metadata"]["finalizers"], json!(["deputy.dev/aws"]));
    // What was seen right is not asked about again for ten minutes.
    world.script.begin(&[]);
    world.settle().await;
    assert_eq!(world.script.calls(), [Call::ReadApi]);
    tokio::time::advance(LOOK_AGAIN).await;
    world.settle().await;
    assert_eq!(world.iam.resource_policy_writes(&bucket()), 1);
    // Another spec, and it is written again.
    world.put(statement_object("s3:PutObject"));
    world.settle().await;
    assert_eq!(world.ours().unwrap()["Action"], "s3:PutObject");
    world.delete();
    world.settle().await;
    assert_eq!((world.ours(), world.ready()), (None, None));
    assert!(world.iam.resource_policy_of(&bucket()).unwrap().contains(THEIRS));
    assert!(world.faults.lock().is_empty());
}

/// Each of the calls, each of the troubles, from the object to AWS, to another spec, and out again.
#[tokio::test(start_paused = true)]
async fn whichever_call_fails_and_however_the_statement_ends_as_it_should() {
    let mut histories = 0;
    for stage in ["made", "changed", "deleted"] {
        let calls = {
            let mut world = staged(stage, &[]).await;
            world.settle().await;
            world.script.calls()
        };
        for (at, call) in calls.iter().enumerate() {
            for trouble in Trouble::ALL {
                // S3 shows at once what there is; nothing supersedes a statement.
                let is_none = matches!(trouble, Trouble::NotYetVisible | Trouble::Superseded);
                if is_none || !trouble.can_happen_to(*call) {
                    continue;
                }
                let mut world = staged(stage, &[(at, trouble)]).await;
                world.settle().await;
                let action = world.ours().map(|ours| ours["Action"].clone());
                let expected = match stage {
                    "made" => Some(json!("s3:GetObject")),
                    "changed" => Some(json!("s3:PutObject")),
                    _ => None,
                };
                let case = format!("{stage}, call {at} ({call:?}): {trouble:?}");
                assert_eq!(action, expected, "{case}");
                assert_eq!(world.ready().is_some(), stage != "deleted", "{case}");
                assert!(
                    world.faults.lock().is_empty(),
                    "{case}: {:?}",
                    world.faults.lock()
                );
                histories += 1;
            }
        }
    }
    assert!(histories > 60, "{histories}");
}

/// What somebody has under our Sid.
fn stale() -> String {
    format!(
        r#"{{"Sid":"{}","Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"s3:*","Resource":"{BUCKET}/*"}}"#,
        sid(),
        role_arn()
    )
}

/// A world at the beginning of a stage, in which these things go wrong.
async fn staged(stage: &str, troubles: &[(usize, Trouble)]) -> World {
    let mut world = World::new();
    if stage != "made" {
        world.settle().await;
        world.restart();
    }
    match stage {
        "changed" => world.put(statement_object("s3:PutObject")),
        "deleted" => world.delete(),
        _ => {}
    }
    world.script.begin(troubles);
    world
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_is_put_right_and_told() {
    let mut world = World::new();
    world.settle().await;
    world.api.take_events();
    for statements in [
        vec![THEIRS.to_owned()],
        vec![
            format!(
                r#"{{"Sid":"{}","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"{BUCKET}/*"}}"#,
                sid()
            ),
            THEIRS.to_owned(),
        ],
    ] {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        world.write_by_hand(&statements);
        tokio::time::advance(LOOK_AGAIN).await;
        world.settle().await;
        assert_eq!(world.ours().unwrap()["Principal"], json!({"AWS": role_arn()}));
        let events = world.api.take_events();
        assert!(
            events.iter().any(|event| event.starts_with("DriftReverted: ")),
            "{events:?}"
        );
    }
    // Whoever asks has it looked at now.
    world.write_by_hand(&[THEIRS]);
    world.change(|object| {
        object["metadata"]["annotations"] = json!({"deputy.dev/reconcile-requested-at": "now"})
    });
    world.settle().await;
    assert!(world.ours().is_some());
    let events = world.api.take_events();
    assert!(
        events.iter().any(|event| event.starts_with("DriftReverted: ")),
        "{events:?}"
    );
    world.script.begin(&[]);
    world.settle().await;
    assert_eq!(world.script.calls(), [Call::ReadApi], "once");
}

#[tokio::test(start_paused = true)]
async fn a_statement_of_somebody_else_with_our_sid_is_a_conflict() {
    let mut world = World::new();
    let foreign = format!(
        r#"{{"Sid":"{}","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"{BUCKET}/*"}}"#,
        sid()
    );
    world.write_by_hand(&[&foreign, THEIRS]);
    let later = world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(later, Requeue::After(LOOK_AGAIN));
    assert_eq!(world.ready().as_deref(), Some("False Conflict"));
    assert_eq!(world.iam.resource_policy_writes(&bucket()), 0);
    // It goes without taking away what is not its own.
    world.delete();
    world.settle().await;
    assert_eq!(world.ready(), None);
    assert!(world.ours().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_narrows_takes_the_statement_out_and_gives_it_back() {
    let mut world = World::new();
    world.settle().await;
    world.index.apply(ResourceKind::Limits, allowing(&[]));
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        Requeue::After(LOOK_AGAIN)
    );
    assert_eq!(
        (world.ours(), world.ready().as_deref()),
        (None, Some("False NotAccepted"))
    );
    world.script.begin(&[]);
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.script.calls(), [Call::ReadApi]);
    // Somebody who had read it before writes it back.
    world.write_by_hand(&[THEIRS, &stale()]);
    tokio::time::advance(LOOK_AGAIN).await;
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.ours(), None);
    world
        .index
        .apply(ResourceKind::Limits, allowing(&["arn:aws:s3:::other", BUCKET]));
    world.settle().await;
    assert_eq!(world.ready().as_deref(), Some("True Ready"));
}

#[tokio::test(start_paused = true)]
async fn a_principal_is_named_once_it_is_there_and_no_more_when_it_goes() {
    let mut world = World::new();
    let meta = role_in_aws().metadata;
    world.index.delete(ResourceKind::Roles, &meta);
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        Requeue::AwaitChange
    );
    assert_eq!(world.ready().as_deref(), Some("False PrincipalNotReady"));
    assert_eq!(
        world.message(),
        "not named in AWS: AWSRole uploader does not exist"
    );
    assert_eq!(world.iam.resource_policy_writes(&bucket()), 0);
    world.index.apply(ResourceKind::Roles, role_in_aws());
    world.settle().await;
    assert!(world.ours().is_some());
    // While AWS is away nothing is known of the role, and nobody loses anything.
    let mut unknown = role_in_aws();
    unknown.data["status"]["conditions"] = json!([{
        "type": "Provisioned", "status": "False", "reason": "Unavailable", "message": "AWS is away",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]);
    world.index.apply(ResourceKind::Roles, unknown);
    world.settle().await;
    assert!(world.ours().is_some());
    world.index.delete(ResourceKind::Roles, &meta);
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.ours(), None);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_made_again_is_named_again() {
    let mut world = World::new();
    world.settle().await;
    world.iam.remove_principal(&role_arn());
    world.iam.add_principal(&role_arn());
    // AWS shows whom it meant.
    assert_ne!(world.ours().unwrap()["Principal"], json!({"AWS": role_arn()}));
    let mut again = role_in_aws();
    again.data["status"]["roleID"] = json!("AROAMADEAGAIN");
    world.index.apply(ResourceKind::Roles, again);
    world.settle().await;
    assert_eq!(world.ours().unwrap()["Principal"], json!({"AWS": role_arn()}));
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_read_keeps_nobody_in_the_policy() {
    let mut world = World::new();
    world.settle().await;
    world.change(|object| object["spec"]["principals"] = json!("none"));
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(
        (world.ours(), world.ready().as_deref()),
        (None, Some("False NotAccepted"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_leaves_the_statement_and_says_so() {
    let mut world = World::new();
    world.settle().await;
    let account = crate::fixtures::account_object().metadata;
    world.index.delete(ResourceKind::Accounts, &account);
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        Requeue::AwaitChange
    );
    assert_eq!(world.ready().as_deref(), Some("False AccountNotFound"));
    assert!(world.ours().is_some(), "nobody knows whose it is");
    world.delete();
    assert_eq!(world.controller.reconcile(&id()).await.unwrap(), Requeue::Retry);
    assert_eq!(world.ready().as_deref(), Some("False Deleting"));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_goes_is_not_held_up_for_ever() {
    let mut world = World::new();
    world.settle().await;
    world.controller = world.controller.giving_up_after(Duration::from_secs(60));
    world.delete();
    world.api.delete_namespace();
    let refused = Some((Call::ReadAws, Trouble::Refused));
    for _ in 0..2 {
        assert!(world.ready().is_some());
        world.script.begin_with(refused);
        world.controller.reconcile(&id()).await.unwrap();
        tokio::time::advance(Duration::from_secs(61)).await;
    }
    assert_eq!(world.ready(), None, "the finalizer is off");
    let events = world.api.take_events();
    let orphaned = events
        .iter()
        .find(|event| event.starts_with("Orphaned: "))
        .unwrap();
    assert!(
        orphaned.contains(BUCKET) && orphaned.contains(sid().as_str()),
        "{orphaned}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_there_is_said_and_holds_up_no_deletion() {
    let mut world = World::new();
    world.settle().await;
    world.iam.remove_resource(&bucket());
    world.restart();
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.ready().as_deref(), Some("False ResourceNotFound"));
    world.delete();
    world.settle().await;
    assert_eq!(world.ready(), None);
}

#[tokio::test(start_paused = true)]
async fn two_statements_of_one_policy_never_write_it_at_once() {
    let mut world = World::new();
    let turn = world.controller.turns.take(&bucket());
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        super::turns::LATER
    );
    assert_eq!(world.iam.resource_policy_writes(&bucket()), 0);
    drop(turn);
    world.settle().await;
    assert_eq!(world.ready().as_deref(), Some("True Ready"));
}

/// The object says something else by now, so what it said before goes, also where that can't be written.
#[tokio::test(start_paused = true)]
async fn what_can_not_be_written_does_not_keep_what_was_there() {
    let wide = format!("{BUCKET}/reports/${{aws:userid}}/*");
    let long: Vec<String> = (0..700)
        .map(|n| format!("{BUCKET}/reports/of-the-year-{n}/*"))
        .collect();
    for (resources, reason) in [
        (json!(wide), "False Invalid"),
        (json!(long), "False QuotaExceeded"),
    ] {
        let mut world = World::new();
        world.write_older(&[THEIRS]);
        world.settle().await;
        assert!(world.ours().is_some());
        world.change(|object| object["spec"]["statement"]["Resource"] = resources.clone());
        let later = world.controller.reconcile(&id()).await.unwrap();
        assert_eq!((later, world.ours()), (Requeue::After(LOOK_AGAIN), None));
        assert_eq!(world.ready().as_deref(), Some(reason));
        assert!(world.faults.lock().is_empty());
    }
    // And where AWS refuses it for good: here somebody it never knew, for two minutes.
    let mut world = World::new();
    world.settle().await;
    world.iam.remove_principal(&role_arn());
    world.put(statement_object("s3:PutObject"));
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        Requeue::RetryWithin(Duration::from_secs(30))
    );
    assert!(world.ours().is_some(), "it may be too new");
    tokio::time::advance(Duration::from_secs(120)).await;
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(
        (world.ours(), world.ready().as_deref()),
        (None, Some("False InvalidPrincipal"))
    );
}

#[tokio::test(start_paused = true)]
async fn somebody_of_another_account_is_not_named() {
    let world = World::new();
    let mut elsewhere = role_in_aws();
    elsewhere.data["spec"]["accountRef"]["name"] = json!("development");
    elsewhere.metadata.generation = Some(2);
    world.index.apply(ResourceKind::Roles, elsewhere);
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.ready().as_deref(), Some("False PrincipalNotReady"));
    let told = world.message();
    assert!(
        told.contains("AWSRole uploader is of another AWSAccount"),
        "{told}"
    );
    assert_eq!(world.iam.resource_policy_writes(&bucket()), 0);
    assert_eq!(world.api.get(&path()).unwrap()["status"].get("sid"), None);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_without_its_finalizer_leaves_nothing() {
    let mut world = World::new();
    world.settle().await;
    world.api.put(&path(), None);
    world.script.begin_with(Some((Call::WriteAws, Trouble::NotDone)));
    assert_eq!(world.controller.reconcile(&id()).await.unwrap(), Requeue::Retry);
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        Requeue::AwaitChange
    );
    assert_eq!(world.ours(), None);
    world.script.begin(&[]);
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.script.calls(), [Call::ReadApi], "once");
}

/// AWS shows for a while what was there before a write.
#[tokio::test(start_paused = true)]
async fn what_aws_shows_from_before_a_write_is_not_believed() {
    let mut world = World::new();
    let before = world.iam.resource_policy_of(&bucket());
    world.settle().await;
    world.delete();
    // Nothing of it is to be seen, and it comes all the same.
    let written = world.iam.resource_policy_of(&bucket());
    world.show_once(before);
    world.controller.reconcile(&id()).await.unwrap();
    assert_ne!(world.iam.resource_policy_of(&bucket()), written);
    assert_eq!((world.ours(), world.ready()), (None, None));
    // A process that has just begun knows no write.
    let mut world = World::new();
    world.settle().await;
    world.restart();
    world.delete();
    world.show_once(Some(format!(
        r#"{{"Version":"2012-10-17","Statement":[{THEIRS}]}}"#
    )));
    let Requeue::After(later) = world.controller.reconcile(&id()).await.unwrap() else {
        panic!("it is believed at once");
    };
    assert_eq!(world.ready().as_deref(), Some("False Deleting"));
    tokio::time::advance(later).await;
    world.settle().await;
    assert_eq!((world.ours(), world.ready()), (None, None));
}

/// Each would be refused for the other's sake.
#[tokio::test(start_paused = true)]
async fn two_statements_that_name_who_is_gone_do_not_lock_each_other() {
    let mut world = World::new();
    world.settle().await;
    let (other, its_sid) = another_statement();
    world.index.apply(ResourceKind::Statements, other);
    let ours = serde_json::to_string(&world.ours().unwrap()).unwrap();
    let theirs = ours.replace(sid().as_str(), &its_sid);
    world.write_by_hand(&[THEIRS, &ours, &theirs]);
    world.iam.remove_principal(&role_arn());
    world.iam.add_principal(&role_arn());
    tokio::time::advance(LOOK_AGAIN).await;
    world.settle().await;
    assert_eq!(world.ready().as_deref(), Some("True Ready"));
    assert_eq!(world.ours().unwrap()["Principal"], json!({"AWS": role_arn()}));
    let policy = world.iam.resource_policy_of(&bucket()).unwrap();
    assert!(
        !policy.contains(&its_sid),
        "its own turn writes it again: {policy}"
    );
    assert!(policy.contains("productionapp/secret/*"), "{policy}");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_the_same_name_begins_after_the_one_before_is_out() {
    let mut world = World::new();
    world.settle().await;
    world.api.put(&path(), None);
    let mut another = statement_object("s3:PutObject");
    another.metadata.uid = Some("another".to_owned());
    world.put(another);
    assert_eq!(
        world.controller.reconcile(&id()).await.unwrap(),
        super::turns::LATER
    );
    assert_eq!(world.ours(), None);
    world.settle().await;
    assert_eq!(world.ours().unwrap()["Action"], "s3:PutObject");
}

/// The statement of its owner names somebody who is gone, and AWS refuses every policy with that.
#[tokio::test(start_paused = true)]
async fn what_aws_refuses_for_the_owners_sake_holds_up_no_namespace_for_ever() {
    let mut world = World::new();
    let gone = "arn:aws:iam::123456789012:role/gone";
    world.iam.add_principal(gone);
    let theirs = THEIRS.replace(r#""*""#, &format!(r#"{{"AWS":"{gone}"}}"#));
    world.write_by_hand(&[THEIRS, &theirs]);
    world.settle().await;
    world.iam.remove_principal(gone);
    world.controller = world.controller.giving_up_after(Duration::from_secs(60));
    world.delete();
    world.api.delete_namespace();
    assert_eq!(world.controller.reconcile(&id()).await.unwrap(), Requeue::Retry);
    assert_eq!(
        world.iam.resource_policy_writes(&bucket()),
        1,
        "that is refused once"
    );
    tokio::time::advance(Duration::from_secs(61)).await;
    world.controller.reconcile(&id()).await.unwrap();
    assert_eq!(world.ready(), None);
    assert!(
        world
            .api
            .take_events()
            .iter()
            .any(|event| event.starts_with("Orphaned: "))
    );
}

/// What is asked for once is looked at once, also when the annotation goes again.
#[tokio::test(start_paused = true)]
async fn an_annotation_that_is_taken_away_asks_for_no_more_looks() {
    let mut world = World::new();
    world.settle().await;
    let annotations = |value: serde_json::Value| {
        move |object: &mut serde_json::Value| object["metadata"]["annotations"] = value
    };
    world.change(annotations(json!({"deputy.dev/reconcile-requested-at": "now"})));
    world.settle().await;
    world.change(annotations(json!({})));
    for looks in [2, 1] {
        world.script.begin(&[]);
        world.settle().await;
        assert_eq!(world.script.calls().len(), looks);
    }
}
