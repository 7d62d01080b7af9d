//! What a change would take away in a cluster, as the webhook counts it when the object is applied there now.

use std::sync::Arc;

use deputy_admission::{ObjectOutcome, answer};
use deputy_index::Index;
use serde_json::Value;

use super::answer::{CheckFinding, CheckedObject, CheckedStatus, FindingLevel};
use crate::objects::ReadObject;
use deputy_admission::DeputyKind;

/// The reason of a change that would suspend many grants, and of what is said of one that suspends few.
const WOULD_SUSPEND: &str = "WouldSuspend";

/// Adds what `object` would suspend in the place of `old`, in a cluster as it is in `earlier`.
pub fn suspends(object: &ReadObject, earlier: &Arc<Index>, old: &Value, judged: &mut CheckedObject) {
    let has_grants = matches!(
        object.kind,
        DeputyKind::Limit | DeputyKind::Account | DeputyKind::ClusterRole | DeputyKind::Role
    );
    if !has_grants || old.get("spec") == object.value.get("spec") {
        return;
    }
    let Some(answer) = answer(earlier, &object.value, Some(old)) else {
        return;
    };
    let finding = |level, message: String| CheckFinding {
        level,
        reason: WOULD_SUSPEND,
        place: object.place("spec"),
        field: "spec".to_owned(),
        limit: None,
        message,
    };
    // With violations it is refused for these, and they are told already.
    if let ObjectOutcome::Refused { message, violations } = &answer.outcome
        && violations.is_empty()
        && judged.status != CheckedStatus::Refused
    {
        judged.status = CheckedStatus::Refused;
        judged
            .findings
            .push(finding(FindingLevel::Error, message.clone()));
    }
    let said = answer.warnings.iter().map(|warning| &warning.message);
    let said = said.filter(|message| message.starts_with("suspends "));
    let said = said.map(|message| finding(FindingLevel::Warning, message.clone()));
    judged.findings.extend(said);
}
