//! What a request for a session comes to.

use std::sync::Arc;

use deputy_aws::AwsError;

use super::{gate::NotSent, session::Issued};

/// Why there is no session.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssueError {
    /// No answer within the time in which callers are answered.
    #[error("STS has not answered yet; the call goes on")]
    Slow,
    /// STS was not asked.
    #[error(transparent)]
    NotSent(NotSent),
    /// STS answered with an error, or could not be reached.
    #[error(transparent)]
    Aws(Arc<AwsError>),
}

/// What a call came to; nothing while it is under way.
pub type CallOutcome = Option<Result<Arc<Issued>, IssueError>>;
