//! Who this process is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deputy_aws::CallerIdentity;
use deputy_delegation::AccountId;

use super::*;

fn caller(arn: &str) -> CallerIdentity {
    let account = AccountId::new(arn.split(':').nth(4).unwrap()).unwrap();
    CallerIdentity {
        account,
        arn: arn.into(),
        user_id: "x".into(),
    }
}

/// An STS that counts its calls and can be away.
#[derive(Default)]
struct FakeSts {
    calls: AtomicUsize,
    away: AtomicBool,
    arn: &'static str,
}

#[async_trait::async_trait]
impl Sts for FakeSts {
    async fn assume_role(
        &self,
        _: &deputy_delegation::session::SessionRequest,
    ) -> Result<deputy_aws::Session, AwsError> {
        Err(AwsError::new(
            "sts:AssumeRole",
            ErrorClass::Other,
            "not asked for here",
        ))
    }
    async fn federation_token(
        &self,
        _: &deputy_delegation::federation::FederationRequest,
    ) -> Result<deputy_aws::Session, AwsError> {
        Err(AwsError::new(
            "sts:GetFederationToken",
            ErrorClass::Other,
            "not asked for here",
        ))
    }
    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.away.load(Ordering::SeqCst) {
            return Err(AwsError::new(
                "sts:GetCallerIdentity",
                ErrorClass::Unreachable,
                "away",
            ));
        }
        Ok(caller(self.arn))
    }
}

fn sts(arn: &'static str) -> (Arc<FakeSts>, Arc<dyn Sts>) {
    let fake = Arc::new(FakeSts {
        arn,
        ..FakeSts::default()
    });
    (fake.clone(), fake)
}

const ISSUER: &str = "arn:aws:iam::123456789012:user/deputy-broker";

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_are_one_call_in_ten_minutes() {
    let (fake, sts) = sts(ISSUER);
    let (check, account) = (IdentityCheck::default(), crate::fixtures::account());
    let callers = (0..1000).map(|_| check.issuer(&account, &sts));
    let answers = futures::future::join_all(callers).await;
    assert!(answers.iter().all(Result::is_ok));
    tokio::time::advance(Duration::from_secs(599)).await;
    assert!(check.issuer(&account, &sts).await.is_ok());
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn when_sts_is_away_who_was_the_issuer_is_so_still() {
    let (fake, sts) = sts(ISSUER);
    let (check, account) = (IdentityCheck::default(), crate::fixtures::account());
    fake.away.store(true, Ordering::SeqCst);
    assert!(matches!(
        check.issuer(&account, &sts).await,
        Err(IdentityError::Aws(_))
    ));
    fake.away.store(false, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(check.issuer(&account, &sts).await.is_ok());
    fake.away.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3000)).await;
    assert!(check.issuer(&account, &sts).await.is_ok());
    let calls = fake.calls.load(Ordering::SeqCst);
    assert!(check.issuer(&account, &sts).await.is_ok());
    assert_eq!(
        fake.calls.load(Ordering::SeqCst),
        calls,
        "not asked at every request"
    );
}

#[tokio::test(start_paused = true)]
async fn another_identity_is_a_mismatch_that_names_both() {
    let (fake, sts) = sts("arn:aws:iam::123456789012:user/somebody");
    let (check, account) = (IdentityCheck::default(), crate::fixtures::account());
    for _ in 0..3 {
        let Err(IdentityError::Mismatch(message)) = check.issuer(&account, &sts).await else {
            panic!("it should be a mismatch");
        };
        assert!(
            message.contains(ISSUER) && message.contains("somebody"),
            "{message}"
        );
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_of_before_is_one_and_is_told_apart() {
    let mut account = crate::fixtures::account();
    let new = "arn:aws:iam::123456789012:user/second-broker".parse().unwrap();
    let old = std::mem::replace(&mut account.issuer, new);
    let check = IdentityCheck::default();
    let (_, sts) = sts(ISSUER);
    assert!(matches!(
        check.issuer(&account, &sts).await,
        Err(IdentityError::Mismatch(_))
    ));
    account.previous_issuers.insert(old);
    let who = check.issuer(&account, &sts).await.unwrap().unwrap();
    assert_eq!((&*who.arn, who.is_previous), (ISSUER, true));
    account.previous_issuers.clear();
    account.issuer = ISSUER.parse().unwrap();
    assert!(!check.issuer(&account, &sts).await.unwrap().unwrap().is_previous);
}

#[tokio::test(start_paused = true)]
async fn keys_of_federation_users_are_asked_about_once_and_anew_when_they_change() {
    const USER: &str = "arn:aws:iam::123456789012:user/deputy-federation";
    let mut account = crate::fixtures::account();
    account.federation_user = Some(USER.parse().unwrap());
    let check = IdentityCheck::default();
    let keys = |sts: &Arc<dyn Sts>, id: &str| FederationClient {
        sts: sts.clone(),
        access_key_id: id.to_owned(),
    };
    let (fake, sts_of_user) = sts(USER);
    assert!(!check.is_federation_user(&account, &keys(&sts_of_user, "AKIA1")));
    for _ in 0..3 {
        let who = check
            .federation_user(&account, &keys(&sts_of_user, "AKIA1"))
            .await;
        assert_eq!(&*who.unwrap().unwrap().arn, USER);
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    // What was proven of one pair of keys says nothing of another.
    let (_, sts_of_other) = sts(ISSUER);
    assert!(check.is_federation_user(&account, &keys(&sts_of_user, "AKIA1")));
    assert!(!check.is_federation_user(&account, &keys(&sts_of_other, "AKIA2")));
    let Err(IdentityError::Mismatch(message)) = check
        .federation_user(&account, &keys(&sts_of_other, "AKIA2"))
        .await
    else {
        panic!("it should be a mismatch");
    };
    assert!(
        message.starts_with("FederationUserMismatch") && message.contains(USER) && message.contains(ISSUER),
        "{message}"
    );
}
