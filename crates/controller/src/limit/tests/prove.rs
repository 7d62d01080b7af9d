//! Boundary policies of somebody else on an IAM in memory: edited, gone, unreadable.

use std::sync::Arc;

use deputy_api::{BoundaryStatus, conditions::ConditionReason};
use deputy_aws::model::InMemoryIam;
use deputy_delegation::{
    ManagedPolicyArn,
    boundary::{self, AccountBoundary},
    model::BoundaryMode,
};

use crate::{
    fixtures::{account, cluster, limit, policy},
    limit::{
        assess::ProveBoundary,
        prove::{ProvedBoundary, interval, prove},
    },
    verified::FingerprintKey,
};

fn team() -> ManagedPolicyArn {
    "arn:aws:iam::123456789012:policy/team".parse().unwrap()
}

fn plan(known: Option<BoundaryStatus>) -> ProveBoundary {
    let mut limit = limit(&["s3:GetObject", "s3:PutObject"]);
    limit.boundary = BoundaryMode::Reference(team());
    let boundary = boundary::in_account(&cluster(), &account(), &limit).unwrap();
    let Ok(AccountBoundary::Referenced(referenced)) = boundary.as_ref() else {
        panic!("{boundary:?}")
    };
    ProveBoundary {
        key: (limit.name.clone(), account().name),
        account: Arc::new(account()),
        referenced: referenced.clone(),
        fingerprint: FingerprintKey::default().fingerprint(&0),
        known,
    }
}

fn says(proved: &ProvedBoundary) -> Option<ConditionReason> {
    proved.problem.as_ref().map(|problem| problem.reason)
}

#[tokio::test]
async fn an_edit_that_exceeds_the_limit_is_seen_with_a_request_and_mended_by_another() {
    let account = account();
    let iam = InMemoryIam::new(account.partition, account.id);
    let absent = prove(&iam, &plan(None)).await;
    assert_eq!(
        (&absent.status, says(&absent)),
        (&None, Some(ConditionReason::BoundaryNotFound))
    );

    iam.set_managed_policy(&team(), &policy(&["s3:GetObject"]).to_string());
    let within = prove(&iam, &plan(None)).await;
    assert_eq!(says(&within), None);
    let first = within.status.unwrap();
    assert_eq!(
        (first.within, first.policy_arn.as_str()),
        (Some(true), "arn:aws:iam::123456789012:policy/team")
    );
    assert_eq!(
        first.ceiling_hash.as_ref(),
        Some(&plan(None).referenced.ceiling_hash)
    );

    iam.set_managed_policy(&team(), &policy(&["s3:*"]).to_string());
    let wide = prove(&iam, &plan(Some(first.clone()))).await;
    assert_eq!(says(&wide), Some(ConditionReason::BoundaryExceedsLimit));
    let message = wide.problem.unwrap().message;
    assert!(message.contains(" on arn:aws:s3:::productionapp/"), "{message}");
    let now = wide.status.unwrap();
    assert_eq!(now.within, Some(false));
    assert_ne!(
        (&now.version_id, &now.document_hash),
        (&first.version_id, &first.document_hash)
    );

    iam.set_managed_policy(&team(), &policy(&["s3:PutObject"]).to_string());
    let mended = prove(&iam, &plan(Some(now))).await;
    assert_eq!((says(&mended), mended.status.unwrap().within), (None, Some(true)));

    iam.set_managed_policy(&team(), "{");
    let unreadable = prove(&iam, &plan(None)).await;
    assert_eq!(
        (says(&unreadable), unreadable.status.unwrap().within),
        (Some(ConditionReason::Invalid), Some(false))
    );

    iam.remove_managed_policy(&team());
    assert_eq!(
        says(&prove(&iam, &plan(Some(first))).await),
        Some(ConditionReason::BoundaryNotFound)
    );
    assert_eq!(iam.writes(), Vec::<&str>::new());
}

#[test]
fn a_policy_is_read_every_five_minutes_or_a_little_sooner() {
    let intervals: Vec<u64> = ["payments", "orders", "organisation", "a", "b"]
        .map(|name| interval(&name.parse().unwrap()).as_secs())
        .to_vec();
    assert!(
        intervals.iter().all(|seconds| (270..=300).contains(seconds)),
        "{intervals:?}"
    );
    assert!(
        intervals.iter().any(|seconds| *seconds != intervals[0]),
        "{intervals:?}"
    );
}
