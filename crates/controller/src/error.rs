//! Why a reconciliation could not finish. What AWS says is not among them: that goes into the object's status.

use std::fmt::Write as _;

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
            Self::Panicked(_) => "fault",
        }
    }
}

/// An error with its causes, outermost first: `a: b: c`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors repeat their cause in their own words.
        let words = error.to_string();
        if !text.contains(&words) {
            // Writing to a string never fails.
            write!(text, ": {words}").ok();
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn a_chain_has_every_cause_once() {
        let said = |words, cause| Said(words, Some(Box::new(cause)));
        let cause = Said("no such host", None);
        assert_eq!(
            chain(&said("no answer", said("not connected", cause))),
            "no answer: not connected: no such host"
        );
        // Some repeat their cause in their own words.
        let cause = Said("no such host", None);
        assert_eq!(
            chain(&said("no answer: no such host", cause)),
            "no answer: no such host"
        );
    }
}
