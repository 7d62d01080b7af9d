//! The answer, for people and as JSON (docs/contracts.md).

use deputy_policy::{AccessDecision, CallEvaluation, Explanation, session::SessionQuestionError};
use serde::Serialize;

use super::scenario::{AskedAction, Scenario};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::{Output, OutputFormat},
    policy::request::word,
};

/// Both questions answered: a contract.
#[derive(Serialize)]
struct ExplainedSession {
    /// Who the session is; absent when the call makes none whatever the policies say.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    start: Answered,
    requests: Vec<Answered>,
}

#[derive(Serialize)]
struct Answered {
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    decision: &'static str,
    reason: String,
    /// Where the statement stands that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip)]
    explanation: Vec<String>,
}

impl Answered {
    /// What decided about a call, and where it stands.
    fn of<'s>(
        action: &str,
        resource: Option<&str>,
        call: &CallEvaluation,
        place: impl FnOnce(&deputy_policy::Evaluation) -> Option<&'s str>,
    ) -> Result<Self, Failure> {
        let (part, step) = call
            .deciding()
            .ok_or_else(|| Failure::input("nothing was asked"))?;
        let of_part = if part == action {
            String::new()
        } else {
            format!("{part}: ")
        };
        Ok(Self {
            action: action.to_owned(),
            resource: resource.map(str::to_owned),
            decision: word(step.decision),
            reason: format!("{of_part}{}", step.reason),
            at: place(step).map(str::to_owned),
            explanation: Vec::new(),
        })
    }

    fn line(&self) -> String {
        let on = self
            .resource
            .as_ref()
            .map_or_else(String::new, |resource| format!(" on {resource}"));
        let at = self
            .at
            .as_ref()
            .map_or_else(String::new, |at| format!(" at {at}"));
        format!("{}{on}: {}: {}{at}", self.action, self.decision, self.reason)
    }
}

fn undecided(error: SessionQuestionError) -> Failure {
    Failure::input(error.to_string())
}

fn lines(steps: &[(String, Explanation)]) -> Vec<String> {
    let line = |(action, why): &(String, Explanation)| format!("{action}: {why}");
    steps.iter().map(line).collect()
}

fn started(scenario: &Scenario, explain: bool) -> Result<Answered, Failure> {
    let question = scenario.question();
    let start = question.start().map_err(undecided)?;
    let action = scenario.way.action();
    let mut answered = Answered::of(action, None, &start.call, |step| scenario.place_of_call(step))?;
    if let Some(refusal) = start.refused.first()
        && start.call.decision() != AccessDecision::ExplicitDeny
    {
        answered.decision = word(start.decision());
        answered.reason = format!("refused by STS: {refusal}");
        answered.at = None;
    }
    if explain {
        answered.explanation = lines(&question.explain_start().map_err(undecided)?);
    }
    Ok(answered)
}

fn acted(scenario: &Scenario, asked: &AskedAction, explain: bool) -> Result<Answered, Failure> {
    let question = scenario.question();
    let action = scenario.action(asked);
    let call = question.may(&action).map_err(undecided)?;
    let mut answered = Answered::of(&asked.action, Some(&asked.resource), &call, |step| {
        scenario.place_of_action(step, asked)
    })?;
    if explain {
        answered.explanation = lines(&question.explain_may(&action).map_err(undecided)?);
    }
    Ok(answered)
}

/// Answers both questions.
pub fn answer(scenario: &Scenario, explain: bool, format: OutputFormat) -> CommandResult {
    let start = started(scenario, explain)?;
    let session = match scenario.question().session() {
        Ok(session) => Some(session.to_string()),
        Err(SessionQuestionError::NoSession(_)) => None,
        Err(error) => return Err(undecided(error)),
    };
    // There is nobody to ask about when the call makes no session.
    let asked = scenario.asked.iter().filter(|_| session.is_some());
    let requests: Vec<Answered> = asked
        .map(|asked| acted(scenario, asked, explain))
        .collect::<Result<_, _>>()?;
    let all = session.is_some()
        && std::iter::once(&start)
            .chain(&requests)
            .all(|answered| answered.decision == word(AccessDecision::Allowed));
    let explained = ExplainedSession {
        session,
        start,
        requests,
    };
    let mut out = Output::new();
    match format {
        OutputFormat::Json => out.json(&explained)?,
        OutputFormat::Text => {
            let who = explained.session.as_deref();
            out.line(format_args!("session: {}", who.unwrap_or("none")))?;
            for answered in std::iter::once(&explained.start).chain(&explained.requests) {
                out.line(answered.line())?;
                for step in &answered.explanation {
                    out.line(step)?;
                }
            }
        }
    }
    out.flush()?;
    Ok(if all {
        CommandAnswer::Yes
    } else {
        CommandAnswer::No
    })
}
