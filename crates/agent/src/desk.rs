//! What the agent of one pod answers from: the pod's own credentials, for whoever has its token.

use std::{sync::Arc, time::Duration};

use crate::{
    binding::SelectedBinding,
    broker::CredentialSource,
    keeper::{CredentialAnswer, CredentialKeeper},
    problem::AgentProblem,
    readiness::StartupReadiness,
    server::{CredentialDesk, Presented, unauthorized},
    token::TokenFile,
};

/// The credentials of one pod.
pub struct PodDesk<S> {
    keeper: Arc<CredentialKeeper<S>>,
    readiness: Arc<StartupReadiness>,
    token: Arc<TokenFile>,
}

impl<S: CredentialSource> PodDesk<S> {
    /// What `keeper` keeps, for whoever presents `token`; `readiness` says whether the application may start.
    pub fn new(
        keeper: Arc<CredentialKeeper<S>>,
        readiness: Arc<StartupReadiness>,
        token: Arc<TokenFile>,
    ) -> Self {
        Self {
            keeper,
            readiness,
            token,
        }
    }
}

impl<S: CredentialSource> CredentialDesk for PodDesk<S> {
    async fn credential(&self, asker: Presented<'_>, binding: &SelectedBinding) -> CredentialAnswer {
        if !self.token.accepts(asker.token)? {
            return Err(unauthorized(
                "the Authorization header is not the content of the file that \
                 AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names, as it is there, without \"Bearer\" before it",
            ));
        }
        self.readiness.application_runs();
        self.keeper.get(binding).await
    }

    async fn startup(&self, hold: Duration) -> Option<Result<(), AgentProblem>> {
        Some(self.readiness.wait(hold).await)
    }
}
