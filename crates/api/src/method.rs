//! By which call of STS pods get sessions: a word of accounts, limits and bindings.

use deputy_delegation::model::SessionMethod;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// By which call of STS pods get sessions.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionMethodSpec {
    /// The broker calls it for the pod: with session policy, tags and audit.
    #[default]
    AssumeRole,
    /// The SDK in the pod calls it with a token of its ServiceAccount: without session policy, tags and audit.
    AssumeRoleWithWebIdentity,
}

impl From<SessionMethodSpec> for SessionMethod {
    fn from(spec: SessionMethodSpec) -> Self {
        match spec {
            SessionMethodSpec::AssumeRole => Self::AssumeRole,
            SessionMethodSpec::AssumeRoleWithWebIdentity => Self::AssumeRoleWithWebIdentity,
        }
    }
}

impl From<SessionMethod> for SessionMethodSpec {
    fn from(method: SessionMethod) -> Self {
        match method {
            SessionMethod::AssumeRole => Self::AssumeRole,
            SessionMethod::AssumeRoleWithWebIdentity => Self::AssumeRoleWithWebIdentity,
        }
    }
}
