//! The audit log (docs/contracts.md): who got what, and who was refused. Each line once, however often it is asked for.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    time::Duration,
};

use deputy_delegation::{
    ClusterName, ObjectName,
    model::{BindingRef, ObjectId},
    naming,
    people::AuthenticatedPerson,
};
use deputy_runtime::{
    audit,
    telemetry::{AuditPlace, AuditSink, AuditStalled, audit_sink},
};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::{
    asker::AskedFrom,
    issuer::{FederatedSessionKey, Issued, RoleSessionKey, SessionKey},
    recent::RecentLines,
    resolve::SessionGrant,
    token::PodIdentity,
};

/// A refusal: pod uid or user, code, binding. A pod that is refused asks again and again.
type RefusalKey = (String, &'static str, String);

/// How often the same refusal of the same pod is in the audit log.
const SAME_REFUSAL: Duration = Duration::from_secs(60);

/// Deliveries to one pod, or person, that are in the audit log in a minute: more sessions, or addresses, than a pod has. What is more is in
/// it when it is delivered again later.
const DELIVERIES_A_MINUTE: u32 = 64;
/// Pods and people of whom that is known.
const MOST_RECEIVERS: usize = 50_000;
/// Addresses from which tokens come that are nobody's, and why, told apart in a minute.
const MOST_STRANGERS: usize = 1024;

/// The place of an audit line that is to come, as long as audit lines get to where they are kept.
pub(crate) type AuditCheck = dyn Fn() -> Result<AuditPlace, AuditStalled> + Send + Sync;

/// What is in the audit log already.
pub(crate) struct AuditLog {
    cluster: ClusterName,
    place: Box<AuditCheck>,
    hasher: RandomState,
    /// Deliveries to a pod (its uid) or a person.
    delivered: Mutex<RecentLines<u64>>,
    /// Tokens that are nobody's: from which address, none of further ones, and why.
    strangers: Mutex<RecentLines<(Option<IpAddr>, &'static str)>>,
    refused: moka::sync::Cache<RefusalKey, ()>,
    /// Those of people, apart: the name of a binding is theirs to choose.
    refused_people: moka::sync::Cache<RefusalKey, ()>,
}

impl AuditLog {
    /// The log of this cluster's broker.
    pub(crate) fn new(cluster: &ClusterName) -> Self {
        Self {
            cluster: cluster.clone(),
            place: Box::new(|| audit_sink().map_or_else(|| Ok(AuditPlace::default()), AuditSink::reserve)),
            hasher: RandomState::new(),
            delivered: Mutex::new(RecentLines::new(MOST_RECEIVERS)),
            strangers: Mutex::new(RecentLines::new(MOST_STRANGERS)),
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

    /// The same, of which somebody else says whether it is written.
    #[cfg(test)]
    pub(crate) fn with_check(cluster: &ClusterName, place: Box<AuditCheck>) -> Self {
        Self {
            place,
            ..Self::new(cluster)
        }
    }

    /// The place of the line of a session that is to be made: what can't be recorded is not given.
    ///
    /// # Errors
    /// Lines do not get to where they are kept, or there is no room for one.
    pub(crate) fn place(&self) -> Result<AuditPlace, AuditStalled> {
        (self.place)()
    }

    /// What writes the line of each session that STS made, with the limits that accept it.
    pub(crate) fn on_issued(&self) -> impl Fn(&SessionKey, &Issued, &[ObjectName]) + Send + Sync + use<> {
        let cluster = self.cluster.clone();
        move |key, issued, limits| session_issued(&cluster, key, issued, limits)
    }

    /// The first time that a pod is given a session, and the first time at each address. Later times are revalidations of the same one.
    pub(crate) fn session_delivered(
        &self,
        (identity, from): (&PodIdentity, &AskedFrom),
        grant: &SessionGrant,
        issued: &Issued,
    ) {
        if !self.is_new_delivery(identity.subject.pod_uid.as_str(), issued, Some(from.peer)) {
            return;
        }
        let (role, user) = by_kind(&grant.key);
        audit!(
            event = "SessionDelivered",
            cluster = %self.cluster,
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = %identity.subject.pod_uid,
            peer = %from.peer,
            node = from.node.as_ref().map(display),
            binding = %grant.key.binding().id,
            role = role.map(|key| display(&key.role)),
            role_arn = role.map(|key| display(&key.request.role)),
            session_name = role.map(|key| display(&key.request.session_name)),
            federated_user_arn = user.map(|key| display(&key.request.user)),
            session_policy_sha256 = policy_digest(&grant.key),
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            limit = names(&grant.limits),
            decision = "Accepted",
        );
    }

    /// The first time that a person is given a session.
    pub(crate) fn session_given(&self, person: &AuthenticatedPerson, grant: &SessionGrant, issued: &Issued) {
        if !self.is_new_delivery(person.user.as_str(), issued, None) {
            return;
        }
        let (role, _) = by_kind(&grant.key);
        audit!(
            event = "SessionDelivered",
            cluster = %self.cluster,
            namespace = %grant.key.binding().id.namespace,
            user = %person.user,
            binding = %grant.key.binding().id,
            role = role.map(|key| display(&key.role)),
            role_arn = role.map(|key| display(&key.request.role)),
            session_name = role.map(|key| display(&key.request.session_name)),
            session_policy_sha256 = policy_digest(&grant.key),
            access_key_id = issued.session.credentials.access_key_id,
            expiration = %issued.session.expiration,
            limit = names(&grant.limits),
            decision = "Accepted",
        );
    }

    fn is_new_delivery(&self, receiver: &str, issued: &Issued, peer: Option<IpAddr>) -> bool {
        let delivery = self.hasher.hash_one((receiver, peer));
        if issued.is_delivered(delivery) {
            return false;
        }
        let receiver = self.hasher.hash_one(receiver);
        let may = self.delivered.lock().may_write(receiver, DELIVERIES_A_MINUTE);
        may != Some(false) && issued.deliver(delivery)
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
            cluster = %self.cluster,
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
        (identity, from): (&PodIdentity, &AskedFrom),
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
            cluster = %self.cluster,
            namespace = %identity.namespace,
            service_account = %identity.subject.service_account,
            pod = %identity.subject.pod,
            pod_uid = uid,
            peer = %from.peer,
            node = from.node.as_ref().map(display),
            binding = binding.map(display),
            decision = code,
            reason = message,
        );
    }

    /// A token that is nobody's: one line for each address and `category` of reasons, and one for all further addresses. `code` is that of the
    /// answer.
    pub(crate) fn untrusted(
        &self,
        peer: IpAddr,
        (code, category): (&'static str, &'static str),
        message: &str,
    ) {
        let is_new = {
            let mut known = self.strangers.lock();
            let own = known.may_write((Some(peer), category), 1);
            own.unwrap_or_else(|| known.may_write_of_all((None, category), 1))
        };
        if is_new {
            audit!(
                event = "Refused",
                cluster = %self.cluster,
                peer = %peer,
                decision = code,
                reason = message,
            );
        }
    }

    fn is_new(&self, pod_uid: String, code: &'static str, what: String) -> bool {
        self.refused.entry((pod_uid, code, what)).or_insert(()).is_fresh()
    }
}

/// The audit line of a session that STS made. A session that pods share has no pod.
fn session_issued(cluster: &ClusterName, key: &SessionKey, issued: &Issued, limits: &[ObjectName]) {
    let (role, user) = by_kind(key);
    audit!(
        event = "SessionIssued",
        cluster = %cluster,
        namespace = %key.binding().id.namespace,
        service_account = key.tag(naming::TAG_SERVICE_ACCOUNT),
        user = role.and_then(|key| key.person.as_ref()).map(display),
        pod_uid = key.pod(),
        binding = %key.binding().id,
        role = role.map(|key| display(&key.role)),
        role_arn = role.map(|key| display(&key.request.role)),
        session_name = role.map(|key| display(&key.request.session_name)),
        federated_user_arn = user.map(|key| display(&key.request.user)),
        session_policy_sha256 = policy_digest(key),
        access_key_id = issued.session.credentials.access_key_id,
        expiration = %issued.session.expiration,
        limit = names(limits),
        decision = "Accepted",
    );
}

/// SHA-256 of the inline session policy, in lower-case hexadecimal digits, as it is sent.
fn policy_digest(key: &SessionKey) -> Option<String> {
    let policy = key.policy()?;
    Some(data_encoding::HEXLOWER.encode(&Sha256::digest(policy)))
}

/// Names, one after the other.
fn names(limits: &[ObjectName]) -> String {
    let names: Vec<&str> = limits.iter().map(ObjectName::as_str).collect();
    names.join(",")
}

fn by_kind(key: &SessionKey) -> (Option<&RoleSessionKey>, Option<&FederatedSessionKey>) {
    match key {
        SessionKey::Role(key) => (Some(key), None),
        SessionKey::FederatedUser(key) => (None, Some(key)),
    }
}
