//! One call that AWS asks up to three questions about: of `sts:AssumeRole…` and `sts:GetFederationToken` it asks for what is
//! passed, too.

use std::fmt;

use super::{
    explain::Explanation,
    reason::Evaluation,
    request::{AccessDecision, Request},
    rules,
    situation::{Situation, SituationError},
};
use crate::text::quote;

/// The answers to the questions that one call asks; the call fails when one is no. `sts:AssumeRole…` and
/// `sts:GetFederationToken` ask several, every other call one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEvaluation {
    /// Action and answer: the call itself, `sts:TagSession` when tags are passed, `sts:SetSourceIdentity` when a source
    /// identity is set or handed on. Never empty.
    pub steps: Vec<(String, Evaluation)>,
}

impl CallEvaluation {
    /// Whether the call is allowed.
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

impl fmt::Display for CallEvaluation {
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
    pub fn assume_role(&self, request: &Request) -> Result<CallEvaluation, SituationError> {
        assumes_a_role(request)?;
        self.call(request)
    }

    /// Decides a whole call of any action: of those that assume a role as [`Situation::assume_role`], of
    /// `sts:GetFederationToken` with tags `sts:TagSession` on the federated user besides, of any other the action alone.
    ///
    /// # Errors
    /// As [`Situation::evaluate`].
    pub fn call(&self, request: &Request) -> Result<CallEvaluation, SituationError> {
        let steps = steps(request)
            .into_iter()
            .map(|step| Ok((step.action.clone(), self.evaluate(&step)?)))
            .collect::<Result<_, _>>()?;
        Ok(CallEvaluation { steps })
    }

    /// The explanation of each step of [`Situation::assume_role`], with its action.
    ///
    /// # Errors
    /// The same.
    pub fn explain_assume_role(
        &self,
        request: &Request,
    ) -> Result<Vec<(String, Explanation)>, SituationError> {
        assumes_a_role(request)?;
        self.explain_call(request)
    }

    /// The explanation of each step of [`Situation::call`], with its action.
    ///
    /// # Errors
    /// The same.
    pub fn explain_call(&self, request: &Request) -> Result<Vec<(String, Explanation)>, SituationError> {
        steps(request)
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

fn assumes_a_role(request: &Request) -> Result<(), SituationError> {
    if request.assumes_role() {
        return Ok(());
    }
    Err(SituationError::NotAssumeRole(format!(
        "{} on {}",
        quote(&request.action),
        quote(&request.resource)
    )))
}

fn steps(request: &Request) -> Vec<Request> {
    let step = |action: &str| Request {
        action: action.to_owned(),
        ..request.clone()
    };
    let mut steps = vec![request.clone()];
    let assumes = request.assumes_role();
    let federates = request.action.eq_ignore_ascii_case("sts:GetFederationToken");
    if (assumes || federates) && rules::passes_tags(&request.context) {
        steps.push(step("sts:TagSession"));
    }
    if assumes && rules::sets_source_identity(request) {
        steps.push(step("sts:SetSourceIdentity"));
    }
    steps
}
