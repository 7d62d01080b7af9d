//! What is said of a boundary policy, and when AWS is looked at again.

use std::time::Duration;

use deputy_api::{BoundaryStatus, RECONCILE_REQUESTED_AT, conditions::ConditionReason};
use deputy_aws::{
    CallPurpose, ErrorClass, Policies,
    model::{Fault, InMemoryIam},
};
use deputy_index::{BoundaryInAccount, BoundaryKey, Index, ResourceKind};
use jiff::Timestamp;

use crate::{
    boundary::{
        apply::apply,
        assess::{BoundaryPlan, assess},
        dereference::{BoundaryInputs, look_up},
        looks::{Looks, Pause},
        status::{drift, next_requeue, said},
    },
    fixtures,
    limit_status::BoundaryReport,
    queue::Requeue,
};

fn key() -> BoundaryKey {
    BoundaryKey {
        limit: "payments".parse().unwrap(),
        account: "production".parse().unwrap(),
    }
}

fn iam() -> InMemoryIam {
    let account = fixtures::account();
    InMemoryIam::new(account.partition, account.id)
}

fn inputs(index: &Index, known: Option<&BoundaryStatus>) -> BoundaryInputs {
    let inputs = look_up(index, fixtures::cluster_uid(), key()).unwrap();
    BoundaryInputs {
        known: known.and_then(BoundaryInAccount::new),
        ..inputs
    }
}

/// One reconciliation, without an API server.
struct Done {
    report: BoundaryReport,
    drift: Option<String>,
    next: Requeue,
}

async fn reconciled(iam: &InMemoryIam, looks: &Looks, inputs: &BoundaryInputs) -> Done {
    let plan = assess(inputs, looks);
    let applied = apply(iam, &plan, &|| true).await.unwrap();
    let report = said(inputs, &plan, &applied, Timestamp::UNIX_EPOCH);
    Done {
        drift: drift(inputs, &plan, &applied),
        next: next_requeue(looks, &inputs.key, &plan, &report, &applied),
        report,
    }
}

/// The entry after it, where it was `old`.
fn entry(done: &Done, old: Option<&BoundaryStatus>) -> BoundaryStatus {
    done.report.onto(old)
}

#[tokio::test(start_paused = true)]
async fn what_aws_was_found_to_have_is_said_and_not_asked_for_again() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let done = reconciled(&iam, &looks, &inputs(&index, None)).await;
    let made = entry(&done, None);
    assert!(made.problem.is_none() && made.last_verified.is_some() && made.sealed.is_some());
    assert_eq!(made.version_id.as_deref(), Some("v1"));
    let Requeue::After(pause) = done.next else {
        panic!("{:?}", done.next)
    };
    // Whether all of it was written is not known.
    let untold = assess(&inputs(&index, Some(&made)), &looks);
    assert!(matches!(untold, BoundaryPlan::Say(..)), "{untold:?}");
    looks.told(&key());
    // The status shows it: nothing to do. It does not: it is said again, and AWS is not asked.
    tokio::time::advance(Duration::from_secs(100)).await;
    let rest = assess(&inputs(&index, Some(&made)), &looks);
    assert!(
        matches!(rest, BoundaryPlan::Rest(left) if left == pause.saturating_sub(Duration::from_secs(100))),
        "an event does not put off the next look: {rest:?}"
    );
    iam.clear_log();
    let again = reconciled(&iam, &looks, &inputs(&index, None)).await;
    assert_eq!(entry(&again, None), made);
    assert_eq!(iam.log().len(), 0);
    // Something else is wanted.
    index.apply(ResourceKind::Limits, {
        let mut narrow = fixtures::limit_object(&["s3:GetObject"]);
        narrow.metadata.generation = Some(2);
        narrow
    });
    let narrowed = reconciled(&iam, &looks, &inputs(&index, Some(&made))).await;
    assert_eq!(narrowed.drift, None, "nobody else did that");
    assert_eq!(entry(&narrowed, Some(&made)).version_id.as_deref(), Some("v2"));
}

/// Whether it is narrower or wider is not asked: that would be proved while it waits.
#[tokio::test(start_paused = true)]
async fn a_boundary_that_is_to_be_another_one_has_the_turn_of_what_takes_away() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let purpose =
        |known: Option<&BoundaryStatus>| assess(&inputs(&index, known), &Looks::default()).purpose();
    assert_eq!(purpose(None), CallPurpose::Provision);
    let made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
    assert_eq!(purpose(Some(&made)), CallPurpose::Look);
    index.apply(ResourceKind::Limits, {
        let mut narrow = fixtures::limit_object(&["s3:GetObject"]);
        narrow.metadata.generation = Some(2);
        narrow
    });
    assert_eq!(purpose(Some(&made)), CallPurpose::Revoke);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_look_at_a_limit_has_its_policies_put_right_at_once() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
    looks.told(&key());
    let arn = made.policy_arn.clone().unwrap().parse().unwrap();
    let kind = deputy_policy::PolicyKind::Boundary;
    let wider = deputy_policy::Document::parse(&fixtures::policy(&["s3:*"]).to_string(), kind);
    iam.create_policy_version(&arn, &wider.unwrap()).await.unwrap();
    let changes = index.subscribe();
    let ask = |when: &str| {
        let mut limit = fixtures::limit_object(&["s3:GetObject", "s3:PutObject"]);
        let (_, meta, _) = index.limit(&key().limit).unwrap();
        (limit.metadata.uid, limit.metadata.generation) =
            (meta.uid.as_deref().map(str::to_owned), Some(meta.generation));
        limit.metadata.annotations = Some([(RECONCILE_REQUESTED_AT.to_owned(), when.to_owned())].into());
        index.apply(ResourceKind::Limits, limit);
    };
    let plan = || assess(&inputs(&index, Some(&made)), &looks);
    assert!(matches!(plan(), BoundaryPlan::Rest(_)), "nobody asked");
    ask("noon");
    assert!(changes.take().unwrap().boundaries.contains(&key()));
    let done = reconciled(&iam, &looks, &inputs(&index, Some(&made))).await;
    assert!(done.drift.as_deref().unwrap().contains("version v2 had"));
    // Asked the same once more: nothing to do.
    looks.told(&key());
    let written = entry(&done, Some(&made));
    ask("noon");
    let again = assess(&inputs(&index, Some(&written)), &looks);
    assert!(matches!(again, BoundaryPlan::Rest(_)), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_is_put_right_and_told_with_the_difference() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
    let before = inputs(&index, Some(&made));
    let arn = made.policy_arn.clone().unwrap().parse().unwrap();
    let wider = deputy_policy::Document::parse(
        &fixtures::policy(&["s3:*"]).to_string(),
        deputy_policy::PolicyKind::Boundary,
    );
    iam.create_policy_version(&arn, &wider.unwrap()).await.unwrap();
    tokio::time::advance(Pause::DRIFT.longest).await;
    let done = reconciled(&iam, &looks, &before).await;
    let drift = done.drift.unwrap();
    assert!(drift.contains("version v2 had {\"Action\":\"s3:*\""), "{drift}");
    assert!(drift.contains("; version v2 had not {"), "{drift}");
    assert!(drift.chars().count() < 900, "an event holds it");
    assert_eq!(done.report.onto(Some(&made)).version_id.as_deref(), Some("v3"));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deleted_is_made_again_and_told() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
    iam.delete_policy(&made.policy_arn.as_deref().unwrap().parse().unwrap())
        .await
        .unwrap();
    tokio::time::advance(Pause::DRIFT.longest).await;
    let done = reconciled(&iam, &looks, &inputs(&index, Some(&made))).await;
    assert!(done.drift.unwrap().contains("was deleted by somebody else"));
}

/// Nothing is claimed that was not seen: whichever call fails, the entry says what AWS has, or what it was last seen to have and when.
#[tokio::test(start_paused = true)]
async fn an_entry_says_no_more_than_what_was_seen() {
    for (operation, class, reason, version) in [
        // Not read: what was known stays, with its time.
        (
            "iam:GetPolicy",
            ErrorClass::Unreachable,
            ConditionReason::Unavailable,
            Some("v1"),
        ),
        (
            "iam:GetPolicy",
            ErrorClass::AccessDenied,
            ConditionReason::AccessDenied,
            Some("v1"),
        ),
        // Read: somebody's version is in force, and can't be replaced.
        (
            "iam:CreatePolicyVersion",
            ErrorClass::AccessDenied,
            ConditionReason::AccessDenied,
            Some("v2"),
        ),
    ] {
        let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
        let mut made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
        let long_ago = Timestamp::UNIX_EPOCH - Duration::from_secs(5000);
        made.last_verified = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(long_ago));
        let arn = made.policy_arn.clone().unwrap().parse().unwrap();
        let wide = fixtures::policy(&["s3:*"]).to_string();
        let wide = deputy_policy::Document::parse(&wide, deputy_policy::PolicyKind::Boundary).unwrap();
        iam.create_policy_version(&arn, &wide).await.unwrap();
        iam.fail(Fault::before(class).of(operation).times(usize::MAX));
        tokio::time::advance(Pause::DRIFT.longest).await;
        let done = reconciled(&iam, &looks, &inputs(&index, Some(&made))).await;
        let now = done.report.onto(Some(&made));
        assert_eq!(
            now.problem.as_ref().unwrap().reason,
            reason.as_str(),
            "{operation}"
        );
        assert_eq!(now.version_id.as_deref(), version, "{operation}");
        assert_eq!(done.next, Requeue::Retry);
        let is_read = operation != "iam:GetPolicy";
        assert_eq!(
            now.document_hash != made.document_hash,
            is_read,
            "{operation}: roles are not told otherwise"
        );
        assert_eq!(now.last_verified != made.last_verified, is_read, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn tags_that_aws_refuses_for_good_are_said_and_tried_now_and_then() {
    let (iam, looks, index) = (iam(), Looks::default(), fixtures::index());
    let made = entry(&reconciled(&iam, &looks, &inputs(&index, None)).await, None);
    index.apply(ResourceKind::Accounts, {
        let mut tagged = fixtures::account_object();
        tagged.data["spec"]["tags"] = serde_json::json!({"cost-center": "other"});
        tagged.metadata.generation = Some(2);
        tagged
    });
    iam.fail(
        Fault::before(ErrorClass::AccessDenied)
            .of("iam:TagPolicy")
            .times(usize::MAX),
    );
    let done = reconciled(&iam, &looks, &inputs(&index, Some(&made))).await;
    let now = entry(&done, Some(&made));
    assert!(now.problem.is_none() && now.untagged.is_some());
    assert_eq!(done.next, Requeue::After(crate::report::LOOK_AGAIN));
}

#[tokio::test(start_paused = true)]
async fn policies_that_were_looked_at_together_are_not_looked_at_together_again() {
    let looks = Looks::default();
    for pause in [Pause::DRIFT, Pause::PROVE] {
        let pauses: Vec<Duration> = (0..256).map(|_| looks.pause(&key(), pause)).collect();
        let (first, last) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*last <= pause.longest && *first > pause.longest - pause.spread);
        // Of 256 in as many parts of the spread, some are near each end.
        assert!(*last - *first > pause.spread / 2, "{first:?} to {last:?}");
    }
}

#[test]
fn a_limit_that_is_gone_or_invalid_or_has_no_boundary_is_left_alone() {
    let index = fixtures::index();
    assert!(look_up(&index, fixtures::cluster_uid(), key()).is_some());
    let elsewhere = BoundaryKey {
        account: "staging".parse().unwrap(),
        ..key()
    };
    assert!(
        look_up(&index, fixtures::cluster_uid(), elsewhere).is_none(),
        "not covered"
    );
    let generation = std::cell::Cell::new(1);
    let with = |change: &dyn Fn(&mut kube::api::DynamicObject)| {
        let mut object = fixtures::limit_object(&["s3:GetObject"]);
        generation.set(generation.get() + 1);
        object.metadata.generation = Some(generation.get());
        change(&mut object);
        index.apply(ResourceKind::Limits, object);
        look_up(&index, fixtures::cluster_uid(), key()).is_none()
    };
    assert!(with(
        &|o| o.data["spec"]["boundary"] = serde_json::json!({"type": "CheckOnly"})
    ));
    assert!(with(
        &|o| o.data["spec"]["enforcement"] = serde_json::json!("DryRun")
    ));
    let reaches_iam = serde_json::json!({
        "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"},
    });
    assert!(with(&|o| o.data["spec"]["ceiling"] = reaches_iam.clone()));
    assert!(with(&|o| o.data["spec"]["ceiling"] = serde_json::json!(7)));
    assert!(with(&|o| {
        o.metadata.deletion_timestamp =
            serde_json::from_value(serde_json::json!("2026-01-02T03:04:05Z")).unwrap();
    }));
    assert!(!with(&|_| {}));
    index.delete(ResourceKind::Accounts, &fixtures::account_object().metadata);
    assert!(look_up(&index, fixtures::cluster_uid(), key()).is_none());
}
