//! What a sweep leaves alone, on an account and an API server in memory.

use super::{
    histories::lease,
    stage::{Ask, Stage},
};
use crate::fixtures;

#[tokio::test(start_paused = true)]
async fn a_policy_of_a_limit_that_no_watch_has_shown_yet_is_not_swept() {
    let (leadership, _lease) = lease().await;
    let mut stage = Stage::new(&leadership);
    stage.ask(Ask::Limit(&["s3:GetObject"])).await;
    assert!(stage.settle(4, None).await);
    stage.hide_limits();
    assert!(stage.sweep().await, "it is looked at again");
    assert_eq!(stage.count_policies().await, 1);
    // Gone from the API server as well.
    stage.ask(Ask::NoLimit).await;
    assert!(!stage.sweep().await);
    assert_eq!(stage.count_policies().await, 0);
}

/// An AWSAccount with a wrong id, or a process with a wrong identity: what is shown then is somebody else's.
#[tokio::test(start_paused = true)]
async fn what_an_identity_of_another_account_is_shown_is_not_swept() {
    let (leadership, _lease) = lease().await;
    let ours = fixtures::account();
    let mut other = ours.clone();
    other.id = "210987654321".parse().unwrap();
    for (identity, left) in [(ours, 0), (other, 1)] {
        let stage = Stage::with_identity_of(&leadership, &identity);
        stage.leave_policy().await;
        assert!(!stage.sweep().await);
        assert_eq!(stage.count_policies().await, left, "{:?}", identity.id);
    }
}
