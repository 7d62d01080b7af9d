//! Boundary policies of somebody else on an IAM in memory: edited, gone, unreadable.

use deputy_api::conditions::ConditionReason;
use deputy_aws::model::InMemoryIam;
use deputy_delegation::{
    ManagedPolicyArn,
    boundary::{self, AccountBoundary, ReferencedBoundary},
    model::BoundaryMode,
};

use crate::{
    boundary::prove::{ProvedBoundary, prove},
    fixtures::{account, cluster, limit, policy},
};

fn team() -> ManagedPolicyArn {
    "arn:aws:iam::123456789012:policy/team".parse().unwrap()
}

fn referenced() -> ReferencedBoundary {
    let mut limit = limit(&["s3:GetObject", "s3:PutObject"]);
    limit.boundary = BoundaryMode::Reference(team());
    let boundary = boundary::in_account(&cluster(), &account(), &limit).unwrap();
    let Ok(AccountBoundary::Referenced(referenced)) = boundary.as_ref() else {
        panic!("{boundary:?}")
    };
    referenced.clone()
}

fn says(proved: &ProvedBoundary) -> Option<ConditionReason> {
    proved.problem.as_ref().map(|(reason, _)| *reason)
}

#[tokio::test]
async fn an_edit_that_exceeds_the_limit_is_seen_with_a_request_and_mended_by_another() {
    let account = account();
    let iam = InMemoryIam::new(account.partition, account.id);
    let look = async || prove(&iam, &referenced()).await.unwrap();
    let absent = look().await;
    assert_eq!(
        (&absent.there, says(&absent)),
        (&None, Some(ConditionReason::BoundaryNotFound))
    );

    iam.set_managed_policy(&team(), &policy(&["s3:GetObject"]).to_string());
    let within = look().await;
    assert_eq!(says(&within), None);
    let first = within.there.unwrap();
    assert!(first.within);

    iam.set_managed_policy(&team(), &policy(&["s3:*"]).to_string());
    let wide = look().await;
    assert_eq!(says(&wide), Some(ConditionReason::BoundaryExceedsLimit));
    let message = wide.problem.unwrap().1;
    assert!(message.contains(" on arn:aws:s3:::productionapp/"), "{message}");
    let now = wide.there.unwrap();
    assert!(!now.within);
    assert_ne!((&now.id, &now.document_hash), (&first.id, &first.document_hash));

    iam.set_managed_policy(&team(), &policy(&["s3:PutObject"]).to_string());
    let mended = look().await;
    assert_eq!((says(&mended), mended.there.unwrap().within), (None, true));

    iam.set_managed_policy(&team(), "{");
    let unreadable = look().await;
    assert_eq!(
        (says(&unreadable), unreadable.there.unwrap().within),
        (Some(ConditionReason::Invalid), false)
    );

    iam.remove_managed_policy(&team());
    assert_eq!(says(&look().await), Some(ConditionReason::BoundaryNotFound));
    assert_eq!(iam.writes(), Vec::<&str>::new());
}
