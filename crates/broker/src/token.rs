//! Who asks: the pod behind a projected ServiceAccount token, as the API server's TokenReview says.
//!
//! TokenReview checks signature, expiry, audience and, for a token bound to a pod, that this very pod (by uid) still
//! exists; that is why a token may live a day. A token without a pod is nobody's credential here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use deputy_delegation::{NameError, NamespaceName, PodName, ServiceAccountName, Uid, session::Subject};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, api::PostParams};
use sha2::{Digest, Sha256};

/// The audience of the tokens in pods; a contract.
pub const AUDIENCE: &str = "deputy";
/// A projected token is about 1.2 KB; nothing longer is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How long an accepted token is not asked about again, and so the longest that a deleted pod's token lives on.
const ACCEPTED_FOR: Duration = Duration::from_secs(5);
/// What the API server may take to answer.
const REVIEW_TIMEOUT: Duration = Duration::from_millis(800);

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// A pod that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its ServiceAccount, name and uid.
    pub subject: Subject,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token has {0} bytes; at most {MAX_TOKEN_BYTES} are read")]
    TooLong(usize),
    /// The API server says no: expired, of another audience, of a deleted pod or ServiceAccount, or not its own.
    #[error("the API server does not accept the token for audience {AUDIENCE:?}: {0}")]
    NotAuthenticated(String),
    /// Valid, but not for us.
    #[error("the token is not meant for audience {AUDIENCE:?}")]
    OtherAudience,
    /// Valid, but not a ServiceAccount's.
    #[error("{0:?} is not a ServiceAccount")]
    NotAServiceAccount(String),
    /// Valid, but bound to no pod: anybody with access to the API could hold it.
    #[error("the token is bound to no pod; only tokens that the kubelet projects into a pod are accepted")]
    NoPod,
    /// The API server names something that can't be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The API server can't be asked.
    #[error("the API server could not be asked about the token: {0}")]
    Unavailable(String),
}

impl TokenError {
    /// For metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "TooLong",
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::OtherAudience => "OtherAudience",
            Self::NotAServiceAccount(_) => "NotAServiceAccount",
            Self::NoPod => "NoPod",
            Self::Name(_) => "Name",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}

/// Asks the API server, once for any number of concurrent callers with one token.
#[derive(Clone)]
pub struct Verifier {
    client: Client,
    accepted: moka::future::Cache<[u8; 32], Arc<PodIdentity>>,
}

impl Verifier {
    /// A verifier that asks through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let accepted = moka::future::Cache::builder()
            .max_capacity(50_000)
            .time_to_live(ACCEPTED_FOR)
            .build();
        Self { client, accepted }
    }

    /// The pod that `token` belongs to.
    ///
    /// # Errors
    /// [`TokenError`]; only [`TokenError::Unavailable`] is worth another try.
    pub async fn verify(&self, token: &str) -> Result<Arc<PodIdentity>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong(token.len()));
        }
        // The digest, not the token: what is cached may end in a core dump.
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.accepted
            .try_get_with(key, self.review(token))
            .await
            .map_err(|e: Arc<TokenError>| TokenError::clone(&e))
    }

    async fn review(&self, token: &str) -> Result<Arc<PodIdentity>, TokenError> {
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![AUDIENCE.into()]),
                token: Some(token.to_owned()),
            },
            ..TokenReview::default()
        };
        let params = PostParams::default();
        let answer = tokio::time::timeout(REVIEW_TIMEOUT, api.create(&params, &review))
            .await
            .map_err(|_| {
                TokenError::Unavailable(format!("no answer within {} ms", REVIEW_TIMEOUT.as_millis()))
            })?
            .map_err(|e| TokenError::Unavailable(status_of(&e)))?;
        identity(answer.status.unwrap_or_default()).map(Arc::new)
    }
}

/// What may be said of an error of the API client: never the request, which holds the token.
fn status_of(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        _ => "connection failed".to_owned(),
    }
}

/// The pod that a review vouches for. Everything is checked again that the request asked for.
fn identity(status: TokenReviewStatus) -> Result<PodIdentity, TokenError> {
    if status.authenticated != Some(true) {
        let why = status.error.unwrap_or_else(|| "no reason given".into());
        return Err(TokenError::NotAuthenticated(why.chars().take(200).collect()));
    }
    if !status.audiences.unwrap_or_default().iter().any(|a| a == AUDIENCE) {
        return Err(TokenError::OtherAudience);
    }
    let user = status.user.unwrap_or_default();
    let username = user.username.unwrap_or_default();
    let (namespace, account) = username
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .ok_or_else(|| TokenError::NotAServiceAccount(username.chars().take(100).collect()))?;
    let extra: BTreeMap<String, Vec<String>> = user.extra.unwrap_or_default();
    let only = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        _ => Err(TokenError::NoPod),
    };
    Ok(PodIdentity {
        namespace: NamespaceName::new(namespace)?,
        subject: Subject {
            service_account: ServiceAccountName::new(account)?,
            pod: PodName::new(only(POD_NAME)?)?,
            pod_uid: Uid::new(only(POD_UID)?)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

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
}
