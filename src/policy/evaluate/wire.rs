//! The batch form: one JSON object a line in, one a line out (docs/contracts.md).

use std::{collections::HashSet, fmt};

use deputy_policy::{Document, PolicyKind};
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Parties, Policies, request, resource_kind, word};

// The text of policies as it is: a parsed value would have lost duplicate keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line<'a> {
    #[serde(default)]
    id: serde_json::Value,
    #[serde(borrow)]
    request: RequestIn<'a>,
    #[serde(default, borrow)]
    identity: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    resource_policy: Option<&'a RawValue>,
    #[serde(default, borrow)]
    boundaries: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    session: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    scps: Option<Vec<Vec<&'a RawValue>>>,
    #[serde(default, borrow)]
    rcps: Option<Vec<Vec<&'a RawValue>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RequestIn<'a> {
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default, borrow)]
    context: ContextIn<'a>,
}

/// What is left of a line that is not understood.
#[derive(Deserialize)]
struct OnlyId {
    #[serde(default)]
    id: serde_json::Value,
}

#[derive(Serialize)]
pub(super) struct LineOut {
    id: serde_json::Value,
    decision: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

/// Keys, each once whatever the case, and their values as JSON text.
#[derive(Default)]
struct ContextIn<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for ContextIn<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys).map(Self)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of context keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            if !seen.insert(key.to_lowercase()) {
                return Err(A::Error::custom(format!(
                    "the context key {key:?} is there twice (case does not matter)"
                )));
            }
            entries.push((key, value));
        }
        Ok(entries)
    }
}

/// The values of a key: one or a list of strings, booleans and numbers.
fn values(json: &RawValue) -> Option<Vec<String>> {
    if !json.get().starts_with('[') {
        return Some(vec![scalar(json)?]);
    }
    let list: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
    list.into_iter().map(scalar).collect()
}

/// Numbers keep their text: 1.10 is not 1.1, and an account id not a float.
fn scalar(json: &RawValue) -> Option<String> {
    let text = json.get();
    match text.bytes().next()? {
        b'"' => serde_json::from_str(text).ok(),
        b't' | b'f' | b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

/// Answers one line, whatever it holds.
pub(super) fn answer(line: &str, explain: bool) -> LineOut {
    let invalid = |id, reason| LineOut {
        id,
        decision: "invalid",
        reason,
        explanation: None,
    };
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(parsed) => parsed,
        Err(e) => {
            let id = serde_json::from_str::<OnlyId>(line).map_or(serde_json::Value::Null, |l| l.id);
            return invalid(id, e.to_string());
        }
    };
    match judge(&line, explain) {
        Ok(answered) => LineOut {
            id: line.id,
            decision: word(answered.decision),
            reason: answered.reason,
            explanation: answered.explanation,
        },
        Err(reason) => invalid(line.id, reason),
    }
}

fn judge(line: &Line<'_>, explain: bool) -> Result<super::Answered, String> {
    let parties = Parties {
        principal: line.request.principal.clone(),
        resource_account: line.request.resource_account.clone(),
    };
    let mut request = request(&line.request.action, &line.request.resource, &parties)
        .map_err(|e| format!("request.principal: {e}"))?;
    for (key, json) in &line.request.context.0 {
        let values = values(json).ok_or_else(|| {
            format!("request.context: {key:?} is neither a string, boolean or number nor a list of those")
        })?;
        request.context.set(key.as_str(), values);
    }
    let policies = Policies {
        identity: list("identity", line.identity.as_deref(), PolicyKind::Identity)?,
        resource: line
            .resource_policy
            .map(|text| {
                Document::parse(text.get(), resource_kind(&request))
                    .map_err(|e| format!("resourcePolicy: {e}"))
            })
            .transpose()?,
        boundaries: list("boundaries", line.boundaries.as_deref(), PolicyKind::Boundary)?,
        session: list("session", line.session.as_deref(), PolicyKind::Session)?,
        scps: levels("scps", line.scps.as_deref(), PolicyKind::ServiceControl)?,
        rcps: levels("rcps", line.rcps.as_deref(), PolicyKind::ResourceControl)?,
    };
    policies.answer(&request, &parties, explain)
}

fn list(name: &str, texts: Option<&[&RawValue]>, kind: PolicyKind) -> Result<Vec<Document>, String> {
    texts
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(i, text)| Document::parse(text.get(), kind).map_err(|e| format!("{name}[{i}]: {e}")))
        .collect()
}

fn levels(
    name: &str,
    levels: Option<&[Vec<&RawValue>]>,
    kind: PolicyKind,
) -> Result<Vec<Vec<Document>>, String> {
    levels
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(i, level)| list(&format!("{name}[{i}]"), Some(level), kind))
        .collect()
}
