//! A role that exists and is somebody else's: it is looked at, and nothing of it is ever written.

use std::{collections::BTreeSet, sync::Arc};

use deputy_api::{conditions::ConditionReason, reconcile_requested_at};
use deputy_aws::{AwsError, CallPurpose, ForeignRole};
use deputy_delegation::{
    Accepted, ClusterName, IssuerArn, MaxSessionDuration, RoleArn, RoleName,
    foreign_trust::{BrokerCall, BrokerEntry, ForeignTrustError, admits},
    model::{Account, Binding, Role, RoleId},
    names::{PodName, Uid},
    naming,
    session::{self, SessionSubject},
};
use tokio::time::Instant;

use super::{
    capped::CappedRole,
    dereference::{PresentRole, RoleInputs},
    doubts::Doubts,
    outcome::{AppliedRole, RoleOutcome},
};
use crate::{
    context::ControllerContext,
    report::reason_of,
    verified::{Fingerprint, FingerprintKey, Verified},
};

/// Sessions about which the trust policy is asked. More ServiceAccounts than that are not looked at here; STS is asked for each.
const CALLS_MAX: usize = 32;

/// What is looked for in AWS.
#[derive(Debug)]
pub struct RoleLook {
    account: Arc<Account>,
    arn: RoleArn,
    /// The calls that its trust policy has to allow.
    calls: Vec<BrokerCall>,
    /// Whether somebody may become it.
    bound: bool,
    fingerprint: Fingerprint,
    /// Unique id and longest session, as its status has them.
    known: Option<(String, MaxSessionDuration)>,
}

impl RoleLook {
    /// At the role `arn`, which is accepted.
    pub fn new(
        inputs: &RoleInputs,
        account: &Arc<Account>,
        (role, arn): (&Role, &RoleArn),
        present: &PresentRole,
        accepted: &Accepted,
        key: &FingerprintKey,
    ) -> Self {
        let calls = calls(&inputs.cluster, account, role, &present.bindings, accepted);
        // Another one has AWS looked at again.
        let object = inputs.object.as_ref();
        let requested = object.and_then(|object| reconcile_requested_at(&object.metadata));
        let (issuers, endpoints) = (account.issuers(), &account.endpoints);
        let passing = &account.with_source_identity;
        let wanted = (&account.id, issuers, passing, endpoints, arn, &calls, requested);
        Self {
            fingerprint: key.fingerprint(&wanted),
            account: Arc::clone(account),
            arn: arn.clone(),
            calls,
            bound: !present.bindings.is_empty(),
            known: inputs.known_role_id().zip(inputs.known_max_session()),
        }
    }

    /// What is looked for, as it is remembered.
    #[cfg(test)]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Looks, unless that was done a short while ago, all was well, and nobody doubts it.
    pub async fn carry_out(
        &self,
        ctx: &ControllerContext,
        (verified, doubts): (&Verified<RoleId>, &Doubts),
        id: &RoleId,
    ) -> AppliedRole {
        let began = Instant::now();
        let trusted_for = verified
            .verified_for(id, self.fingerprint)
            .filter(|_| !doubts.is_doubted(id));
        if let (Some(trusted_for), Some(known)) = (trusted_for, &self.known) {
            return AppliedRole {
                outcome: self.is_there(known.clone(), BTreeSet::new()),
                trusted_for: Some(trusted_for),
                capped: CappedRole::NotLookedAt,
                drift: None,
            };
        }
        let purpose = if verified.was_verified(id, self.fingerprint) {
            CallPurpose::Look
        } else {
            CallPurpose::Provision
        };
        let read = match RoleName::new(self.arn.name()) {
            Ok(name) => {
                ctx.aws
                    .roles(&self.account, purpose)
                    .get_existing_role(&name)
                    .await
            }
            // An ARN holds no name that is none.
            Err(_) => Ok(None),
        };
        if let (Err(error), Some(known)) = (&read, &self.known)
            && error.is_retryable()
            && verified.was_verified(id, self.fingerprint)
        {
            tracing::warn!(aws_role = %self.arn, %error, "failed to look at a role that exists");
            return AppliedRole {
                outcome: self.is_there(known.clone(), BTreeSet::new()),
                trusted_for: None,
                capped: CappedRole::NotLookedAt,
                drift: None,
            };
        }
        if read.is_ok() {
            doubts.looked_at(id, began);
        }
        let outcome = self.seen(read);
        match &outcome {
            RoleOutcome::Existing { depends_on, .. } if depends_on.is_empty() => {
                verified.record(id.clone(), self.fingerprint);
            }
            _ => verified.forget(id),
        }
        AppliedRole::now(outcome)
    }

    /// What is true of a role that AWS shows like this.
    pub fn seen(&self, read: Result<Option<ForeignRole>, AwsError>) -> RoleOutcome {
        let role = match read {
            Ok(Some(role)) => role,
            Ok(None) => {
                let message = format!("AWS has no role {}", self.arn);
                return RoleOutcome::waiting(ConditionReason::NotInAWS, message);
            }
            Err(error) => {
                let (reason, message) = reason_of(&error);
                return RoleOutcome::Waiting { reason, message };
            }
        };
        if role.arn != self.arn {
            let message = format!(
                "AWS has no role {}; the role of that name is {}",
                self.arn, role.arn
            );
            return RoleOutcome::waiting(ConditionReason::NotInAWS, message);
        }
        let Ok(longest) = MaxSessionDuration::from_seconds(role.max_session_seconds.into()) else {
            let message = format!(
                "AWS says that sessions of the role last {} s, which is no number that it gives",
                role.max_session_seconds
            );
            return RoleOutcome::waiting(ConditionReason::AWSError, message);
        };
        match self.entry(&role.trust) {
            Ok(BrokerEntry::Allowed { depends_on }) => self.is_there((role.unique_id, longest), depends_on),
            Ok(BrokerEntry::Refused) => {
                let message = format!(
                    "the trust policy of {} does not let {} in; its owner has to add the statements in status.trustStatement",
                    self.arn,
                    listed(&self.account.issuers())
                );
                RoleOutcome::waiting(ConditionReason::TrustMissing, message)
            }
            // STS knows.
            Err(ForeignTrustError::Evaluation(_)) => {
                let all = BTreeSet::from(["what only AWS knows of the caller".to_owned()]);
                self.is_there((role.unique_id, longest), all)
            }
            Err(error @ ForeignTrustError::Document(_)) => {
                RoleOutcome::waiting(ConditionReason::TrustMissing, error.to_string())
            }
        }
    }

    /// Whether the trust policy lets all of the calls in: of one of the issuers, for the broker is one of them. Those that it does not let
    /// in are something that it depends on.
    fn entry(&self, trust: &str) -> Result<BrokerEntry, ForeignTrustError> {
        let (mut all, mut shut_out) = (BTreeSet::new(), BTreeSet::new());
        let issuers = self.account.issuers();
        for issuer in &issuers {
            match self.entry_of(issuer, trust)? {
                BrokerEntry::Allowed { depends_on } => all.extend(depends_on),
                BrokerEntry::Refused => {
                    shut_out.insert(*issuer);
                }
            }
        }
        if shut_out.len() == issuers.len() {
            return Ok(BrokerEntry::Refused);
        }
        if !shut_out.is_empty() {
            all.insert(format!(
                "which issuer the broker is: {} is not let in until its owner adds the statements in status.trustStatement",
                listed(&shut_out)
            ));
        }
        Ok(BrokerEntry::Allowed { depends_on: all })
    }

    fn entry_of(&self, issuer: &IssuerArn, trust: &str) -> Result<BrokerEntry, ForeignTrustError> {
        let mut all = BTreeSet::new();
        for call in &self.calls {
            match admits(&self.account, issuer, &self.arn, trust, call)? {
                BrokerEntry::Allowed { depends_on } => all.extend(depends_on),
                BrokerEntry::Refused => return Ok(BrokerEntry::Refused),
            }
        }
        Ok(BrokerEntry::Allowed { depends_on: all })
    }

    fn is_there(
        &self,
        (role_id, longest_session): (String, MaxSessionDuration),
        depends_on: BTreeSet<String>,
    ) -> RoleOutcome {
        RoleOutcome::Existing {
            bound: self.bound,
            role_id,
            longest_session,
            depends_on,
        }
    }
}

fn listed(issuers: &BTreeSet<&IssuerArn>) -> String {
    let named: Vec<String> = issuers.iter().map(ToString::to_string).collect();
    named.join(" or ")
}

/// The calls that the broker makes for the bindings of a role; that of any session, when there are none.
fn calls(
    cluster: &ClusterName,
    account: &Account,
    role: &Role,
    bindings: &[Arc<Binding>],
    accepted: &Accepted,
) -> Vec<BrokerCall> {
    // A pod that stands for any: only its ServiceAccount is in what a trust policy may ask about.
    let pod = PodName::new("any").ok().zip(Uid::new("any").ok());
    // Which one it is, no trust policy sees.
    let boundary = accepted
        .boundary
        .as_ref()
        .map(|limit| naming::boundary_arn(cluster, account, limit).into());
    let mut calls = Vec::new();
    for binding in bindings {
        for service_account in binding.subjects.service_accounts() {
            let Some((pod, pod_uid)) = pod.clone() else {
                continue;
            };
            let subject = SessionSubject {
                service_account: service_account.clone(),
                pod,
                pod_uid,
            };
            let request = session::request(cluster, account, role, binding, &subject, boundary.clone());
            calls.extend(request.as_ref().map(BrokerCall::of));
        }
    }
    if calls.is_empty() {
        calls.push(BrokerCall::of_any(cluster, &role.id));
    }
    calls.truncate(CALLS_MAX);
    calls
}
