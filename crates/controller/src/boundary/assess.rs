//! *Assess*: from everything that was looked up, the one plan for a boundary policy, and its fingerprint. Pure.

use std::time::Duration;

use deputy_api::{BoundaryStatus, SealedStatus};
use deputy_aws::CallPurpose;
use deputy_delegation::boundary::{self, AccountBoundary, ReferencedBoundary};
use deputy_index::BoundaryInAccount;

use super::{
    dereference::BoundaryInputs,
    looks::{Looks, Pause},
    policy::DesiredBoundary,
};
use crate::verified::Fingerprint;

/// What is to be done about a boundary policy. Made once, here; the steps after it only carry it out.
#[derive(Debug)]
pub enum BoundaryPlan {
    /// Nothing for so long: AWS was looked at not long ago, and the limit's status says what was seen; or AWS can't hold the policy,
    /// which the limit says.
    Rest(Duration),
    /// AWS was looked at not long ago, and the limit's status does not say what was seen.
    Say(Box<BoundaryStatus>, Duration),
    /// The policy is brought to where it should be.
    Ensure(Box<EnsureBoundary>),
    /// The policy is somebody else's: it is read, and compared with the limit.
    Prove(Box<ProveBoundary>),
}

/// A boundary policy that is to be as it should be.
#[derive(Debug)]
pub struct EnsureBoundary {
    pub desired: DesiredBoundary,
    /// Of its document: how the limit's status says what is in AWS.
    pub document_hash: String,
    /// How far it denies explicitly what lies outside the ceiling.
    pub sealed: SealedStatus,
    /// Of the policy and of where it is.
    pub fingerprint: Fingerprint,
    pub purpose: CallPurpose,
}

/// A boundary policy of somebody else that is to be within the limit.
#[derive(Debug)]
pub struct ProveBoundary {
    pub referenced: ReferencedBoundary,
    /// Of limit and account: it is read again when one of them changes.
    pub fingerprint: Fingerprint,
    pub purpose: CallPurpose,
}

impl BoundaryPlan {
    /// What is looked at in AWS, and how long it is trusted; `None` where AWS is not looked at.
    #[must_use]
    pub fn looked(&self) -> Option<(Fingerprint, Pause)> {
        match self {
            Self::Rest(_) | Self::Say(..) => None,
            Self::Ensure(plan) => Some((plan.fingerprint, Pause::DRIFT)),
            Self::Prove(plan) => Some((plan.fingerprint, Pause::PROVE)),
        }
    }

    /// What AWS is called for.
    #[must_use]
    pub fn purpose(&self) -> CallPurpose {
        match self {
            Self::Rest(_) | Self::Say(..) => CallPurpose::Look,
            Self::Ensure(plan) => plan.purpose,
            Self::Prove(plan) => plan.purpose,
        }
    }
}

/// The plan for a boundary policy that was looked at before as `looks` says.
#[must_use]
pub fn assess(inputs: &BoundaryInputs, looks: &Looks) -> BoundaryPlan {
    let BoundaryInputs {
        cluster,
        cluster_uid,
        key,
        limit,
        account,
        requested,
        known,
    } = inputs;
    let compiled = boundary::in_account(cluster, account, limit);
    let (fingerprint, plan) = match compiled.as_deref() {
        // The limit says so, and this is looked at again when it changes.
        None | Some(Err(_)) => return BoundaryPlan::Rest(crate::verified::DRIFT_INTERVAL),
        Some(Ok(AccountBoundary::Generated(generated))) => {
            let desired =
                DesiredBoundary::new(cluster, cluster_uid, account, limit, generated.document.clone());
            let fingerprint = looks
                .key()
                .fingerprint(&(&desired, &account.endpoints, requested));
            let plan = BoundaryPlan::Ensure(Box::new(EnsureBoundary {
                fingerprint,
                purpose: match known {
                    None => CallPurpose::Provision,
                    Some(known) if is_said(known, &desired, &generated.hash) => CallPurpose::Look,
                    // One that is to be another one may be narrower.
                    Some(_) => CallPurpose::Revoke,
                },
                desired,
                document_hash: generated.hash.clone(),
                sealed: (&generated.sealed).into(),
            }));
            (fingerprint, plan)
        }
        Some(Ok(AccountBoundary::Referenced(referenced))) => {
            let fingerprint = looks.key().fingerprint(&(limit, account, requested));
            let plan = BoundaryPlan::Prove(Box::new(ProveBoundary {
                fingerprint,
                purpose: match known {
                    None => CallPurpose::Provision,
                    Some(_) => CallPurpose::Look,
                },
                referenced: referenced.clone(),
            }));
            (fingerprint, plan)
        }
    };
    match looks.fresh(key, fingerprint) {
        None => plan,
        Some(look) if look.is_told && BoundaryInAccount::new(&look.seen) == *known => {
            BoundaryPlan::Rest(look.left)
        }
        Some(look) => BoundaryPlan::Say(Box::new(look.seen), look.left),
    }
}

/// Whether the limit's status says that AWS has the policy as it should be.
pub(super) fn is_said(known: &BoundaryInAccount, desired: &DesiredBoundary, document_hash: &str) -> bool {
    *known.document_hash == *document_hash && *known.policy_arn == *desired.arn.to_string()
}
