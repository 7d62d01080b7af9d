//! The policies of one question, and what they answer together.

use deputy_policy::{AccessDecision, Document, Request, Situation};

/// The policies of one question.
#[derive(Debug, Default)]
pub(super) struct EvaluatedPolicies {
    pub(super) identity: Vec<Document>,
    pub(super) resource: Option<Document>,
    pub(super) boundaries: Vec<Document>,
    pub(super) session: Vec<Document>,
    pub(super) scps: Vec<Vec<Document>>,
    pub(super) rcps: Vec<Vec<Document>>,
}

impl EvaluatedPolicies {
    /// Whether there is no policy at all.
    pub(super) fn is_empty(&self) -> bool {
        let none = |levels: &[Vec<Document>]| levels.iter().all(Vec::is_empty);
        let attached = [&self.identity, &self.boundaries, &self.session];
        attached.iter().all(|policies| policies.is_empty())
            && self.resource.is_none()
            && none(&self.scps)
            && none(&self.rcps)
    }
}

/// Who asks, as given.
#[derive(Debug, Default)]
pub(super) struct Parties {
    pub(super) principal: Option<String>,
    pub(super) resource_account: Option<String>,
}

/// What is answered.
pub(super) struct Answered {
    pub(super) decision: AccessDecision,
    pub(super) reason: String,
    pub(super) explanation: Option<String>,
}

impl EvaluatedPolicies {
    fn situation(&self, parties: &Parties) -> Situation<'_> {
        let mut situation = Situation::new()
            .identity(&self.identity)
            .boundaries(&self.boundaries)
            .session(&self.session)
            .service_control(&self.scps)
            .resource_control(&self.rcps);
        if let Some(document) = &self.resource {
            situation = situation.resource_policy(document);
        }
        if let Some(id) = &parties.resource_account {
            situation = situation.resource_account(id);
        }
        // Sessions do not show their role's path; the ARN of the role does.
        let principal = parties.principal.as_deref().unwrap_or_default();
        situation.service_linked(principal.contains(":role/aws-service-role/"))
    }

    /// A call that assumes a role asks about session tags and source identity too. Without a principal only the action
    /// itself is asked about.
    pub(super) fn answer(
        &self,
        request: &Request,
        parties: &Parties,
        explain: bool,
    ) -> Result<Answered, String> {
        let situation = self.situation(parties);
        if request.principal.is_some() && request.assumes_role() {
            let call = situation.assume_role(request).map_err(|e| e.to_string())?;
            let (action, step) = call.deciding().ok_or("nothing was asked")?;
            let reason = if action == request.action {
                step.reason.to_string()
            } else {
                format!("{action}: {}", step.reason)
            };
            let explanation = if explain {
                let steps = situation
                    .explain_assume_role(request)
                    .map_err(|e| e.to_string())?;
                let texts: Vec<String> = steps.iter().map(|(a, e)| format!("{a}: {e}")).collect();
                Some(texts.join("\n"))
            } else {
                None
            };
            return Ok(Answered {
                decision: step.decision,
                reason,
                explanation,
            });
        }
        if explain {
            let explained = situation.explain(request).map_err(|e| e.to_string())?;
            return Ok(Answered {
                decision: explained.evaluation.decision,
                reason: explained.evaluation.reason.to_string(),
                explanation: Some(explained.to_string()),
            });
        }
        let evaluation = situation.evaluate(request).map_err(|e| e.to_string())?;
        Ok(Answered {
            decision: evaluation.decision,
            reason: evaluation.reason.to_string(),
            explanation: None,
        })
    }
}
