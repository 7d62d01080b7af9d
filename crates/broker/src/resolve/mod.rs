//! Which session a pod or a person gets, decided at request time: a new grant works without a restart, a removed one stops at once.

mod denials;
mod federated;
mod grant;
mod person;

use std::sync::Arc;

use deputy_delegation::{
    Accepted, Decision, ManagedPolicyArn,
    model::{Account, Binding, BindingRef, BindingSelector, Role, SessionMethod, SessionScope},
    people::UserName,
    session::{self, SessionRequest},
};
use deputy_index::{BindingDecision, ChosenBinding, Index, RoleState};

use self::grant::{CHANGE_OR_ASK, accepted_by, uid};
pub use self::{
    denials::Denials,
    grant::{AcceptedBy, RefusalCode, ResolveError, SessionGrant, StillGranted},
    person::resolve_person,
};
use crate::{
    issuer::{Renewal, RoleSessionKey, SessionKey},
    token::PodIdentity,
};

/// Beyond them a refusal stops listing names.
const NAMES_SHOWN: usize = 8;

/// Resolves what `identity` gets: by the binding that it names, or by the default one.
///
/// # Errors
/// [`ResolveError::NotReady`] and [`ResolveError::Refused`]; what AWS says is not asked.
pub fn resolve(
    index: &Index,
    identity: &PodIdentity,
    wanted: Option<&BindingSelector>,
) -> Result<Box<SessionGrant>, ResolveError> {
    can_decide(index)?;
    let namespace = &identity.namespace;
    let account = &identity.subject.service_account;
    let who = format!("ServiceAccount {namespace}/{account}");
    if wanted.is_none()
        && let Some((binding, why)) = index.unreadable_default(namespace, account)
    {
        return Err(ResolveError::Refused {
            code: RefusalCode::NotAccepted,
            message: format!(
                "{binding} can't be read, and may be the oldest one of {who}: {why}. Mend or delete it, or name another binding by the \
                 annotation deputy.dev/binding"
            ),
            binding: None,
        });
    }
    let binding = match wanted {
        // Accepted or not: a pod that runs must not become somebody else because its own is not to be had.
        None => index.default_binding(namespace, account).map(|d| d.binding),
        Some(wanted) => Some(wanted.of(namespace)),
    };
    let found = binding.and_then(|binding| index.decide_chosen(&binding));
    let Some(found) = found.filter(|found| found.names(account)) else {
        let message = match wanted {
            None => format!(
                "no AWSRoleBinding and no AWSFederatedUserBinding in namespace {namespace} names {who}: whoever may write there adds it to \
                 spec.subjects of one"
            ),
            Some(wanted) => format!(
                "there is no {} that names {who}: whoever may write in the namespace makes it, or the annotation deputy.dev/binding of the pod \
                 names another one",
                wanted.of(namespace)
            ),
        };
        return Err(ResolveError::Refused {
            code: RefusalCode::NoBinding,
            message,
            binding: None,
        });
    };
    let mut resolved = match &found {
        ChosenBinding::Role(found) => session_grant(index, identity, &who, found),
        ChosenBinding::FederatedUser(found) => federated::session_grant(index, identity, &who, found),
    };
    if let Err(ResolveError::Refused { message, .. }) = &mut resolved
        && wanted.is_none()
    {
        message.push_str(&alternatives(index, identity, &found.reference()));
    }
    resolved
}

fn can_decide(index: &Index) -> Result<(), ResolveError> {
    if index.can_decide() {
        return Ok(());
    }
    Err(ResolveError::NotReady {
        message: "the broker has not read all limits, accounts, roles and bindings yet".into(),
    })
}

/// That there are other bindings than the default one, which gives nothing, and how a pod gets one of them.
fn alternatives(index: &Index, identity: &PodIdentity, default: &BindingRef) -> String {
    let all = index.bindings_of_service_account(&identity.namespace, &identity.subject.service_account);
    let others = all.iter().filter(|binding| *binding != default);
    let names: Vec<String> = others.map(|binding| binding.selector().to_string()).collect();
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
    let granting = Granting::of(index, found)?;
    let method = binding.method_in(granting.account);
    if method != SessionMethod::AssumeRole {
        let message = format!(
            "AWSRoleBinding {} has the method {}: its pods call STS themselves, and get what they need for it when they are created; \
             this one was created before. Create it again",
            binding.id,
            method.as_str()
        );
        return Err(refused(binding, RefusalCode::Method, message));
    }
    let boundary = boundary(index, found, granting.role, granting.account)?;
    let (account, role) = (granting.account, granting.role);
    let cluster = index.cluster();
    let Some(request) = session::request(cluster, account, role, binding, &identity.subject, boundary) else {
        let message = format!("AWSRoleBinding {} does not name {who}", binding.id);
        return Err(refused(binding, RefusalCode::NoBinding, message));
    };
    let service_account = identity.subject.service_account.as_str();
    let can_be_cut = granting.state.and_then(|s| s.service_accounts.as_ref());
    let is_recorded = can_be_cut.is_none_or(|known| known.contains(service_account));
    let renewal = match binding.session.scope {
        SessionScope::ServiceAccount => Renewal::Shared,
        SessionScope::Pod => Renewal::Single,
    };
    let asker = Asker {
        person: None,
        who,
        renewal,
        is_recorded,
        all_cut_before: None,
    };
    granting.session(request, asker)
}

/// For whom a session is.
struct Asker<'a> {
    /// The person; none of a pod.
    person: Option<UserName>,
    /// In words.
    who: &'a str,
    renewal: Renewal,
    /// Whether the role's status says that they may have sessions.
    is_recorded: bool,
    /// In Unix seconds: sessions of their kind that were issued before are denied everything.
    all_cut_before: Option<i64>,
}

/// A binding whose role and account can be read, and which is accepted like its role.
struct Granting<'a> {
    found: &'a BindingDecision,
    role: &'a Role,
    account: &'a Arc<Account>,
    state: Option<&'a RoleState>,
}

impl<'a> Granting<'a> {
    fn of(index: &Index, found: &'a BindingDecision) -> Result<Self, ResolveError> {
        check_decisions(index, found)?;
        let (Some(role), Some(account)) = (found.role.known(), found.account.known()) else {
            let binding = &found.binding;
            let message = format!("{} or its AWSAccount can't be read", binding.role.title());
            return Err(refused(binding, RefusalCode::NotAccepted, message));
        };
        Ok(Self {
            found,
            role,
            account,
            state: found.role_state.as_deref(),
        })
    }

    /// The session of `request` for `asker`, if the role is in AWS and the session could be taken back.
    fn session(&self, request: SessionRequest, asker: Asker<'_>) -> Result<Box<SessionGrant>, ResolveError> {
        let Asker {
            person,
            who,
            renewal,
            is_recorded,
            all_cut_before,
        } = asker;
        let (binding, role) = (&self.found.binding, self.role);
        let Some(role_id) = self.state.and_then(|s| s.role_id.as_deref()) else {
            let why = self
                .state
                .and_then(|s| s.reason.as_deref())
                .unwrap_or("Progressing");
            return Err(ResolveError::NotReady {
                message: format!(
                    "{} is not in AWS yet ({why}); pods have a session once its condition Ready is True, and until then that says why not",
                    binding.role.title()
                ),
            });
        };
        if !is_recorded {
            // What nobody has written down, nobody could take back.
            return Err(ResolveError::NotReady {
                message: format!("{} does not name {who} in its status yet", binding.role.title()),
            });
        }
        if let Some(longest) = self.state.and_then(|state| state.longest_session)
            && request.duration.exceeds(longest)
        {
            let message = format!(
                "AWSRoleBinding {}: {}",
                binding.id,
                session::longer_than_the_role(request.duration, role, longest)
            );
            return Err(refused(binding, RefusalCode::NotAccepted, message));
        }
        Ok(Box::new(SessionGrant {
            account: self.account.clone(),
            key: SessionKey::Role(Box::new(RoleSessionKey {
                request,
                role: role.id.clone(),
                binding: binding.id.clone(),
                role_uid: uid(role.uid.as_ref()),
                role_id: role_id.to_owned(),
                binding_uid: uid(binding.uid.as_ref()),
                person,
                cut_before: self.state.and_then(|state| state.cut_before).max(all_cut_before),
            })),
            renewal,
            limits: accepted_by(&self.found.decision).unwrap_or_default(),
        }))
    }
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
            let message = format!(
                "{message}. Whoever may write in the namespace makes it again, or deletes the binding"
            );
            Err(refused(binding, RefusalCode::NotAccepted, message))
        } else {
            let message =
                format!("{message}. Pods have a session once it is there, and the binding accepted");
            Err(ResolveError::NotReady { message })
        }
    };
    match found.role_decision.as_deref() {
        Some(Decision::Accepted(_)) => {}
        Some(Decision::Refused(violations)) => {
            let role = binding.role.title();
            let message = format!(
                "{role} of AWSRoleBinding {} is suspended: {violations}. {CHANGE_OR_ASK}",
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
            let message = format!(
                "AWSRoleBinding {} is not accepted: {violations}. {CHANGE_OR_ASK}",
                binding.id
            );
            Err(refused(binding, RefusalCode::NotAccepted, message))
        }
        Decision::Undecided(missing) => pending(missing.to_string()),
    }
}

fn refused(binding: &Binding, code: RefusalCode, message: String) -> ResolveError {
    ResolveError::Refused {
        code,
        message,
        binding: Some(BindingRef::role(binding.id.clone())),
    }
}

/// With what a session of `key` is renewed, if it would be given now: its binding is there, the same one, and accepted, and so is its role.
#[must_use]
pub fn still_granted(index: &Index, key: &SessionKey) -> Option<StillGranted> {
    match key {
        SessionKey::Role(key) => role_session(index, key),
        SessionKey::FederatedUser(key) => federated::still_granted(index, key),
    }
}

fn role_session(index: &Index, key: &RoleSessionKey) -> Option<StillGranted> {
    let found = index.decide_binding(&key.binding)?;
    let (account, role) = (found.account.known()?, found.role.known()?);
    let state = found.role_state.as_ref();
    let role_id = state.and_then(|state| state.role_id.clone());
    let cut_before = state.and_then(|state| state.cut_before);
    let is_granted = found.is_accepted()
        && found.binding.method_in(account) == SessionMethod::AssumeRole
        && uid(found.binding.uid.as_ref()) == key.binding_uid
        && uid(role.uid.as_ref()) == key.role_uid
        // One that was asked for before the session policy changed is not handed out after it.
        && key.request.has_policies_of(role, &found.binding)
        && role_id.as_deref() == Some(key.role_id.as_str())
        && cut_before == key.cut_before;
    let limits = accepted_by(&found.decision).filter(|_| is_granted)?;
    Some(StillGranted {
        account: account.clone(),
        limits,
    })
}

#[cfg(test)]
mod tests;
