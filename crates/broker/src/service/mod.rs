//! One request from beginning to end: who asks, what is granted, the session, and the record of it. [`person`] has those of people.

mod error;
mod node;
mod person;
mod refusal;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use deputy_aws::ErrorClass;
use deputy_delegation::{
    AccountId, ObjectName, Uid,
    model::{Account, BindingSelector},
};
use deputy_index::{Entry, Index, PodLife, ResourceKind};
use deputy_runtime::{
    error::chain,
    events::NoticeQueue,
    telemetry::{AuditPlace, audit_sink},
};
use deputy_token::NodeName;
use kube::Client;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{
    Instrument as _, Span,
    field::{Empty, display},
};

use crate::{
    asker::{AskedFrom, NodeAgents, ShownTokens},
    audit::AuditLog,
    clients::StsClients,
    identity::{IdentityCheck, IdentityError, conditions as identities},
    issuer::{
        GatedClients, IssueError, Issued, Issuer, IssuerOptions, Renewable, SessionKey, StsRoute, StsSource,
    },
    metrics::BrokerMetrics,
    problem::BrokerProblem,
    report::{Reports, write_account_conditions},
    resolve::{AcceptedBy, Denials, SessionGrant, StillGranted, resolve, still_granted},
    token::{PodIdentity, TokenApi, TokenError, Verifier},
    told::PodEvents,
};

use self::error::SessionError;
pub use self::person::PersonsSession;

/// How long a caller waits at most, all together: the SDKs give up after a second.
const ANSWER_WITHIN: Duration = Duration::from_millis(950);

/// The answer to a request.
pub struct Reply {
    /// What it comes to.
    pub answer: BrokerAnswer,
    /// Whether the token was accepted, or that of the agent of its node, whatever came of it.
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

/// What is known of who asks, as soon as it is known.
#[derive(Default)]
struct KnownAsker {
    pod: OnceLock<Arc<PodIdentity>>,
    node: OnceLock<NodeName>,
}

/// Accounts that are asked about at a time who the broker is there.
const IDENTITIES_AT_ONCE: usize = 8;

/// Answers requests for credentials, and keeps what makes the next answer cheap: reviews of tokens, sessions, refusals.
pub struct Broker {
    index: Arc<Index>,
    verifier: Verifier,
    /// Who may ask for pods of his node; nobody without.
    node_agents: Option<NodeAgents>,
    issuer: Issuer,
    sts: GatedClients,
    identities: IdentityCheck,
    denials: Denials,
    audit: AuditLog,
    reports: Arc<Reports>,
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
        let (record, counted) = (audit.on_issued(), metrics.clone());
        let reports = Arc::new(Reports::default());
        let packed = Arc::clone(&reports);
        let on_issued = move |key: &SessionKey, issued: &Issued, limits: &[ObjectName]| {
            record(key, issued, limits);
            if let Some(percent) = issued.session.packed_policy_size {
                counted.packed(percent);
                packed.packed(&key.binding(), percent);
            }
        };
        let issuer = Issuer::new(IssuerOptions::default(), Arc::new(on_issued));
        Self {
            verifier: Verifier::new(api, Arc::clone(&index)),
            node_agents: None,
            index,
            sts: GatedClients::new(sts, issuer.gate().clone()),
            issuer,
            identities: IdentityCheck::default(),
            denials: Denials::default(),
            audit,
            reports,
            events: PodEvents::new(notices),
            metrics,
        }
    }

    /// The same, which takes these agents of nodes.
    pub(crate) fn with_node_agents(self, node_agents: Option<NodeAgents>) -> Self {
        Self { node_agents, ..self }
    }

    /// The same, of whose audit log somebody else says whether it is written.
    #[cfg(test)]
    pub(crate) fn with_audit_check(self, is_written: Box<crate::audit::AuditCheck>) -> Self {
        Self {
            audit: AuditLog::with_check(self.index.cluster(), is_written),
            ..self
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
        if let Some(sink) = audit_sink() {
            self.metrics.set_audit(sink.figures());
        }
    }

    fn sts_to_renew(&self, key: &SessionKey, account: &Account, limits: &AcceptedBy) -> Option<StsSource> {
        // A renewal is a new session, and one that can't be recorded is not made.
        let place = self.audit.place().ok()?;
        let limits = limits.clone();
        match key {
            SessionKey::Role(_) => Some(StsSource {
                sts: self.sts.issuer(account),
                route: StsRoute::of_issuer(account),
                limits,
                place,
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
                        place,
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

    /// Credentials for the pod whose token is among `shown`, which came from `peer`, by the binding that it names or by its default one.
    pub async fn credentials(
        &self,
        shown: ShownTokens<'_>,
        binding: Option<&BindingSelector>,
        peer: IpAddr,
    ) -> Reply {
        // In every line about this request, also of the calls that it makes; all but the address are known later.
        let span = tracing::info_span!("credentials", %peer, node = Empty, pod_uid = Empty, binding = Empty);
        let known = KnownAsker::default();
        let work = self.answer(shown, binding, peer, &known).instrument(span);
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
            accepted: known.pod.get().is_some() || known.node.get().is_some(),
            pod_is_terminating: known
                .pod
                .get()
                .is_some_and(|pod| self.index.pod_is_terminating(&pod.subject.pod_uid)),
        }
    }

    async fn answer(
        &self,
        shown: ShownTokens<'_>,
        binding: Option<&BindingSelector>,
        peer: IpAddr,
        known: &KnownAsker,
    ) -> Result<BrokerAnswer, BrokerProblem> {
        // 1. Who asks, and for whom.
        let mut from = AskedFrom { peer, node: None };
        if let Some(token) = shown.node {
            let node = self.node_of_agent(token, peer).await?;
            Span::current().record("node", display(&node));
            from.node = Some(known.node.get_or_init(|| node).clone());
        }
        let identity = self.verifier.verify(shown.pod, peer).await;
        let identity = identity.map_err(|error| self.token_problem(&error, &from))?;
        known.pod.get_or_init(|| Arc::clone(&identity));
        Span::current().record("pod_uid", display(&identity.subject.pod_uid));
        let answer = match self.check_node(&identity, &from) {
            Ok(()) => self.answer_pod(&identity, &from, binding).await,
            Err(problem) => Err(problem),
        };
        match &answer {
            Ok(_) => self.events.served(&identity),
            Err(problem) => self.events.heard(&identity, problem),
        }
        answer
    }

    async fn answer_pod(
        &self,
        identity: &Arc<PodIdentity>,
        from: &AskedFrom,
        binding: Option<&BindingSelector>,
    ) -> Result<BrokerAnswer, BrokerProblem> {
        // 2. What is granted.
        let current = self.index.current(&ResourceKind::BROKER);
        let grant = match (resolve(&self.index, identity, binding), &current) {
            (Ok(grant), _) => grant,
            // Neither a grant nor a refusal may rest on what was true once: an agent drops what it has at a refusal.
            (Err(_), Err(stale)) => return Err(BrokerProblem::retry("NotReady", stale.to_string())),
            (Err(error), Ok(())) => return Err(self.refusal_problem((identity, from), &error)),
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
        let issued = issued.map_err(|error| {
            let problem = match &error {
                SessionError::NotYet { code, .. } => BrokerProblem::retry(code, error.to_string()),
                SessionError::Refused { refusal, .. } => self.refusal_problem((identity, from), refusal),
            };
            BrokerProblem {
                aws: error.aws(),
                ..problem
            }
        })?;
        // That took a moment, in which the pod may have ended.
        if self.index.pod_life(&identity.subject.pod_uid) == PodLife::Ended {
            return Err(self.token_problem(&TokenError::PodGone(Arc::clone(identity)), from));
        }
        // 4. The record of it.
        self.denials.forget(&grant);
        self.reports.issued(&grant.key.binding());
        self.audit.session_delivered((identity, from), &grant, &issued);
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
        let place = self.audit.place();
        let place = place.map_err(|stalled| SessionError::not_yet(grant, "Unavailable", stalled))?;
        let sts = self.verified(grant, place).await.map_err(|error| {
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
    async fn verified(&self, grant: &SessionGrant, place: AuditPlace) -> Result<StsSource, IdentityError> {
        let (account, limits) = (&grant.account, grant.limits.clone());
        match &grant.key {
            SessionKey::Role(_) => {
                let sts = self.sts.issuer(account);
                self.identities.issuer(account, &sts).await?;
                let route = StsRoute::of_issuer(account);
                Ok(StsSource {
                    sts,
                    route,
                    limits,
                    place,
                })
            }
            SessionKey::FederatedUser(_) => {
                let client = self.sts.federation_user(account);
                let client = client.map_err(|error| IdentityError::Aws(Arc::new(error)))?;
                self.identities.federation_user(account, &client).await?;
                Ok(StsSource {
                    sts: client.sts,
                    route: StsRoute::of_federation_user(account),
                    limits,
                    place,
                })
            }
        }
    }
}
