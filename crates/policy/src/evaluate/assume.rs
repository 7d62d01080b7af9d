//! Assuming a role: one call that AWS asks up to three questions about.

use std::fmt;

use super::{
    explain::Explanation,
    reason::Evaluation,
    request::{AccessDecision, Request},
    rules,
    situation::{Situation, SituationError},
};
use crate::text::quote;

/// The answers to the questions that one call of `sts:AssumeRole`, `sts:AssumeRoleWithSAML` or
/// `sts:AssumeRoleWithWebIdentity` asks; the call fails when one is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRoleEvaluation {
    /// Action and answer: the call itself, `sts:TagSession` when tags are passed, `sts:SetSourceIdentity` when a source
    /// identity is set or handed on. Never empty.
    pub steps: Vec<(String, Evaluation)>,
}

impl AssumeRoleEvaluation {
    /// Whether the role can be assumed.
    pub fn is_allowed(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|(_, step)| step.is_allowed())
    }

    /// The action that decides with its answer: the first explicit Deny, else the first that is not allowed, else the
    /// call itself.
    pub fn deciding(&self) -> Option<(&str, &Evaluation)> {
        let first = |decision| self.steps.iter().find(|(_, step)| step.decision == decision);
        first(AccessDecision::ExplicitDeny)
            .or_else(|| first(AccessDecision::ImplicitDeny))
            .or_else(|| self.steps.first())
            .map(|(action, step)| (action.as_str(), step))
    }

    /// The decision on the call.
    pub fn decision(&self) -> AccessDecision {
        self.deciding()
            .map_or(AccessDecision::ImplicitDeny, |(_, step)| step.decision)
    }
}

impl fmt::Display for AssumeRoleEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deciding() {
            Some((action, step)) => write!(f, "{action}: {step}"),
            None => f.write_str("not allowed"),
        }
    }
}

impl Situation<'_> {
    /// Decides a whole call that assumes a role. The request's action is one of `sts:AssumeRole…`, its resource the ARN of
    /// the role, and its context says what is passed: `aws:RequestTag/…`, `aws:TagKeys`, `sts:TransitiveTagKeys`,
    /// `sts:SourceIdentity`, `sts:ExternalId`, `sts:RoleSessionName`. `aws:MultiFactorAuthPresent` is absent for
    /// long-term keys, not false, unless the call itself carries a code.
    ///
    /// # Errors
    /// As [`Situation::evaluate`], and when the request does not assume a role.
    pub fn assume_role(&self, request: &Request) -> Result<AssumeRoleEvaluation, SituationError> {
        let steps = steps(request)?
            .into_iter()
            .map(|step| Ok((step.action.clone(), self.evaluate(&step)?)))
            .collect::<Result<_, _>>()?;
        Ok(AssumeRoleEvaluation { steps })
    }

    /// The explanation of each step of [`Situation::assume_role`], with its action.
    ///
    /// # Errors
    /// The same.
    pub fn explain_assume_role(
        &self,
        request: &Request,
    ) -> Result<Vec<(String, Explanation)>, SituationError> {
        steps(request)?
            .into_iter()
            .map(|step| Ok((step.action.clone(), self.explain(&step)?)))
            .collect()
    }
}

impl Request {
    /// Whether the request assumes a role, so that [`Situation::assume_role`] decides it.
    pub fn assumes_role(&self) -> bool {
        rules::assumes_role(&self.action) && rules::is_trust_question(self)
    }

    /// Whether the resource policy that is asked is the trust policy of a role.
    pub fn asks_trust_policy(&self) -> bool {
        rules::is_trust_question(self)
    }
}

fn steps(request: &Request) -> Result<Vec<Request>, SituationError> {
    if !request.assumes_role() {
        return Err(SituationError::NotAssumeRole(format!(
            "{} on {}",
            quote(&request.action),
            quote(&request.resource)
        )));
    }
    let step = |action: &str| Request {
        action: action.to_owned(),
        ..request.clone()
    };
    let mut steps = vec![request.clone()];
    if rules::passes_tags(&request.context) {
        steps.push(step("sts:TagSession"));
    }
    if rules::sets_source_identity(request) {
        steps.push(step("sts:SetSourceIdentity"));
    }
    Ok(steps)
}
