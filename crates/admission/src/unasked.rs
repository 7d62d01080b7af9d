//! The verdict on an object that nobody applies, and on a pod that nobody creates: what the webhook would answer if somebody did.

use std::{collections::BTreeMap, sync::Arc};

use deputy_delegation::{NamespaceName, ServiceAccountName, Violation};
use deputy_index::{Index, NamespaceInfo, ServiceAccountInfo};
use serde_json::Value;

use crate::{
    facts::{Facts, SessionsOf},
    inject::{
        ContainerBinding, HostNetworkLeave, Injection, InjectionConfig, PodFacts, PodJson, bindings_named,
        container_bindings, inject,
    },
    kind::DeputyKind,
    review::ObjectWarning,
    validate,
};

/// What would be said of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectAnswer {
    /// Whether it would be stored, and come about.
    pub outcome: ObjectOutcome,
    /// What would be said beside it.
    pub warnings: Vec<ObjectWarning>,
}

/// Whether an object would be stored, and come about.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectOutcome {
    /// Stored, and within every limit that applies.
    Accepted,
    /// Stored, and grants nothing: what it names, or a limit, is not there. The warnings say what.
    Awaiting,
    /// Not stored.
    Refused {
        /// The whole refusal.
        message: String,
        /// All that is wrong; none where it is not about a field, such as a change that would suspend many grants.
        violations: Vec<Violation>,
    },
}

/// The answer about `object`, which is made, or takes the place of `old`, in the cluster that `index` holds. `None`: it is of no kind of
/// Deputy's that is reviewed.
///
/// The index has to have been given all of [`deputy_index::ResourceKind::KINDS`]; how old it is does not matter here.
#[must_use]
pub fn answer(index: &Arc<Index>, object: &Value, old: Option<&Value>) -> Option<ObjectAnswer> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let api_version = format!("{}/{}", deputy_api::GROUP, deputy_api::VERSION);
    if text("apiVersion") != Some(api_version.as_str()) {
        return None;
    }
    let kind = DeputyKind::of_name(text("kind")?)?;
    let facts = Facts::new(Arc::clone(index));
    let verdict = validate::unasked(kind, object, old, &facts);
    let outcome = match (verdict.refusal(), verdict.audited("decision")) {
        (Some((message, violations)), _) => ObjectOutcome::Refused {
            message: message.to_owned(),
            violations: violations.to_vec(),
        },
        (None, Some("accepted")) => ObjectOutcome::Accepted,
        (None, _) => ObjectOutcome::Awaiting,
    };
    Some(ObjectAnswer {
        outcome,
        warnings: verdict.warnings().to_vec(),
    })
}

/// A pod that nobody creates, and what stands around it.
#[derive(Debug, Clone, Copy)]
pub struct UnaskedPod<'a> {
    /// The pod, as JSON.
    pub json: &'a str,
    /// Its namespace.
    pub namespace: &'a NamespaceName,
    /// What is known of that namespace.
    pub namespace_info: &'a NamespaceInfo,
    /// Its ServiceAccount.
    pub account: &'a ServiceAccountName,
    /// What is known of that ServiceAccount.
    pub account_info: &'a ServiceAccountInfo,
}

/// What injection would do with a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodAnswer {
    /// What becomes of it. Regions of accounts are not looked up: they change the variables alone.
    pub injection: Injection,
    /// Which binding each of its containers uses, by its annotations.
    pub containers: Vec<ContainerBinding>,
}

/// The answer about a pod that is created in the cluster that `index` holds.
///
/// The index has to have been given all of [`deputy_index::ResourceKind::KINDS`]; how old it is does not matter here.
///
/// # Errors
/// When its text is no JSON.
pub fn pod_answer(
    index: &Arc<Index>,
    pod: UnaskedPod<'_>,
    config: &InjectionConfig,
) -> Result<PodAnswer, serde_json::Error> {
    let json: PodJson<'_> = serde_json::from_str(pod.json)?;
    let facts = Facts::new(Arc::clone(index));
    let mut told = BTreeMap::new();
    for name in std::iter::once(None).chain(bindings_named(&json).into_iter().map(Some)) {
        if let SessionsOf::Pod(web_identity) = facts.sessions(pod.namespace, pod.account, name) {
            told.insert(name, *web_identity);
        }
    }
    let facts = PodFacts {
        namespace: pod.namespace,
        namespace_info: pod.namespace_info,
        service_account: pod.account_info,
        region: &|_| None,
        web_identity: &|name| told.get(&name).cloned(),
        host_network: &HostNetworkLeave::of(&index.all_limits(), pod.namespace),
    };
    Ok(PodAnswer {
        injection: inject(&json, &facts, config),
        containers: container_bindings(&json, &facts),
    })
}
