//! [`Sts`] in memory. The caller's own policies are taken to allow everything: what decides is the trust policy.

use async_trait::async_trait;
use deputy_delegation::{federation::FederationRequest, names::RoleName, session::SessionRequest};
use deputy_policy::{Caller, Context, Document, PolicyKind, Request, evaluate_trust};

use super::{
    InMemoryIam,
    federation::FEDERATE,
    issue::{packed_percent, packed_too_large},
    state::{IssuedSession, ModelState},
};
use crate::{
    error::{AwsError, ErrorClass},
    traits::{CallerIdentity, Session, Sts},
};

const ASSUME: &str = "sts:AssumeRole";

#[async_trait]
impl Sts for InMemoryIam {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        let delay = self.lock().sts_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.call(ASSUME, request.role.to_string(), None, |state| {
            self.assume(state, request)
        })
    }

    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        let delay = self.lock().sts_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.call(FEDERATE, request.user.to_string(), None, |state| {
            self.federate(state, request)
        })
    }

    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        self.call("sts:GetCallerIdentity", String::new(), None, |state| {
            // A role calls by a session, whose ARN has no path.
            let arn = match state.caller.split_once(":role/") {
                Some((_, tail)) => format!(
                    "arn:{}:sts::{}:assumed-role/{}/deputy",
                    self.partition,
                    self.account,
                    tail.rsplit('/').next().unwrap_or(tail)
                ),
                None => state.caller.clone(),
            };
            Ok(CallerIdentity {
                account: self.account.clone(),
                arn,
                user_id: "AIDA00000000000000000".to_owned(),
            })
        })
    }
}

impl InMemoryIam {
    fn assume(&self, state: &mut ModelState, request: &SessionRequest) -> Result<Session, AwsError> {
        let denied = || {
            AwsError::new(
                ASSUME,
                ErrorClass::AccessDenied,
                &format!(
                    "User is not authorized to perform: sts:AssumeRole on resource: {}",
                    request.role
                ),
            )
            .with_code("AccessDenied")
        };
        let name = RoleName::new(request.role.name()).map_err(|_| denied())?;
        let stored = state
            .roles
            .get_mut(&name)
            .filter(|stored| stored.role.arn == request.role)
            .ok_or_else(denied)?;
        if stored.hidden_reads > 0 {
            stored.hidden_reads -= 1;
            return Err(denied());
        }
        let trust = match &mut stored.stale_trust {
            Some((old, reads)) if *reads > 0 => {
                *reads -= 1;
                old.clone()
            }
            _ => stored.role.trust.clone(),
        };
        let (role_seconds, role_id) = (stored.role.max_session_seconds, stored.role.unique_id.clone());
        let trust = Document::parse(&state.principals.shown(&trust), PolicyKind::Trust).map_err(|e| {
            AwsError::new(
                ASSUME,
                ErrorClass::Other,
                &format!("the model can't read the trust policy: {e}"),
            )
        })?;
        let mut actions = vec![ASSUME];
        if !request.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        for action in actions {
            if !evaluate_trust(&trust, &self.trust_request(state, request, action)).is_allowed() {
                return Err(denied());
            }
        }
        check_parameters(state, request, role_seconds)?;
        for arn in &request.policy_arns {
            if !state.policies.contains_key(arn) {
                let message = format!("Policy {arn} does not exist.");
                let refused = AwsError::new(ASSUME, ErrorClass::InvalidInput, &message);
                return Err(refused.with_code("ValidationError"));
            }
        }

        let issued = self.issue(state, ASSUME, request.duration.as_seconds())?;
        state.sessions.push(IssuedSession {
            request: request.clone(),
            access_key_id: issued.credentials.access_key_id.clone(),
            expiration: issued.expiration,
        });
        Ok(Session {
            credentials: issued.credentials,
            expiration: issued.expiration,
            arn: format!(
                "arn:{}:sts::{}:assumed-role/{name}/{}",
                self.partition, self.account, request.session_name
            ),
            unique_id: format!("{role_id}:{}", request.session_name),
            packed_policy_size: Some(packed_percent_of(request)),
        })
    }

    fn trust_request(&self, state: &ModelState, request: &SessionRequest, action: &str) -> Request {
        let mut context = Context::new()
            .with("sts:ExternalId", request.external_id.as_str())
            .with("sts:RoleSessionName", request.session_name.as_str())
            .with("aws:PrincipalArn", state.caller.as_str())
            .with("aws:PrincipalAccount", self.account.as_str())
            .with(
                "aws:PrincipalType",
                if state.caller.contains(":role/") {
                    "AssumedRole"
                } else {
                    "User"
                },
            );
        if !request.tags.is_empty() {
            context.set("aws:TagKeys", request.tags.keys().map(|key| key.as_str()));
        }
        for (key, value) in &request.tags {
            context.set(format!("aws:RequestTag/{key}"), [value.as_str()]);
        }
        Request {
            action: action.to_owned(),
            resource: request.role.to_string(),
            principal: Caller::parse(&state.caller).ok(),
            context,
        }
    }
}

fn check_parameters(state: &ModelState, request: &SessionRequest, role_seconds: u32) -> Result<(), AwsError> {
    let seconds = request.duration.as_seconds();
    let invalid =
        |message| AwsError::new(ASSUME, ErrorClass::InvalidInput, message).with_code("ValidationError");
    if seconds > role_seconds {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if state.caller.contains(":role/") && seconds > 3600 {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    match packed_percent_of(request) {
        percent if percent > 100 => Err(packed_too_large(ASSUME, percent)),
        _ => Ok(()),
    }
}

fn packed_percent_of(request: &SessionRequest) -> u32 {
    let arns: Vec<String> = request.policy_arns.iter().map(ToString::to_string).collect();
    packed_percent(&request.tags, &arns, request.policy.as_deref())
}
