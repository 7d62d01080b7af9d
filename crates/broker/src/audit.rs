//! The audit log (docs/contracts.md): who got what, and who was refused. Each line once, however often it is asked for.

use std::time::Duration;

use deputy_delegation::{
    model::{BindingRef, ObjectId},
    naming,
    people::AuthenticatedPerson,
};
use deputy_runtime::audit;

use crate::{
    issuer::{FederatedSessionKey, Issued, RoleSessionKey, SessionKey},
    resolve::SessionGrant,
    token::PodIdentity,
};

/// A refusal: pod uid or user, code, binding. A pod that is refused asks again and again.
type RefusalKey = (String, &'static str, String);

/// The longest life of a session, and so of the memory of its deliveries.
const LONGEST_SESSION: Duration = Duration::from_secs(36 * 3600);
/// How often the same refusal of the same pod is in the audit log.
const SAME_REFUSAL: Duration = Duration::from_secs(60);

/// What is in the audit log already.
pub(crate) struct AuditLog {
    /// (access key id, pod uid) of sessions that a pod was given.
    delivered: moka::sync::Cache<(String, String), ()>,
    refused: moka::sync::Cache<RefusalKey, ()>,
    /// Those of people, apart: the name of a binding is theirs to choose.
    refused_people: moka::sync::Cache<RefusalKey, ()>,
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
            refused_people: moka::sync::Cache::builder()
                .max_capacity(5_000)
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
        let (role, user) = by_kind(&grant.key);
        audit!(
            event = "SessionDelivered",
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = %identity.subject.pod_uid,
            binding = %grant.key.binding().id,
            role = role.map(|key| display(&key.role)),
            role_arn = role.map(|key| display(&key.request.role)),
            session_name = role.map(|key| display(&key.request.session_name)),
            federated_user_arn = user.map(|key| display(&key.request.user)),
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            decision = "Accepted",
        );
    }

    /// The first time that a person is given a session.
    pub(crate) fn session_given(&self, person: &AuthenticatedPerson, grant: &SessionGrant, issued: &Issued) {
        let key = (
            issued.session.credentials.access_key_id.clone(),
            person.user.to_string(),
        );
        if !self.delivered.entry(key).or_insert(()).is_fresh() {
            return;
        }
        let (role, _) = by_kind(&grant.key);
        audit!(
            event = "SessionDelivered",
            namespace = %grant.key.binding().id.namespace,
            user = %person.user,
            binding = %grant.key.binding().id,
            role = role.map(|key| display(&key.role)),
            role_arn = role.map(|key| display(&key.request.role)),
            session_name = role.map(|key| display(&key.request.session_name)),
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            decision = "Accepted",
        );
    }

    /// A refusal of a person.
    pub(crate) fn person_refused(
        &self,
        person: &AuthenticatedPerson,
        binding: &ObjectId,
        code: &'static str,
        message: &str,
    ) {
        // One line for all bindings of a namespace that are not there.
        let what = match code {
            "NoBinding" => binding.namespace.to_string(),
            _ => binding.to_string(),
        };
        let key = (person.user.to_string(), code, what);
        if !self.refused_people.entry(key).or_insert(()).is_fresh() {
            return;
        }
        audit!(
            event = "Refused",
            namespace = %binding.namespace,
            user = %person.user,
            binding = %binding,
            decision = code,
            reason = message,
        );
    }

    /// A refusal of a pod.
    pub(crate) fn refused(
        &self,
        identity: &PodIdentity,
        code: &'static str,
        binding: Option<&BindingRef>,
        message: &str,
    ) {
        let uid = identity.subject.pod_uid.to_string();
        let binding = binding.map(|binding| &binding.id);
        let what = binding.map(ToString::to_string).unwrap_or_default();
        if !self.is_new(uid.clone(), code, what) {
            return;
        }
        audit!(
            event = "Refused",
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = uid,
            binding = binding.map(display),
            decision = code,
            reason = message,
        );
    }

    /// A token that is nobody's: one line for each `category` of reasons.
    pub(crate) fn invalid_token(&self, category: &'static str, message: &str) {
        const CODE: &str = "InvalidToken";
        if self.is_new(String::new(), CODE, category.to_owned()) {
            audit!(event = "Refused", decision = CODE, reason = message);
        }
    }

    fn is_new(&self, pod_uid: String, code: &'static str, what: String) -> bool {
        self.refused.entry((pod_uid, code, what)).or_insert(()).is_fresh()
    }
}

/// The audit line of a session that STS made. A session that pods share has no pod.
pub(crate) fn session_issued(key: &SessionKey, issued: &Issued) {
    let (role, user) = by_kind(key);
    let tags = match key {
        SessionKey::Role(key) => &key.request.tags,
        SessionKey::FederatedUser(key) => &key.request.tags,
    };
    let tag = |name: &str| {
        tags.iter()
            .find(|(k, _)| k.as_str() == name)
            .map(|(_, v)| v.as_str())
    };
    audit!(
        event = "SessionIssued",
        namespace = %key.binding().id.namespace,
        service_account = tag(naming::TAG_SERVICE_ACCOUNT),
        user = role.and_then(|key| key.person.as_ref()).map(display),
        pod_uid = tag(naming::TAG_POD_UID),
        binding = %key.binding().id,
        role = role.map(|key| display(&key.role)),
        role_arn = role.map(|key| display(&key.request.role)),
        session_name = role.map(|key| display(&key.request.session_name)),
        federated_user_arn = user.map(|key| display(&key.request.user)),
        access_key_id = issued.session.credentials.access_key_id,
        expiration = %issued.session.expiration,
        decision = "Accepted",
    );
}

fn by_kind(key: &SessionKey) -> (Option<&RoleSessionKey>, Option<&FederatedSessionKey>) {
    match key {
        SessionKey::Role(key) => (Some(key), None),
        SessionKey::FederatedUser(key) => (None, Some(key)),
    }
}
