//! `DelegationLimit`.

use std::sync::Arc;

use deputy_api::{DelegationLimit, convert};
use deputy_delegation::{
    ObjectName, Violation, boundary,
    model::{Enforcement, Limit, LimitEntry},
};
use kube::core::admission::Operation;
use serde_json::Value;

use super::{blast_radius, lints, object::ReviewedObject, overlap};
use crate::{facts::Facts, review::Verdict};

/// Beyond them warnings stop naming accounts that don't exist.
const ACCOUNTS_SHOWN: usize = 5;

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let limit = match reviewed.parse::<DelegationLimit, _>(convert::parse_limit) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let violations = problems(facts, &limit);
    if !violations.is_empty() {
        return Verdict::refused(&reviewed.title(), &violations).audit("decision", "refused");
    }
    let verdict = limit
        .scope
        .accounts
        .iter()
        .filter(|name| facts.account(name).is_none())
        .take(ACCOUNTS_SHOWN)
        .fold(Verdict::allow().audit("decision", "accepted"), |verdict, name| {
            verdict.warn(format!("AWSAccount {name} does not exist, or can't be read"))
        });
    let verdict = lints::warn_about_limit(&limit, verdict);
    let is_meant = blast_radius::accepted(reviewed).is_some();
    let verdict = overlap::guard(reviewed, facts, &limit, had_boundary(reviewed), is_meant, verdict);
    if verdict.is_denied() {
        return verdict;
    }
    let name = limit.name.clone();
    let (is_dry_run, loses_boundary) = (
        limit.enforcement == Enforcement::DryRun,
        !limit.carries_boundary() && had_boundary(reviewed),
    );
    let impact = facts.impact_of_limit(&name, Some(&LimitEntry::Valid(Arc::new(limit))));
    // Grants would carry a boundary that nobody maintains. None of them is free.
    if loses_boundary {
        let what = if is_dry_run {
            "needs enforcement Enforce while roles carry its boundary and no other limit with one applies to them: as DryRun it would \
             suspend"
        } else {
            "needs boundary.type Generated or Reference while roles carry its boundary and no other limit with one applies to them: as CheckOnly it \
             would suspend"
        };
        return blast_radius::guard(reviewed, what, &impact, false, verdict);
    }
    let what = match reviewed.operation {
        Operation::Create => "would suspend",
        _ => "would, changed like this, suspend",
    };
    blast_radius::guard(reviewed, what, &impact, blast_radius::is_small(&impact), verdict)
}

/// Whether the limit had a boundary before the change; also when that can't be read.
fn had_boundary(reviewed: &ReviewedObject<'_>) -> bool {
    reviewed.old.is_some_and(|old| {
        if convert::enforcement_of(old) == Enforcement::DryRun {
            return false;
        }
        let mode = old.pointer("/spec/boundary/type").and_then(Value::as_str);
        mode.is_none_or(|mode| mode != "CheckOnly")
    })
}

/// What is wrong with the limit itself, and with its boundary policy in each account.
fn problems(facts: &Facts, limit: &Limit) -> Vec<Violation> {
    let violations = boundary::check_limit(limit);
    if !violations.is_empty() || !limit.has_boundary() {
        return violations;
    }
    limit
        .scope
        .accounts
        .iter()
        .filter_map(|name| facts.account(name))
        .filter_map(|account| boundary::problem(facts.cluster(), &account, limit))
        .collect()
}

/// A limit that grants rest on stays. Where another limit accepts them too, they don't.
pub(super) fn delete(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let name = reviewed.object.pointer("/metadata/name").and_then(Value::as_str);
    let Some(name) = name.and_then(|n| ObjectName::new(n).ok()) else {
        // Nothing can rest on an object that can't be named.
        return Verdict::allow();
    };
    let impact = facts.impact_of_limit(&name, None);
    let verdict = Verdict::allow().audit("decision", "deleted");
    blast_radius::guard(
        reviewed,
        "is in use: its deletion would suspend",
        &impact,
        false,
        verdict,
    )
}
