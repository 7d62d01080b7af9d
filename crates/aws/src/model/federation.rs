//! GetFederationToken in memory. The caller's own policies are taken to allow everything.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>

use deputy_delegation::federation::FederationRequest;

use super::{
    InMemoryIam,
    issue::{packed_percent, packed_too_large},
    state::{IssuedFederation, ModelState},
};
use crate::{
    error::{AwsError, ErrorClass},
    traits::Session,
};

pub(super) const FEDERATE: &str = "sts:GetFederationToken";

impl InMemoryIam {
    /// The sessions of federated users so far.
    #[must_use]
    pub fn federated_sessions(&self) -> Vec<IssuedFederation> {
        self.lock().federated.clone()
    }

    pub(super) fn federate(
        &self,
        state: &mut ModelState,
        request: &FederationRequest,
    ) -> Result<Session, AwsError> {
        let refused =
            |class, code: &str, message: &str| Err(AwsError::new(FEDERATE, class, message).with_code(code));
        if !state.caller.contains(":user/") {
            let message = "Cannot call GetFederationToken with session credentials";
            return refused(ErrorClass::AccessDenied, "AccessDenied", message);
        }
        let arn = format!(
            "arn:{}:sts::{}:federated-user/{}",
            self.partition,
            self.account,
            request.user.user()
        );
        let packed = packed_percent(&request.tags, &[], request.policy.as_deref());
        if packed > 100 {
            return Err(packed_too_large(FEDERATE, packed));
        }
        let issued = self.issue(state, FEDERATE, request.duration.as_seconds())?;
        state.federated.push(IssuedFederation {
            request: request.clone(),
            access_key_id: issued.credentials.access_key_id.clone(),
            expiration: issued.expiration,
        });
        Ok(Session {
            credentials: issued.credentials,
            expiration: issued.expiration,
            arn,
            unique_id: format!("{}:{}", self.account, request.user.user()),
            packed_policy_size: Some(packed),
        })
    }
}
