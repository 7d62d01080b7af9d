//! What a change would take away in a cluster, as the webhook counts it when the object is applied there now.

use std::sync::Arc;

use deputy_admission::{ObjectOutcome, ObjectWarning, answer};
use deputy_index::Index;
use serde_json::Value;

use super::{
    answer::{CheckFinding, CheckedObject, CheckedStatus, FindingLevel},
    warnings::of_warning,
};
use crate::objects::ReadObject;

/// Adds what `object`, new or in the place of `old`, would suspend in a cluster as it is in `earlier`.
pub fn suspends(object: &ReadObject, earlier: &Arc<Index>, old: Option<&Value>, judged: &mut CheckedObject) {
    if old.is_some_and(|old| old.get("spec") == object.value.get("spec")) {
        return;
    }
    let Some(answer) = answer(earlier, &object.value, old) else {
        return;
    };
    // With violations it is refused for these, and they are told already.
    if let ObjectOutcome::Refused { message, violations } = &answer.outcome
        && violations.is_empty()
        && judged.status != CheckedStatus::Refused
    {
        judged.status = CheckedStatus::Refused;
        judged.findings.push(CheckFinding {
            level: FindingLevel::Error,
            reason: ObjectWarning::WOULD_SUSPEND,
            place: object.place("spec"),
            field: "spec".to_owned(),
            limit: None,
            message: message.clone(),
        });
    }
    let said = answer
        .warnings
        .iter()
        .filter(|warning| warning.is_about_the_change());
    judged
        .findings
        .extend(said.map(|warning| of_warning(object, warning, false)));
}
