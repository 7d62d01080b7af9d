//! Why a reconciliation could not finish. What AWS says is not among them: that goes into the object's status.

pub use deputy_runtime::error::chain;

/// A reconciliation that could not finish. All of them are tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server can't be reached, or refused a call.
    #[error("a call to the API server failed")]
    Kube(#[from] kube::Error),
    /// The API server says something that can't be.
    #[error("the API server gave an object that can't be")]
    Name(#[from] deputy_delegation::NameError),
    /// This process holds the Lease no more, or not long enough for another call.
    #[error("the Lease has too little time left for a call to AWS")]
    NotLeader,
    /// It was about a look or a change, and there is something to be taken away now.
    #[error("something more urgent is to be done about the object")]
    Superseded,
    /// A panic; its place is in the log.
    #[error(transparent)]
    Panicked(#[from] deputy_runtime::contain::Panicked),
}

impl ReconcileError {
    /// A short word for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Kube(kube::Error::Api(status)) if status.is_conflict() => "conflict",
            Self::Kube(_) => "api-server",
            Self::Name(_) => "name",
            Self::NotLeader => "not-leader",
            Self::Superseded => "superseded",
            Self::Panicked(_) => "fault",
        }
    }
}
