//! One request from beginning to end: who asks, what they get, and the record of it.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use deputy_api::conditions::{ConditionReason, Status};
use deputy_aws::{AwsError, ErrorClass, Sts};
use deputy_delegation::{AccountId, ObjectName, Uid, model::Account, naming};
use deputy_index::{Entry, Index, ResourceKind};
use deputy_runtime::audit;
use kube::Client;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    identity::{IdentityError, IssuerCheck},
    issuer::{IssueError, Issued, Issuer, IssuerOptions, SessionKey},
    metrics::BrokerMetrics,
    report::{Reports, Saying, is_region_disabled, say_of_account},
    resolve::{Denials, RefusalCode, Resolution, SessionGrant, resolve},
    token::{PodIdentity, TokenApi, TokenError, Verifier},
};

/// How long a caller waits at most, all together: the SDKs give up after a second.
const ANSWER_WITHIN: Duration = Duration::from_millis(950);

/// The answer to a request.
pub struct Reply {
    /// What it comes to.
    pub answer: BrokerAnswer,
    /// Whether the token was accepted, whatever came of it.
    pub accepted: bool,
}

/// What a request comes to.
pub enum BrokerAnswer {
    /// Credentials, of this account.
    Credentials(Arc<Issued>, AccountId),
    /// None.
    Problem(BrokerProblem),
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerProblem {
    /// Of the answer.
    pub status: StatusCode,
    /// For machines; a contract.
    pub code: &'static str,
    /// For people. Never a secret.
    pub message: String,
    /// Seconds, where another try is worth it.
    pub retry_after: Option<u32>,
}

impl BrokerProblem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }
    fn again(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
        }
    }
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "GET /v1/credentials or /v1/credentials/<binding>",
        )
    }
    pub(crate) fn no_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "InvalidToken",
            "one header Authorization: Bearer <token> is expected",
        )
    }
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::again("Unavailable", message)
    }
}

/// A refusal: pod uid, code, binding. A pod that is refused asks again and again.
pub(crate) type Refused = (String, &'static str, String);

/// When a pod that AWS refuses asks again, in seconds.
const DENIED_RETRY: u32 = 5;
/// The longest life of a session, and so of the memory of its deliveries.
const LONGEST_SESSION: Duration = Duration::from_secs(12 * 3600);
/// How often the same refusal of the same pod is in the audit log.
const SAME_REFUSAL: Duration = Duration::from_secs(60);

/// Accounts that are asked about at a time who the broker is there.
const IDENTITIES_AT_ONCE: usize = 8;

fn saying(holds: Status, reason: ConditionReason, message: String) -> Saying {
    Saying {
        holds,
        reason,
        message,
    }
}

/// STS in the region of an account.
pub(crate) type StsOf = Box<dyn Fn(&Account) -> Arc<dyn Sts> + Send + Sync>;

/// The broker.
pub struct Broker {
    index: Arc<Index>,
    verifier: Verifier,
    issuer: Issuer,
    sts: StsOf,
    issuers: IssuerCheck,
    denials: Denials,
    /// (access key id, pod uid) of sessions that a pod was given already.
    delivered: moka::sync::Cache<(String, String), ()>,
    /// Refusals that are in the audit log already.
    refused: moka::sync::Cache<Refused, ()>,
    reports: Reports,
    metrics: BrokerMetrics,
}

impl Broker {
    /// A broker that decides by `index`, asks `api` who asks, and makes sessions with `sts`.
    pub(crate) fn new(index: Arc<Index>, api: Arc<dyn TokenApi>, sts: StsOf, metrics: BrokerMetrics) -> Self {
        Self {
            index,
            verifier: Verifier::new(api),
            issuer: Issuer::new(IssuerOptions::default(), Arc::new(note_issued)),
            sts,
            issuers: IssuerCheck::default(),
            denials: Denials::default(),
            delivered: moka::sync::Cache::builder()
                .max_capacity(200_000)
                .time_to_live(LONGEST_SESSION)
                .build(),
            refused: moka::sync::Cache::builder()
                .max_capacity(50_000)
                .time_to_live(SAME_REFUSAL)
                .build(),
            reports: Reports::default(),
            metrics,
        }
    }

    /// Renews kept sessions that are due. Called now and then.
    pub(crate) fn renew_due(&self) {
        // A renewal is a new session.
        if self.index.current(&ResourceKind::KINDS).is_ok() {
            self.issuer.renew_due(|key| is_granted(&self.index, key));
        }
        self.metrics.kept(self.issuer.count());
    }

    /// Waits until the cluster has been read.
    pub(crate) async fn index_synced(&self) {
        self.index.synced(&ResourceKind::KINDS).await;
    }

    /// Which bindings STS refuses.
    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Says of every account whether this process is its issuer.
    pub(crate) async fn say_who_it_is(self: &Arc<Self>, client: &Client) {
        if self.index.current(&ResourceKind::KINDS).is_err() {
            return;
        }
        self.reports.remember(&self.index);
        let turns = Arc::new(Semaphore::new(IDENTITIES_AT_ONCE));
        let mut asking = JoinSet::new();
        for name in self.index.accounts() {
            let Entry::Known(account) = self.index.account(&name) else {
                continue;
            };
            let (this, client, turns) = (Arc::clone(self), client.clone(), Arc::clone(&turns));
            asking.spawn(async move {
                // Never closed: an error only means that nobody waits in line.
                let _turn = turns.acquire().await.ok();
                let sts = (this.sts)(&account);
                let saying = match this.issuers.who(&account, &sts).await {
                    // As it was.
                    Ok(None) => return,
                    Ok(Some(who)) => saying(
                        Status::True,
                        ConditionReason::Ready,
                        format!("deputy broker is {who}"),
                    ),
                    Err(IdentityError::Mismatch(message)) => {
                        saying(Status::False, ConditionReason::IdentityMismatch, message)
                    }
                    Err(IdentityError::Aws(error)) => {
                        let holds = if error.is_retryable() {
                            Status::Unknown
                        } else {
                            Status::False
                        };
                        let message = format!("AWS does not say who deputy broker is: {}", error.sentence());
                        saying(holds, error.class().into(), message)
                    }
                };
                if let Err(error) = say_of_account(&client, &this.index, &name, &saying).await {
                    tracing::warn!(account = %name, %error, "its condition was not written");
                }
            });
        }
        while asking.join_next().await.is_some() {}
    }

    pub(crate) fn metrics(&self) -> &BrokerMetrics {
        &self.metrics
    }

    /// Credentials for the holder of `token`, by the binding of this name or by its default one.
    pub async fn credentials(&self, token: &str, binding: Option<&ObjectName>) -> Reply {
        let accepted = AtomicBool::new(false);
        let answer = match tokio::time::timeout(ANSWER_WITHIN, self.in_time(token, binding, &accepted)).await
        {
            Ok(answer) => answer,
            Err(_) => BrokerAnswer::Problem(BrokerProblem::again(
                "NotReady",
                "no answer in time; the next request may have it",
            )),
        };
        Reply {
            answer,
            accepted: accepted.into_inner(),
        }
    }

    async fn in_time(
        &self,
        token: &str,
        binding: Option<&ObjectName>,
        accepted: &AtomicBool,
    ) -> BrokerAnswer {
        let identity = match self.verifier.verify(token).await {
            Ok(identity) => identity,
            Err(error) => return BrokerAnswer::Problem(self.not_accepted(&error)),
        };
        accepted.store(true, Ordering::Relaxed);
        let current = self.index.current(&ResourceKind::KINDS);
        let resolution = resolve(&self.index, &identity, binding);
        let grant = match (resolution, &current) {
            (Resolution::Session(grant), _) => grant,
            // Neither a grant nor a refusal may rest on what was true once: an agent drops what it has at a refusal.
            (_, Err(stale)) => {
                return BrokerAnswer::Problem(BrokerProblem::again("NotReady", stale.to_string()));
            }
            (other, Ok(())) => return BrokerAnswer::Problem(self.refuse(&identity, &other)),
        };
        let issued = match current {
            Ok(()) => self.issue(&grant).await,
            Err(stale) => self
                .issuer
                .kept(&grant.key)
                .ok_or_else(|| NoSession::yet(&grant, "NotReady", &stale)),
        };
        match issued {
            Ok(issued) => {
                self.denials.forget(&grant);
                self.reports.issued(&grant.binding.id);
                self.note_delivery(&identity, &grant, &issued);
                BrokerAnswer::Credentials(issued, grant.account.id.clone())
            }
            Err(NoSession::Problem(problem)) => BrokerAnswer::Problem(problem),
            Err(NoSession::Refused(refused)) => BrokerAnswer::Problem(self.refuse(&identity, &refused)),
        }
    }

    /// What is kept is given without asking anybody: STS may be away.
    async fn issue(&self, grant: &SessionGrant) -> Result<Arc<Issued>, NoSession> {
        let sts = (self.sts)(&grant.account);
        if let Some(kept) = self.issuer.kept_session(&grant.key, &sts) {
            return Ok(kept);
        }
        let again = |code, why: &dyn Display| Err(NoSession::yet(grant, code, why));
        match self.issuers.check(&grant.account, &sts).await {
            Ok(()) => {}
            Err(IdentityError::Mismatch(message)) => return again("NotReady", &message),
            Err(IdentityError::Aws(error)) => return again("Unavailable", &error),
        }
        match self.issuer.session(&grant.key, grant.renewal, &sts).await {
            Ok(issued) => Ok(issued),
            Err(IssueError::Slow) => again("NotReady", &"STS has not answered yet; the call goes on"),
            Err(IssueError::Aws(error)) => Err(self.of_sts(grant, &error)),
        }
    }

    fn of_sts(&self, grant: &SessionGrant, error: &AwsError) -> NoSession {
        let answer = self.meaning(grant, error);
        if matches!(
            answer,
            NoSession::Refused(Resolution::Refused { .. } | Resolution::DeniedByAws { .. })
        ) {
            self.reports.refused(&grant.binding.id, error);
        }
        answer
    }

    fn meaning(&self, grant: &SessionGrant, error: &AwsError) -> NoSession {
        let text = error.to_string();
        match error.class() {
            ErrorClass::Throttled => NoSession::yet(grant, "Throttled", error),
            // Not a role that is not known everywhere yet: somebody has to enable the region, or name another one.
            ErrorClass::AccessDenied if is_region_disabled(error) => {
                NoSession::Refused(Resolution::DeniedByAws {
                    message: format!(
                        "the region {} of AWSAccount {} is not enabled in the AWS account: {text}",
                        grant.account.region, grant.account.name
                    ),
                    binding: grant.binding.id.clone(),
                })
            }
            // Also a duration that is more than the role's, which is being changed.
            ErrorClass::AccessDenied | ErrorClass::NotFound | ErrorClass::InvalidInput => {
                NoSession::Refused(self.denials.judge(grant, &text))
            }
            // What was asked for, AWS will never give.
            ErrorClass::PackedPolicyTooLarge | ErrorClass::MalformedPolicy => {
                NoSession::Refused(Resolution::Refused {
                    code: RefusalCode::AccessDenied,
                    message: format!(
                        "AWS does not take the request for AWSRoleBinding {}: {text}",
                        grant.binding.id
                    ),
                    binding: Some(grant.binding.id.clone()),
                })
            }
            _ => NoSession::yet(grant, "Unavailable", error),
        }
    }

    /// The first time that a pod is given a session. Later times are revalidations of the same one.
    fn note_delivery(&self, identity: &PodIdentity, grant: &SessionGrant, issued: &Issued) {
        let key = (
            issued.session.credentials.access_key_id.clone(),
            identity.subject.pod_uid.to_string(),
        );
        if !self.delivered.entry(key).or_insert(()).is_fresh() {
            return;
        }
        audit!(
            event = "SessionDelivered",
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = %identity.subject.pod_uid,
            binding = %grant.binding.id,
            role = %grant.role.id,
            role_arn = %grant.key.request.role,
            session_name = %grant.key.request.session_name,
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            decision = "Accepted",
        );
    }

    /// The problem that a resolution other than a session is, with its audit line.
    fn refuse(&self, identity: &PodIdentity, resolution: &Resolution) -> BrokerProblem {
        match resolution {
            Resolution::Refused {
                code,
                message,
                binding,
            } => {
                let binding = binding.as_ref().map(ToString::to_string);
                self.note_refusal(Some(identity), code.as_str(), binding.as_deref(), message);
                BrokerProblem::new(StatusCode::FORBIDDEN, code.as_str(), message.clone())
            }
            Resolution::NotReady { message } => BrokerProblem::again("NotReady", message.clone()),
            // Not ours to decide: what a pod holds may be good for AWS still, and AWS may say yes again.
            Resolution::DeniedByAws { message, binding } => {
                let code = RefusalCode::AccessDenied.as_str();
                self.note_refusal(Some(identity), code, Some(&binding.to_string()), message);
                BrokerProblem {
                    retry_after: Some(DENIED_RETRY),
                    ..BrokerProblem::again(code, message.clone())
                }
            }
            Resolution::Session(_) => BrokerProblem::unavailable("a session was expected"),
        }
    }

    /// The problem that a token which is not accepted is, with its audit line.
    fn not_accepted(&self, error: &TokenError) -> BrokerProblem {
        let text = error.to_string();
        match error {
            TokenError::Unavailable(_) => return BrokerProblem::again("Unavailable", text),
            // Decided: nobody may have anything by this token any more.
            TokenError::PodGone(pod) => {
                self.note_refusal(Some(pod), "PodGone", None, &text);
                return BrokerProblem::new(StatusCode::FORBIDDEN, "PodGone", text);
            }
            // Whose it is nobody knows: one line a minute for each reason there is.
            _ => self.note_refusal(None, "InvalidToken", Some(error.category()), &text),
        }
        BrokerProblem::new(StatusCode::UNAUTHORIZED, "InvalidToken", text)
    }

    fn note_refusal(
        &self,
        identity: Option<&PodIdentity>,
        code: &'static str,
        what: Option<&str>,
        message: &str,
    ) {
        let uid = identity.map(|i| i.subject.pod_uid.to_string());
        let key = (
            uid.clone().unwrap_or_default(),
            code,
            what.unwrap_or_default().to_owned(),
        );
        if !self.refused.entry(key).or_insert(()).is_fresh() {
            return;
        }
        audit!(
            event = "Refused",
            namespace = identity.map(|i| i.namespace.as_str()),
            service_account = identity.map(|i| i.subject.service_account.as_str()),
            pod = identity.map(|i| i.subject.pod.as_str()),
            pod_uid = uid.as_deref(),
            binding = identity.and(what),
            decision = code,
            reason = message,
        );
    }
}

/// Whether a session of `key` would be given now: its binding and role are there, the same ones, and accepted.
pub(crate) fn is_granted(index: &Index, key: &SessionKey) -> bool {
    index.decide_binding(&key.binding).is_some_and(|found| {
        let uid = |uid: Option<&Uid>| uid.map(Uid::as_str).unwrap_or_default().to_owned();
        let role_id = found.role_state.as_ref().and_then(|state| state.role_id.clone());
        found.is_accepted()
            && uid(found.binding.uid.as_ref()) == key.binding_uid
            && found
                .role
                .known()
                .is_some_and(|role| uid(role.uid.as_ref()) == key.role_uid)
            && role_id.as_deref() == Some(key.role_id.as_str())
    })
}

/// Why no session was made.
enum NoSession {
    Problem(BrokerProblem),
    Refused(Resolution),
}

impl NoSession {
    /// Another try may bring one.
    fn yet(grant: &SessionGrant, code: &'static str, why: &dyn Display) -> Self {
        let message = format!("no session of AWSRole {} yet: {why}", grant.role.id);
        Self::Problem(BrokerProblem::again(code, message))
    }
}

/// The audit line of a session that STS made. A session that pods share has no pod.
pub(crate) fn note_issued(key: &SessionKey, issued: &Issued) {
    let tag = |name: &str| {
        let tags = &key.request.tags;
        tags.iter()
            .find(|(k, _)| k.as_str() == name)
            .map(|(_, v)| v.as_str())
    };
    audit!(
        event = "SessionIssued",
        namespace = %key.role.namespace,
        service_account = tag(naming::TAG_SERVICE_ACCOUNT),
        pod_uid = tag(naming::TAG_POD_UID),
        binding = %key.binding,
        role = %key.role,
        role_arn = %key.request.role,
        session_name = %key.request.session_name,
        access_key_id = issued.session.credentials.access_key_id,
        expiration = %issued.session.expiration,
        decision = "Accepted",
    );
}
