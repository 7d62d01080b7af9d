use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use deputy_delegation::{NamespaceName, PodName};
use deputy_token::MAX_TOKEN_BYTES;
use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};
use parking_lot::Mutex;

use super::{
    review::{POD_NAME, POD_UID},
    *,
};
use crate::fixtures::index;

mod signed;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn good() -> TokenReviewStatus {
    let extra = [
        (POD_NAME, "uploader-1"),
        (POD_UID, "0af1"),
        ("authentication.kubernetes.io/node-name", "n"),
    ];
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec!["deputy".into()]),
        user: Some(UserInfo {
            username: Some("system:serviceaccount:payments:uploader".into()),
            extra: Some(
                extra
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), vec![v.to_owned()]))
                    .collect(),
            ),
            ..UserInfo::default()
        }),
        error: None,
    }
}

fn category(change: impl FnOnce(&mut TokenReviewStatus)) -> &'static str {
    let mut status = good();
    change(&mut status);
    identity(status).unwrap_err().category()
}

#[test]
fn a_pods_token_names_its_pod() {
    let id = identity(good()).unwrap();
    assert_eq!(id.namespace.as_str(), "payments");
    assert_eq!(id.subject.service_account.as_str(), "uploader");
    assert_eq!(id.subject.pod.as_str(), "uploader-1");
    assert_eq!(id.subject.pod_uid.as_str(), "0af1");
    assert_eq!(id.node.unwrap().as_str(), "n");
}

#[test]
fn an_api_server_that_says_no_node_or_an_odd_one_names_none() {
    for values in [None, Some(vec![]), Some(vec!["a", "b"]), Some(vec!["../x"])] {
        let mut status = good();
        let extra = status.user.as_mut().unwrap().extra.as_mut().unwrap();
        extra.remove(review::NODE_NAME);
        if let Some(values) = values {
            let values = values.into_iter().map(str::to_owned).collect();
            extra.insert(review::NODE_NAME.to_owned(), values);
        }
        assert_eq!(identity(status).unwrap().node, None);
    }
}

#[test]
fn whatever_is_missing_or_odd_is_a_refusal() {
    assert_eq!(
        identity(TokenReviewStatus::default()).unwrap_err().category(),
        "NotAuthenticated"
    );
    assert_eq!(category(|s| s.authenticated = Some(false)), "NotAuthenticated");
    assert_eq!(category(|s| s.audiences = None), "OtherAudience");
    assert_eq!(
        category(|s| s.audiences = Some(vec!["https://kubernetes.default.svc".into()])),
        "OtherAudience"
    );
    let user = |name: &str| {
        let name = name.to_owned();
        category(move |s| s.user.as_mut().unwrap().username = Some(name))
    };
    assert_eq!(user("kube-admin"), "NotAServiceAccount");
    assert_eq!(user("system:serviceaccount:payments"), "NotAServiceAccount");
    assert_eq!(user("system:serviceaccount:Payments:uploader"), "Name");
    assert_eq!(category(|s| s.user.as_mut().unwrap().extra = None), "NoPod");
    let extra = |key: &'static str, values: Vec<String>| {
        category(move |s| {
            s.user
                .as_mut()
                .unwrap()
                .extra
                .as_mut()
                .unwrap()
                .insert(key.into(), values);
        })
    };
    assert_eq!(extra(POD_UID, vec![]), "NoPod");
    assert_eq!(extra(POD_NAME, vec!["a".into(), "b".into()]), "NoPod");
}

/// An API server with one pod, which can go, be replaced or be out of reach.
struct FakeApi {
    reviews: AtomicUsize,
    looks: AtomicUsize,
    uid: Mutex<Option<&'static str>>,
    away: AtomicBool,
}

impl FakeApi {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            reviews: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            uid: Mutex::new(Some("0af1")),
            away: AtomicBool::new(false),
        })
    }
    fn counts(&self) -> (usize, usize) {
        (
            self.reviews.load(Ordering::SeqCst),
            self.looks.load(Ordering::SeqCst),
        )
    }
    fn reached(&self) -> Result<(), TokenError> {
        if self.away.load(Ordering::SeqCst) {
            Err(TokenError::Unavailable("away".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl TokenApi for FakeApi {
    async fn keys(&self) -> Result<PublishedKeys, NoKeys> {
        Err(NoKeys::NotPublished("403 Forbidden".into()))
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, TokenError> {
        self.reviews.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.reached()?;
        Ok(if token == "a.b.c" {
            good()
        } else {
            TokenReviewStatus::default()
        })
    }
    async fn pod_uid(&self, _: &NamespaceName, _: &PodName) -> Result<Option<String>, TokenError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.reached()?;
        Ok(self.uid.lock().map(str::to_owned))
    }
}

async fn refusal(verifier: &Verifier, token: &str) -> &'static str {
    verifier.verify(token, PEER).await.unwrap_err().category()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_with_one_token_are_one_review() {
    let api = FakeApi::new();
    let verifier = Verifier::new(api.clone(), index());
    let answers = futures::future::join_all((0..1000).map(|_| verifier.verify("a.b.c", PEER))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(api.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_token_dies_within_five_seconds_of_its_pod() {
    for other in [None, Some("another")] {
        let api = FakeApi::new();
        let verifier = Verifier::new(api.clone(), index());
        assert!(verifier.verify("a.b.c", PEER).await.is_ok());
        *api.uid.lock() = other;
        tokio::time::advance(ALIVE_FOR).await;
        assert_eq!(refusal(&verifier, "a.b.c").await, "PodGone");
        assert!(ALIVE_FOR + API_TIMEOUT < Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_is_not_reviewed_at_every_request_and_garbage_never() {
    let api = FakeApi::new();
    let verifier = Verifier::new(api.clone(), index());
    for _ in 0..5 {
        assert_eq!(refusal(&verifier, "x.y.z").await, "NotAuthenticated");
    }
    assert_eq!(api.counts(), (1, 0));
    for garbage in ["", "a.b", "a.b.c.d", "a..c", "a.b c.d", "a.b.c\u{e4}"] {
        assert_eq!(refusal(&verifier, garbage).await, "NotAToken", "{garbage}");
    }
    assert_eq!(
        refusal(&verifier, &"a".repeat(MAX_TOKEN_BYTES + 1)).await,
        "TooLong"
    );
    assert_eq!(api.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_out_of_reach_refuses_nobody_and_is_asked_again() {
    let api = FakeApi::new();
    let verifier = Verifier::new(api.clone(), index());
    api.away.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&verifier, "a.b.c").await, "Unavailable");
    api.away.store(false, Ordering::SeqCst);
    tokio::time::advance(AWAY_FOR).await;
    assert!(verifier.verify("a.b.c", PEER).await.is_ok());
}
