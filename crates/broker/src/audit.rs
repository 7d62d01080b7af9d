//! The audit log (docs/contracts.md): who got what, and who was refused. Each line once, however often it is asked for.

use std::time::Duration;

use deputy_delegation::naming;
use deputy_runtime::audit;

use crate::{
    issuer::{Issued, SessionKey},
    resolve::SessionGrant,
    token::PodIdentity,
};

/// A refusal: pod uid, code, binding. A pod that is refused asks again and again.
type RefusalKey = (String, &'static str, String);

/// The longest life of a session, and so of the memory of its deliveries.
const LONGEST_SESSION: Duration = Duration::from_secs(12 * 3600);
/// How often the same refusal of the same pod is in the audit log.
const SAME_REFUSAL: Duration = Duration::from_secs(60);

/// What is in the audit log already.
pub(crate) struct AuditLog {
    /// (access key id, pod uid) of sessions that a pod was given.
    delivered: moka::sync::Cache<(String, String), ()>,
    refused: moka::sync::Cache<RefusalKey, ()>,
}

impl Default for AuditLog {
    fn default() -> Self {
        Self {
            delivered: moka::sync::Cache::builder()
                .max_capacity(200_000)
                .time_to_live(LONGEST_SESSION)
                .build(),
            refused: moka::sync::Cache::builder()
                .max_capacity(50_000)
                .time_to_live(SAME_REFUSAL)
                .build(),
        }
    }
}

impl AuditLog {
    /// The first time that a pod is given a session. Later times are revalidations of the same one.
    pub(crate) fn session_delivered(&self, identity: &PodIdentity, grant: &SessionGrant, issued: &Issued) {
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

    /// A refusal, of a pod or of a token that is nobody's. `what` is the binding of a pod, or the kind of refusal.
    pub(crate) fn refused(
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

/// The audit line of a session that STS made. A session that pods share has no pod.
pub(crate) fn session_issued(key: &SessionKey, issued: &Issued) {
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
