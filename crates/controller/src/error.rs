//! Why a reconciliation could not finish. What AWS says is not among them: that goes into the object's status.

/// Tried again, all of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error("API server: {0}")]
    Kube(#[from] kube::Error),
    /// The API server says something that can't be.
    #[error(transparent)]
    Name(#[from] deputy_delegation::NameError),
    /// This process holds the Lease no more, or not long enough for another call.
    #[error("the Lease has too little time left for a call to AWS")]
    NotLeader,
    /// A panic; its place is in the log.
    #[error("a fault in this program; its log says where")]
    Fault,
}

impl Error {
    /// For metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Kube(kube::Error::Api(status)) if status.is_conflict() => "conflict",
            Self::Kube(_) => "api-server",
            Self::Name(_) => "name",
            Self::NotLeader => "not-leader",
            Self::Fault => "fault",
        }
    }
}
