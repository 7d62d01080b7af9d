//! Reviews of pods: the facts that injection needs, found in the index or, on a miss, by one live read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use deputy_delegation::{
    NameError, NamespaceName, ServiceAccountName, model::RoleKind, web_identity::WebIdentity,
};
use deputy_index::{
    LookError, NamespaceInfo, ServiceAccountInfo, look_for_bindings, look_for_federated_bindings, role_at,
};
use deputy_runtime::events::{Notice, NoticeQueue};
use k8s_openapi::{
    api::core::v1::{Namespace, ObjectReference, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, core::admission::Operation};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::{
    awaited::awaited,
    facts::{Facts, SessionsOf},
    inject::{
        Asked, HostNetworkLeave, INJECT_LABEL, Injection, InjectionConfig, Json, PodFacts, PodJson,
        SkipReason, asked, bindings_named, inject,
    },
    metrics::AdmissionMetrics,
    review::{ReviewRequest, Verdict},
};

/// How long one live read may take. The API server gives the whole review 5 s.
const LIVE_READ_TIMEOUT: Duration = Duration::from_millis(1500);
/// The ServiceAccount of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// What answers reviews of pods.
#[derive(Clone)]
pub(crate) struct Mutator {
    pub(crate) facts: Facts,
    pub(crate) client: Client,
    /// `None` until the broker's address and bundle are known.
    pub(crate) injection: watch::Receiver<Option<Arc<InjectionConfig>>>,
    pub(crate) own_namespace: NamespaceName,
    pub(crate) metrics: AdmissionMetrics,
    /// Tells the owners of pods.
    pub(crate) events: NoticeQueue,
}

/// A fact about a pod could not be read.
#[derive(Debug, thiserror::Error)]
#[error("what injection goes by could not be read: {what}: {cause}")]
struct LiveReadError {
    what: String,
    #[source]
    cause: LiveReadCause,
}

#[derive(Debug, thiserror::Error)]
enum LiveReadCause {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    ApiServer(#[from] kube::Error),
    #[error(transparent)]
    Look(#[from] LookError),
    #[error("no answer within {} ms", LIVE_READ_TIMEOUT.as_millis())]
    TimedOut,
}

impl Mutator {
    /// Answers a request to `/mutate`.
    ///
    /// What can't be found out is an error answer (500), never a pod let in as it is: the webhook's failure policy is
    /// Ignore for a webhook that is *away*, and the admission policy that stands in for it can't see ServiceAccounts. So
    /// a pod whose ServiceAccount asks for credentials would start without them. It costs little: the API server calls
    /// us, so it can nearly always be read, only what no watch has brought yet is read at all, and controllers try again.
    pub(crate) async fn review(&self, request: &ReviewRequest<PodJson<'_>>) -> Verdict {
        if !is_about_a_pod(request) {
            return Verdict::bad_request(format!(
                "deputy injects pods; the request is about kind {} as resource {}.{}",
                request.kind.kind, request.resource.resource, request.resource.group
            ));
        }
        if !creates(request) {
            return Verdict::allow();
        }
        let Some(namespace) = request
            .namespace
            .as_deref()
            .and_then(|n| NamespaceName::new(n).ok())
        else {
            return Verdict::bad_request("the request names no namespace");
        };
        if namespace == self.own_namespace {
            return self.skipped(SkipReason::OwnNamespace, Verdict::allow());
        }
        let Some(pod) = &request.object else {
            return Verdict::bad_request("the request holds no pod");
        };
        if pod.label(INJECT_LABEL) == Some("disabled") && !pod.names_ours() {
            return self.skipped(SkipReason::Disabled, Verdict::allow());
        }
        match self.around(pod, &namespace).await {
            Ok(around) => self.review_pod(request, pod, &namespace, &around).await,
            Err(error) => unreadable(&error),
        }
    }

    /// Decides about a pod by what stands around it.
    async fn review_pod(
        &self,
        request: &ReviewRequest<PodJson<'_>>,
        pod: &PodJson<'_>,
        namespace: &NamespaceName,
        around: &Around,
    ) -> Verdict {
        // Most pods ask for nothing.
        if !pod.names_ours() && around.asks_nothing(pod.label(INJECT_LABEL), namespace) {
            return self.skipped(SkipReason::NotLabelled, Verdict::allow());
        }
        let Some(config) = self.injection.borrow().clone() else {
            return Verdict::failed(
                "deputy does not know the broker's address and certificates yet; try again",
            );
        };
        let sessions = match self.sessions(namespace, &around.account, pod).await {
            Ok(sessions) => sessions,
            Err(error) => return unreadable(&error),
        };
        // Of no other pod is it asked.
        let host_network = if pod.spec("hostNetwork").and_then(Json::as_bool) == Some(true) {
            self.facts.host_network(namespace)
        } else {
            Ok(HostNetworkLeave::NoLimit)
        };
        let host_network = match host_network {
            Ok(leave) => leave,
            Err(stale) => return Verdict::failed(format!("{stale}; try again")),
        };
        let region = |binding: Option<&str>| self.facts.region(namespace, &around.account, binding);
        let web_identity = |binding: Option<&str>| sessions.get(&binding).cloned();
        let facts = PodFacts {
            namespace,
            namespace_info: &around.namespace_info,
            service_account: &around.service_account,
            region: &region,
            web_identity: &web_identity,
            host_network: &host_network,
        };
        match inject(pod, &facts, &config) {
            Injection::Skipped {
                reason,
                warnings,
                patch,
            } => {
                self.publish_warnings(request, namespace, pod, &warnings);
                let verdict = warnings.into_iter().fold(Verdict::allow(), Verdict::warn);
                self.skipped(reason, verdict.patch(patch))
            }
            Injection::Injected {
                patch,
                mut warnings,
                bindings,
            } => {
                warnings.extend(awaited(&self.facts, namespace, &around.account, &bindings));
                let reason = if patch.is_empty() { "unchanged" } else { "patched" };
                self.metrics.injection("injected", reason);
                self.publish_warnings(request, namespace, pod, &warnings);
                warnings
                    .into_iter()
                    .fold(Verdict::allow(), Verdict::warn)
                    .patch(patch)
                    .audit("injection", "injected")
            }
            Injection::Refused { message } => {
                self.metrics.injection("refused", "refused");
                Verdict::forbidden(message).audit("injection", "refused")
            }
        }
    }

    /// Warnings go to whoever creates the pod, which is mostly a controller: its object is told, too. A refusal it tells
    /// by itself.
    fn publish_warnings(
        &self,
        request: &ReviewRequest<PodJson<'_>>,
        namespace: &NamespaceName,
        pod: &PodJson<'_>,
        warnings: &[String],
    ) {
        if warnings.is_empty() || request.dry_run() {
            return;
        }
        let owners = pod.metadata("ownerReferences").and_then(Json::as_array);
        let owner = owners
            .into_iter()
            .flatten()
            .filter_map(|o| OwnerReference::deserialize(o).ok())
            .find(|o| o.controller == Some(true));
        if let Some(owner) = owner {
            self.events.publish(Notice {
                regarding: ObjectReference {
                    api_version: Some(owner.api_version),
                    kind: Some(owner.kind),
                    namespace: Some(namespace.to_string()),
                    name: Some(owner.name),
                    uid: Some(owner.uid),
                    ..ObjectReference::default()
                },
                component: "deputy-webhook",
                action: "Inject",
                reason: "InjectionWarning",
                code: None,
                text: warnings.join("\n"),
            });
        }
    }

    fn skipped(&self, reason: SkipReason, verdict: Verdict) -> Verdict {
        self.metrics.injection("skipped", reason.as_str());
        verdict.audit("injection", format!("skipped: {}", reason.as_str()))
    }

    /// By which of the bindings that a pod may use it is to call STS itself, and what it has to know for that. What the index does not
    /// know is looked up once, where a limit allows such bindings at all: a pod stays as it was created.
    async fn sessions<'p>(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        pod: &'p PodJson<'_>,
    ) -> Result<BTreeMap<Option<&'p str>, WebIdentity>, LiveReadError> {
        let mut told = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        let named = bindings_named(pod).into_iter().map(Some);
        for name in std::iter::once(None).chain(named) {
            match self.facts.sessions(namespace, account, name) {
                SessionsOf::Broker => {}
                SessionsOf::Pod(web_identity) => {
                    told.insert(name, *web_identity);
                }
                SessionsOf::Unknown => {
                    unknown.insert(name);
                }
            }
        }
        if !unknown.is_empty() && self.facts.may_have_web_identity(namespace) {
            let look = self.look_for_sessions(namespace, account, &unknown, &mut told);
            let outcome = tokio::time::timeout(LIVE_READ_TIMEOUT, look).await;
            let outcome = outcome.unwrap_or(Err(LiveReadCause::TimedOut));
            let word = if outcome.is_ok() { "found" } else { "error" };
            self.metrics.live_read("AWSRoleBinding", word);
            outcome.map_err(|cause| LiveReadError {
                what: format!("the bindings of namespace {namespace}"),
                cause,
            })?;
        }
        Ok(told)
    }

    async fn look_for_sessions<'p>(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
        names: &BTreeSet<Option<&'p str>>,
        told: &mut BTreeMap<Option<&'p str>, WebIdentity>,
    ) -> Result<(), LiveReadCause> {
        let (bindings, users) = futures::try_join!(
            look_for_bindings(&self.client, namespace),
            look_for_federated_bindings(&self.client, namespace)
        )?;
        let user = users.iter().find(|b| b.service_accounts.contains(account));
        let user = user.map(|b| (b.created, &b.id.name));
        for name in names {
            let is_meant = |b: &str| name.is_none_or(|name| name == b);
            let found = bindings
                .iter()
                .find(|b| b.subjects.service_accounts().contains(account) && is_meant(b.id.name.as_str()));
            let Some(binding) = found else { continue };
            if name.is_none() && user.is_some_and(|user| user < (binding.created, &binding.id.name)) {
                // The default is a federated user.
                continue;
            }
            let role = match binding.role.kind {
                RoleKind::AWSRole => role_at(&self.client, &binding.role).await?.known().cloned(),
                RoleKind::ClusterAWSRole { .. } => None,
            };
            if let SessionsOf::Pod(web_identity) = self.facts.sessions_as_seen(binding, role.as_deref()) {
                told.insert(*name, *web_identity);
            }
        }
        Ok(())
    }

    /// What stands around the pod: its ServiceAccount and its namespace.
    async fn around(&self, pod: &PodJson<'_>, namespace: &NamespaceName) -> Result<Around, LiveReadError> {
        let named = pod.spec("serviceAccountName").and_then(Json::as_str);
        let named = named.filter(|n| !n.is_empty()).unwrap_or(DEFAULT_ACCOUNT);
        let account = ServiceAccountName::new(named).map_err(|error| LiveReadError {
            what: "the pod's ServiceAccount".to_owned(),
            cause: error.into(),
        })?;
        // Together: two reads one after the other could take twice as long.
        let (service_account, namespace_info) = futures::join!(
            self.service_account(namespace, &account),
            self.namespace(namespace)
        );
        Ok(Around {
            service_account: service_account?,
            namespace_info: namespace_info?,
            account,
        })
    }

    async fn namespace(&self, namespace: &NamespaceName) -> Result<Arc<NamespaceInfo>, LiveReadError> {
        if let Some(known) = self.facts.namespace(namespace) {
            return Ok(known);
        }
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = self.live("Namespace", namespace.as_str(), &api).await?;
        Ok(Arc::new(
            found
                .map(|meta| NamespaceInfo::from_meta(&meta))
                .unwrap_or_default(),
        ))
    }

    async fn service_account(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Result<Arc<ServiceAccountInfo>, LiveReadError> {
        if let Some(known) = self.facts.service_account(namespace, account) {
            return Ok(known);
        }
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace.as_str());
        let found = self.live("ServiceAccount", account.as_str(), &api).await?;
        Ok(Arc::new(
            found
                .map(|meta| ServiceAccountInfo::from_meta(&meta))
                .unwrap_or_default(),
        ))
    }

    /// The answer of a live read is final: what it does not find is not there.
    async fn live<K>(
        &self,
        kind: &'static str,
        name: &str,
        api: &Api<K>,
    ) -> Result<Option<ObjectMeta>, LiveReadError>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let read = tokio::time::timeout(LIVE_READ_TIMEOUT, api.get_metadata_opt(name)).await;
        let cause = match read {
            Ok(Ok(found)) => {
                let outcome = if found.is_some() { "found" } else { "not-found" };
                self.metrics.live_read(kind, outcome);
                return Ok(found.map(|o| o.metadata));
            }
            Ok(Err(error)) => error.into(),
            Err(_) => LiveReadCause::TimedOut,
        };
        self.metrics.live_read(kind, "error");
        Err(LiveReadError {
            what: format!("{kind} {name}"),
            cause,
        })
    }
}

/// The answer while something can't be found out.
fn unreadable(error: &LiveReadError) -> Verdict {
    tracing::warn!(%error, "failed to decide about a pod");
    Verdict::failed(format!(
        "{error}; try again, or label the pod {INJECT_LABEL}: disabled"
    ))
}

fn is_about_a_pod<O>(request: &ReviewRequest<O>) -> bool {
    let (kind, resource) = (&request.kind, &request.resource);
    kind.group.is_empty()
        && kind.version == "v1"
        && kind.kind == "Pod"
        && resource.group.is_empty()
        && resource.version == "v1"
        && resource.resource == "pods"
}

/// Whether it makes a pod: nothing else is injected.
fn creates<O>(request: &ReviewRequest<O>) -> bool {
    request.operation == Operation::Create && request.sub_resource.as_deref().is_none_or(str::is_empty)
}

/// What stands around a pod.
struct Around {
    account: ServiceAccountName,
    service_account: Arc<ServiceAccountInfo>,
    namespace_info: Arc<NamespaceInfo>,
}

impl Around {
    /// Whether no label asks for anything.
    fn asks_nothing(&self, own: Option<&str>, namespace: &NamespaceName) -> bool {
        let facts = PodFacts {
            namespace,
            namespace_info: &self.namespace_info,
            service_account: &self.service_account,
            region: &|_| None,
            web_identity: &|_| None,
            host_network: &HostNetworkLeave::NoLimit,
        };
        matches!(asked(own, &facts), Ok(Asked::Nothing))
    }
}
