//! The batch form: one JSON object a line in, one a line out (docs/contracts.md).

use std::collections::HashSet;

use deputy_policy::{Document, PolicyKind};
use serde::Serialize;
use serde_json::value::RawValue;

use super::policies::{Answered, EvaluatedPolicies, Parties};
use crate::policy::{
    batch::{self, Members, list, name_of, short, text},
    request::{self, resource_kind, word},
};

#[derive(Serialize)]
pub(super) struct LineOut {
    decision: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

impl batch::BatchAnswer for LineOut {
    fn invalid(reason: String) -> Self {
        Self {
            decision: "invalid",
            reason,
            explanation: None,
        }
    }
}

/// Answers one line, whatever it holds.
pub(super) fn answer(line: &mut Members<'_>, explain: bool) -> Result<LineOut, String> {
    let answered = judge(line, explain)?;
    Ok(LineOut {
        decision: word(answered.decision),
        reason: answered.reason,
        explanation: answered.explanation,
    })
}

fn judge(line: &mut Members<'_>, explain: bool) -> Result<Answered, String> {
    let mut asked = line.object("request")?;
    let (action, resource) = (asked.required_text("action")?, asked.required_text("resource")?);
    let parties = Parties {
        principal: asked.optional_text("principal")?,
        resource_account: asked.optional_text("resourceAccount")?,
    };
    let context = asked.optional_object("context")?;
    asked.done()?;
    let mut request = request::read(&action, &resource, parties.principal.as_deref())
        .map_err(|e| format!("request.{e}"))?;
    let mut seen = HashSet::new();
    for (key, value) in context.map_or_else(Vec::new, Members::rest) {
        request::key(&key).map_err(|e| format!("request.{e}"))?;
        if !seen.insert(key.to_lowercase()) {
            let key = short(&key);
            return Err(format!(
                "request.context has the key {key} more than once (case does not matter)"
            ));
        }
        let values = values(value).map_err(|found| {
            let key = short(&key);
            format!(
                "request.context: {key} is {found}; text, a boolean, a number or a list of those is needed"
            )
        })?;
        request.context.set(key, values);
    }
    // Taken before anything is read, so that every member is known when one is not.
    let [identity, boundaries, session, resource_policy, scps, rcps] = [
        "identity",
        "boundaries",
        "session",
        "resourcePolicy",
        "scps",
        "rcps",
    ]
    .map(|name| line.optional(name));
    line.done()?;
    let resource = resource_policy.map(|policy| document("resourcePolicy", policy, resource_kind(&request)));
    let policies = EvaluatedPolicies {
        identity: documents("identity", identity, PolicyKind::Identity)?,
        resource: resource.transpose()?,
        boundaries: documents("boundaries", boundaries, PolicyKind::Boundary)?,
        session: documents("session", session, PolicyKind::Session)?,
        scps: levels("scps", scps, PolicyKind::ServiceControl)?,
        rcps: levels("rcps", rcps, PolicyKind::ResourceControl)?,
    };
    policies.answer(&request, &parties, explain)
}

/// The values of a key.
fn values(json: &RawValue) -> Result<Vec<String>, &'static str> {
    match list(json, "") {
        Ok(items) => items.into_iter().map(scalar).collect(),
        Err(_) => Ok(vec![scalar(json)?]),
    }
}

/// Numbers keep their text: 1.10 is not 1.1, and an account id not a float.
fn scalar(json: &RawValue) -> Result<String, &'static str> {
    match name_of(json) {
        "text" => text(json, "").map_err(|_| "text with a mistake in it"),
        "a boolean" | "a number" => Ok(json.get().to_owned()),
        other => Err(other),
    }
}

// The text of policies as it is: a parsed value would have lost duplicate keys.
fn document(path: &str, policy: &RawValue, kind: PolicyKind) -> Result<Document, String> {
    Document::parse(policy.get(), kind).map_err(|e| format!("{path}: {e}"))
}

fn documents(path: &str, policies: Option<&RawValue>, kind: PolicyKind) -> Result<Vec<Document>, String> {
    let Some(policies) = policies else {
        return Ok(Vec::new());
    };
    let policies = list(policies, path)?.into_iter().enumerate();
    policies
        .map(|(i, policy)| document(&format!("{path}[{i}]"), policy, kind))
        .collect()
}

fn levels(path: &str, levels: Option<&RawValue>, kind: PolicyKind) -> Result<Vec<Vec<Document>>, String> {
    let Some(levels) = levels else {
        return Ok(Vec::new());
    };
    let levels = list(levels, path)?.into_iter().enumerate();
    levels
        .map(|(i, level)| documents(&format!("{path}[{i}]"), Some(level), kind))
        .collect()
}
