//! What resolving a pod comes to: a session that may be made, or why there is none.

use std::sync::Arc;

use deputy_delegation::{
    Decision, ObjectName, Uid,
    model::{Account, BindingRef},
};

use crate::issuer::{Renewal, SessionKey};

/// What is to be done about a grant that a limit refuses, and by whom.
pub(super) const CHANGE_OR_ASK: &str = "Whoever may write in the namespace changes that, or asks who owns the limits; pods have a session again as soon as it is accepted";

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
        binding: Option<BindingRef>,
    },
    /// AWS refuses a session although the grant is accepted. What the pod holds is not concerned.
    #[error("{message}")]
    DeniedByAws {
        /// For people.
        message: String,
        /// The binding concerned.
        binding: BindingRef,
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
    /// The binding does not name the person.
    NotASubject,
    /// A limit asks for a second factor.
    MfaGroup,
    /// The person asks for more time than there is.
    Duration,
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
            Self::NotASubject => "NotASubject",
            Self::MfaGroup => "MFAGroup",
            Self::Duration => "Duration",
        }
    }
}

/// A session that may be made.
pub struct SessionGrant {
    pub account: Arc<Account>,
    /// Under which it is shared.
    pub key: SessionKey,
    /// When it is renewed.
    pub renewal: Renewal,
    /// The limits that accept it.
    pub limits: AcceptedBy,
}

/// The names of the limits that accept a grant, in order.
pub type AcceptedBy = Arc<[ObjectName]>;

/// Those of an accepted decision.
pub(super) fn accepted_by(decision: &Decision) -> Option<AcceptedBy> {
    match decision {
        Decision::Accepted(accepted) => Some(accepted.limits.clone().into()),
        Decision::Refused(_) | Decision::Undecided(_) => None,
    }
}

/// What a session that is kept is renewed with, if it would be given now.
pub struct StillGranted {
    pub account: Arc<Account>,
    /// The limits that accept it.
    pub limits: AcceptedBy,
}

/// A uid as keys have it.
pub(super) fn uid(uid: Option<&Uid>) -> String {
    uid.map(Uid::as_str).unwrap_or_default().to_owned()
}
