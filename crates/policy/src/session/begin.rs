//! Who may have the session.

use std::fmt;

use super::{
    known::KnownKeys,
    question::{OwnPolicies, SessionQuestion, SessionQuestionError},
    refusal::SessionRefusal,
    way::SessionWay,
};
use crate::{
    context::Context,
    document::Document,
    evaluate::{AccessDecision, CallEvaluation, Explanation, Request, Situation},
    principal::caller::Caller,
};

/// Whether the caller gets the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStart {
    /// What STS refuses whatever the policies say.
    pub refused: Vec<SessionRefusal>,
    /// What the policies say.
    pub call: CallEvaluation,
}

impl SessionStart {
    /// Whether the caller gets the session.
    pub fn is_allowed(&self) -> bool {
        self.refused.is_empty() && self.call.is_allowed()
    }

    /// The decision on the call.
    pub fn decision(&self) -> AccessDecision {
        match self.call.decision() {
            AccessDecision::Allowed if !self.refused.is_empty() => AccessDecision::ImplicitDeny,
            decision => decision,
        }
    }
}

impl fmt::Display for SessionStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refused.first() {
            Some(refusal) => write!(f, "refused by STS: {refusal}"),
            None => self.call.fmt(f),
        }
    }
}

impl<'a> SessionQuestion<'a> {
    /// Whether the caller gets the session, and what decides.
    ///
    /// # Errors
    /// When the question does not fit together, or the policies do not decide it.
    pub fn start(&self) -> Result<SessionStart, SessionQuestionError> {
        let (situation, request) = self.call()?;
        Ok(SessionStart {
            refused: self.refused(),
            call: situation.call(&request)?,
        })
    }

    /// The explanation of what the policies say to each step of the call, with its action.
    ///
    /// # Errors
    /// As of [`SessionQuestion::start`].
    pub fn explain_start(&self) -> Result<Vec<(String, Explanation)>, SessionQuestionError> {
        let (situation, request) = self.call()?;
        Ok(situation.explain_call(&request)?)
    }

    /// The policies on the side of who asks, the caller or the session.
    pub(super) fn situation(
        &self,
        own: &OwnPolicies<'a>,
        session: &[&'a Document],
        who: &Caller,
    ) -> Situation<'a> {
        let situation = Situation::new()
            .identity(own.identity.iter().copied())
            .boundaries(own.boundaries.iter().copied())
            .session(session.iter().copied())
            .service_control(own.service_control.clone())
            .service_linked(is_service_linked(who));
        match &self.management_account {
            Some(id) => situation.management_account(id),
            None => situation,
        }
    }

    /// The call as a request, with the policies that bear on it.
    fn call(&self) -> Result<(Situation<'a>, Request), SessionQuestionError> {
        self.check()?;
        let caller = &self.caller;
        let mut situation = self
            .situation(&caller.policies, &caller.session, &caller.principal)
            .session_token(caller.temporary);
        let resource = match (self.way, &caller.principal) {
            (SessionWay::SessionToken, _) => "*".to_owned(),
            (SessionWay::FederationToken, principal) => {
                let account = principal.account().ok_or(SessionQuestionError::Missing {
                    way: self.way,
                    what: "the caller's account",
                })?;
                Caller::FederatedUser {
                    account: account.clone(),
                    name: self.name.clone().unwrap_or_default(),
                    of_user: None,
                }
                .to_string()
            }
            _ => {
                let role = self.role()?;
                situation = situation.resource_control(role.resource_control.clone());
                if let Some(trust) = role.trust {
                    situation = situation.resource_policy(trust);
                }
                role.principal.to_string()
            }
        };
        let request = Request {
            action: self.way.action().to_owned(),
            resource,
            principal: Some(caller.principal.clone()),
            context: self.context_of_call()?,
        };
        Ok((situation, request))
    }

    fn context_of_call(&self) -> Result<Context, SessionQuestionError> {
        let mut context = self.context.clone();
        let caller = &self.caller.principal;
        let user = matches!(caller, Caller::User { .. });
        let mfa = match self.way {
            // Temporary credentials always say whether there was MFA, long-term keys only when a code comes with the call.
            _ if user && self.caller.temporary => Some(self.mfa),
            SessionWay::AssumeRole | SessionWay::SessionToken if user && self.mfa => Some(true),
            _ => None,
        };
        let mut known = KnownKeys::of("the caller", caller, self.caller.unique_id.as_deref()).mfa(mfa);
        if self.way.is_of_role() {
            known = known.and("sts:RoleSessionName", self.name.clone());
        }
        if !matches!(caller, Caller::RoleSession { .. }) {
            known = known.and("aws:SourceIdentity", None);
        }
        known.put_into(&mut context)?;
        let tags: Vec<String> = context
            .iter()
            .filter_map(|(key, _)| key.split_at_checked(TAG.len()))
            .filter(|(prefix, _)| prefix.eq_ignore_ascii_case(TAG))
            .map(|(_, name)| name.to_owned())
            .collect();
        if !tags.is_empty() && context.get("aws:TagKeys").is_none() {
            context.set("aws:TagKeys", tags);
        }
        Ok(context)
    }

    /// The tags that are passed: the session has them.
    pub(super) fn passed_tags(&self) -> Vec<(String, Vec<String>)> {
        let tag = |(key, values): (&str, &[String])| {
            let (prefix, name) = key.split_at_checked(TAG.len())?;
            prefix
                .eq_ignore_ascii_case(TAG)
                .then(|| (format!("aws:PrincipalTag/{name}"), values.to_vec()))
        };
        self.context.iter().filter_map(tag).collect()
    }
}

const TAG: &str = "aws:RequestTag/";

/// Policies of the organisation do not bind sessions of service-linked roles.
fn is_service_linked(principal: &Caller) -> bool {
    matches!(principal, Caller::RoleSession { path: Some(path), .. } if path.starts_with("aws-service-role/"))
}
