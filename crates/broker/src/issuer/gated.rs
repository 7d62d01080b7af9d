//! Questions who the broker is pass the gate, too: an endpoint that hangs is known by them before it is asked for a session.

use std::sync::Arc;

use async_trait::async_trait;
use deputy_aws::{AwsError, CallerIdentity, FederationClient, Session, Sts};
use deputy_delegation::{federation::FederationRequest, model::Account, session::SessionRequest};

use super::gate::{CallParty, CallUrgency, StsGate, StsRoute};
use crate::clients::StsClients;

/// Clients whose questions who they are pass the gate. Calls for sessions do not: who makes them says for whom they are.
pub struct GatedClients {
    clients: Box<dyn StsClients>,
    gate: StsGate,
}

impl GatedClients {
    pub fn new(clients: Box<dyn StsClients>, gate: StsGate) -> Self {
        Self { clients, gate }
    }

    fn gated(&self, sts: Arc<dyn Sts>, route: StsRoute) -> Arc<dyn Sts> {
        Arc::new(GatedSts {
            sts,
            gate: self.gate.clone(),
            route,
        })
    }
}

impl StsClients for GatedClients {
    fn issuer(&self, account: &Account) -> Arc<dyn Sts> {
        self.gated(self.clients.issuer(account), StsRoute::of_issuer(account))
    }

    fn federation_user(&self, account: &Account) -> Result<FederationClient, AwsError> {
        let client = self.clients.federation_user(account)?;
        Ok(FederationClient {
            sts: self.gated(client.sts, StsRoute::of_federation_user(account)),
            access_key_id: client.access_key_id,
        })
    }
}

struct GatedSts {
    sts: Arc<dyn Sts>,
    gate: StsGate,
    route: StsRoute,
}

#[async_trait]
impl Sts for GatedSts {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        self.sts.assume_role(request).await
    }

    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        self.sts.federation_token(request).await
    }

    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        const GET: &str = "sts:GetCallerIdentity";
        let what = (&self.route, CallUrgency::First, CallParty::Broker);
        let answer = self.gate.call(what, GET, self.sts.caller_identity()).await;
        answer.unwrap_or_else(|not_sent| Err(not_sent.into_error(GET)))
    }
}
