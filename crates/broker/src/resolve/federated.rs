//! Sessions of federated users: nothing in AWS has to be there first but the federation user of the account.

use deputy_delegation::{
    Decision,
    federation::{self, FederationRequest},
    model::{Account, BindingRef, FederatedBinding},
    names::ServiceAccountName,
};
use deputy_index::{FederatedDecision, Index};

use super::grant::{CHANGE_OR_ASK, RefusalCode, ResolveError, SessionGrant, StillGranted, accepted_by, uid};
use crate::{
    issuer::{FederatedSessionKey, Renewal, SessionKey},
    token::PodIdentity,
};

/// The session that a binding grants, if it is accepted.
pub(super) fn session_grant(
    index: &Index,
    identity: &PodIdentity,
    who: &str,
    found: &FederatedDecision,
) -> Result<Box<SessionGrant>, ResolveError> {
    let binding = &found.binding;
    let reference = BindingRef::federated_user(binding.id.clone());
    let refused = |code, message: String| ResolveError::Refused {
        code,
        message,
        binding: Some(reference.clone()),
    };
    let limits = match found.decision.as_ref() {
        Decision::Accepted(accepted) => accepted.limits.clone().into(),
        Decision::Refused(violations) => {
            let message = format!("{reference} is not accepted: {violations}. {CHANGE_OR_ASK}");
            return Err(refused(RefusalCode::NotAccepted, message));
        }
        // Its account is gone, or never was: what was given of it is good for up to 36 hours, and agents are to drop it now.
        Decision::Undecided(missing) => {
            let message = format!("{reference} is not accepted: {missing}");
            return Err(refused(RefusalCode::NotAccepted, message));
        }
    };
    let Some(account) = found.account.known() else {
        let message = format!("AWSAccount {} of {reference} can't be read", binding.account);
        return Err(refused(RefusalCode::NotAccepted, message));
    };
    let service_account = &identity.subject.service_account;
    let Some(request) = request(index, account, binding, service_account) else {
        let message = format!("{reference} does not name {who}");
        return Err(refused(RefusalCode::NoBinding, message));
    };
    Ok(Box::new(SessionGrant {
        account: account.clone(),
        key: SessionKey::FederatedUser(Box::new(FederatedSessionKey {
            request,
            service_account: service_account.clone(),
            binding: binding.id.clone(),
            binding_uid: uid(binding.uid.as_ref()),
        })),
        renewal: Renewal::Shared,
        limits,
    }))
}

/// With what a session of `key` is renewed, if the very same would be asked for now.
pub(super) fn still_granted(index: &Index, key: &FederatedSessionKey) -> Option<StillGranted> {
    let found = index.decide_federated(&key.binding)?;
    let account = found.account.known()?;
    let is_granted = uid(found.binding.uid.as_ref()) == key.binding_uid
        && request(index, account, &found.binding, &key.service_account).as_ref() == Some(&key.request);
    let limits = accepted_by(&found.decision).filter(|_| is_granted)?;
    Some(StillGranted {
        account: account.clone(),
        limits,
    })
}

fn request(
    index: &Index,
    account: &Account,
    binding: &FederatedBinding,
    service_account: &ServiceAccountName,
) -> Option<FederationRequest> {
    federation::request(index.cluster(), account, binding, service_account)
}
