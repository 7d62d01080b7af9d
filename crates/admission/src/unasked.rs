//! The verdict on an object that nobody applies: what the webhook would answer if somebody did.

use std::sync::Arc;

use deputy_delegation::Violation;
use deputy_index::Index;
use serde_json::Value;

use crate::{facts::Facts, kind::DeputyKind, review::ObjectWarning, validate};

/// What would be said of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectAnswer {
    /// Whether it would be stored, and come about.
    pub outcome: ObjectOutcome,
    /// What would be said beside it.
    pub warnings: Vec<ObjectWarning>,
}

/// Whether an object would be stored, and come about.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectOutcome {
    /// Stored, and within every limit that applies.
    Accepted,
    /// Stored, and grants nothing: what it names, or a limit, is not there. The warnings say what.
    Awaiting,
    /// Not stored.
    Refused {
        /// The whole refusal.
        message: String,
        /// All that is wrong; none where it is not about a field, such as a change that would suspend many grants.
        violations: Vec<Violation>,
    },
}

/// The answer about `object`, which is made, or takes the place of `old`, in the cluster that `index` holds. `None`: it is of no kind of
/// Deputy's that is reviewed.
///
/// The index has to have been given all of [`deputy_index::ResourceKind::KINDS`]; how old it is does not matter here.
#[must_use]
pub fn answer(index: &Arc<Index>, object: &Value, old: Option<&Value>) -> Option<ObjectAnswer> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let api_version = format!("{}/{}", deputy_api::GROUP, deputy_api::VERSION);
    if text("apiVersion") != Some(api_version.as_str()) {
        return None;
    }
    let kind = DeputyKind::of_name(text("kind")?)?;
    let facts = Facts::new(Arc::clone(index));
    let verdict = validate::unasked(kind, object, old, &facts);
    let outcome = match (verdict.refusal(), verdict.audited("decision")) {
        (Some((message, violations)), _) => ObjectOutcome::Refused {
            message: message.to_owned(),
            violations: violations.to_vec(),
        },
        (None, Some("accepted")) => ObjectOutcome::Accepted,
        (None, _) => ObjectOutcome::Awaiting,
    };
    Some(ObjectAnswer {
        outcome,
        warnings: verdict.warnings().to_vec(),
    })
}
