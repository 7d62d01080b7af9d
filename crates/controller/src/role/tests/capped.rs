//! Managed policies are read once an hour, and no role waits for that.

use std::{sync::Arc, time::Duration};

use deputy_api::conditions::ConditionReason;
use deputy_aws::{
    ErrorClass,
    model::{Fault, InMemoryIam},
};
use deputy_delegation::ManagedPolicyArn;

use crate::{
    fixtures::account,
    report::LOOK_AGAIN,
    role::capped::{KnownPolicy, ManagedDocuments},
    verified::DRIFT_INTERVAL,
};

const TEXT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn policy() -> ManagedPolicyArn {
    ManagedPolicyArn::parse("arn:aws:iam::aws:policy/AmazonS3FullAccess").unwrap()
}

fn reads(iam: &InMemoryIam) -> usize {
    iam.log()
        .iter()
        .filter(|call| call.operation == "iam:GetPolicyVersion")
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_read_once_an_hour_for_all_roles_that_have_it() {
    let iam = InMemoryIam::new(account().partition, account().id);
    iam.set_managed_policy(&policy(), TEXT);
    let (documents, id, arn) = (ManagedDocuments::default(), account().id, policy());
    let get = || documents.get(&iam, &id, &arn);
    let (first, second) = tokio::join!(get(), get());
    assert_eq!(
        (first, second),
        (KnownPolicy::Says(TEXT.into()), KnownPolicy::Says(TEXT.into()))
    );
    assert_eq!(reads(&iam), 1);
    let edited = TEXT.replace("s3:*", "s3:GetObject");
    iam.set_managed_policy(&policy(), &edited);
    tokio::time::advance(DRIFT_INTERVAL / 2).await;
    assert_eq!(get().await, KnownPolicy::Says(TEXT.into()));
    tokio::time::advance(DRIFT_INTERVAL / 2).await;
    assert_eq!(get().await, KnownPolicy::Says(edited.into()));
    assert_eq!(reads(&iam), 2);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_read_is_asked_again_after_ten_minutes() {
    let iam = InMemoryIam::new(account().partition, account().id);
    let (documents, id) = (ManagedDocuments::default(), account().id);
    assert_eq!(documents.get(&iam, &id, &policy()).await, KnownPolicy::Absent);
    iam.set_managed_policy(&policy(), TEXT);
    assert_eq!(documents.get(&iam, &id, &policy()).await, KnownPolicy::Absent);
    iam.fail(Fault::before(ErrorClass::AccessDenied).of("iam:GetPolicyVersion"));
    tokio::time::advance(LOOK_AGAIN).await;
    let denied = documents.get(&iam, &id, &policy()).await;
    assert!(
        matches!(denied, KnownPolicy::Unread(ConditionReason::AccessDenied, _)),
        "{denied:?}"
    );
    tokio::time::advance(LOOK_AGAIN + Duration::from_secs(1)).await;
    assert_eq!(
        documents.get(&iam, &id, &policy()).await,
        KnownPolicy::Says(Arc::from(TEXT))
    );
}
