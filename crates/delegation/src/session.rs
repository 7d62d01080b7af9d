//! The AssumeRole request of a session: everything that STS is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Account, Binding, ChosenTags, Role, RoleSource, SessionMethod, SessionScope, Subjects},
    names::{
        ClusterName, ExternalId, ManagedPolicyArn, MaxSessionDuration, NamespaceName, PodName, RoleArn,
        ServiceAccountName, SessionDuration, SessionName, TagKey, TagValue, Uid,
    },
    naming,
    people::{self, AuthenticatedPerson},
    share::SessionShare,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSubject {
    /// Its ServiceAccount (of the binding's namespace).
    pub service_account: ServiceAccountName,
    /// The pod.
    pub pod: PodName,
    /// The pod's uid.
    pub pod_uid: Uid,
}

/// Every parameter of `sts:AssumeRole` that Deputy sends. Equal requests may share a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRequest {
    /// The role.
    pub role: RoleArn,
    /// RoleSessionName.
    pub session_name: SessionName,
    /// ExternalId.
    pub external_id: ExternalId,
    /// SourceIdentity.
    pub source_identity: Option<SessionName>,
    /// DurationSeconds.
    pub duration: SessionDuration,
    /// Session tags.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Inline session policy, canonical JSON.
    pub policy: Option<String>,
    /// Managed session policies: the session gets what the role allows, and `policy` or one of these.
    pub policy_arns: BTreeSet<ManagedPolicyArn>,
}

impl SessionRequest {
    /// Whether it has the session policies that a binding of `role` says, as [`request`] takes them. The managed one of a role that exists is
    /// the boundary of a limit, which no binding says.
    #[must_use]
    pub fn has_policies_of(&self, role: &Role, binding: &Binding) -> bool {
        let session = &binding.session;
        self.policy.as_deref() == SessionShare::of(session).policy()
            && (role.owned().is_none() || self.policy_arns == session.policy_arns)
    }
}

/// That a session would be longer than AWS gives of its role, with both numbers.
#[must_use]
pub fn longer_than_the_role(duration: SessionDuration, role: &Role, longest: MaxSessionDuration) -> String {
    format!(
        "a session of {duration} is longer than {longest}, the most that AWS gives of the role of {} (its MaxSessionDuration, which \
         its owner sets)",
        role.id.title()
    )
}

/// How many session tags Deputy sets itself.
#[must_use]
pub fn own_tags(binding: &Binding) -> usize {
    let session = &binding.session;
    if matches!(binding.subjects, Subjects::People(_)) {
        return 3;
    }
    let own = match session.scope {
        SessionScope::ServiceAccount => 3,
        SessionScope::Pod => 4,
    };
    let has_policy = session.policy.is_some() || !session.policy_arns.is_empty();
    own + usize::from(has_policy)
}

/// Whether a session of `role` by `binding` gets the boundary of a limit as its session policy: the role exists, so nothing else in AWS
/// holds it.
#[must_use]
pub fn needs_boundary(role: &Role, binding: &Binding) -> bool {
    role.existing().is_some() && binding.session.policy.is_none()
}

/// The session tags of pods of a ServiceAccount: those that a binding chooses, and Deputy's own, which none of them can be.
pub(crate) fn tags_of_pods(
    chosen: &ChosenTags,
    cluster: &ClusterName,
    namespace: &NamespaceName,
    service_account: &ServiceAccountName,
) -> BTreeMap<TagKey, TagValue> {
    let own = naming::tag(naming::TAG_SERVICE_ACCOUNT, service_account.as_str());
    tags_of(chosen, cluster, namespace, own)
}

fn tags_of(
    chosen: &ChosenTags,
    cluster: &ClusterName,
    namespace: &NamespaceName,
    whose: (TagKey, TagValue),
) -> BTreeMap<TagKey, TagValue> {
    let chosen = chosen.iter().map(|(key, value)| (key.clone(), value.clone()));
    let own = [
        naming::tag(naming::TAG_CLUSTER, cluster.as_str()),
        naming::tag(naming::TAG_NAMESPACE, namespace.as_str()),
        whose,
    ];
    chosen.chain(own).collect()
}

/// The request for `subject` under an accepted binding of an accepted role. None if `subject` is not one of the binding's,
/// if account, role and binding do not belong together, if the broker is not who makes sessions by the binding, or, of a role that exists,
/// if the session [needs a boundary](needs_boundary) and there is none, or names managed policies.
#[must_use]
pub fn request(
    cluster: &ClusterName,
    account: &Account,
    role: &Role,
    binding: &Binding,
    subject: &SessionSubject,
    boundary: Option<ManagedPolicyArn>,
) -> Option<SessionRequest> {
    let namespace = &binding.id.namespace;
    if binding.method_in(account) != SessionMethod::AssumeRole
        || !binding
            .subjects
            .service_accounts()
            .contains(&subject.service_account)
    {
        return None;
    }
    let service_account = subject.service_account.as_str();
    let mut name = vec![namespace.as_str(), service_account];
    let mut tags = tags_of_pods(
        &binding.session.tags,
        cluster,
        namespace,
        &subject.service_account,
    );
    let share = SessionShare::of(&binding.session);
    // Sessions of a role that exists are its owner's to end, and so are the tags that its trust policy takes.
    let mark = role.owned().and_then(|_| share.mark(&subject.service_account));
    tags.extend(mark.map(|mark| naming::tag(naming::TAG_SESSION_POLICY, &mark)));
    if binding.session.scope == SessionScope::Pod {
        name.push(subject.pod.as_str());
        tags.extend([naming::tag(naming::TAG_POD_UID, subject.pod_uid.as_str())]);
    }
    let whose = Bearer {
        session_name: naming::session_name(&name),
        source_identity: None,
        duration: binding.duration_in(account),
        tags,
    };
    whose.request(cluster, account, role, binding, boundary)
}

/// The request for a person under an accepted binding of an accepted role; they may ask for less time than the binding gives. `None` as of
/// [`request`], and if the binding does not name them or gives less time.
#[must_use]
pub fn request_of_person(
    cluster: &ClusterName,
    account: &Account,
    role: &Role,
    binding: &Binding,
    person: &AuthenticatedPerson,
    asked: Option<SessionDuration>,
    boundary: Option<ManagedPolicyArn>,
) -> Option<SessionRequest> {
    let subject = person.among(&binding.subjects)?;
    let namespace = &binding.id.namespace;
    let longest = binding.duration_in(account);
    let duration = asked.unwrap_or(longest);
    if duration > longest {
        return None;
    }
    let session_name = people::session_name(namespace, &person.user);
    let mark = naming::tag(naming::TAG_PERSON, &people::mark(account, binding, subject));
    // The owner of a role that exists says what its trust policy takes.
    let is_named = account.names_people && role.owned().is_some();
    let whose = Bearer {
        source_identity: is_named.then(|| session_name.clone()),
        session_name,
        duration,
        tags: tags_of(&binding.session.tags, cluster, namespace, mark),
    };
    whose.request(cluster, account, role, binding, boundary)
}

/// What of a request follows from who asks.
struct Bearer {
    session_name: SessionName,
    source_identity: Option<SessionName>,
    duration: SessionDuration,
    tags: BTreeMap<TagKey, TagValue>,
}

impl Bearer {
    fn request(
        self,
        cluster: &ClusterName,
        account: &Account,
        role: &Role,
        binding: &Binding,
        boundary: Option<ManagedPolicyArn>,
    ) -> Option<SessionRequest> {
        let together = role.account == account.name
            && role.id == binding.role
            && role.id.namespace == binding.id.namespace;
        if !together {
            return None;
        }
        let policy_arns = match (&role.source, needs_boundary(role, binding)) {
            (RoleSource::Owned(_), _) => binding.session.policy_arns.clone(),
            // A union with anything else would be wider than what is known.
            (RoleSource::Existing(_), _) if !binding.session.policy_arns.is_empty() => return None,
            (RoleSource::Existing(_), true) => BTreeSet::from([boundary?]),
            (RoleSource::Existing(_), false) => BTreeSet::new(),
        };
        Some(SessionRequest {
            role: naming::arn_of(cluster, account, role),
            session_name: self.session_name,
            external_id: naming::external_id(cluster, &role.id),
            source_identity: self.source_identity,
            duration: self.duration,
            tags: self.tags,
            policy: SessionShare::of(&binding.session).policy().map(str::to_owned),
            policy_arns,
        })
    }
}
