//! `ClusterAWSRole`. What it may do in a namespace is decided with the binding there; alone it is looked at as it would be where the name
//! of the namespace is longest.

use std::sync::Arc;

use deputy_api::{ClusterAWSRole, convert};
use deputy_delegation::ObjectName;
use serde_json::Value;

use super::{blast_radius, lints, named, object::ReviewedObject};
use crate::{facts::Facts, review::Verdict};

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let template = match reviewed.parse::<ClusterAWSRole, _>(convert::parse_cluster_role) {
        Ok(template) => template,
        Err(refusal) => return refusal,
    };
    let verdict = Verdict::allow().audit("decision", "accepted");
    let verdict = lints::warn_about_cluster_role(&template, verdict);
    let name = template.name.clone();
    let impact = facts.impact_of_cluster_role(&name, Some(&Arc::new(template)));
    let small = blast_radius::is_small(&impact);
    let what = "would, changed like this, suspend";
    blast_radius::guard(reviewed, what, &impact, small, verdict)
}

/// One that many grants rest on goes only when that is meant.
pub(super) fn delete(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let name = reviewed.object.pointer("/metadata/name").and_then(Value::as_str);
    let Some(name) = name.and_then(|n| ObjectName::new(n).ok()) else {
        // Nothing can rest on an object that can't be named.
        return Verdict::allow();
    };
    let impact = facts.impact_of_cluster_role(&name, None);
    let small = blast_radius::is_small(&impact);
    let verdict = Verdict::allow().audit("decision", "deleted");
    let verdict = blast_radius::guard(
        reviewed,
        "is in use: its deletion would suspend",
        &impact,
        small,
        verdict,
    );
    if verdict.is_denied() {
        return verdict;
    }
    named::warn(reviewed, facts, verdict)
}
