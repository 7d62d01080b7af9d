//! What the session may do.

use super::{
    known::KnownKeys,
    question::{SessionQuestion, SessionQuestionError},
    way::SessionWay,
};
use crate::{
    context::Context,
    document::Document,
    evaluate::{CallEvaluation, Explanation, Request, Situation},
    principal::caller::Caller,
};

/// What a session asks for, and the policies on the side of the resource.
#[derive(Debug, Clone, Default)]
pub struct SessionAction<'a> {
    /// `service:Action`.
    pub action: String,
    /// ARN of the resource, or `*`.
    pub resource: String,
    /// The context of the request, such as `aws:SourceIp`. What follows from the session is added: who asks, its tags, its source
    /// identity, MFA.
    pub context: Context,
    /// The resource's policy; of a role that the session assumes its trust policy.
    pub policy: Option<&'a Document>,
    /// The account that owns the resource; else the one in its ARN, else the session's.
    pub account: Option<String>,
    /// Resource control policies of that account, by level.
    pub resource_control: Vec<Vec<&'a Document>>,
}

impl<'a> SessionQuestion<'a> {
    /// Whether the session may do something, and what decides. That somebody gets the session is another question:
    /// [`SessionQuestion::start`].
    ///
    /// # Errors
    /// When the question does not fit together, the policies do not decide it, or the call makes no session whatever they
    /// say.
    pub fn may(&self, asked: &SessionAction<'a>) -> Result<CallEvaluation, SessionQuestionError> {
        let (situation, request) = self.action(asked)?;
        Ok(situation.call(&request)?)
    }

    /// The explanation of each step of [`SessionQuestion::may`], with its action.
    ///
    /// # Errors
    /// The same.
    pub fn explain_may(
        &self,
        asked: &SessionAction<'a>,
    ) -> Result<Vec<(String, Explanation)>, SessionQuestionError> {
        let (situation, request) = self.action(asked)?;
        Ok(situation.explain_call(&request)?)
    }

    fn action(&self, asked: &SessionAction<'a>) -> Result<(Situation<'a>, Request), SessionQuestionError> {
        let session = self.session()?;
        // Of a role its policies, of a user those of whoever called. The caller's policies play no part in the session of a
        // role.
        let own = match self.way {
            SessionWay::FederationToken | SessionWay::SessionToken => &self.caller.policies,
            _ => &self.role()?.policies,
        };
        let mut situation = self
            .situation(own, &self.session_policies, &session)
            .resource_control(asked.resource_control.clone())
            .session_token(self.way == SessionWay::SessionToken);
        if let Some(policy) = asked.policy {
            situation = situation.resource_policy(policy);
        }
        if let Some(id) = &asked.account {
            situation = situation.resource_account(id);
        }
        let request = Request {
            action: asked.action.clone(),
            resource: asked.resource.clone(),
            context: self.context_of_session(&session, &asked.context)?,
            principal: Some(session),
        };
        Ok((situation, request))
    }

    fn context_of_session(&self, session: &Caller, given: &Context) -> Result<Context, SessionQuestionError> {
        let mut context = given.clone();
        let id = match &self.role {
            Some(role) => role.unique_id.as_deref(),
            None => self.caller.unique_id.as_deref(),
        };
        let mfa = (self.way == SessionWay::SessionToken).then_some(self.mfa);
        let first = |key: &str| self.context.get(key).and_then(|values| values.first()).cloned();
        let source_identity = self
            .way
            .is_of_role()
            .then(|| first("sts:SourceIdentity").or_else(|| first("aws:SourceIdentity")));
        let provider = self
            .way
            .is_of_provider()
            .then(|| self.caller.principal.to_string());
        KnownKeys::of("the session", session, id)
            .mfa(mfa)
            .and("aws:SourceIdentity", source_identity.flatten())
            .and("aws:FederatedProvider", provider)
            .put_into(&mut context)?;
        // They count instead of tags of the same name that the role or user has.
        for (key, values) in self.passed_tags() {
            context.set(key, values);
        }
        Ok(context)
    }
}
