//! What is asked of the API server: for its keys; about a pod that the watch does not know; and, where its keys can't be had, about a token
//! (TokenReview).

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use deputy_delegation::{NamespaceName, PodName, ServiceAccountName, Uid, session::SessionSubject};
use deputy_index::PODS_NOT_ENDED;
use deputy_token::{AUDIENCE, InvalidToken, KeysError, NodeName, PublishedKeys};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
    core::v1::Pod,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};

use super::error::{PodIdentity, TokenError};

/// What the API server may take to answer one question.
pub(super) const API_TIMEOUT: Duration = Duration::from_millis(800);
/// What it may take to publish its keys: nobody waits for them.
const KEYS_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
pub(super) const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
pub(super) const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Why the keys are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// The API server does not publish them, or not to the broker, or in a form that can't be read: it has to be asked about tokens.
    #[error("the API server does not publish its keys: {0}")]
    NotPublished(String),
    /// It did not answer.
    #[error("the API server's keys could not be read: {0}")]
    Unavailable(String),
}

/// What is asked of the API server.
#[async_trait]
pub trait TokenApi: Send + Sync {
    /// The keys by which it signs tokens.
    ///
    /// # Errors
    /// [`NoKeys`].
    async fn keys(&self) -> Result<PublishedKeys, NoKeys>;

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
    async fn keys(&self) -> Result<PublishedKeys, NoKeys> {
        let read = async |path: &str| {
            let request = http::Request::get(path).body(Vec::new());
            let request = request.map_err(|_| NoKeys::NotPublished("no request".into()))?;
            match in_time(KEYS_TIMEOUT, self.request_text(request)).await {
                Ok(text) => Ok(text),
                // What was refused will be refused; all else may pass.
                Err(QuestionError::Refused(why)) => Err(NoKeys::NotPublished(format!("{path}: {why}"))),
                Err(QuestionError::Failed(why)) => Err(NoKeys::Unavailable(format!("{path}: {why}"))),
            }
        };
        let discovery = read("/.well-known/openid-configuration").await?;
        let jwks = read("/openid/v1/jwks").await?;
        PublishedKeys::parse(&discovery, &jwks)
            .map_err(|error: KeysError| NoKeys::NotPublished(error.to_string()))
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, TokenError> {
        let api: Api<TokenReview> = Api::all(self.clone());
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![AUDIENCE.into()]),
                // The API client writes it into a body of its own, which is not wiped.
                token: Some(token.to_owned()),
            },
            ..TokenReview::default()
        };
        let answer = in_time(API_TIMEOUT, api.create(&PostParams::default(), &review))
            .await
            .map_err(|error| TokenError::Unavailable(error.to_string()))?;
        Ok(answer.status.unwrap_or_default())
    }

    /// A list of one, with the selection that the watch has: the broker needs no right to read a pod whole.
    async fn pod_uid(&self, namespace: &NamespaceName, pod: &PodName) -> Result<Option<String>, TokenError> {
        let api: Api<Pod> = Api::namespaced(self.clone(), namespace.as_str());
        let selection = format!("metadata.name={pod},{PODS_NOT_ENDED}");
        let found = in_time(
            API_TIMEOUT,
            api.list_metadata(&ListParams::default().fields(&selection)),
        )
        .await
        .map_err(|error| TokenError::Unavailable(error.to_string()))?;
        Ok(found.items.into_iter().next().and_then(|pod| pod.metadata.uid))
    }
}

/// Why a question to the API server has no answer. Without the request, which may hold a token.
#[derive(Debug, thiserror::Error)]
enum QuestionError {
    /// It answered with an error of the caller: a 4xx that is no throttling.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, QuestionError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match &error {
            kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429 => {
                QuestionError::Refused(status_of(&error))
            }
            _ => QuestionError::Failed(status_of(&error)),
        }),
        Err(_) => Err(QuestionError::Failed(format!(
            "no answer within {} ms",
            limit.as_millis()
        ))),
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
pub(super) fn identity(status: TokenReviewStatus) -> Result<PodIdentity, TokenError> {
    if status.authenticated != Some(true) {
        let why = status.error.unwrap_or_else(|| "no reason given".into());
        return Err(TokenError::NotAuthenticated(why.chars().take(200).collect()));
    }
    if !status.audiences.unwrap_or_default().iter().any(|a| a == AUDIENCE) {
        return Err(InvalidToken::OtherAudience.into());
    }
    let user = status.user.unwrap_or_default();
    let username = user.username.unwrap_or_default();
    let (namespace, account) = username
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .ok_or_else(|| InvalidToken::NotAServiceAccount(username.chars().take(100).collect()))?;
    let extra: BTreeMap<String, Vec<String>> = user.extra.unwrap_or_default();
    let only = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        _ => Err(InvalidToken::NoPod),
    };
    Ok(PodIdentity {
        node: only(NODE_NAME).ok().and_then(|node| NodeName::new(node).ok()),
        namespace: NamespaceName::new(namespace)?,
        subject: SessionSubject {
            service_account: ServiceAccountName::new(account)?,
            pod: PodName::new(only(POD_NAME)?)?,
            pod_uid: Uid::new(only(POD_UID)?)?,
        },
    })
}
