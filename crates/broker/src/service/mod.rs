//! One request from beginning to end: who asks, what is granted, the session, and the record of it. [`person`] has those of people.

mod person;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::StatusCode;
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{
    AccountId, Uid,
    model::{Account, BindingSelector},
};
use deputy_index::{Entry, Index, ResourceKind};
use deputy_runtime::{error::chain, events::NoticeQueue};
use kube::Client;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{
    Instrument as _, Span,
    field::{Empty, display},
};

use crate::{
    audit::AuditLog,
    clients::StsClients,
    identity::{IdentityCheck, IdentityError, conditions as identities},
    issuer::{
        GatedClients, IssueError, Issued, Issuer, IssuerOptions, Renewable, Renewal, SessionKey, StsRoute,
        StsSource,
    },
    metrics::BrokerMetrics,
    problem::BrokerProblem,
    report::{Reports, is_region_disabled, write_account_conditions},
    resolve::{
        AcceptedBy, Denials, RefusalCode, ResolveError, SessionGrant, StillGranted, resolve, still_granted,
    },
    token::{PodIdentity, TokenApi, TokenError, Verifier},
    told::PodEvents,
};

pub use self::person::PersonsSession;

/// How long a caller waits at most, all together: the SDKs give up after a second.
const ANSWER_WITHIN: Duration = Duration::from_millis(950);

/// The answer to a request.
pub struct Reply {
    /// What it comes to.
    pub answer: BrokerAnswer,
    /// Whether the token was accepted, whatever came of it.
    pub accepted: bool,
    /// Whether the pod that it belongs to is being deleted.
    pub pod_is_terminating: bool,
}

/// What a request comes to.
pub enum BrokerAnswer {
    /// Credentials.
    Credentials {
        issued: Arc<Issued>,
        /// Of this account.
        account: AccountId,
        /// In how many seconds the pod's agent should ask for the next ones.
        refresh_after: u64,
    },
    /// None.
    Problem(BrokerProblem),
}

/// When a pod that AWS refuses asks again, in seconds.
const DENIED_RETRY: u32 = 5;
/// Accounts that are asked about at a time who the broker is there.
const IDENTITIES_AT_ONCE: usize = 8;

/// Answers requests for credentials, and keeps what makes the next answer cheap: reviews of tokens, sessions, refusals.
pub struct Broker {
    index: Arc<Index>,
    verifier: Verifier,
    issuer: Issuer,
    sts: GatedClients,
    identities: IdentityCheck,
    denials: Denials,
    audit: AuditLog,
    reports: Reports,
    events: PodEvents,
    metrics: BrokerMetrics,
}

impl Broker {
    /// A broker that decides by `index`, asks `api` who asks, makes sessions with `sts`, and tells `notices` why pods have none.
    pub(crate) fn new(
        index: Arc<Index>,
        api: Arc<dyn TokenApi>,
        sts: Box<dyn StsClients>,
        notices: NoticeQueue,
        metrics: BrokerMetrics,
    ) -> Self {
        let audit = AuditLog::new(index.cluster());
        let issuer = Issuer::new(IssuerOptions::default(), Arc::new(audit.on_issued()));
        Self {
            verifier: Verifier::new(api, Arc::clone(&index)),
            index,
            sts: GatedClients::new(sts, issuer.gate().clone()),
            issuer,
            identities: IdentityCheck::default(),
            denials: Denials::default(),
            audit,
            reports: Reports::default(),
            events: PodEvents::new(notices),
            metrics,
        }
    }

    /// Renews kept sessions that are due. Called now and then.
    pub(crate) fn renew_due(&self) {
        // A renewal is a new session.
        if self.index.current(&ResourceKind::BROKER).is_ok() {
            self.issuer
                .renew_due(|key| match still_granted(&self.index, key) {
                    None => Renewable::No,
                    Some(StillGranted { account, limits }) => self
                        .sts_to_renew(key, &account, &limits)
                        .map_or(Renewable::NotNow, Renewable::With),
                });
        }
        self.metrics
            .set_kept(self.issuer.kept(), self.issuer.gate().figures());
    }

    fn sts_to_renew(&self, key: &SessionKey, account: &Account, limits: &AcceptedBy) -> Option<StsSource> {
        let limits = limits.clone();
        match key {
            SessionKey::Role(_) => Some(StsSource {
                sts: self.sts.issuer(account),
                route: StsRoute::of_issuer(account),
                limits,
            }),
            // Whose the keys are is not asked here: those that were replaced are known when the account is looked at next.
            SessionKey::FederatedUser(_) => match self.sts.federation_user(account) {
                Ok(client) => self
                    .identities
                    .is_federation_user(account, &client)
                    .then_some(StsSource {
                        sts: client.sts,
                        route: StsRoute::of_federation_user(account),
                        limits,
                    }),
                Err(error) => {
                    tracing::warn!(account = %account.name, error = chain(&error), "failed to renew a session");
                    None
                }
            },
        }
    }

    /// A pod has ended: what is kept for it alone is forgotten.
    pub(crate) fn pod_ended(&self, pod: &Uid) {
        self.issuer.pod_ended(pod);
        self.audit.pod_ended(pod);
    }

    /// Waits until the cluster has been read.
    pub(crate) async fn index_synced(&self) {
        self.index.synced(&ResourceKind::BROKER).await;
    }

    /// Whose tokens are whose.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Which bindings STS refuses.
    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Writes into every account whether this process has the identities that sessions of it are made with.
    pub(crate) async fn report_identities(self: &Arc<Self>, client: &Client) {
        if self.index.current(&ResourceKind::BROKER).is_err() {
            return;
        }
        self.reports.load(&self.index);
        let permits = Arc::new(Semaphore::new(IDENTITIES_AT_ONCE));
        let mut tasks = JoinSet::new();
        for name in self.index.accounts() {
            let Entry::Known(account) = self.index.account(&name) else {
                continue;
            };
            let (this, client, permits) = (Arc::clone(self), client.clone(), Arc::clone(&permits));
            tasks.spawn(async move {
                // Never closed: an error only means that nobody waits in line.
                let _permit = permits.acquire().await.ok();
                let conditions = identities::conditions(&account, &this.identities, &this.sts).await;
                if let Err(error) = write_account_conditions(&client, &this.index, &name, &conditions).await {
                    tracing::warn!(account = %name, error = chain(&error), "failed to write condition");
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    pub(crate) fn metrics(&self) -> &BrokerMetrics {
        &self.metrics
    }

    /// Credentials for the holder of `token`, who asks from `peer`, by the binding that it names or by its default one.
    pub async fn credentials(&self, token: &str, binding: Option<&BindingSelector>, peer: IpAddr) -> Reply {
        // In every line about this request, also of the calls that it makes; all but the address are known later.
        let span = tracing::info_span!("credentials", %peer, pod_uid = Empty, binding = Empty);
        let who = OnceLock::new();
        let work = self.answer(token, binding, peer, &who).instrument(span);
        let answer = match tokio::time::timeout(ANSWER_WITHIN, work).await {
            Ok(Ok(credentials)) => credentials,
            Ok(Err(problem)) => BrokerAnswer::Problem(problem),
            Err(_) => BrokerAnswer::Problem(BrokerProblem::retry(
                "NotReady",
                "no answer in time; the next request may have it",
            )),
        };
        Reply {
            answer,
            accepted: who.get().is_some(),
            pod_is_terminating: who
                .get()
                .is_some_and(|pod| self.index.pod_is_terminating(&pod.subject.pod_uid)),
        }
    }

    async fn answer(
        &self,
        token: &str,
        binding: Option<&BindingSelector>,
        peer: IpAddr,
        who: &OnceLock<Arc<PodIdentity>>,
    ) -> Result<BrokerAnswer, BrokerProblem> {
        // 1. Who asks.
        let identity = self.verifier.verify(token, peer).await;
        let identity = identity.map_err(|error| self.token_problem(&error, peer))?;
        who.get_or_init(|| Arc::clone(&identity));
        Span::current().record("pod_uid", display(&identity.subject.pod_uid));
        let answer = self.answer_pod(&identity, peer, binding).await;
        match &answer {
            Ok(_) => self.events.served(&identity),
            Err(problem) => self.events.heard(&identity, problem),
        }
        answer
    }

    async fn answer_pod(
        &self,
        identity: &PodIdentity,
        peer: IpAddr,
        binding: Option<&BindingSelector>,
    ) -> Result<BrokerAnswer, BrokerProblem> {
        // 2. What is granted.
        let current = self.index.current(&ResourceKind::BROKER);
        let grant = match (resolve(&self.index, identity, binding), &current) {
            (Ok(grant), _) => grant,
            // Neither a grant nor a refusal may rest on what was true once: an agent drops what it has at a refusal.
            (Err(_), Err(stale)) => return Err(BrokerProblem::retry("NotReady", stale.to_string())),
            (Err(error), Ok(())) => return Err(self.refusal_problem((identity, peer), &error)),
        };
        Span::current().record("binding", display(&grant.key.binding().id));
        // 3. The session: kept, or made.
        let issued = match current {
            Ok(()) => self.session(&grant).await,
            Err(stale) => self
                .issuer
                .cached(&grant.key)
                .ok_or_else(|| SessionError::not_yet(&grant, "NotReady", stale)),
        };
        let issued = issued.map_err(|error| match error {
            SessionError::NotYet { code, .. } => BrokerProblem::retry(code, error.to_string()),
            SessionError::Refused(error) => self.refusal_problem((identity, peer), &error),
        })?;
        // 4. The record of it.
        self.denials.forget(&grant);
        self.reports.issued(&grant.key.binding());
        self.audit.session_delivered((identity, peer), &grant, &issued);
        Ok(BrokerAnswer::Credentials {
            refresh_after: issued.refresh_after(identity.subject.pod_uid.as_str()),
            issued,
            account: grant.account.id.clone(),
        })
    }

    /// What is kept is given without asking anybody: STS may be away.
    async fn session(&self, grant: &SessionGrant) -> Result<Arc<Issued>, SessionError> {
        let to_renew = || self.sts_to_renew(&grant.key, &grant.account, &grant.limits);
        if let Some(kept) = self.issuer.cached_session(&grant.key, to_renew) {
            return Ok(kept);
        }
        let sts = self.verified(grant).await.map_err(|error| {
            let code = match &error {
                IdentityError::Mismatch(_) => "NotReady",
                IdentityError::Aws(error) if error.class() == ErrorClass::Throttled => "Throttled",
                IdentityError::Aws(_) => "Unavailable",
            };
            SessionError::not_yet(grant, code, error)
        })?;
        match self.issuer.session(&grant.key, grant.renewal, &sts).await {
            Ok(issued) => Ok(issued),
            Err(error @ IssueError::Slow) => Err(SessionError::not_yet(grant, "NotReady", error)),
            Err(IssueError::NotSent(error)) => Err(SessionError::not_yet(grant, error.code(), error)),
            Err(IssueError::Aws(error)) => Err(self.sts_error(grant, error)),
        }
    }

    /// STS as who is to make the session, and is the one that the account names.
    async fn verified(&self, grant: &SessionGrant) -> Result<StsSource, IdentityError> {
        let (account, limits) = (&grant.account, grant.limits.clone());
        match &grant.key {
            SessionKey::Role(_) => {
                let sts = self.sts.issuer(account);
                self.identities.issuer(account, &sts).await?;
                let route = StsRoute::of_issuer(account);
                Ok(StsSource { sts, route, limits })
            }
            SessionKey::FederatedUser(_) => {
                let client = self.sts.federation_user(account);
                let client = client.map_err(|error| IdentityError::Aws(Arc::new(error)))?;
                self.identities.federation_user(account, &client).await?;
                Ok(StsSource {
                    sts: client.sts,
                    route: StsRoute::of_federation_user(account),
                    limits,
                })
            }
        }
    }

    /// What an error of STS means for a pod. What no later try would change is reported to whoever wrote the binding.
    fn sts_error(&self, grant: &SessionGrant, error: Arc<AwsError>) -> SessionError {
        let refusal = match error.class() {
            ErrorClass::Throttled => return SessionError::not_yet(grant, "Throttled", error),
            // Not a role that is not known everywhere yet: somebody has to enable the region, or name another one.
            ErrorClass::AccessDenied if is_region_disabled(&error) => ResolveError::DeniedByAws {
                message: format!(
                    "the region {} of AWSAccount {} is not enabled in the AWS account: {error}",
                    grant.account.region, grant.account.name
                ),
                binding: grant.key.binding(),
            },
            // Also a duration that is more than the role's, which is being changed.
            ErrorClass::AccessDenied | ErrorClass::NotFound | ErrorClass::InvalidInput => {
                self.denials.classify(grant, &error.to_string())
            }
            // What was asked for, AWS will never give.
            ErrorClass::PackedPolicyTooLarge | ErrorClass::MalformedPolicy => ResolveError::Refused {
                code: RefusalCode::AccessDenied,
                message: format!(
                    "AWS does not take the request for {}: {error}",
                    grant.key.binding()
                ),
                binding: Some(grant.key.binding()),
            },
            _ => return SessionError::not_yet(grant, "Unavailable", error),
        };
        // What AWS says to one person is no word about the others of the binding.
        let of_person = grant.renewal == Renewal::OnRequest;
        if !of_person && !matches!(refusal, ResolveError::NotReady { .. }) {
            self.reports.refused(&grant.key.binding(), &error);
        }
        SessionError::Refused(refusal)
    }

    /// The problem that a refusal is, with its audit line.
    fn refusal_problem(&self, who: (&PodIdentity, IpAddr), error: &ResolveError) -> BrokerProblem {
        match error {
            ResolveError::Refused {
                code,
                message,
                binding,
            } => {
                self.audit.refused(who, code.as_str(), binding.as_ref(), message);
                BrokerProblem::new(StatusCode::FORBIDDEN, code.as_str(), message.clone())
            }
            ResolveError::NotReady { message } => BrokerProblem::retry("NotReady", message.clone()),
            // Not decided here: what a pod holds may be good for AWS still, and AWS may say yes later.
            ResolveError::DeniedByAws { message, binding } => {
                let code = RefusalCode::AccessDenied.as_str();
                self.audit.refused(who, code, Some(binding), message);
                BrokerProblem {
                    retry_after: Some(DENIED_RETRY),
                    ..BrokerProblem::retry(code, message.clone())
                }
            }
        }
    }

    /// The problem that a token which is not accepted is, with its audit line.
    fn token_problem(&self, error: &TokenError, peer: IpAddr) -> BrokerProblem {
        let text = error.to_string();
        match error {
            TokenError::Unavailable(_) => return BrokerProblem::retry("Unavailable", text),
            // Decided: nobody may have anything by this token any more.
            TokenError::PodGone(pod) => {
                self.audit.refused((pod, peer), "PodGone", None, &text);
                return BrokerProblem::new(StatusCode::FORBIDDEN, "PodGone", text);
            }
            // Whose it is nobody knows: one line a minute for each reason there is.
            _ => self.audit.invalid_token(peer, error.category(), &text),
        }
        BrokerProblem::new(StatusCode::UNAUTHORIZED, "InvalidToken", text)
    }
}

/// Why no session was made.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    /// Another try may bring one.
    #[error("no session of {principal} yet: {source}")]
    NotYet {
        /// Whose session it would be.
        principal: String,
        /// The code of the protocol (docs/contracts.md).
        code: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is not granted, or AWS refuses it.
    #[error(transparent)]
    Refused(#[from] ResolveError),
}

impl SessionError {
    fn not_yet(
        grant: &SessionGrant,
        code: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::NotYet {
            principal: match &grant.key {
                SessionKey::Role(key) => key.role.title().to_string(),
                SessionKey::FederatedUser(key) => key.request.user.to_string(),
            },
            code,
            source: Box::new(source),
        }
    }
}
