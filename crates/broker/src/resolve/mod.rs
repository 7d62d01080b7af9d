//! Which session a pod gets, decided at request time: a new grant works without a restart, a removed one stops at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_delegation::{
    Accepted, Decision, ManagedPolicyArn, ObjectName, Uid,
    model::{Account, Binding, ObjectId, Role, RoleId, SessionMethod, SessionScope},
    session,
};
use deputy_index::{BindingDecision, Index};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    issuer::{Renewal, SessionKey},
    token::PodIdentity,
};

/// Beyond them a refusal stops listing names.
const NAMES_SHOWN: usize = 8;

/// Why a pod gets no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It is not granted, and will not be until somebody changes something.
    #[error("{message}")]
    Refused {
        /// The machine-readable code of the protocol.
        code: RefusalCode,
        /// For people.
        message: String,
        /// The binding concerned, if there is one.
        binding: Option<ObjectId>,
    },
    /// AWS refuses a session although the grant is accepted. What the pod holds is not concerned.
    #[error("{message}")]
    DeniedByAws {
        /// For people.
        message: String,
        /// The binding concerned.
        binding: ObjectId,
    },
    /// Not yet.
    #[error("{message}")]
    NotReady {
        /// For people.
        message: String,
    },
}

/// Why a credential is refused: codes of the protocol (docs/contracts.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// No binding names the ServiceAccount.
    NoBinding,
    /// The binding is not accepted.
    NotAccepted,
    /// Its role is not accepted.
    Suspended,
    /// Pods call STS themselves by it.
    Method,
    /// AWS refuses.
    AccessDenied,
}

impl RefusalCode {
    /// The word in the protocol, in the audit log and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoBinding => "NoBinding",
            Self::NotAccepted => "NotAccepted",
            Self::Suspended => "Suspended",
            Self::Method => "Method",
            Self::AccessDenied => "AccessDenied",
        }
    }
}

/// A session that may be made.
pub struct SessionGrant {
    pub account: Arc<Account>,
    pub role: Arc<Role>,
    pub binding: Arc<Binding>,
    /// Under which it is shared.
    pub key: SessionKey,
    /// When it is renewed.
    pub renewal: Renewal,
}

/// Resolves what `identity` gets: by the binding of this name, or by the default one.
///
/// # Errors
/// [`ResolveError::NotReady`] and [`ResolveError::Refused`]; what AWS says is not asked.
pub fn resolve(
    index: &Index,
    identity: &PodIdentity,
    wanted: Option<&ObjectName>,
) -> Result<Box<SessionGrant>, ResolveError> {
    if !index.can_decide() {
        return Err(ResolveError::NotReady {
            message: "the broker has not read all limits, accounts, roles and bindings yet".into(),
        });
    }
    let namespace = &identity.namespace;
    let account = &identity.subject.service_account;
    let who = format!("ServiceAccount {namespace}/{account}");
    if wanted.is_none()
        && let Some((id, why)) = index.unreadable_default(namespace, account)
    {
        return Err(ResolveError::Refused {
            code: RefusalCode::NotAccepted,
            message: format!(
                "AWSRoleBinding {id} can't be read, and may be the oldest one of {who}: {why}. Mend or delete it, or name \
                 another binding by the annotation deputy.dev/binding"
            ),
            binding: None,
        });
    }
    let found = match wanted {
        // Accepted or not: a pod that runs must not become another role because its own is not to be had.
        None => index.default_binding(namespace, account),
        Some(name) => index
            .decisions_of_service_account(namespace, account)
            .into_iter()
            .find(|d| d.binding.id.name == *name),
    };
    let Some(found) = found else {
        let message = match wanted {
            None => format!("no AWSRoleBinding in namespace {namespace} names {who}"),
            Some(name) => format!("there is no AWSRoleBinding {namespace}/{name} that names {who}"),
        };
        return Err(ResolveError::Refused {
            code: RefusalCode::NoBinding,
            message,
            binding: None,
        });
    };
    let mut resolved = session_grant(index, identity, &who, &found);
    if let Err(ResolveError::Refused { message, .. }) = &mut resolved
        && wanted.is_none()
    {
        message.push_str(&alternatives(index, identity, &found.binding));
    }
    resolved
}

/// That there are other bindings than the default one, which gives nothing, and how a pod gets one of them.
fn alternatives(index: &Index, identity: &PodIdentity, default: &Binding) -> String {
    let all = index.bindings_of_service_account(&identity.namespace, &identity.subject.service_account);
    let others = all.iter().filter(|b| b.id != default.id);
    let names: Vec<&str> = others.map(|b| b.id.name.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    let shown = names
        .get(..NAMES_SHOWN.min(names.len()))
        .unwrap_or_default()
        .join(", ");
    let more = match names.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        ". It is the oldest of the bindings that name ServiceAccount {}, and so the default of its pods; \
         annotation deputy.dev/binding on a pod chooses another: {shown}{more}",
        identity.subject.service_account
    )
}

/// The session that a binding grants, if its role and it are accepted and the role is in AWS.
fn session_grant(
    index: &Index,
    identity: &PodIdentity,
    who: &str,
    found: &BindingDecision,
) -> Result<Box<SessionGrant>, ResolveError> {
    let binding = &found.binding;
    check_decisions(index, found)?;
    let (Some(role), Some(account)) = (found.role.known(), found.account.known()) else {
        let message = format!("{} or its AWSAccount can't be read", binding.role.title());
        return Err(refused(binding, RefusalCode::NotAccepted, message));
    };
    let method = binding.method_in(account);
    if method != SessionMethod::AssumeRole {
        let message = format!(
            "AWSRoleBinding {} has the method {}: its pods call STS themselves, and get what they need for it when they are created; \
             this one was created before. Create it again",
            binding.id,
            method.as_str()
        );
        return Err(refused(binding, RefusalCode::Method, message));
    }
    let boundary = boundary(index, found, role, account)?;
    let cluster = index.cluster();
    let Some(request) = session::request(cluster, account, role, binding, &identity.subject, boundary) else {
        let message = format!("AWSRoleBinding {} does not name {who}", binding.id);
        return Err(refused(binding, RefusalCode::NoBinding, message));
    };
    let state = found.role_state.as_deref();
    let Some(role_id) = state.and_then(|s| s.role_id.as_deref()) else {
        let why = state.and_then(|s| s.reason.as_deref()).unwrap_or("Progressing");
        return Err(ResolveError::NotReady {
            message: format!(
                "{} is not in AWS yet ({why}); see its conditions",
                binding.role.title()
            ),
        });
    };
    let service_account = identity.subject.service_account.as_str();
    let can_be_cut = state.and_then(|s| s.service_accounts.as_ref());
    if can_be_cut.is_some_and(|known| !known.contains(service_account)) {
        // What nobody has written down, nobody could take back.
        return Err(ResolveError::NotReady {
            message: format!("{} does not name {who} in its status yet", binding.role.title()),
        });
    }
    if let Some(longest) = state.and_then(|state| state.longest_session)
        && request.duration.exceeds(longest)
    {
        let message = format!(
            "AWSRoleBinding {}: {}",
            binding.id,
            session::longer_than_the_role(request.duration, role, longest)
        );
        return Err(refused(binding, RefusalCode::NotAccepted, message));
    }
    let uid = |uid: &Option<Uid>| uid.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(Box::new(SessionGrant {
        account: account.clone(),
        role: role.clone(),
        binding: binding.clone(),
        key: SessionKey {
            request,
            role: role.id.clone(),
            binding: binding.id.clone(),
            role_uid: uid(&role.uid),
            role_id: role_id.to_owned(),
            binding_uid: uid(&binding.uid),
            cut_before: state.and_then(|state| state.cut_before),
        },
        renewal: match binding.session.scope {
            SessionScope::ServiceAccount => Renewal::Shared,
            SessionScope::Pod => Renewal::Single,
        },
    }))
}

/// The boundary that a session of a role that exists is held to, when it has no policy of its own. As long as AWS does not have it as the
/// limit is now, there is no session: an older one may allow more.
fn boundary(
    index: &Index,
    found: &BindingDecision,
    role: &Role,
    account: &Account,
) -> Result<Option<ManagedPolicyArn>, ResolveError> {
    if !session::needs_boundary(role, &found.binding) {
        return Ok(None);
    }
    let Decision::Accepted(Accepted {
        boundary: Some(limit),
        ..
    }) = found.decision.as_ref()
    else {
        let message = format!(
            "AWSRoleBinding {} has no boundary to hold its sessions",
            found.binding.id
        );
        return Err(refused(&found.binding, RefusalCode::NotAccepted, message));
    };
    let in_force = index.boundary_in_force(limit, account);
    in_force.map(Some).map_err(|why| ResolveError::NotReady {
        message: format!("AWSRoleBinding {}: {why}", found.binding.id),
    })
}

/// Whether role and binding are accepted. The role first: what is wrong with it is wrong with every binding of it.
fn check_decisions(index: &Index, found: &BindingDecision) -> Result<(), ResolveError> {
    let binding = &found.binding;
    // A binding may come before its role. One whose role, or account, was there and is gone was revoked.
    let pending = |why: String| {
        let message = format!("AWSRoleBinding {}: {why}", binding.id);
        if index.binding(&binding.id).is_some_and(|b| b.state.had_role) {
            Err(refused(binding, RefusalCode::NotAccepted, message))
        } else {
            Err(ResolveError::NotReady { message })
        }
    };
    match found.role_decision.as_deref() {
        Some(Decision::Accepted(_)) => {}
        Some(Decision::Refused(violations)) => {
            let role = binding.role.title();
            let message = format!(
                "{role} of AWSRoleBinding {} is suspended: {violations}",
                binding.id
            );
            return Err(refused(binding, RefusalCode::Suspended, message));
        }
        Some(Decision::Undecided(_)) | None => {
            return pending(match found.decision.as_ref() {
                Decision::Undecided(missing) => missing.to_string(),
                Decision::Refused(violations) => violations.to_string(),
                Decision::Accepted(_) => format!("{} can't be decided about yet", binding.role.title()),
            });
        }
    }
    match found.decision.as_ref() {
        Decision::Accepted(_) => Ok(()),
        Decision::Refused(violations) => {
            let message = format!("AWSRoleBinding {} is not accepted: {violations}", binding.id);
            Err(refused(binding, RefusalCode::NotAccepted, message))
        }
        Decision::Undecided(missing) => pending(missing.to_string()),
    }
}

fn refused(binding: &Binding, code: RefusalCode, message: String) -> ResolveError {
    ResolveError::Refused {
        code,
        message,
        binding: Some(binding.id.clone()),
    }
}

/// Whether a session of `key` would be given now: its binding and role are there, the same ones, and accepted.
#[must_use]
pub fn is_granted(index: &Index, key: &SessionKey) -> bool {
    index.decide_binding(&key.binding).is_some_and(|found| {
        let uid = |uid: Option<&Uid>| uid.map(Uid::as_str).unwrap_or_default().to_owned();
        let state = found.role_state.as_ref();
        let role_id = state.and_then(|state| state.role_id.clone());
        let cut_before = state.and_then(|state| state.cut_before);
        let by_broker = found
            .account
            .known()
            .is_some_and(|account| found.binding.method_in(account) == SessionMethod::AssumeRole);
        found.is_accepted()
            && by_broker
            && uid(found.binding.uid.as_ref()) == key.binding_uid
            && found
                .role
                .known()
                // One that was asked for before the session policy changed is not handed out after it.
                .is_some_and(|role| {
                    uid(role.uid.as_ref()) == key.role_uid
                        && key.request.has_policies_of(role, &found.binding)
                })
            && role_id.as_deref() == Some(key.role_id.as_str())
            && cut_before == key.cut_before
    })
}

/// How long AWS may refuse a role before it counts as a "no": IAM takes a while to be the same everywhere.
const GRACE: Duration = Duration::from_secs(120);
/// So long after the last refusal, the next one is the first again: something new has happened to the role.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// Roles remembered as refused.
const MOST_DENIED: usize = 10_000;

/// When AWS first and last refused a role.
#[derive(Clone, Copy)]
struct Denied {
    first: Instant,
    last: Instant,
}

/// A role by name and uid, and the binding by which it was asked for: what AWS says to one says nothing about another.
type Asked = (RoleId, String, ObjectId);

/// Since when AWS refuses which role by which binding.
#[derive(Default)]
pub struct Denials {
    since: Mutex<HashMap<Asked, Denied>>,
}

impl Denials {
    /// AWS gave a session of this role.
    pub fn forget(&self, grant: &SessionGrant) {
        self.since.lock().remove(&Self::key(grant));
    }

    fn key(grant: &SessionGrant) -> Asked {
        let binding = grant.binding.id.clone();
        (grant.role.id.clone(), grant.key.role_uid.clone(), binding)
    }

    /// What a refusal of AWS means for a grant: "not yet" for the first two minutes, "no" afterwards.
    #[must_use]
    pub fn classify(&self, grant: &SessionGrant, message: &str) -> ResolveError {
        let now = Instant::now();
        let mut since = self.since.lock();
        if since.len() >= MOST_DENIED {
            since.retain(|_, d| d.last.elapsed() < FORGOTTEN_AFTER);
        }
        let fresh = Denied {
            first: now,
            last: now,
        };
        let denied = since.entry(Self::key(grant)).or_insert(fresh);
        if denied.last.elapsed() >= FORGOTTEN_AFTER {
            *denied = fresh;
        }
        denied.last = now;
        let role = &grant.key.request.role;
        if denied.first.elapsed() < GRACE {
            ResolveError::NotReady {
                message: format!("{role} is being made or changed, or AWS refuses it: {message}"),
            }
        } else {
            ResolveError::DeniedByAws {
                message: format!(
                    "AWS refuses a session of {role} (AWSRoleBinding {}): {message}",
                    grant.binding.id
                ),
                binding: grant.binding.id.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
