//! Who asks: the pod behind a projected ServiceAccount token, as the API server's TokenReview says.
//!
//! TokenReview checks signature, expiry and audience, and for a token bound to a pod that this very pod (by uid) exists;
//! but the API server keeps its answers for ten seconds, and says nothing of a pod that has ended: a finished Job's pod
//! stays for days. So the pod is looked at once more, and that answer is kept so shortly that a token dies within five
//! seconds of its pod: that is why a token may live a day. A token that is bound to no pod is refused.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use deputy_delegation::{
    NameError, NamespaceName, PodName, ServiceAccountName, Uid, session::SessionSubject,
};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, api::PostParams};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::single_flight::SingleFlight;

/// The audience of the tokens in pods; a contract.
pub const AUDIENCE: &str = "deputy";
/// A projected token is about 1.2 KB; nothing longer is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How long an accepted token is not asked about again.
const ACCEPTED_FOR: Duration = Duration::from_secs(5);
/// How long a pod counts as alive. With what the API server may take to answer: less than 5 s.
const ALIVE_FOR: Duration = Duration::from_secs(3);
/// How long a refusal stands: a pod with a bad token asks again and again.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// How long an API server that does not answer is left alone with the same question.
const AWAY_FOR: Duration = Duration::from_millis(250);
/// What the API server may take to answer one question.
const API_TIMEOUT: Duration = Duration::from_millis(800);
/// Questions to the API server at a time.
const CONCURRENT_QUESTIONS: usize = 128;
/// Tokens and pods remembered.
const CAPACITY: usize = 50_000;

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// A pod that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Of the pod and of its ServiceAccount.
    pub namespace: NamespaceName,
    /// Its ServiceAccount, name and uid.
    pub subject: SessionSubject,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Not three parts in base64 with dots between them: the API server need not be asked.
    #[error("this is not a ServiceAccount token")]
    NotAToken,
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
    /// Valid, but its pod has ended or is gone, or another one has its name.
    #[error("pod {}/{} with uid {} has ended, or does not exist any more", .0.namespace, .0.subject.pod, .0.subject.pod_uid)]
    PodGone(Arc<PodIdentity>),
    /// The API server names something that can't be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The API server can't be asked.
    #[error("the API server could not be asked about the pod: {0}")]
    Unavailable(String),
}

impl TokenError {
    /// For metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotAToken => "NotAToken",
            Self::TooLong(_) => "TooLong",
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::OtherAudience => "OtherAudience",
            Self::NotAServiceAccount(_) => "NotAServiceAccount",
            Self::NoPod => "NoPod",
            Self::PodGone(_) => "PodGone",
            Self::Name(_) => "Name",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}

/// What is asked of the API server.
#[async_trait]
pub trait TokenApi: Send + Sync {
    /// What it says about a token for audience [`AUDIENCE`].
    ///
    /// # Errors
    /// [`TokenError::Unavailable`].
    async fn review(&self, token: &str) -> Result<TokenReviewStatus, TokenError>;

    /// The uid of the pod of this name, if there is one that has not ended (`Succeeded`, `Failed`). One that is on its way out has
    /// not: what runs in it may need credentials until its end.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`].
    async fn pod_uid(&self, namespace: &NamespaceName, pod: &PodName) -> Result<Option<String>, TokenError>;
}

#[async_trait]
impl TokenApi for Client {
    async fn review(&self, token: &str) -> Result<TokenReviewStatus, TokenError> {
        let api: Api<TokenReview> = Api::all(self.clone());
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![AUDIENCE.into()]),
                token: Some(token.to_owned()),
            },
            ..TokenReview::default()
        };
        let answer = in_time(api.create(&PostParams::default(), &review))
            .await
            .map_err(|error| TokenError::Unavailable(error.to_string()))?;
        Ok(answer.status.unwrap_or_default())
    }

    async fn pod_uid(&self, namespace: &NamespaceName, pod: &PodName) -> Result<Option<String>, TokenError> {
        // Both names are DNS labels or subdomains: nothing in them means anything in a path.
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|_| TokenError::Unavailable("the question could not be put".into()))?;
        let found = in_time(self.request::<SeenPod>(request)).await;
        match found {
            Ok(pod) => Ok(pod.uid_unless_ended()),
            Err(QuestionError::NotFound) => Ok(None),
            Err(QuestionError::Failed(why)) => Err(TokenError::Unavailable(why)),
        }
    }
}

/// What is read of a pod; all else is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SeenPod {
    metadata: SeenMetadata,
    status: SeenStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SeenMetadata {
    uid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SeenStatus {
    phase: Option<String>,
}

impl SeenPod {
    fn uid_unless_ended(self) -> Option<String> {
        let ended = matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"));
        self.metadata.uid.filter(|_| !ended)
    }
}

/// Why a question to the API server has no answer. Without the request, which holds the token.
#[derive(Debug, thiserror::Error)]
enum QuestionError {
    #[error("404 NotFound")]
    NotFound,
    #[error("{0}")]
    Failed(String),
}

async fn in_time<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, QuestionError> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Err(QuestionError::NotFound),
        Ok(Err(error)) => Err(QuestionError::Failed(status_of(&error))),
        Err(_) => Err(QuestionError::Failed(format!(
            "no answer within {} ms",
            API_TIMEOUT.as_millis()
        ))),
    }
}

/// Asks the API server, once for any number of concurrent callers with one token.
#[derive(Clone)]
pub struct Verifier {
    api: Arc<dyn TokenApi>,
    questions: Arc<Semaphore>,
    reviewed: SingleFlight<[u8; 32], Result<Arc<PodIdentity>, TokenError>>,
    living_pods: SingleFlight<Uid, Result<(), TokenError>>,
}

impl Verifier {
    /// A verifier that asks `api`.
    #[must_use]
    pub fn new(api: Arc<dyn TokenApi>) -> Self {
        Self {
            api,
            questions: Arc::new(Semaphore::new(CONCURRENT_QUESTIONS)),
            reviewed: SingleFlight::new(CAPACITY),
            living_pods: SingleFlight::new(CAPACITY),
        }
    }

    /// The pod that `token` belongs to, and that is alive.
    ///
    /// # Errors
    /// [`TokenError`]; only [`TokenError::Unavailable`] is worth another try.
    pub async fn verify(&self, token: &str) -> Result<Arc<PodIdentity>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong(token.len()));
        }
        if !has_the_shape_of_a_token(token) {
            return Err(TokenError::NotAToken);
        }
        // The digest, not the token: what is cached may end in a core dump.
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let review = || {
            let (this, token) = (self.clone(), Zeroizing::new(token.to_owned()));
            async move {
                let _permit = this.permit().await?;
                identity(this.api.review(&token).await?).map(Arc::new)
            }
        };
        let ended_early = || TokenError::Unavailable("the check ended early".into());
        let pod = self
            .reviewed
            .get(key, review, |answer| keep(answer, ACCEPTED_FOR))
            .await
            .ok_or_else(ended_early)??;
        let look = || {
            let (this, pod) = (self.clone(), pod.clone());
            async move {
                let _permit = this.permit().await?;
                let found = this.api.pod_uid(&pod.namespace, &pod.subject.pod).await?;
                if found.as_deref() == Some(pod.subject.pod_uid.as_str()) {
                    Ok(())
                } else {
                    Err(TokenError::PodGone(pod))
                }
            }
        };
        self.living_pods
            .get(pod.subject.pod_uid.clone(), look, |answer| {
                keep(answer, ALIVE_FOR)
            })
            .await
            .ok_or_else(ended_early)??;
        Ok(pod)
    }

    /// Leave to ask the API server. Nobody waits for an answer longer than a second, so neither does the question.
    async fn permit(&self) -> Result<SemaphorePermit<'_>, TokenError> {
        let busy = || TokenError::Unavailable("too many questions are under way".into());
        let permit = tokio::time::timeout(API_TIMEOUT, self.questions.acquire()).await;
        permit.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

/// How long an answer is good for.
fn keep<T>(answer: &Result<T, TokenError>, good_for: Duration) -> Duration {
    match answer {
        Ok(_) => good_for,
        Err(TokenError::Unavailable(_)) => AWAY_FOR,
        Err(_) => REFUSED_FOR,
    }
}

/// Header, claims and signature in base64url, as every JWT is: garbage costs no call.
fn has_the_shape_of_a_token(token: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    token.split('.').count() == 3 && token.split('.').all(part)
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
        subject: SessionSubject {
            service_account: ServiceAccountName::new(account)?,
            pod: PodName::new(only(POD_NAME)?)?,
            pod_uid: Uid::new(only(POD_UID)?)?,
        },
    })
}

#[cfg(test)]
mod tests;
